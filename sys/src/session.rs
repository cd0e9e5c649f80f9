//! Signals to the process group of a session leader, for hosts without cgroups.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// `SIGKILL` or `SIGTERM` to the group that `leader` leads. That it is gone is fine.
///
/// # Errors
/// `EPERM`: every process of the group changed its user.
pub fn signal(leader: i32, kill: bool) -> io::Result<()> {
    let signal = if kill { Signal::SIGKILL } else { Signal::SIGTERM };
    match killpg(Pid::from_raw(leader), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
