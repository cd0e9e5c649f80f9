//! A profile made ready for one architecture: what a launch hands to the kernel.
//!
//! Made by `sandbox::compile`, kept in the plan, fitted to the running kernel by `sandbox::fit`. Nothing
//! in it depends on the kernel that compiles.

use serde::{Deserialize, Serialize};

use super::{Feature, Namespace};

/// What a launch hands to the kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// Facts that must be there: without one of them, nothing starts.
    pub requires: Vec<Feature>,
    /// Facts that may be missing; what needs them is left out then.
    pub optional: Vec<Feature>,
    /// The program of the filter, as `struct sock_filter`s of the target; empty for none.
    pub filter: Vec<u8>,
    /// Landlock, if the profile says anything about files or ports.
    pub ruleset: Option<Ruleset>,
    /// Mounts, one after the other, in a mount namespace of its own; none if empty.
    pub mounts: Vec<Mount>,
    /// Namespaces besides that of the mounts.
    pub namespaces: Vec<Namespace>,
    /// An empty network.
    pub no_network: bool,
    /// A session keyring of its own.
    pub keyring: bool,
    /// `PR_SET_MDWE`.
    pub no_write_execute: bool,
}

/// A Landlock ruleset. Bits are the kernel's, of the highest version the compiler knows; those that a
/// kernel lacks are taken away by `sandbox::fit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruleset {
    /// Rights on files that are handled: not given unless a path gives them.
    pub files: u64,
    /// Rights on ports that are handled.
    pub ports: u64,
    /// Scopes.
    pub scopes: u64,
    /// Rights by tree.
    pub paths: Vec<Paths>,
    /// Rights by port.
    pub allowed_ports: Vec<(u16, u64)>,
    /// No link on the way to a tree counts, for they are of a root that somebody else made. What one leads to
    /// has rights of its own.
    pub no_links: bool,
}

/// Trees with the same rights. A tree that is not there gives none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// The rights.
    pub rights: u64,
    /// Absolute paths, as the program sees them.
    pub trees: Vec<String>,
}

/// One step of the mounts. Paths are those of the device; `/run/ensemble/root` is where the new root
/// is put together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mount {
    /// Nothing of ours is seen outside.
    Private,
    /// Everything that is mounted becomes read-only.
    ReadOnly,
    /// A tree becomes writable again, without programs and devices.
    Writable(String),
    /// A tree becomes read-only, whatever is around it. One that is not there is left out.
    Unwritable(String),
    /// A new root that is empty.
    Root,
    /// A tree of the device appears at the same place in the new root: a directory, a file or a symbolic
    /// link. One that is not there is left out.
    Show(String, Show),
    /// A tree of the directory that comes first appears in the new root at the place that is named second, which
    /// is its path below that directory too: no link leads out of there. One that is not there is left out.
    Inside(String, String, Show),
    /// The same of everything in a directory but these names, each by itself.
    Entries(String, String, Show, Vec<String>),
    /// An empty directory, or an empty file in the place of a file. One that is not there is left out.
    Hide(String),
    /// An empty writable directory in memory, at most so many bytes.
    Tmp(String, u64),
    /// A `/proc` of its own.
    Proc,
    /// A `/dev` with these devices. One that is not there is left out.
    Dev(Vec<String>),
    /// The new root becomes the root, read-only.
    Pivot,
}

/// How a tree appears in a new root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Show {
    /// To be read.
    Read,
    /// To be read and executed.
    Execute,
    /// To be read and written.
    Write,
}
