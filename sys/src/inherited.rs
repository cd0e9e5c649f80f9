//! Descriptors this process was started with.

#![expect(unsafe_code, reason = "an inherited descriptor is only a number")]

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Mutex;

use nix::errno::Errno;
use nix::fcntl::{self, FcntlArg, FdFlag};

static TAKEN: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

/// The descriptor `number` that our parent left for us, close-on-exec from now on. Call it first
/// in `main`, before anything is opened.
///
/// # Errors
/// `EBADF`: it is not open. [`io::ErrorKind::AlreadyExists`]: it was taken before.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    let mut taken = TAKEN.lock().map_err(|_| io::Error::other("a thread died in here"))?;
    if taken.contains(&number) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // SAFETY: F_GETFD only looks whether the number is open.
    Errno::result(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    taken.push(number);
    // SAFETY: it is open, ours by agreement with our parent, and handed out once.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl::fcntl(fd.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(fd)
}
