//! Starting the two programs that PID 1 starts itself: servicemgr and the rescue shell.
//!
//! Services are another matter: see `spawn`.

#![expect(unsafe_code, reason = "pre_exec hooks run between fork and exec")]

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{chroot, setsid};

/// `ENOEXEC`: the file is no program for this machine.
pub const NO_PROGRAM: i32 = libc::ENOEXEC;

/// The highest signal of the kernel.
const LAST_SIGNAL: libc::c_int = 64;

/// Starts `program` in a session of its own with nothing but `environment`, no signal blocked and
/// `socket` as descriptor `at`. The child must be reaped by number.
///
/// # Errors
/// - `ENOENT`, `EACCES`, `ENOEXEC`: the program. Trying again will not help.
/// - `EAGAIN`, `ENOMEM`, `EMFILE`: trying again later may help.
pub fn with_socket(
    program: &str,
    environment: &[(String, String)],
    socket: OwnedFd,
    at: RawFd,
) -> io::Result<i32> {
    let mut command = Command::new(program);
    command.env_clear().envs(environment.iter().map(|(k, v)| (k, v))).stdin(Stdio::null());
    // Takes the number if it is free, so that the pipe by which `spawn` learns of a failed exec
    // does not get it and is not overwritten.
    let _taken = reserve(&socket, at)?;
    let hook = move || {
        afresh()?;
        // SAFETY: dup2 onto a number that is ours to choose in this fresh process.
        Errno::result(unsafe { libc::dup2(socket.as_raw_fd(), at) })?;
        if socket.as_raw_fd() == at {
            // SAFETY: the call takes integers only; dup2 onto itself keeps close-on-exec.
            Errno::result(unsafe { libc::fcntl(at, libc::F_SETFD, 0) })?;
        }
        Ok(())
    };
    // SAFETY: the hook only makes system calls and allocates nothing.
    unsafe { command.pre_exec(hook) };
    pid_of(&mut command)
}

/// Starts a shell on `console` that has the terminal to itself, in `root` as its root.
///
/// # Errors
/// As [`with_socket`]; also when the console cannot be opened (`ENXIO`, `ENODEV`: there is none).
pub fn shell(program: &str, args: &[&str], root: &str, console: &str) -> io::Result<i32> {
    let terminal = OpenOptions::new().read(true).write(true).open(console)?;
    let mut command = Command::new(program);
    command.args(args.iter().map(OsStr::new));
    command.env_clear().envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/")]);
    command.env("TERM", "linux").env("PS1", "rescue# ").current_dir("/");
    command.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?).stderr(terminal);
    let root = std::ffi::CString::new(root).map_err(io::Error::other)?;
    let hook = move || {
        afresh()?;
        if root.as_bytes() != b"/" {
            chroot(root.as_c_str())?;
        }
        // SAFETY: the call takes integers only. Without a terminal (EPERM, ENOTTY) there is no job
        // control, and the shell says so itself.
        let _no_job_control = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 1) };
        Ok(())
    };
    // SAFETY: the hook only makes system calls and allocates nothing.
    unsafe { command.pre_exec(hook) };
    pid_of(&mut command)
}

/// Becomes `program`, with no arguments and the same environment. Comes back only with an error.
///
/// # Errors
/// `ENOENT`, `EACCES`, `ENOEXEC`: the program.
#[must_use]
pub fn replace(program: &str) -> io::Error {
    Command::new(program).exec()
}

fn reserve(socket: &OwnedFd, at: RawFd) -> io::Result<OwnedFd> {
    let number = fcntl(socket, FcntlArg::F_DUPFD_CLOEXEC(at))?;
    // SAFETY: the kernel just made this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn afresh() -> io::Result<()> {
    let (from, to) = (3, libc::c_uint::MAX);
    // SAFETY: the call takes integers only. Whoever started us may have left descriptors open.
    // Kernels before 5.11 refuse (EINVAL, ENOSYS): our own are close-on-exec anyway.
    let _old_kernel =
        unsafe { libc::syscall(libc::SYS_close_range, from, to, libc::CLOSE_RANGE_CLOEXEC) };
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    // What is ignored stays ignored over exec, down to the last service. By the bare call, for the
    // C library keeps two signals to itself.
    let default = [0_u64; 4];
    let none = std::ptr::null::<u64>();
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: the kernel reads one sigaction of 32 bytes that outlives the call, and it sets no
        // handler. EINVAL: SIGKILL and SIGSTOP.
        let _cannot_be_ignored =
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, 8) };
    }
    // A fresh child leads no group, so this cannot fail.
    setsid()?;
    Ok(())
}

fn pid_of(command: &mut Command) -> io::Result<i32> {
    // Dropping a `Child` neither ends nor reaps it.
    i32::try_from(command.spawn()?.id()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seqpacket;

    #[test]
    fn the_program_finds_its_socket_and_its_environment_and_no_other_descriptor() {
        let (ours, theirs) = seqpacket::pair().unwrap();
        let program = std::env::temp_dir().join(format!("start-{}.sh", std::process::id()));
        let text = "#!/bin/sh\necho $A $(ls /proc/self/fd) >&3\n";
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let environment = [("A".to_owned(), "b".to_owned())];
        with_socket(program.to_str().unwrap(), &environment, theirs, 3).unwrap();
        let mut buf = [0; 64];
        let (n, ..) = seqpacket::recv(&ours, &mut buf).unwrap();
        // 4 is the directory being listed.
        assert_eq!(std::str::from_utf8(&buf[..n]).unwrap(), "b 0 1 2 3 4\n");
        std::fs::remove_file(program).unwrap();
    }

    #[test]
    fn no_signal_stays_ignored() {
        // SAFETY: sets no handler; nobody sends this process SIGUSR2.
        unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
        let (ours, theirs) = seqpacket::pair().unwrap();
        let program = std::env::temp_dir().join(format!("ignored-{}.sh", std::process::id()));
        let text = "#!/bin/sh\nset -- $(grep SigIgn: /proc/self/status)\necho $2 >&3\n";
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        with_socket(program.to_str().unwrap(), &[], theirs, 3).unwrap();
        let mut buf = [0; 64];
        let (n, ..) = seqpacket::recv(&ours, &mut buf).unwrap();
        assert_eq!(std::str::from_utf8(&buf[..n]).unwrap(), "0000000000000000\n");
        std::fs::remove_file(program).unwrap();
    }

    #[test]
    fn a_missing_program_is_not_found_whatever_numbers_are_free() {
        let (_ours, theirs) = seqpacket::pair().unwrap();
        let error = with_socket("/nowhere", &[], theirs, 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
