//! What services may do, told by servicemgr. Peer-to-peer D-Bus on [`crate::paths::SERVICES_SOCKET`],
//! beside [`crate::services`], with the same errors.
//!
//! Everybody may look. What is told is what is in force; where its rules are written is found in the
//! files as they are now.

use serde::{Deserialize, Serialize};
use zbus::Type;

use crate::services::Error;

/// The object path.
pub const PATH: &str = "/org/ensemble/Sandbox";

/// The interface.
pub const INTERFACE: &str = "org.ensemble.Sandbox1";

/// What a service may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Explained {
    /// Which service.
    pub name: String,
    /// User it runs as.
    pub user: String,
    /// Whether anything but its user and its capabilities restricts it.
    pub confined: bool,
    /// Why nothing is started in it on this kernel, as a sentence without a full stop; empty when it is.
    pub refused: String,
    /// What this kernel lacks, so that the rules that need it are left out.
    pub left_out: Vec<String>,
    /// Why the places of rules are not told, as a sentence without a full stop; empty when they are.
    pub unplaced: String,
    /// Permissions that it has; what they add is among the sentences.
    pub permissions: Vec<String>,
    /// What it may do, by topic.
    pub sentences: Vec<Sentence>,
}

/// One thing a service may do, or may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Sentence {
    /// What it is about: `files`, `network`, `system calls`, `privileges`, `memory`, `namespaces`, `kernel`.
    pub topic: String,
    /// The sentence; one that ends with a colon goes on with the values.
    pub text: String,
    /// Values, with their places.
    pub values: Vec<Value>,
}

/// A value of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Value {
    /// The value; empty when the sentence says it.
    pub text: String,
    /// Where it is written.
    pub places: Vec<Place>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Place {
    /// Its path.
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// What restricts a service, in short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Restricted {
    /// Which service.
    pub name: String,
    /// User it runs as.
    pub user: String,
    /// Whether anything but its user and its capabilities restricts it.
    pub confined: bool,
    /// Profiles that it inherits, and those that they inherit, as far as a rule of them is in force.
    pub profiles: Vec<String>,
    /// Why its profiles are not told, as a sentence without a full stop; empty when they are.
    pub unplaced: String,
    /// Permissions that it has.
    pub permissions: Vec<String>,
    /// Whether it keeps all capabilities there are.
    pub all_capabilities: bool,
    /// Those it keeps when it does not keep all, as the kernel calls them without `CAP_`.
    pub capabilities: Vec<String>,
    /// What this kernel lacks, so that the rules that need it are left out.
    pub left_out: Vec<String>,
    /// Why nothing is started in it on this kernel, as a sentence without a full stop; empty when it is.
    pub refused: String,
    /// Why nothing confines it, as a sentence without a full stop; empty when that has no good reason.
    pub exception: String,
}

/// Whose sandbox is attacked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Target {
    /// A service; empty for a profile.
    pub service: String,
    /// A profile.
    pub profile: String,
    /// Where profiles are looked for first; empty for nowhere.
    pub directory: String,
    /// Who has the profile.
    pub user: String,
    /// Words for the program of the attacks.
    pub arguments: Vec<String>,
}

/// How the attacks on a sandbox run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Imitation {
    /// User they run as.
    pub user: String,
    /// What is different from the service itself, as sentences without a full stop.
    pub differences: Vec<String>,
}

/// A rule that keeps a program from a system call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Refusing {
    /// The call.
    pub call: String,
    /// The key of the rule: `calls.kill`, `calls.deny` or `forbid.calls`.
    pub key: String,
    /// Its value: the call, or a group it is in.
    pub value: String,
    /// Where it is written.
    pub place: Place,
}

/// Most calls that are asked about at once.
pub const MAX_CALLS: usize = 64;

/// The calls.
#[zbus::proxy(
    interface = "org.ensemble.Sandbox1",
    default_path = "/org/ensemble/Sandbox",
    default_service = "org.ensemble.Services"
)]
pub trait Sandbox {
    /// As [`crate::services::ServicesProxy::run`]; what it writes goes to the named pipe that is called as
    /// it in [`crate::paths::TRIES`]. Root only.
    fn attempt(&self, name: &str, definition: &str) -> Result<(), Error>;

    /// How [`Self::score`] would run the attacks.
    fn imitate(&self, target: &Target) -> Result<Imitation, Error>;

    /// Runs the attack set as a service of the moment in the sandbox of another, or in a profile. What it
    /// writes goes to the named pipe that is called as it in [`crate::paths::TRIES`]. Root only.
    fn score(&self, name: &str, target: &Target) -> Result<(), Error>;

    /// What a service may do.
    fn explain(&self, name: &str) -> Result<Explained, Error>;

    /// What the kernel can do for sandboxes, and what it lacks of what they use, as `requires` names it.
    fn kernel(&self) -> Result<(Vec<String>, Vec<String>), Error>;

    /// What restricts each service there is.
    fn security(&self) -> Result<Vec<Restricted>, Error>;

    /// The rules that keep a service from these system calls, at most [`MAX_CALLS`].
    fn refusing(&self, name: &str, calls: Vec<String>) -> Result<Vec<Refusing>, Error>;
}
