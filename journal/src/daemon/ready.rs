//! Waiting until a descriptor can be read or written.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for this descriptor, which must not block.
///
/// # Errors
/// `EPERM`: one cannot wait for it (it is an ordinary file). `ENOSPC`, `ENOMEM`: too many.
#[expect(deprecated, reason = "the new name is unsafe, for types that do not own what they name")]
pub(super) fn of<T: AsRawFd + Into<OwnedFd>>(fd: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(fd, interest)
}
