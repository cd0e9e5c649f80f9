//! Signals to the process group of a session leader, for hosts without cgroups.

use std::io;

use crate::number;

/// A signal to the group that `leader` leads. That it is gone is fine.
///
/// # Errors
/// `EPERM`: every process of the group changed its user. `EINVAL`: no such signal.
pub fn signal(leader: i32, signal: i32) -> io::Result<()> {
    number::send_to_group(leader, signal)
}
