//! What PID 1 holds for servicemgr: descriptors by name, and the state memfd.
//!
//! Invariant: what is held stays open whatever happens to servicemgr, until it is dropped or
//! replaced under its name.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most descriptors held: sockets and log pipes of a thousand services.
pub const MAX_HELD: usize = 8192;

/// All that is held.
#[derive(Debug, Default)]
pub struct Held {
    by_name: BTreeMap<String, OwnedFd>,
    state: Option<OwnedFd>,
}

/// There are [`MAX_HELD`] already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Held {
    /// Keeps `fd`; an older one of that name is closed.
    ///
    /// # Errors
    /// [`Full`]: nothing changed, `fd` is closed.
    pub fn hold(&mut self, name: String, fd: OwnedFd) -> Result<(), Full> {
        if self.by_name.len() >= MAX_HELD && !self.by_name.contains_key(&name) {
            return Err(Full);
        }
        self.by_name.insert(name, fd);
        Ok(())
    }

    /// Closes what is held under this name, if anything.
    pub fn release(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// Replaces the state.
    pub fn set_state(&mut self, fd: Option<OwnedFd>) {
        self.state = fd;
    }

    /// The state, if there is one.
    #[must_use]
    pub fn state(&self) -> Option<BorrowedFd<'_>> {
        self.state.as_ref().map(AsFd::as_fd)
    }

    /// What is held under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.by_name.get(name).map(AsFd::as_fd)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }
}
