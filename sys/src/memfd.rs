//! Files that live in memory and go where their descriptor goes.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
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

/// Seals: what such a file holds stays as it is, whoever else has it.
const FINAL: SealFlag =
    SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW).union(SealFlag::F_SEAL_WRITE);

/// Makes what a file in memory holds final, for everybody who has it.
///
/// # Errors
/// `EBUSY`: it is mapped for writing. `EPERM`: it cannot be sealed. `EINVAL`: it is no such file.
pub fn seal(file: impl AsFd) -> io::Result<()> {
    fcntl(file, FcntlArg::F_ADD_SEALS(FINAL | SealFlag::F_SEAL_SEAL))?;
    Ok(())
}

/// Whether this is a file in memory that nobody can change any more. Reading it never waits for
/// anybody, which is not true of other files that a stranger hands over.
#[must_use]
pub fn is_sealed(file: impl AsFd) -> bool {
    fcntl(file, FcntlArg::F_GET_SEALS)
        .is_ok_and(|seals| SealFlag::from_bits_retain(seals).contains(FINAL))
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

    #[test]
    fn a_sealed_file_is_final_and_only_it_counts_as_sealed() {
        let mut file = create("entry").unwrap();
        file.write_all(b"said").unwrap();
        assert!(!is_sealed(&file));
        seal(&file).unwrap();
        assert!(is_sealed(&file));
        assert!(file.write_all(b"more").is_err());
        assert!(!is_sealed(File::open("/dev/null").unwrap()));
    }
}
