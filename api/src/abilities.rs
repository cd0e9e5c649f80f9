//! What anyone may ask of ability-manager: peer-to-peer D-Bus on [`crate::paths::ABILITIES_SOCKET`].
//!
//! Everybody may look; only root may install, start, stop and decide (the kernel says who is at the other
//! end). Apps have an interface of their own, [`crate::app`]. Times are in nanoseconds since PID 1 began,
//! unless they say otherwise.
//!
//! Invariant: every call is answered once, when what it asks for is so or can't be.

mod choices;
mod forms;
mod log;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use zbus::zvariant::{DeserializeDict, SerializeDict};
use zbus::{DBusError, OwnedFd, Type};

pub use choices::{CHOICES_INTERFACE, Choice, ChoicesProxy, DefaultAbility};
pub use forms::{FORMS_INTERFACE, Form, FormsProxy};
pub use log::{PermissionEvent, PermissionLog, PermissionUse};

/// The object path.
pub const PATH: &str = "/org/ensemble/Abilities";

/// The interface of abilities.
pub const INTERFACE: &str = "org.ensemble.Abilities1";

/// The interface of bundles, on the same object.
pub const BUNDLES_INTERFACE: &str = "org.ensemble.Bundles1";

/// What somebody wants done, as `a{sv}`: what is not there is not asked for. `model::want` says what each means.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct Want {
    /// `s`: which bundle.
    pub bundle: Option<String>,
    /// `s`: which ability of it.
    pub ability: Option<String>,
    /// `s`: what is to be done.
    pub action: Option<String>,
    /// `as`: of which kinds it must be.
    pub entities: Option<Vec<String>>,
    /// `s`: with what.
    pub uri: Option<String>,
    /// `s`: MIME type of that.
    pub mime: Option<String>,
    /// `s`: which one, of abilities with `launch = "specified"`.
    pub key: Option<String>,
    /// `a{ss}`: what else it says.
    pub parameters: Option<HashMap<String, String>>,
}

/// Where an instance of an ability is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[zbus(signature = "s")]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its process is being started, or has not said yet that it is there.
    Loading,
    /// A service ability: there, and nobody is connected.
    Inactive,
    /// A service ability that somebody is connected to, or was asked to do something.
    Active,
    /// On its way to the screen.
    Foregrounding,
    /// On the screen.
    Foreground,
    /// On its way off the screen.
    Backgrounding,
    /// Off the screen.
    Background,
    /// Off the screen, and standing still.
    Frozen,
    /// Told to end.
    Terminating,
}

impl State {
    /// The word on the bus and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::Foregrounding => "foregrounding",
            Self::Foreground => "foreground",
            Self::Backgrounding => "backgrounding",
            Self::Background => "background",
            Self::Frozen => "frozen",
            Self::Terminating => "terminating",
        }
    }
}

/// An instance of an ability: a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Instance {
    /// The service it is: `app@ID_NUMBER`.
    pub unit: String,
    /// Its bundle.
    pub bundle: String,
    /// Which ability.
    pub ability: String,
    /// `page`, `service`, `work` or `form`.
    pub kind: String,
    /// Where it is.
    pub state: State,
    /// The mission it shows; 0 of those that have no screen.
    pub mission: u32,
    /// Since when it is in this state.
    pub since: u64,
    /// Those connected to it.
    pub connections: u32,
}

/// A mission: what was opened and can be gone back to, whether or not a process is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Mission {
    /// Its number.
    pub id: u32,
    /// Its bundle.
    pub bundle: String,
    /// Which ability.
    pub ability: String,
    /// What people call it.
    pub label: String,
    /// The service that runs it; empty when none does.
    pub unit: String,
    /// When it was in front last, in nanoseconds since PID 1 began; 0 for one of an earlier boot.
    pub used: u64,
    /// Bytes of state that it will find again.
    pub saved: u32,
    /// Why its process ended the last time; empty when it never did.
    pub exit: String,
}

/// An ability that can do what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Candidate {
    /// Its bundle.
    pub bundle: String,
    /// Which ability.
    pub ability: String,
    /// What people call it.
    pub label: String,
}

/// What was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Started {
    /// The service it is.
    pub unit: String,
    /// Its bundle.
    pub bundle: String,
    /// Which ability.
    pub ability: String,
    /// Its mission; 0 of those that have none.
    pub mission: u32,
    /// It was there already, and got the want.
    pub again: bool,
}

/// An installed bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Bundle {
    /// Its id.
    pub id: String,
    /// Which version.
    pub version: String,
    /// What people call it, in the locale of the device.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// `image` (it came with the device), `installed` or `updated` (over one of the image).
    pub origin: String,
    /// Bytes of its file.
    pub size: u64,
    /// Its user.
    pub uid: u32,
    /// `app`, or `runtime`: others lie upon it.
    pub kind: String,
}

/// A bundle in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct BundleInfo {
    /// The line of the list.
    pub row: Bundle,
    /// Its abilities, each as `name`, `kind`, `launch`, what it answers as sentences.
    pub abilities: Vec<(String, String, String, Vec<String>)>,
    /// Permissions it asks for.
    pub permissions: Vec<Permission>,
    /// The version that `rollback` goes back to; empty when there is none.
    pub previous: String,
    /// What else there is to tell, in order: `("integrity", "checked by the kernel at each read")`.
    pub facts: Vec<crate::services::Fact>,
}

