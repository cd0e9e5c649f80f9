//! Permissions: named sets of kernel facts and bus names that a program may be granted.
//!
//! ```text
//! configs/permissions/NAME.toml ──text──► Permission ─┐
//! [sandbox] permissions = [..] of a program (asks) ───┤
//! decisions of people (servicemgr's state) ───────────┴─ granted ─► Profile::widened ─► Profile ─► launch
//! ```
//!
//! The same language as profiles, but the other way round: a profile restricts, a permission widens. What a
//! profile does not speak of, a permission does not change; what it forbids, no permission gives.
//!
//! | `grant` | who decides |
//! |---|---|
//! | `system` | whoever wrote the program's definition: asking for it is enough |
//! | `user` | the owner of the device, at any time, both ways |
//!
//! Invariants: widening never takes anything away; it never gives what `[forbid]` of the profile names.

use serde::{Deserialize, Serialize};

use crate::Name;
use crate::bundle::Said;
use crate::sandbox::Profile;
use crate::word::Word;

/// Where the texts of the permissions that ship lie on a device: `NAME.toml`.
pub const PERMISSIONS_PATH: &str = "/usr/lib/ensemble/permissions";

/// Most permissions that one program asks for.
pub const MAX_ASKED: usize = 64;

/// A permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// What people call it; the name of its file.
    pub name: Name,
    /// What it lets a program do, as people are asked: a phrase without a full stop.
    pub about: Said,
    /// What a program must be to be granted it at all.
    pub level: Level,
    /// Who decides.
    pub grant: Grant,
    /// What it adds: lists, `network.access`, `udp`, `write-execute`. Nothing in it restricts: a list that
    /// is not there adds nothing, and access to no network does not either. Ports come with the
    /// device's network only, where no list means every port.
    pub adds: Profile,
    /// Names of the system bus.
    pub bus: Bus,
    /// The service that looks whether a program has it, of one that is not for the kernel to hold.
    pub checked_by: Option<Name>,
}

/// How far a program must be trusted, in order.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Level {
    /// Any.
    #[default]
    Normal,
    /// Those that are part of the system.
    SystemBasic,
    /// Those without which the system is not.
    SystemCore,
}

/// Who decides about a permission.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Grant {
    /// Who wrote the program's definition.
    System,
    /// The owner of the device.
    #[default]
    User,
}

/// What a permission allows on the system bus.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bus {
    /// Names whose owners it may call.
    pub talk: Vec<String>,
    /// Names it may own.
    pub own: Vec<String>,
}

impl Word for Level {
    const WHAT: &'static str = "level";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("normal", Self::Normal),
        ("system-basic", Self::SystemBasic),
        ("system-core", Self::SystemCore),
    ];
}

impl Word for Grant {
    const WHAT: &'static str = "grant";
    const WORDS: &'static [(&'static str, Self)] =
        &[("system", Self::System), ("user", Self::User)];
}
