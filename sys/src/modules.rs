//! Loading kernel modules.

#![expect(unsafe_code, reason = "`nix` does not know the flag for compressed modules")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;

/// `MODULE_INIT_COMPRESSED_FILE`: the kernel decompresses.
const COMPRESSED: libc::c_int = 4;

/// Loads a module: `*.ko`, or `*.ko.xz`, `*.ko.zst`, `*.ko.gz` where the kernel decompresses. One
/// that is loaded already, or built in, is fine.
///
/// # Errors
/// - `ENOENT`: no such file, or a symbol of a module that must come before.
/// - `ENOEXEC`, `EINVAL`: for another kernel, or the kernel does not decompress.
/// - `EPERM`: not allowed here. `EKEYREJECTED`: signed by nobody we trust.
/// - `ENODEV`: the module finds nothing to work with.
pub fn load(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let packed = path.extension().is_some_and(|e| ["xz", "zst", "gz"].iter().any(|z| e == *z));
    let flags = if packed { COMPRESSED } else { 0 };
    // SAFETY: the descriptor is open and the parameters are a C string that lives for ever.
    let done =
        unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), flags) };
    match Errno::result(done) {
        Ok(_) | Err(Errno::EEXIST) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
