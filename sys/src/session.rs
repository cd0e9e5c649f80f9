//! Signals to the process group of a session leader, for hosts without cgroups.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A signal to the group that `leader` leads. That it is gone is fine.
///
/// # Errors
/// `EPERM`: every process of the group changed its user. `EINVAL`: no such signal.
pub fn signal(leader: i32, signal: i32) -> io::Result<()> {
    match killpg(Pid::from_raw(leader), Signal::try_from(signal)?) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
