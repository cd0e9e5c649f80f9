//! Descriptors in tokio's reactor.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches `fd`. Needs the runtime.
///
/// # Errors
/// `ENOSPC`, `ENOMEM`: no room in epoll. `EPERM`: a file of its kind is always ready.
#[expect(
    deprecated,
    reason = "sound for an owned descriptor, which nobody else closes; its successor is unsafe, \
              and unsafe stays in sys"
)]
pub(super) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest)
}
