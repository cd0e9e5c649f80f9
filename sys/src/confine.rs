//! What a process is confined by, ready to be handed to the kernel between clone and exec.
//!
//! ```text
//! clone3 (namespaces) → mounts → limits → keyring → ruleset made → ids → no_new_privs, W^X → ruleset on → filter on → exec
//! ```
//!
//! Plain data made by `sandbox::fit` for the running kernel; [`crate::spawn`] applies it, one step after
//! the other, each with a name. Invariant: a step that fails ends the start: nothing runs less confined
//! than it says here.

mod base;
mod host;
mod words;

use std::ffi::{CStr, CString};

pub(crate) use base::{MOST_OWN, Own, below, seen_from_inside};
pub use host::{features, prepare};

/// What a process is confined by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confine {
    /// `CLONE_NEW…` flags; `CLONE_NEWNS` among them if there are mounts.
    pub namespaces: u64,
    /// Steps in the mount namespace.
    pub mounts: Vec<Mount>,
    /// A session keyring of its own.
    pub keyring: bool,
    /// `PR_SET_MDWE`: memory is never writable and executable.
    pub no_write_execute: bool,
    /// Landlock.
    pub ruleset: Option<Ruleset>,
    /// The filter of system calls, `struct sock_filter`s; empty for none.
    pub filter: Vec<Instruction>,
}

impl Confine {
    /// The same for a user, whose the devices become that it names; `None` if it names none.
    #[must_use]
    pub fn of_user(&self, uid: u32) -> Option<Self> {
        let named = self.mounts.iter().any(|mount| match mount {
            Mount::Dev(_, names) => names.iter().any(|name| !SHARED.contains(&name.as_c_str())),
            _ => false,
        });
        let mounts = || [Mount::Owner(uid)].into_iter().chain(self.mounts.iter().cloned());
        named.then(|| Self { mounts: mounts().collect(), ..self.clone() })
    }
}

/// A `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when true.
    pub yes: u8,
    /// Instructions to skip when false.
    pub no: u8,
    /// Operand.
    pub k: u32,
}

/// A Landlock ruleset with the bits that the running kernel knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Rights on files that are handled.
    pub files: u64,
    /// Rights on TCP ports that are handled.
    pub ports: u64,
    /// Scopes.
    pub scopes: u64,
    /// Trees with their rights. One that is not there is left out; of a file, only the rights that files
    /// have are given.
    pub paths: Vec<(CString, u64)>,
    /// Ports with their rights.
    pub allowed_ports: Vec<(u16, u64)>,
    /// A tree behind a link is not there.
    pub no_links: bool,
}

/// Directory where a new root is put together; see [`prepare`].
pub const SCRATCH: &CStr = c"/run/ensemble/root";

/// An empty directory, which hides others.
pub(crate) const EMPTY_DIRECTORY: &CStr = c"/run/ensemble/empty/directory";

/// An empty file, which hides others.
pub(crate) const EMPTY_FILE: &CStr = c"/run/ensemble/empty/file";

/// One step of the mounts; see `model::sandbox::Mount`. A place in the new root is a path below
/// [`SCRATCH`]; directories above it are made. Of the links on the way to a tree only root's are
/// followed, and none to one that can be written: who may make links could have others shown. What
/// lies behind any other link counts as not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// Nothing of ours is seen outside, and nothing that is mounted outside later is seen here.
    Private,
    /// Everything that is mounted becomes read-only.
    ReadOnly,
    /// A tree becomes writable again, without programs, devices and set-user-id. One that is not there
    /// is left out.
    Writable(CString),
    /// A tree becomes read-only, whatever is around it. One that is not there is left out.
    Unwritable(CString),
    /// A new root that is empty, at [`SCRATCH`].
    Root,
    /// A tree appears in the new root: a directory, a file or a symbolic link. One that is not there is
    /// left out.
    Show {
        /// What is shown.
        path: CString,
        /// Where.
        target: CString,
        /// `MOUNT_ATTR_…` that are set.
        attributes: u64,
    },
    /// A tree of another root appears in the new one, found with the links in it led as if that was the root. One
    /// that is not there is left out; the root itself has to be there.
    Inside {
        /// The other root.
        root: CString,
        /// What is shown, as seen from it, without a slash in front.
        path: CString,
        /// Where.
        target: CString,
        /// `MOUNT_ATTR_…` that are set.
        attributes: u64,
    },
    /// The same of each entry of a directory, at most [`MOST_ENTRIES`], but those with these names.
    Entries {
        /// The other root.
        root: CString,
        /// The directory, as seen from it, without a slash in front.
        path: CString,
        /// Where the entries appear.
        target: CString,
        /// `MOUNT_ATTR_…` that are set.
        attributes: u64,
        /// Names that are left out.
        but: Vec<CString>,
    },
    /// An empty directory or file over what is there. One that is not there is left out.
    Hide(CString),
    /// An empty writable directory in memory: place, and options of tmpfs.
    Tmp(CString, CString),
    /// A `/proc` of its own at this place: read-only, with the processes it could trace.
    Proc(CString),
    /// A `/dev` at this place, with [`DEVICES`] and these: names below `/dev`. One that is not there is
    /// left out. With [`Mount::Owner`] those of a directory are what is in it now.
    Dev(CString, Vec<CString>),
    /// Devices that a later `/dev` names are this user's, where nodes can be made.
    Owner(u32),
    /// [`SCRATCH`] becomes the root, read-only.
    Pivot,
    /// The same, still to be written: only of a base ([`Confine::base`]), and who adds to it makes it read-only.
    Open,
}

/// Devices that every `/dev` has. Besides, it has a `shm` of its own, and `fd`, `stdin`, `stdout`, `stderr`.
pub const DEVICES: [&CStr; 6] = [c"null", c"zero", c"full", c"random", c"urandom", c"tty"];

/// Most entries of a directory that are shown one by one: each is a mount.
pub const MOST_ENTRIES: usize = 512;

/// What a `/dev` names and everybody may use: nothing to be made anybody's.
const SHARED: [&CStr; 3] = [c"log", c"ptmx", c"pts"];

/// What the running kernel, or the container around us, can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    /// Filters of system calls.
    pub seccomp: bool,
    /// Version of Landlock; 0: none.
    pub landlock: u32,
    /// Namespaces of mounts, IPC, host name, control groups.
    pub namespaces: bool,
    /// Namespaces of the network.
    pub network_namespace: bool,
    /// `PR_SET_MDWE`.
    pub no_write_execute: bool,
}
