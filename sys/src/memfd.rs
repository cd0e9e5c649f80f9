//! Files that live in memory and go where their descriptor goes.

use std::fs::File;
use std::io;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// An empty file in memory, close-on-exec, that nobody can execute. `name` shows in `/proc`.
///
/// # Errors
/// `EMFILE`, `ENFILE`, `ENOMEM`. `EINVAL`: the name is longer than 249 bytes.
pub fn create(name: &str) -> io::Result<File> {
    // Kernels before 6.3 do not know MFD_NOEXEC_SEAL.
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let sealed = memfd_create(name, flags | MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL));
    Ok(sealed.or_else(|_| memfd_create(name, flags))?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};

    #[test]
    fn what_was_written_is_read_through_another_descriptor() {
        let mut file = create("state").unwrap();
        file.write_all(b"kept").unwrap();
        let mut other = file.try_clone().unwrap();
        drop(file);
        other.rewind().unwrap();
        let mut text = String::new();
        other.read_to_string(&mut text).unwrap();
        assert_eq!(text, "kept");
    }
}
