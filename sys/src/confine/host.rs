//! What the running kernel, or the container around us, can do; and what launches find on the device.

#![expect(
    unsafe_code,
    reason = "calls that `nix` does not have, and a child that tries namespaces"
)]

use std::ffi::{CStr, OsStr};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown, symlink};
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use super::{DEV, DEVICES, EMPTY_DIRECTORY, EMPTY_FILE, Features, LINKS, SCRATCH};

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

/// Makes the directories, the file and the devices that launches mount; there already is fine.
///
/// # Errors
/// `EROFS`, `EACCES`, `ENOSPC`: of the file system of `/run`.
pub fn prepare() -> io::Result<()> {
    for directory in [SCRATCH, EMPTY_DIRECTORY, DEV] {
        DirBuilder::new().recursive(true).mode(0o755).create(path(directory))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o444).open(path(EMPTY_FILE))?;
    let made = devices();
    if made.is_err() {
        // Each launch mounts those of `/dev` then.
        std::fs::remove_dir_all(path(DEV))?;
    }
    match made {
        // In a container whose root is nobody outside.
        Err(e) if e.kind() != io::ErrorKind::PermissionDenied => Err(e),
        _ => Ok(()),
    }
}

fn path(of: &'static CStr) -> &'static Path {
    Path::new(OsStr::from_bytes(of.to_bytes()))
}

/// What is in [`DEV`]: the same devices as in `/dev`, with the same permissions.
fn devices() -> io::Result<()> {
    let dev = path(DEV);
    for name in DEVICES.map(path) {
        let there = match std::fs::metadata(Path::new("/dev").join(name)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let kind = SFlag::from_bits_truncate(there.mode()) & SFlag::S_IFMT;
        let place = dev.join(name);
        match mknod(&place, kind, Mode::empty(), there.rdev()) {
            Err(Errno::EEXIST) => {}
            other => other?,
        }
        chown(&place, Some(there.uid()), Some(there.gid()))?;
        std::fs::set_permissions(&place, there.permissions())?;
    }
    for (name, to) in LINKS {
        match symlink(path(to), dev.join(path(name))) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
    }
    DirBuilder::new().recursive(true).mode(0o755).create(dev.join("shm"))
}
