//! The hardware watchdog: restarts the machine unless it is petted.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

/// Where the kernel shows the first one.
pub const DEVICE: &str = "/dev/watchdog";

/// An armed watchdog. Dropped without [`Watchdog::disarm`] it goes on counting.
#[derive(Debug)]
pub struct Watchdog(File);

mod request {
    nix::ioctl_readwrite!(
        /// `WDIOC_SETTIMEOUT`: takes seconds, gives the seconds that the hardware made of it.
        set_timeout,
        b'W',
        6,
        libc::c_int
    );
}

impl Watchdog {
    /// Opens the watchdog, which arms it, and sets after how long it bites.
    ///
    /// # Errors
    /// `ENOENT`: there is none. `EBUSY`: someone else has it. `EINVAL`, `EOPNOTSUPP`: it does not
    /// take this time; it is disarmed again as far as it allows.
    pub fn open(bite_after: Duration) -> io::Result<Self> {
        let watchdog = Self(OpenOptions::new().write(true).open(Path::new(DEVICE))?);
        match watchdog.set_timeout(bite_after) {
            Ok(()) => Ok(watchdog),
            Err(e) => {
                watchdog.disarm()?;
                Err(e)
            }
        }
    }

    /// Sets anew after how long it bites, from now on.
    ///
    /// # Errors
    /// `EINVAL`, `EOPNOTSUPP`: it does not take this time, and keeps the one that it has.
    #[expect(unsafe_code, reason = "an ioctl")]
    pub fn set_timeout(&self, limit: Duration) -> io::Result<()> {
        let mut seconds = libc::c_int::try_from(limit.as_secs()).map_err(io::Error::other)?;
        // SAFETY: `seconds` outlives the call, which reads and writes one int.
        unsafe { request::set_timeout(self.0.as_raw_fd(), &raw mut seconds) }?;
        Ok(())
    }

    /// Puts it off for the full time again.
    ///
    /// # Errors
    /// None known.
    pub fn pet(&self) -> io::Result<()> {
        (&self.0).write_all(b"\0")
    }

    /// Stops it, where the hardware allows that.
    ///
    /// # Errors
    /// None known.
    pub fn disarm(self) -> io::Result<()> {
        (&self.0).write_all(b"V")
    }
}
