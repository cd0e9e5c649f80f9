//! Where everything is. A device never says otherwise; tests do. And what a device does say, in the environment of the
//! service.

use std::path::PathBuf;
use std::time::Duration;

use api::paths;
use model::bundle::INSTANCES;

use crate::engine::background::{GRANT, MIN_GRANT};

/// Names the seconds that an app has at most to finish something off the screen, if that is to be less than always.
const TASK_SECONDS: &str = "ENSEMBLE_TASK_SECONDS";

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
    /// The longest time that an app gets to finish something off the screen.
    pub task: Duration,
}

impl Settings {
    /// Those of a device, with what the environment of this process says.
    #[must_use]
    pub fn of_environment() -> Self {
        let said = std::env::var(TASK_SECONDS).ok();
        Self { task: longest(said.as_deref()), ..Self::default() }
    }
}

/// The longest time of a task, of which somebody has said something.
fn longest(said: Option<&str>) -> Duration {
    let said = said.and_then(|said| said.parse().ok()).map(Duration::from_secs);
    said.map_or(GRANT, |said| said.clamp(MIN_GRANT, GRANT))
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
            task: GRANT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_may_give_less_time_and_never_more_nor_too_little_to_do_anything() {
        let seconds = |said| longest(said).as_secs();
        assert_eq!([None, Some("60"), Some("many")].map(seconds), [180, 60, 180]);
        assert_eq!([Some("0"), Some("600"), Some("-1")].map(seconds), [16, 180, 180]);
    }
}
