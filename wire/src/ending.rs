//! How a daemon is told to end.

use std::io;
use std::os::fd::AsFd;

use sys::signals::{Signals, Taken};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for `SIGTERM` or `SIGINT`. tokio's own way to do so keeps 22 KiB and two sockets for all the signals there are.
///
/// # Errors
/// The signals can't be read.
#[expect(deprecated, reason = "the new name is unsafe, for types that do not own what they name")]
pub async fn told_to_end(signals: &Signals) -> io::Result<()> {
    let fd = signals.as_fd().try_clone_to_owned()?;
    let ready = AsyncFd::with_interest(fd, Interest::READABLE)?;
    loop {
        let mut ready = ready.readable().await?;
        match signals.next()? {
            Some(Taken::Terminate | Taken::Interrupt) => return Ok(()),
            Some(Taken::Child | Taken::Power) => {}
            None => ready.clear_ready(),
        }
    }
}
