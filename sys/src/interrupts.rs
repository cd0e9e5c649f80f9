//! `SIGINT`, `SIGTERM` and `SIGHUP` as a number that only grows.
//!
//! A host tool that has children to end and files to remove installs this once, then looks at
//! [`count`] each time round its loop. The handler does nothing but count.

#![expect(unsafe_code, reason = "a signal handler is installed")]

use std::io;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static COUNT: AtomicUsize = AtomicUsize::new(0);
static LAST: AtomicI32 = AtomicI32::new(0);

/// Counts these signals from now on instead of ending on them.
///
/// # Errors
/// None known.
pub fn install() -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler only touches two atomics.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

/// How many have come since [`install`].
#[must_use]
pub fn count() -> usize {
    COUNT.load(Ordering::Acquire)
}

/// The number of the last one; 0 before any.
#[must_use]
pub fn last() -> i32 {
    LAST.load(Ordering::Acquire)
}

extern "C" fn note(signal: c_int) {
    LAST.store(signal, Ordering::Release);
    COUNT.fetch_add(1, Ordering::AcqRel);
}
