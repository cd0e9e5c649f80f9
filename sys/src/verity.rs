//! fs-verity: a file that never changes again, each block of which the kernel checks when it is read.
//!
//! ```text
//! written, synced, closed ─► opened to read ─► enable: the kernel hashes all of it ─► measure: its digest
//! ```
//!
//! A block that is not as it was when it was sealed is not given to anybody: reading it fails with `EIO`,
//! also below a file system that is mounted from the file. SHA-256, blocks of 4096, no salt: what the
//! crate `bundle` computes.

#![expect(unsafe_code, reason = "`nix` has not these ioctls")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

/// `ETXTBSY`: somebody has the file open for writing.
pub const WRITTEN: i32 = libc::ETXTBSY;

/// `EEXIST`: it is sealed already.
pub const SEALED: i32 = libc::EEXIST;

/// `FS_VERITY_HASH_ALG_SHA256`.
const SHA256: u32 = 1;

/// Bytes of a block of the tree.
const BLOCK: u32 = 4096;

/// Bytes of a digest.
pub const DIGEST: usize = 32;

/// `struct fsverity_enable_arg` (`linux/fsverity.h`).
#[repr(C)]
#[derive(Default)]
struct Enable {
    version: u32,
    hash: u32,
    block: u32,
    salt_size: u32,
    salt: u64,
    signature_size: u32,
    reserved: u32,
    signature: u64,
    more: [u64; 11],
}

/// `struct fsverity_digest`, with room for ours.
#[repr(C)]
struct Measured {
    hash: u16,
    size: u16,
    digest: [u8; DIGEST],
}

mod request {
    use super::Enable;

    nix::ioctl_write_ptr!(
        /// `FS_IOC_ENABLE_VERITY`.
        enable, b'f', 133, Enable
    );

    /// `FS_IOC_MEASURE_VERITY`: its number has the size of the structure without the digest.
    pub(super) const MEASURE: nix::sys::ioctl::ioctl_num_type =
        nix::request_code_readwrite!(b'f', 134, 4);
}

/// Seals a file that is open for reading and that nobody has open for writing. The kernel reads all of it.
///
/// # Errors
/// - `EOPNOTSUPP`, `ENOTTY`: the file system or the kernel has no fs-verity, or it was not switched on.
/// - `EEXIST` ([`SEALED`]), `ETXTBSY` ([`WRITTEN`]). `EACCES`, `EPERM`: not ours to change. `EROFS`: read-only.
/// - `ENOSPC`, `EDQUOT`: no room for the hashes. `EINTR`: a signal came; nothing was done.
pub fn enable(file: BorrowedFd<'_>) -> io::Result<()> {
    let how = Enable { version: 1, hash: SHA256, block: BLOCK, ..Enable::default() };
    // SAFETY: the kernel reads a `struct fsverity_enable_arg` without pointers.
    unsafe { request::enable(file.as_raw_fd(), &raw const how) }?;
    Ok(())
}

/// The digest of a sealed file: as the kernel keeps it, without reading; `None` if it is not sealed.
///
/// # Errors
/// `EOPNOTSUPP`, `ENOTTY`: no fs-verity here. `EOVERFLOW`: sealed with a longer hash.
pub fn measure(file: BorrowedFd<'_>) -> io::Result<Option<[u8; DIGEST]>> {
    let size = u16::try_from(DIGEST).map_err(io::Error::other)?;
    let mut measured = Measured { hash: 0, size, digest: [0; DIGEST] };
    // SAFETY: the kernel writes a `struct fsverity_digest` and at most `size` bytes behind it.
    let asked = unsafe { libc::ioctl(file.as_raw_fd(), request::MEASURE, &raw mut measured) };
    match Errno::result(asked) {
        Err(Errno::ENODATA) => Ok(None),
        Err(error) => Err(error.into()),
        Ok(_) if u32::from(measured.hash) != SHA256 || measured.size != size => {
            Err(io::Error::new(io::ErrorKind::Unsupported, "it is sealed with another hash"))
        }
        Ok(_) => Ok(Some(measured.digest)),
    }
}

/// Whether an error says that there is no fs-verity here.
#[must_use]
pub fn is_missing(error: &io::Error) -> bool {
    let missing = [libc::EOPNOTSUPP, libc::ENOTTY];
    error.raw_os_error().is_some_and(|errno| missing.contains(&errno))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn where_there_is_no_verity_it_is_said_so() {
        let file = File::open("/proc/self/stat").unwrap();
        assert!(is_missing(&enable(file.as_fd()).unwrap_err()));
        assert!(!matches!(measure(file.as_fd()), Ok(Some(_))));
    }

    #[test]
    fn structures_are_as_long_as_linux_has_them() {
        assert_eq!(size_of::<Enable>(), 128);
        assert_eq!(size_of::<Measured>(), 4 + DIGEST);
    }
}
