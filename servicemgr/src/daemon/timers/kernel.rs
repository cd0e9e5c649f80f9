//! A timer of the kernel in the loop.
//!
//! Invariant: it is set when what it waits for changes, and not at every turn of the loop.

use std::future::pending;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use sys::timerfd::{self, Clock, Woken};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::daemon::ready;

/// A timer of the kernel, made when there is something to wait for.
#[derive(Debug)]
pub(super) struct Kernel {
    clock: Clock,
    /// With a copy of its descriptor in the reactor.
    timer: Option<(timerfd::Timer, AsyncFd<OwnedFd>)>,
    /// What it waits for.
    set: Option<Duration>,
}

impl Kernel {
    /// Waits for nothing.
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, timer: None, set: None }
    }

    /// Until its clock shows this.
    pub(super) async fn wait(&mut self, at: Option<Duration>) -> Woken {
        match self.try_wait(at).await {
            Ok(woken) => woken,
            Err(e) => {
                let clock = self.clock;
                log::error!("no timer on the {clock:?} clock: {e}: it starts no services");
                pending().await
            }
        }
    }

    async fn try_wait(&mut self, at: Option<Duration>) -> io::Result<Woken> {
        if self.timer.is_none() && at.is_some() {
            let timer = timerfd::Timer::new(self.clock)?;
            let copy = timer.as_fd().try_clone_to_owned()?;
            self.timer = Some((timer, ready::watch(copy, Interest::READABLE)?));
        }
        let Some((timer, readable)) = &self.timer else { return pending().await };
        if self.set != at {
            match at {
                Some(at) => timer.set(at)?,
                None => timer.unset()?,
            }
            self.set = at;
        }
        loop {
            let mut ready = readable.readable().await?;
            if let Some(woken) = timer.woken()? {
                // It waits for nothing now.
                self.set = None;
                return Ok(woken);
            }
            ready.clear_ready();
        }
    }
}
