//! What a process is confined by, ready to be handed to the kernel between clone and exec.
//!
//! ```text
//! clone3 (namespaces) → mounts → limits → keyring → ruleset made → ids → no_new_privs, W^X → ruleset on → filter on → exec
//! ```
//!
//! Plain data made by `sandbox::fit` for the running kernel; [`crate::spawn`] applies it, one step after
//! the other, each with a name. Invariant: a step that fails ends the start: nothing runs less confined
//! than it says here.

use std::ffi::CString;

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
}

/// Directory where a new root and what belongs into it are put together; must exist, empty.
pub const SCRATCH: &std::ffi::CStr = c"/run/ensemble/root";

/// One step of the mounts; see `model::sandbox::Mount`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// Nothing of ours is seen outside.
    Private,
    /// Everything that is mounted becomes read-only.
    ReadOnly,
    /// A tree becomes writable again, without programs, devices and set-user-id.
    Writable(CString),
    /// A new root that is empty, at [`SCRATCH`].
    Root,
    /// A tree appears at the same place in the new root. `parents`: the directories above it, the
    /// topmost first, which are made if they are not there.
    Show {
        /// What is shown.
        path: CString,
        /// Where: below [`SCRATCH`].
        target: CString,
        /// Directories above the target, below [`SCRATCH`].
        parents: Vec<CString>,
        /// `MOUNT_ATTR_…` that are set.
        attributes: u64,
    },
    /// An empty directory or file over what is there.
    Hide(CString),
    /// An empty writable directory in memory: place, and options of tmpfs.
    Tmp(CString, CString),
    /// A `/proc` of its own, at this place.
    Proc(CString),
    /// A `/dev` at this place, with these devices: name below `/dev`, and directories above it.
    Dev(CString, Vec<CString>),
    /// [`SCRATCH`] becomes the root, read-only.
    Pivot,
}

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