/// A permission of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Permission {
    /// The bundle.
    pub bundle: String,
    /// The permission.
    pub permission: String,
    /// What it lets a program do: a phrase without a full stop.
    pub about: String,
    /// Why the bundle wants it, in the locale of the device.
    pub reason: String,
    /// `granted`, `this-time`, `asked` (nobody has decided), `pending` (it waits for an answer) or `refused`.
    pub state: String,
    /// Who decided: `definition`, `owner`, or nobody yet.
    pub by: String,
    /// When, in seconds since 1970; 0 when nobody did.
    pub since: u64,
}

/// What came of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Installed {
    /// As it is now.
    pub row: Bundle,
    /// The version that was there before; empty when none was.
    pub before: String,
    /// What else there is to say, as sentences without a full stop.
    pub notes: Vec<String>,
}

/// Why a call failed. The text is one sentence that says what to do.
#[derive(Debug, Clone, PartialEq, DBusError)]
#[zbus(prefix = "org.ensemble.Abilities1.Error")]
pub enum Error {
    /// The bus itself.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// No such bundle, ability, mission or instance.
    NotFound(String),
    /// Several abilities can do it: a choice is to be made, `candidates` tells which.
    Ambiguous(String),
    /// It was tried, and did not work.
    Failed(String),
    /// It is not allowed, or not now.
    Refused(String),
    /// What was sent makes no sense.
    Invalid(String),
    /// Only root may.
    NotPermitted(String),
    /// The signature is of a key that the device does not trust; the text ends with the key.
    Untrusted(String),
}

/// Instances, missions, wants.
#[zbus::proxy(
    interface = "org.ensemble.Abilities1",
    default_path = "/org/ensemble/Abilities",
    default_service = "org.ensemble.Abilities"
)]
pub trait Abilities {
    /// Starts what answers the want, or gives it the want if it is there; with `show` brings it to the
    /// front. Answers when it is there. Root only.
    fn start(&self, want: Want, show: bool) -> Result<Started, Error>;

    /// What would answer the want.
    fn candidates(&self, want: Want) -> Result<Vec<Candidate>, Error>;

    /// Ends an instance, by its unit or its mission; answers when its processes are gone. Root only.
    fn stop(&self, unit: &str) -> Result<(), Error>;

    /// Brings a mission to the front, starting it with its saved state if no process is there. Root only.
    fn show(&self, mission: u32) -> Result<Started, Error>;

    /// Sends a mission to the background; answers when it is there. Root only.
    fn hide(&self, mission: u32) -> Result<(), Error>;

    /// Ends a mission and forgets it. Root only.
    fn forget(&self, mission: u32) -> Result<(), Error>;

    /// Every instance, in order of their units.
    fn instances(&self) -> Result<Vec<Instance>, Error>;

    /// Every mission, the last used first.
    fn missions(&self) -> Result<Vec<Mission>, Error>;

    /// Answers once the instance of this unit is in one of these states, at once if it is; `gone` is one too.
    fn wait(&self, unit: &str, states: &[&str]) -> Result<String, Error>;

    /// All that ability-manager knows, as lines for people who look for a mistake.
    fn dump(&self) -> Result<String, Error>;
}

/// Bundles and their permissions.
#[zbus::proxy(
    interface = "org.ensemble.Bundles1",
    default_path = "/org/ensemble/Abilities",
    default_service = "org.ensemble.Abilities"
)]
pub trait Bundles {
    /// Every installed bundle, sorted by id.
    fn list(&self) -> Result<Vec<Bundle>, Error>;

    /// One in full.
    fn info(&self, id: &str) -> Result<BundleInfo, Error>;

    /// Installs the bundle that is this file, or updates to it. `trust`: the owner trusts its key, which is
    /// kept. `downgrade`: an older version may replace a newer one. Root only.
    fn install(&self, file: OwnedFd, trust: bool, downgrade: bool) -> Result<Installed, Error>;

    /// Installs the bundle that is this file, which comes from the store of this name. It vouches for these keys, for this
    /// bundle alone. Root only.
    fn install_from(
        &self,
        file: OwnedFd,
        keys: Vec<String>,
        store: &str,
        downgrade: bool,
    ) -> Result<Installed, Error>;

    /// Removes a bundle, with its data unless they are kept. Root only.
    fn remove(&self, id: &str, keep_data: bool) -> Result<(), Error>;

    /// Back to the version before, with its data as they were. Root only.
    fn rollback(&self, id: &str) -> Result<Installed, Error>;

    /// Keys that the device trusts: each with where it comes from.
    fn keys(&self) -> Result<Vec<(String, String)>, Error>;

    /// Trusts a key from now on, or no more. Root only.
    fn trust(&self, key: &str, trusted: bool) -> Result<(), Error>;

    /// Permissions of a bundle; of all when its id is empty.
    fn permissions(&self, id: &str) -> Result<Vec<Permission>, Error>;

    /// Decides about a permission: `allow`, `this-time`, `deny` or `reset`. What the kernel must take from
    /// a process ends it. Answers with sentences about what it did. Root only.
    fn decide(&self, id: &str, permission: &str, decision: &str) -> Result<Vec<String>, Error>;

    /// What was decided about permissions of a bundle, or of all when its id is empty, and what was used.
    /// Root only: it tells what people do.
    fn permission_log(&self, id: &str) -> Result<PermissionLog, Error>;
}
