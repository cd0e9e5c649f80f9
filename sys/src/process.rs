//! Child processes of host tools: tied to our life, with chosen descriptors, signalled by number.
//!
//! Invariant: a child prepared by [`die_with_parent`] never outlives the thread that spawned it, even
//! when that is killed with `SIGKILL`; so spawn such children from the main thread.

#![expect(unsafe_code, reason = "pre_exec hooks run between fork and exec")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};

use nix::unistd::{Pid, getpid, getppid};

use crate::number;

/// Makes the kernel kill `command`'s process when the thread that spawns it ends.
///
/// A program that changes its user ids or enters a user namespace loses this and calls
/// [`die_with`] again.
pub fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    let hook = move || die_with(parent.as_raw());
    // SAFETY: the hook only makes the system calls prctl and getppid, and allocates nothing.
    unsafe { command.pre_exec(hook) };
}

/// Makes the kernel kill this process when its parent, which must be `parent`, ends.
///
/// # Errors
/// `ESRCH`: the parent has ended already; end as well.
pub fn die_with(parent: i32) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid().as_raw() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
}

/// Gives `fd` to `command`'s process under the same number, which is returned.
pub fn keep_open(command: &mut Command, fd: OwnedFd) -> RawFd {
    let number = fd.as_raw_fd();
    let hook = move || {
        fcntl(&fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok(())
    };
    // SAFETY: the hook only makes the system call fcntl on a descriptor that it owns.
    unsafe { command.pre_exec(hook) };
    number
}

/// Lets others have the processor that are ready to run.
pub fn let_others_run() {
    // It has no errors on Linux.
    let _never = nix::sched::sched_yield();
}

/// Sends `signal` to the process `pid`.
///
/// # Errors
/// `ESRCH`: it has ended. `EPERM`: it belongs to someone else. `EINVAL`: no such signal.
pub fn signal(pid: u32, signal: i32) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    number::send(Pid::from_raw(pid), signal)
}

/// Whether a process with this id exists.
#[must_use]
pub fn exists(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    !matches!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH))
}

/// The user id we act with.
#[must_use]
pub fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The group id we act with.
#[must_use]
pub fn group() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// Processor time that this process has used so far, in its own code and in the kernel for it.
///
/// # Errors
/// None known.
pub fn cpu_time() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let all = usage.user_time() + usage.system_time();
    let seconds = u64::try_from(all.tv_sec()).unwrap_or_default();
    Ok(Duration::new(seconds, u32::try_from(all.tv_usec() * 1000).unwrap_or_default()))
}

/// Makes orphans among our descendants our children, as PID 1 has them anyway.
///
/// # Errors
/// None known.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// The process that started us.
#[must_use]
pub fn parent() -> i32 {
    getppid().as_raw()
}
