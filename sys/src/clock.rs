//! Clocks that `std` does not have.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Time since the kernel began, suspended time included (`CLOCK_BOOTTIME`).
#[must_use]
pub fn boottime() -> Duration {
    // Linux always has this clock.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// Time since the kernel began, without the time it was suspended (`CLOCK_MONOTONIC`).
#[must_use]
pub fn monotonic() -> Duration {
    // Linux always has this clock.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}
