//! Processes held by descriptor: one that has ended is not mistaken for another of its number.

#![expect(unsafe_code, reason = "`nix` has none of these calls")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::wait::How;

/// `PIDFD_GET_INFO`, and what of it: the control group, also of one that has ended.
const GET_INFO: u64 = 0xC040_FF0B;
const CGROUP: u64 = 1 << 2;
const EXIT: u64 = 1 << 3;

/// `F_DUPFD_QUERY` of Linux 6.10.
const DUPFD_QUERY: i32 = 1027;

/// `KCMP_FILE`.
const KCMP_FILE: i32 = 0;

/// A descriptor for `pid` that becomes readable when it ends.
///
/// # Errors
/// `ESRCH`: there is none. `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and gives a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(io::Error::other)?;
    // SAFETY: the kernel just made this descriptor, close-on-exec, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Number of the control group (v2) that the process is in, or was in when it ended: the inode of
/// the group's directory.
///
/// # Errors
/// `ENOTTY`, `EINVAL`: the kernel is older than 6.13. `ESRCH`: older than 6.15, and it has ended.
pub fn cgroup(pidfd: impl AsFd) -> io::Result<u64> {
    let [mask, group, ..] = info(pidfd)?;
    if mask & CGROUP == 0 { Err(Errno::ESRCH.into()) } else { Ok(group) }
}

/// How a process ended that somebody has reaped, as `wait(2)` would tell; `None`: not yet.
///
/// # Errors
/// As [`cgroup`].
pub fn exit(pidfd: impl AsFd) -> io::Result<Option<How>> {
    let [mask, .., last] = info(pidfd)?;
    if mask & EXIT == 0 {
        return Ok(None);
    }
    let [.., a, b, c, d] = last.to_ne_bytes();
    let status = i32::from_ne_bytes([a, b, c, d]);
    Ok(Some(match status & 0x7f {
        0 => How::Status(status >> 8 & 0xff),
        signal => How::Signal(signal),
    }))
}

fn info(pidfd: impl AsFd) -> io::Result<[u64; 8]> {
    let mut info = [0_u64; 8];
    if let Some(mask) = info.first_mut() {
        *mask = CGROUP | EXIT;
    }
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: the kernel reads and writes 64 bytes, as the number of the call says.
    let result = unsafe { libc::ioctl(fd, GET_INFO, info.as_mut_ptr()) };
    Errno::result(result)?;
    Ok(info)
}

/// Whether both descriptors are of one open file (a socket, a pipe), as copies are. Where the kernel
/// does not tell, they are not.
#[must_use]
pub fn same_file(a: impl AsFd, b: impl AsFd) -> bool {
    let (a, b) = (a.as_fd().as_raw_fd(), b.as_fd().as_raw_fd());
    // SAFETY: integers only.
    let same = unsafe { libc::fcntl(a, DUPFD_QUERY, b) };
    if same >= 0 {
        return same == 1;
    }
    let me = std::process::id();
    // SAFETY: integers only.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, me, me, KCMP_FILE, a, b) };
    order == 0
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_descriptor_outlives_its_process() {
        let mut child = Command::new("/bin/sleep").arg("600").spawn().unwrap();
        let pidfd = open(i32::try_from(child.id()).unwrap()).unwrap();
        let alive = cgroup(&pidfd);
        child.kill().unwrap();
        child.wait().unwrap();
        if let Ok(group) = alive {
            match cgroup(&pidfd) {
                Ok(then) => {
                    assert_eq!(then, group);
                    assert_eq!(exit(&pidfd).unwrap(), Some(How::Signal(9)));
                }
                Err(e) => assert_eq!(e.raw_os_error(), Some(libc::ESRCH), "before 6.15"),
            }
        }
    }

    #[test]
    fn copies_are_of_one_file_and_others_are_not() {
        let (a, b) = io::pipe().unwrap();
        assert!(same_file(&a, a.try_clone().unwrap()));
        assert!(!same_file(&a, &b));
    }
}
