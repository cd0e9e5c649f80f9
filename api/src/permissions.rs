//! Permissions of services, decided by the owner of the device. Peer-to-peer D-Bus on
//! [`crate::paths::SERVICES_SOCKET`], beside [`crate::services`], with the same errors.
//!
//! Everybody may look; only root may grant, revoke and reset. Each of these can be rehearsed: then it says
//! what it would do, and does nothing. A decision is on disk when its answer comes.

use serde::{Deserialize, Serialize};
use zbus::Type;

use crate::sandbox::Sentence;
use crate::services::Error;

/// The object path.
pub const PATH: &str = "/org/ensemble/Permissions";

/// The interface.
pub const INTERFACE: &str = "org.ensemble.Permissions1";

/// Whether a service has a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[zbus(signature = "s")]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It has it, unless the note says otherwise.
    Granted,
    /// It asks for it, and nobody has decided.
    Asked,
    /// It was refused.
    Refused,
}

impl State {
    /// The word on the bus and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Asked => "asked",
            Self::Refused => "refused",
        }
    }
}

/// A permission of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Row {
    /// The service.
    pub service: String,
    /// The permission.
    pub permission: String,
    /// What it lets a program do: a phrase without a full stop; empty when the device does not have it.
    pub about: String,
    /// Whether it has it.
    pub state: State,
    /// Who decided: `definition`, `owner`, `ability-manager` (about apps), or nobody yet.
    pub by: String,
    /// The user who decided, when it was the owner.
    pub uid: u32,
    /// When, in seconds since 1970; 0 when nobody did, or the definition.
    pub since: u64,
    /// What else there is to say, as a sentence without a full stop; empty when there is nothing.
    pub note: String,
}

/// A permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// What it lets a program do: a phrase without a full stop.
    pub about: String,
    /// `normal`, `system-basic` or `system-core`.
    pub level: String,
    /// Who decides: `system` (the definition of the service) or `user` (the owner of the device).
    pub grant: String,
    /// Its file.
    pub file: String,
    /// What it gives, by topic: those of [`crate::sandbox`] and `system bus`.
    pub gives: Vec<Sentence>,
    /// Who asks for it or was granted it.
    pub services: Vec<Row>,
}

/// What came of a decision, or would come of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Outcome {
    /// Whether it changes what was decided.
    pub changed: bool,
    /// What the service gets or loses in its sandbox, each as `key value`.
    pub kernel: Vec<String>,
    /// What it gets or loses on the system bus, each as `talk NAME` or `own NAME`.
    pub bus: Vec<String>,
    /// What becomes of its processes.
    pub processes: Processes,
    /// What else there is to say, as sentences without a full stop.
    pub notes: Vec<String>,
}

/// What becomes of the processes of a service whose permissions change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[zbus(signature = "s")]
#[serde(rename_all = "kebab-case")]
pub enum Processes {
    /// None runs, or it is nothing to them.
    #[default]
    None,
    /// They go on as they are; the next start counts.
    NextStart,
    /// They are stopped and started again.
    Restart,
    /// They are killed, and it starts again.
    Kill,
}

/// The calls.
#[zbus::proxy(
    interface = "org.ensemble.Permissions1",
    default_path = "/org/ensemble/Permissions",
    default_service = "org.ensemble.Services"
)]
pub trait Permissions {
    /// The permissions of a service; of all when its name is empty.
    fn list(&self, service: &str) -> Result<Vec<Row>, Error>;

    /// What a permission gives, and to whom.
    fn show(&self, permission: &str) -> Result<Shown, Error>;

    /// A service may have what it asks for. What the kernel must allow counts at its next start, which
    /// comes at once with `now`; names of the bus count at once. Root only.
    fn grant(
        &self,
        service: &str,
        permission: &str,
        now: bool,
        rehearse: bool,
    ) -> Result<Outcome, Error>;

    /// It may not any more, at once: processes that the kernel can't take it from are killed, or
    /// stopped in their own time with `gently`. Root only.
    fn revoke(
        &self,
        service: &str,
        permission: &str,
        gently: bool,
        rehearse: bool,
    ) -> Result<Outcome, Error>;

    /// Forgets all decisions about a service; what it had it loses as by `revoke`. Root only.
    fn reset(&self, service: &str, rehearse: bool) -> Result<Outcome, Error>;

    /// From now on [`Changed`](PermissionsProxy::receive_changed) tells of decisions.
    fn watch(&self) -> Result<(), Error>;

    /// Somebody decided: whether the service has the permission now.
    #[zbus(signal)]
    fn changed(&self, service: &str, permission: &str, granted: bool) -> zbus::Result<()>;
}
