//! What the tasks of the daemon share: the log, and how they wake each other.
//!
//! All tasks run on one thread. Invariant: [`Shared::with`] is the only way to the log, and its
//! closures neither wait nor call it again; so the log is never borrowed twice.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::log::Log;

/// Shared by all tasks.
#[derive(Debug)]
pub(super) struct Shared {
    log: RefCell<Log>,
    /// Room to read into, one for all tasks: it is empty between two of their steps.
    scratch: RefCell<Vec<u8>>,
    written: watch::Sender<()>,
    deadline: Cell<Option<Duration>>,
    timer: Notify,
}

/// Bytes read from a stream or a file at once.
pub(super) const CHUNK: usize = 64 << 10;

impl Shared {
    /// Around a log.
    #[must_use]
    pub(super) fn new(log: Log) -> Rc<Self> {
        Rc::new(Self {
            log: RefCell::new(log),
            scratch: RefCell::new(vec![0; CHUNK]),
            written: watch::Sender::new(()),
            deadline: Cell::new(None),
            timer: Notify::new(),
        })
    }

    /// Works with the log and with [`CHUNK`] bytes of room.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Log, &mut [u8]) -> T) -> T {
        work(&mut self.log.borrow_mut(), &mut self.scratch.borrow_mut())
    }

    /// Writes what was taken and wakes who follows.
    pub(super) fn write(&self) {
        let deadline = self.with(|log, _| {
            log.write();
            log.store.deadline()
        });
        self.written.send_replace(());
        if self.deadline.replace(deadline) != deadline {
            self.timer.notify_one();
        }
    }

    /// Changes with each write.
    pub(super) fn written(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }

    /// Does what the store wants done later. Sleeps for ever while it wants nothing.
    pub(super) async fn keep_time(&self) {
        loop {
            let Some(at) = self.deadline.get() else {
                self.timer.notified().await;
                continue;
            };
            let left = at.saturating_sub(sys::clock::monotonic());
            tokio::select! {
                () = self.timer.notified() => {}
                () = tokio::time::sleep(left) => {
                    self.with(|log, _| log.store.tick(sys::clock::monotonic()));
                    self.write();
                    self.deadline.set(self.with(|log, _| log.store.deadline()));
                }
            }
        }
    }
}
