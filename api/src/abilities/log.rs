//! The log of permissions, as [`super::BundlesProxy::permission_log`] tells it. Times are in seconds since 1970.

use serde::{Deserialize, Serialize};
use zbus::Type;

/// What is kept about permissions, for the owner to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct PermissionLog {
    /// What was used, by bundle and permission.
    pub uses: Vec<PermissionUse>,
    /// What was asked and decided, the oldest first.
    pub events: Vec<PermissionEvent>,
}

/// All uses of a permission by a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct PermissionUse {
    /// The bundle.
    pub bundle: String,
    /// The permission.
    pub permission: String,
    /// What it lets a program do: a phrase without a full stop.
    pub about: String,
    /// How often.
    pub times: u64,
    /// The first time.
    pub first: u64,
    /// The last time.
    pub last: u64,
    /// Which ability, the last time.
    pub ability: String,
    /// How, the last time: `started` (an instance that has it) or `called` (the device did something because of it).
    pub how: String,
    /// An instance that has it runs now.
    pub now: bool,
}

/// Something that was asked or decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct PermissionEvent {
    /// When.
    pub at: u64,
    /// The bundle.
    pub bundle: String,
    /// The permission.
    pub permission: String,
    /// What: `asked for`, `not answered`, `allowed`, `allowed this time`, `denied`, `reset`, `over`.
    pub what: String,
}
