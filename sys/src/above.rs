//! Descriptors that are kept for long, above those that come and go.
//!
//! What is started takes a copy of our table up to what it is given ([`crate::spawn`]). Each service has a
//! descriptor that we keep; among the low numbers they would all be copied and closed again at each start.

#![expect(unsafe_code, reason = "the kernel gives the copy as a number")]

use std::os::fd::{FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, fcntl};

/// Numbers for those that come and go: more than are ever open at once for one start.
const LOW: i32 = 256;

/// The same descriptor at a higher number; as it was where so many are not allowed.
#[must_use]
pub fn lifted(fd: OwnedFd) -> OwnedFd {
    match fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(LOW)) {
        // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
        Ok(copy) => unsafe { OwnedFd::from_raw_fd(copy) },
        Err(_) => fd,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn it_is_the_same_at_a_higher_number() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let reader = lifted(reader.into());
        assert!(reader.as_raw_fd() >= LOW);
        writer.write_all(b"x").unwrap();
        drop(writer);
        let mut text = String::new();
        std::fs::File::from(reader).read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
    }
}
