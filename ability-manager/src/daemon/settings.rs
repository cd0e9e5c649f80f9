//! Where everything is. A device never says otherwise; tests do.

use std::path::PathBuf;

use api::paths;
use model::bundle::INSTANCES;

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The control socket, if none is handed over.
    pub control: PathBuf,
    /// That of servicemgr.
    pub services: PathBuf,
    /// What the next ability-manager of this boot must know.
    pub state: PathBuf,
    /// Missions and what was saved for them, which last.
    pub missions: PathBuf,
    /// What was decided about permissions, and what was used, which lasts.
    pub log: PathBuf,
    /// What work of apps needs to outlast a boot.
    pub work: PathBuf,
    /// What does what by default, which lasts.
    pub defaults: PathBuf,
    /// Cards and what is on them, which last.
    pub forms: PathBuf,
    /// Where instances have their buses.
    pub instances: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            control: paths::ABILITIES_SOCKET.into(),
            services: paths::SERVICES_SOCKET.into(),
            state: "/run/ensemble/abilities.state".into(),
            missions: "/var/lib/ensemble/missions".into(),
            log: "/var/lib/ensemble/permission-log".into(),
            work: "/var/lib/ensemble/work".into(),
            defaults: "/var/lib/ensemble/defaults".into(),
            forms: "/var/lib/ensemble/forms".into(),
            instances: INSTANCES.into(),
        }
    }
}
