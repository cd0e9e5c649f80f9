//! Waiting for several descriptors at once, for programs without an async runtime.
//!
//! Nothing here reads or writes; a descriptor that is reported ready may still say `EAGAIN`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{self, FcntlArg, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout};

/// What to wait for on a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Bytes to read, or the end of them.
    Reading,
    /// Room to write.
    Writing,
    /// Either.
    Both,
    /// Only that the other side hangs up.
    Hangup,
}

/// What a descriptor is ready for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ready {
    /// A read does not wait.
    pub read: bool,
    /// A write does not wait.
    pub write: bool,
    /// The other side hung up, or the descriptor is in error; what came before can still be read.
    pub hangup: bool,
}

/// Waits until a descriptor is ready or `limit` is over (`None`: for ever). Answers in the order
/// of `wanted`; nothing is ready when the limit is over or a signal came.
///
/// # Errors
/// `EINVAL`: more descriptors than this process may open. `ENOMEM`.
pub fn poll(wanted: &[(BorrowedFd<'_>, For)], limit: Option<Duration>) -> io::Result<Vec<Ready>> {
    let flags = |what: &For| match what {
        For::Reading => PollFlags::POLLIN,
        For::Writing => PollFlags::POLLOUT,
        For::Both => PollFlags::POLLIN | PollFlags::POLLOUT,
        For::Hangup => PollFlags::empty(),
    };
    let mut fds: Vec<PollFd<'_>> =
        wanted.iter().map(|(fd, what)| PollFd::new(*fd, flags(what))).collect();
    let limit = match limit {
        // Rounded up, so that a deadline is over when the wait for it is.
        Some(limit) => PollTimeout::try_from(limit.saturating_add(Duration::from_micros(999)))
            .unwrap_or(PollTimeout::MAX),
        None => PollTimeout::NONE,
    };
    match nix::poll::poll(&mut fds, limit) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(vec![Ready::default(); wanted.len()]),
        Err(e) => return Err(e.into()),
    }
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let ready = |fd: &PollFd<'_>| {
        let got = fd.revents().unwrap_or(PollFlags::POLLERR);
        Ready {
            read: got.contains(PollFlags::POLLIN),
            write: got.contains(PollFlags::POLLOUT),
            hangup: got.intersects(gone),
        }
    };
    Ok(fds.iter().map(ready).collect())
}

/// Makes reads and writes fail with `EAGAIN` instead of waiting.
///
/// # Errors
/// None known for an open descriptor.
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl::fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl::fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_socket_is_ready_for_what_it_is() {
        let (mut a, b) = UnixStream::pair().unwrap();
        let on_b = |what| poll(&[(b.as_fd(), what)], Some(Duration::ZERO)).unwrap();
        assert_eq!(on_b(For::Reading), [Ready::default()]);
        assert_eq!(on_b(For::Both), [Ready { write: true, ..Ready::default() }]);
        a.write_all(b"x").unwrap();
        assert_eq!(on_b(For::Reading), [Ready { read: true, ..Ready::default() }]);
        drop(a);
        assert_eq!(on_b(For::Hangup), [Ready { hangup: true, ..Ready::default() }]);
    }

    #[test]
    fn a_nonblocking_read_does_not_wait() {
        let (a, mut b) = UnixStream::pair().unwrap();
        set_nonblocking(&b).unwrap();
        assert_eq!(b.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(a);
    }
}
