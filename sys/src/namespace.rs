//! Namespaces of a container: entering new ones, and a mount tree of its own.
//!
//! ```text
//! enter_user ─► (ids are mapped from outside) ─► enter_rest ─► spawn: the child is PID 1
//!                                            PID 1: detach_mounts ─► mounts ─► pivot ─► exec
//! ```
//!
//! All of these change the calling process as a whole, so it must have one thread only.

#![expect(unsafe_code, reason = "a pre_exec hook runs between fork and exec")]

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

/// Enters a new user namespace, with every capability in it and no id mapped yet.
///
/// # Errors
/// - `EPERM`, `EACCES`: the host forbids it (`kernel.unprivileged_userns_clone`, AppArmor).
/// - `ENOSPC`, `EUSERS`: too many of them (`user.max_user_namespaces`) or too deeply nested.
/// - `EINVAL`: this process has several threads.
pub fn enter_user() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_NEWUSER)?)
}

/// Enters new mount, network, UTS, IPC and cgroup namespaces; children will be in a new pid
/// namespace, the first of them as PID 1.
///
/// # Errors
/// `EPERM`: without [`enter_user`] before, only root may. `ENOSPC`: too many of them.
pub fn enter_rest() -> io::Result<()> {
    Ok(unshare(
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWCGROUP,
    )?)
}

/// Tries [`enter_user`] and [`enter_rest`] in a child.
///
/// # Errors
/// Theirs.
pub fn allowed() -> io::Result<()> {
    let mut command = Command::new("true");
    let hook = || {
        enter_user()?;
        enter_rest()
    };
    // SAFETY: the hook only makes system calls, and allocates nothing.
    unsafe { command.pre_exec(hook) };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().map(drop)
}

/// Cuts the tree of mounts off from the host's: what we mount is not seen there, what the host
/// unmounts goes here as well.
///
/// # Errors
/// None known in a new mount namespace.
pub fn detach_mounts() -> io::Result<()> {
    let flags = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    Ok(mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?)
}

/// Mounts `source` with all that is mounted below it at `target` as well.
///
/// # Errors
/// `ENOENT`: one of them is missing. `EACCES`: no way to it with the ids mapped here.
pub fn bind_all(source: &Path, target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    Ok(mount(Some(source), target, None::<&str>, flags, None::<&str>)?)
}

/// Makes the mount at `target` read-only, here and nowhere else.
///
/// # Errors
/// `EPERM`: the mount has locked flags (no-suid and such), which must be kept.
pub fn read_only_here(target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    let kept = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let again = |flags| mount(None::<&str>, target, None::<&str>, flags, None::<&str>);
    again(flags).or_else(|_| again(flags | kept)).map_err(Into::into)
}

/// Makes the mount at `target` writable, here and nowhere else.
///
/// # Errors
/// `EPERM`: it came read-only from a namespace above ours.
pub fn writable_here(target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT;
    Ok(mount(None::<&str>, target, None::<&str>, flags, None::<&str>)?)
}

/// Makes the mount point `root` the root of the mount namespace and lets go of the old one.
///
/// # Errors
/// `EINVAL`: `root` is no mount point, or a mount around it is shared ([`detach_mounts`] first).
pub fn pivot(root: &Path) -> io::Result<()> {
    nix::unistd::chdir(root)?;
    nix::unistd::pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(nix::unistd::chdir("/")?)
}

/// Gives up supplementary groups, and is user and group 0 of this namespace.
///
/// # Errors
/// `EINVAL`: 0 is not mapped. `EPERM` for groups is fine where they may not be changed at all.
pub fn become_root() -> io::Result<()> {
    match nix::unistd::setgroups(&[]) {
        Ok(()) | Err(nix::errno::Errno::EPERM) => {}
        Err(e) => return Err(e.into()),
    }
    nix::unistd::setgid(nix::unistd::Gid::from_raw(0))?;
    Ok(nix::unistd::setuid(nix::unistd::Uid::from_raw(0))?)
}

/// Begins a session without a terminal.
///
/// # Errors
/// `EPERM`: this process leads a group already.
pub fn new_session() -> io::Result<()> {
    nix::unistd::setsid()?;
    Ok(())
}

/// The path of a terminal.
///
/// # Errors
/// `ENOTTY`: it is none. `ENODEV`: it is of another `devpts`.
pub fn terminal_path(terminal: impl AsFd) -> io::Result<PathBuf> {
    Ok(nix::unistd::ttyname(terminal)?)
}
