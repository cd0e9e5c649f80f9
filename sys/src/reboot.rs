//! The end of the machine: reboot(2).

use std::io;

use nix::sys::reboot::RebootMode;

/// How the kernel ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Power off.
    PowerOff,
    /// Start again.
    Restart,
    /// Stop the CPUs, leave the power on.
    Halt,
}

/// Ends the kernel at once, without sync. Comes back only with an error.
///
/// # Errors
/// `EPERM`: not allowed here. Where the firmware cannot power off, the kernel halts.
#[must_use]
pub fn reboot(how: How) -> io::Error {
    let mode = match how {
        How::PowerOff => RebootMode::RB_POWER_OFF,
        How::Restart => RebootMode::RB_AUTOBOOT,
        How::Halt => RebootMode::RB_HALT_SYSTEM,
    };
    match nix::sys::reboot::reboot(mode) {
        Ok(never) => match never {},
        Err(e) => e.into(),
    }
}

/// Makes Ctrl-Alt-Del a `SIGINT` to PID 1 instead of an instant restart.
///
/// # Errors
/// `EPERM`, `EINVAL`: not allowed here (containers).
pub fn ctrl_alt_del_is_a_signal() -> io::Result<()> {
    Ok(nix::sys::reboot::set_cad_enabled(false)?)
}
