//! Where a child leaves which step failed: seen by us whether it shares our memory or not.

#![expect(unsafe_code, reason = "a page that is shared with a child")]

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::errno::Errno;

use super::SpawnError;
use crate::confine::Confine;

/// Which step failed, and why; all zero as long as none has.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Its number.
    pub(super) step: AtomicU32,
    /// Number of its part.
    pub(super) at: AtomicU32,
    /// Why; written last.
    pub(super) errno: AtomicI32,
}

impl State {
    /// Leaves that this step failed.
    pub(super) fn fail(&self, step: u32, errno: i32) {
        self.step.store(step, Ordering::Relaxed);
        self.errno.store(errno, Ordering::Release);
    }

    /// What failed, if anything has, of a child that has ended.
    pub(super) fn failed(&self, confine: Option<&Confine>) -> Option<SpawnError> {
        let errno = self.errno.load(Ordering::Acquire);
        if errno == 0 {
            return None;
        }
        let step = super::step_of(self.step.load(Ordering::Relaxed));
        let what = confine.and_then(|c| c.part(step, self.at.load(Ordering::Relaxed)));
        Some(SpawnError { step, what, error: io::Error::from_raw_os_error(errno) })
    }
}

/// A state for one start.
#[derive(Debug)]
pub(super) enum Place {
    /// For a child that has our memory.
    Ours(State),
    /// For one that has a copy.
    Page(Page),
}

impl Place {
    /// # Errors
    /// `ENOMEM`: no page.
    pub(super) fn new(copied: bool) -> Result<Self, i32> {
        if copied { Page::new().map(Self::Page) } else { Ok(Self::Ours(State::default())) }
    }

    pub(super) fn state(&self) -> &State {
        match self {
            Self::Ours(state) => state,
            // SAFETY: a page with zeroes, which are a valid state, that lives as long as `self`.
            Self::Page(page) => unsafe { page.0.cast().as_ref() },
        }
    }
}

/// Memory that stays one with a child that has a copy of the rest.
#[derive(Debug)]
pub(super) struct Page(NonNull<libc::c_void>);

impl Page {
    fn new() -> Result<Self, i32> {
        let (size, protection) = (size_of::<State>(), libc::PROT_READ | libc::PROT_WRITE);
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, which takes nobody else's place.
        let page = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) };
        if page == libc::MAP_FAILED {
            return Err(Errno::last_raw());
        }
        NonNull::new(page).map(Self).ok_or(libc::ENOMEM)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this size, and no reference to it outlives us.
        unsafe { libc::munmap(self.0.as_ptr(), size_of::<State>()) };
    }
}
