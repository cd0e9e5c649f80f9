//! Signals by their numbers, real-time ones too, which `nix` does not know.

#![expect(unsafe_code, reason = "`nix` sends no real-time signals")]

use std::io;

use nix::errno::Errno;
use nix::unistd::Pid;

/// The last signal of Linux on the targets we build for.
const LAST: i32 = 64;

/// Refuses what is no signal.
///
/// # Errors
/// `EINVAL`.
pub(crate) fn check(signal: i32) -> io::Result<()> {
    if (1..=LAST).contains(&signal) { Ok(()) } else { Err(Errno::EINVAL.into()) }
}

/// The signal to a process.
///
/// # Errors
/// `ESRCH`: it has ended. `EPERM`: it is not ours. `EINVAL`: no such signal.
pub(crate) fn send(pid: Pid, signal: i32) -> io::Result<()> {
    check(signal)?;
    // SAFETY: the call takes two integers and touches no memory of ours.
    let done = unsafe { libc::kill(pid.as_raw(), signal) };
    Ok(Errno::result(done).map(drop)?)
}

/// The signal to the process group that `leader` leads. That it is gone is fine.
///
/// # Errors
/// `EPERM`: every process of it changed its user. `EINVAL`: no such signal, or no such group.
pub(crate) fn send_to_group(leader: i32, signal: i32) -> io::Result<()> {
    // -1 would be every process there is.
    if leader <= 1 {
        return Err(Errno::EINVAL.into());
    }
    match send(Pid::from_raw(-leader), signal) {
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::Command;

    #[test]
    fn a_real_time_signal_arrives_and_what_is_none_is_refused() {
        let mut child = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let leader = i32::try_from(child.id()).unwrap();
        for none in [0, -1, 65, i32::MAX] {
            assert!(super::send_to_group(leader, none).is_err(), "{none}");
        }
        assert!(super::send_to_group(1, 15).is_err() && super::send_to_group(0, 15).is_err());
        super::send_to_group(leader, 37).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(37));
        super::send_to_group(leader, 37).unwrap();
    }
}
