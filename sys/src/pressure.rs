//! Lack of memory, as the kernel tells it: time in which something stood still for want of it (PSI).
//!
//! ```text
//! "some 100000 2000000" ─► /proc/pressure/memory ─ so much of a window was lost ─► POLLPRI, once a window
//! ```
//!
//! Nothing is woken while memory is there.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::OFlag;

/// Where the kernel tells it of the whole device.
pub const MEMORY: &str = "/proc/pressure/memory";

/// Tells when memory lacks, for as long as it is there. See [`crate::watch::What::Changed`].
#[derive(Debug)]
pub struct Trigger(File);

impl Trigger {
    /// Tells when something stood still for `stall` of `window`. Without `CAP_SYS_RESOURCE` a window is a multiple of two
    /// seconds.
    ///
    /// # Errors
    /// `ENOENT`, `EOPNOTSUPP`: this kernel does not count it. `EINVAL`: no such window for this process. `EACCES`, `EROFS`:
    /// nobody may ask here.
    pub fn new(path: &Path, stall: Duration, window: Duration) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        let mut file = options.open(path)?;
        // The kernel takes the last byte for the end of the text.
        let text = format!("some {} {}\0", stall.as_micros(), window.as_micros());
        file.write_all(text.as_bytes())?;
        Ok(Self(file))
    }
}

impl AsFd for Trigger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Trigger> for OwnedFd {
    fn from(trigger: Trigger) -> Self {
        trigger.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Duration = Duration::from_secs(2);

    #[test]
    fn a_window_is_taken_and_nonsense_is_not() {
        let path = Path::new(MEMORY);
        if !path.exists() {
            return;
        }
        match Trigger::new(path, TWO / 20, TWO) {
            Ok(_) => assert!(Trigger::new(path, TWO, TWO / 20).is_err()),
            Err(e) => assert!(e.raw_os_error().is_some()),
        }
        assert!(Trigger::new(Path::new("/nowhere"), TWO, TWO).is_err());
    }
}
