//! Many descriptors watched through one, each for one thing, with a number that says which it was.
//!
//! A descriptor that is in here costs nothing until that thing happens: one that is only watched for
//! a hang-up does not wake anybody when bytes come. Nothing here reads or closes what is watched.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Things taken out at once.
const AT_ONCE: usize = 64;

/// What to wait for on a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Bytes to read, or the end of them.
    Reading,
    /// The other side hung up.
    Hangup,
    /// A file of `/proc`, `/sys` or a control group has changed.
    Changed,
}

/// The set of what is watched.
#[derive(Debug)]
pub struct Set {
    epoll: Epoll,
}

impl Set {
    /// An empty one.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)? })
    }

    /// Watches `fd`; `number` is what [`Set::next`] gives when it has happened. It is told once
    /// each time it happens, and at once if it has happened already.
    ///
    /// # Errors
    /// `EPERM`: a file of its kind is always ready, so there is nothing to wait for. `EEXIST`: it
    /// is watched already. `ENOSPC`, `ENOMEM`.
    pub fn add(&self, fd: impl AsFd, what: What, number: u64) -> io::Result<()> {
        let flags = match what {
            What::Reading => EpollFlags::EPOLLIN | EpollFlags::EPOLLET,
            What::Hangup => EpollFlags::EPOLLET,
            What::Changed => EpollFlags::EPOLLPRI | EpollFlags::EPOLLET,
        };
        Ok(self.epoll.add(fd, EpollEvent::new(flags, number))?)
    }

    /// Watches it no longer. Do so before it is closed: another copy of it may stay open.
    pub fn remove(&self, fd: impl AsFd) {
        // That it was not watched is fine.
        let _none = self.epoll.delete(fd);
    }

    /// The numbers of those for which it has happened, without waiting.
    ///
    /// # Errors
    /// None known.
    pub fn next(&self) -> io::Result<Vec<u64>> {
        let mut events = [EpollEvent::empty(); AT_ONCE];
        let count = match self.epoll.wait(&mut events, EpollTimeout::ZERO) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        Ok(events.iter().take(count).map(EpollEvent::data).collect())
    }
}

impl AsFd for Set {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

impl From<Set> for OwnedFd {
    fn from(set: Set) -> Self {
        set.epoll.0
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::poll::{For, poll};

    #[test]
    fn only_what_was_asked_for_wakes_and_says_its_number() {
        let set = Set::new().unwrap();
        let (mut a, mut b) = UnixStream::pair().unwrap();
        set.add(&b, What::Hangup, 7).unwrap();
        a.write_all(b"bytes").unwrap();
        let quiet = poll(&[(set.as_fd(), For::Reading)], Some(std::time::Duration::ZERO)).unwrap();
        assert!(quiet.iter().all(|ready| !ready.read));
        assert_eq!(set.next().unwrap(), Vec::<u64>::new());
        drop(a);
        assert_eq!(set.next().unwrap(), [7]);
        assert_eq!(set.next().unwrap(), Vec::<u64>::new(), "once");
        b.read_exact(&mut [0; 5]).unwrap();
        set.remove(&b);
        let (mut c, d) = UnixStream::pair().unwrap();
        set.add(&d, What::Reading, 8).unwrap();
        c.write_all(b"x").unwrap();
        assert_eq!((set.next().unwrap(), set.next().unwrap()), (vec![8], vec![]));
        c.write_all(b"y").unwrap();
        assert_eq!(set.next().unwrap(), [8], "once more");
        set.remove(&d);
        assert_eq!(set.next().unwrap(), Vec::<u64>::new());
    }

    #[test]
    fn a_file_has_nothing_to_wait_for() {
        let set = Set::new().unwrap();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let refused = set.add(&file, What::Hangup, 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }
}
