//! Timers of the kernel that can be waited for like a descriptor, on clocks that `std` does not
//! wait on.
//!
//! Nothing here reads a clock or waits: a timer is readable when its moment has come, or when
//! somebody has set the clock.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// A clock that a [`Timer`] goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Time since the kernel began, suspended time included (`CLOCK_BOOTTIME`).
    Boot,
    /// The clock that people set (`CLOCK_REALTIME`), since 1970.
    Wall,
}

/// Why a [`Timer`] was readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Its moment has come.
    Due,
    /// The clock was set while it waited: it does not wait any more.
    ClockSet,
}

/// One moment to wait for.
#[derive(Debug)]
pub struct Timer {
    timer: TimerFd,
    clock: Clock,
}

impl Timer {
    /// A timer that waits for nothing; reads of it do not wait.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`: no descriptor is left.
    pub fn new(clock: Clock) -> io::Result<Self> {
        let id = match clock {
            Clock::Boot => ClockId::CLOCK_BOOTTIME,
            Clock::Wall => ClockId::CLOCK_REALTIME,
        };
        let timer = TimerFd::new(id, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        Ok(Self { timer, clock })
    }

    /// Waits for this moment of its clock instead of the one before; one that is over comes at
    /// once. A wall clock that is set before it came is told as [`Woken::ClockSet`].
    ///
    /// # Errors
    /// None known: a moment after the end of the kernel's time is as good as never.
    pub fn set(&self, at: Duration) -> io::Result<()> {
        // Zero would mean: wait for nothing.
        let at = Expiration::OneShot(TimeSpec::from(at.max(Duration::from_nanos(1))));
        let absolute = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
        let flags = match self.clock {
            Clock::Boot => absolute,
            Clock::Wall => absolute | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET,
        };
        match self.timer.set(at, flags) {
            // Set all the same; the kernel only tells that the clock was set before.
            Ok(()) | Err(Errno::ECANCELED) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Waits for nothing.
    ///
    /// # Errors
    /// None known.
    pub fn unset(&self) -> io::Result<()> {
        Ok(self.timer.unset()?)
    }

    /// Why it was readable; `None` when it is not.
    ///
    /// # Errors
    /// None known.
    pub fn woken(&self) -> io::Result<Option<Woken>> {
        loop {
            return match nix::unistd::read(&self.timer, &mut [0; 8]) {
                Ok(_) => Ok(Some(Woken::Due)),
                Err(Errno::ECANCELED) => Ok(Some(Woken::ClockSet)),
                Err(Errno::EAGAIN) => Ok(None),
                Err(Errno::EINTR) => continue,
                Err(e) => Err(e.into()),
            };
        }
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.timer.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{For, poll};

    fn readable(timer: &Timer, limit: Duration) -> bool {
        poll(&[(timer.as_fd(), For::Reading)], Some(limit)).unwrap().iter().any(|r| r.read)
    }

    #[test]
    fn a_timer_is_readable_when_its_moment_has_come_and_not_before() {
        let timer = Timer::new(Clock::Boot).unwrap();
        assert_eq!(timer.woken().unwrap(), None);
        let now = crate::clock::boottime();
        timer.set(now + Duration::from_millis(30)).unwrap();
        assert!(readable(&timer, Duration::from_secs(10)));
        assert!(crate::clock::boottime() >= now + Duration::from_millis(30));
        assert_eq!(timer.woken().unwrap(), Some(Woken::Due));
        assert_eq!(timer.woken().unwrap(), None);
    }

    #[test]
    fn what_is_over_comes_at_once_and_what_was_unset_never() {
        let timer = Timer::new(Clock::Wall).unwrap();
        timer.set(Duration::ZERO).unwrap();
        assert!(readable(&timer, Duration::from_secs(10)));
        timer.set(Duration::from_secs(1 << 40)).unwrap();
        timer.unset().unwrap();
        assert!(!readable(&timer, Duration::ZERO));
    }
}
