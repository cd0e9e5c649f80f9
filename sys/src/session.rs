//! Signals to the process group of a process, for hosts without cgroups.

use std::io;

use nix::unistd::{Pid, getpgid};

use crate::number;

/// A signal to the group that `leader` leads. That it is gone is fine.
///
/// # Errors
/// `EPERM`: every process of the group changed its user. `EINVAL`: no such signal.
pub fn signal(leader: i32, signal: i32) -> io::Result<()> {
    number::send_to_group(leader, signal)
}

/// A signal to the group that `pid` is in: a daemon that forked is not the leader of its group. When
/// `pid` is gone, to what it has led. That they are gone is fine.
///
/// # Errors
/// As [`signal`].
pub fn signal_around(pid: i32, signal: i32) -> io::Result<()> {
    let group = match pid {
        // 0 would be our own.
        ..=0 => pid,
        _ => getpgid(Some(Pid::from_raw(pid))).map_or(pid, Pid::as_raw),
    };
    number::send_to_group(group, signal)
}
