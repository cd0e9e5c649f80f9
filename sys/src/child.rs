//! A child that this program started itself with `std::process`, as the leader of its own group.
//!
//! Children of PID 1 are another matter: see `spawn`.

#![expect(unsafe_code, reason = "`nix` has no pidfd_open(2)")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::Child;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A descriptor that becomes readable when the child ends. The child must not be reaped yet.
///
/// # Errors
/// `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn pidfd(child: &Child) -> io::Result<OwnedFd> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: the call takes two integers and gives a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(io::Error::other)?;
    // SAFETY: the kernel just made this descriptor, close-on-exec, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to the child's group. The child must be its leader (`process_group(0)`).
/// That the group is gone already is fine.
///
/// # Errors
/// `EINVAL`: no signal has this number. `EPERM`: every process of the group changed its user.
pub fn signal_group(child: &Child, number: i32) -> io::Result<()> {
    let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    match killpg(group, Signal::try_from(number)?) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::Command;
    use std::time::Duration;

    use super::*;
    use crate::poll::{For, poll};

    #[test]
    fn a_signalled_group_ends_and_the_pidfd_tells() {
        let mut child = Command::new("/bin/sleep").arg("600").process_group(0).spawn().unwrap();
        let pidfd = pidfd(&child).unwrap();
        let ended = |limit| poll(&[(pidfd.as_fd(), For::Reading)], Some(limit)).unwrap();
        assert!(ended(Duration::ZERO).iter().all(|ready| !ready.read));
        signal_group(&child, 15).unwrap();
        assert!(ended(Duration::from_secs(10)).iter().all(|ready| ready.read));
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        signal_group(&child, 15).unwrap();
        assert!(signal_group(&child, 200).is_err());
    }
}
