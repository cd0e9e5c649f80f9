//! What somebody wants done, and what an ability says it can do.
//!
//! ```text
//! Want ─ names bundle and ability ─► that one, whatever its skills                    (explicit)
//!   └─── names none ─► every ability with a skill that matches: none, one, a choice   (implicit)
//! ```
//!
//! Only the data: which skill matches which want is decided by ability-manager.

#[cfg(feature = "text")]
mod pattern;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Name;
use crate::bundle::BundleId;

#[cfg(feature = "text")]
pub use pattern::{MAX_PATTERN, pattern};

/// Most actions, entities or uris of one skill, or entities of one want.
pub const MAX_LIST: usize = 64;

/// Longest action, entity, uri or type, in bytes.
pub const MAX_WORD: usize = 1024;

/// Most parameters of one want.
pub const MAX_PARAMETERS: usize = 64;

/// Longest want in all, in bytes: what fits a message beside what else it says.
pub const MAX_WANT: usize = 64 << 10;

/// What somebody wants done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Which bundle; with `ability` an explicit want.
    pub bundle: Option<BundleId>,
    /// Which ability of it.
    pub ability: Option<Name>,
    /// What is to be done: `view`, `send`, `org.example.scan`.
    pub action: Option<String>,
    /// Of which kinds it must be: `browser`, `home`.
    pub entities: Vec<String>,
    /// With what.
    pub uri: Option<String>,
    /// MIME type of that.
    pub mime: Option<String>,
    /// Of abilities with `launch = "specified"`: which one.
    pub key: Option<String>,
    /// What else it says, for the ability.
    pub parameters: BTreeMap<String, String>,
}

/// What an ability can do: it answers a want whose action, entities and uri with type all match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// What it does; with none it answers nothing.
    pub actions: Vec<String>,
    /// Of which kinds it is.
    pub entities: Vec<String>,
    /// With what.
    pub uris: Vec<SkillUri>,
}

/// With what an ability can do something: an address, a type of content, or both together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillUri {
    /// `https`, in small letters; none for what has a type only.
    pub scheme: Option<String>,
    /// `example.org`, in small letters.
    pub host: Option<String>,
    /// Of that host.
    pub port: Option<u16>,
    /// Which paths; any if it has none.
    pub path: Option<SkillPath>,
    /// MIME type: `image/png`, `image/*`, `*/*`.
    pub mime: Option<String>,
}

/// Which paths of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SkillPath {
    /// This one.
    Is(String),
    /// Those that begin with it.
    StartsWith(String),
    /// Those that match it whole.
    Regex(String),
}
