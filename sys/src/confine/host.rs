//! What the running kernel, or the container around us, can do; and what launches find on the device.

#![expect(
    unsafe_code,
    reason = "calls that `nix` does not have, and a child that tries namespaces"
)]

use std::ffi::CStr;
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use super::{EMPTY_DIRECTORY, EMPTY_FILE, Features, SCRATCH};

/// `SECCOMP_GET_ACTION_AVAIL`.
const GET_ACTION_AVAIL: libc::c_int = 2;

/// `LANDLOCK_CREATE_RULESET_VERSION`.
const VERSION: libc::c_int = 1;

/// `PR_GET_MDWE`.
const GET_NO_WRITE_EXECUTE: libc::c_int = 66;

/// Found out once, when first asked: trying namespaces costs about as much as a start.
pub fn features() -> Features {
    static FOUND: OnceLock<Features> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let own = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWCGROUP;
        let both = can(own | CloneFlags::CLONE_NEWNET);
        Features {
            seccomp: seccomp(),
            landlock: landlock(),
            namespaces: both || can(own),
            network_namespace: both || can(CloneFlags::CLONE_NEWNET),
            no_write_execute: no_write_execute(),
        }
    })
}

fn seccomp() -> bool {
    let action = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: the kernel reads one word that outlives the call.
    let got = unsafe { libc::syscall(libc::SYS_seccomp, GET_ACTION_AVAIL, 0, &raw const action) };
    got == 0
}

fn landlock() -> u32 {
    let none = ptr::null::<u8>();
    // SAFETY: with this flag the kernel reads nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) };
    u32::try_from(version).unwrap_or(0)
}

fn no_write_execute() -> bool {
    let none: libc::c_ulong = 0;
    // SAFETY: integers only.
    unsafe { libc::prctl(GET_NO_WRITE_EXECUTE, none, none, none, none) >= 0 }
}

/// Whether a process can have these namespaces, and mount in its own.
fn can(namespaces: CloneFlags) -> bool {
    // SAFETY: the child only makes system calls, and ends.
    let Ok(forked) = (unsafe { fork() }) else { return false };
    match forked {
        ForkResult::Child => {
            let done = unshare(namespaces).is_ok()
                && (!namespaces.contains(CloneFlags::CLONE_NEWNS) || can_mount());
            // SAFETY: ends this copy of us, without what a program does at its end.
            unsafe { libc::_exit(libc::c_int::from(!done)) }
        }
        ForkResult::Parent { child } => {
            matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0)))
        }
    }
}

fn can_mount() -> bool {
    let none = None::<&CStr>;
    let private = mount(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none);
    let over = || mount(none, c"/", Some(c"tmpfs"), MsFlags::empty(), none);
    private.is_ok() && over().is_ok()
}

/// Makes the directories and the file that launches mount; there already is fine.
///
/// # Errors
/// `EROFS`, `EACCES`, `ENOSPC`: of the file system of `/run`.
pub fn prepare() -> io::Result<()> {
    let path = |of: &'static CStr| Path::new(std::ffi::OsStr::from_bytes(of.to_bytes()));
    for directory in [SCRATCH, EMPTY_DIRECTORY] {
        DirBuilder::new().recursive(true).mode(0o755).create(path(directory))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o444).open(path(EMPTY_FILE))?;
    Ok(())
}
