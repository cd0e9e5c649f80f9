//! Where servicemgr finds and keeps things. The device's places are the default; tests have their own.

use std::path::PathBuf;

use api::paths;

use super::{params, timers};

/// Where things are; tests have them elsewhere.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The plan.
    pub plan: PathBuf,
    /// Control socket.
    pub control: PathBuf,
    /// Readiness socket.
    pub notify: PathBuf,
    /// Groups of services.
    pub groups: PathBuf,
    /// Directory of `passwd` and `group`.
    pub etc: PathBuf,
    /// Definitions of services, as the image has them.
    pub shipped: PathBuf,
    /// Definitions of services that people change on the device.
    pub own: PathBuf,
    /// Directory of the files that only one service sees.
    pub credentials: PathBuf,
    /// What the device's TOML says of parameters.
    pub parameters: PathBuf,
    /// Directory of what lasts till the device reboots.
    pub run: PathBuf,
    /// Directory of what is kept over reboots.
    pub state: PathBuf,
    /// Where a critical service that failed too often leaves word for the next boot.
    pub last_reboot: PathBuf,
    /// Profiles that services inherit: those of the image, and those that people add on the device.
    pub profiles: [PathBuf; 2],
    /// What the image has ready for starts that nobody foresaw.
    pub ready: PathBuf,
    /// What makes sandboxes ready that are not in the plan.
    pub compiler: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plan: model::plan::PLAN_PATH.into(),
            control: paths::SERVICES_SOCKET.into(),
            notify: paths::NOTIFY_SOCKET.into(),
            groups: paths::SERVICES_CGROUP.into(),
            etc: "/etc".into(),
            shipped: "/usr/lib/ensemble/services".into(),
            own: "/etc/ensemble/services".into(),
            credentials: "/run/ensemble/credentials".into(),
            parameters: "/usr/lib/ensemble/parameters".into(),
            run: paths::RUN.into(),
            state: "/var/lib/ensemble".into(),
            last_reboot: "/var/lib/ensemble/last-reboot".into(),
            profiles: [model::sandbox::PROFILES_PATH.into(), "/etc/ensemble/sandbox".into()],
            ready: model::ready::READY_PATH.into(),
            compiler: "/usr/lib/ensemble/sandbox-compiler".into(),
        }
    }
}

impl Settings {
    /// Where timers find and keep things.
    pub(super) fn timers(&self) -> timers::Places {
        let (run, state) = (self.run.join("timers"), self.state.join("timers"));
        timers::Places { etc: self.etc.clone(), run, state }
    }

    /// Where parameters come from and are kept. In a container the command line is the host's.
    pub(super) fn params(&self) -> params::Places {
        let own = std::env::var_os("container").is_none();
        params::Places {
            cmdline: own.then(|| "/proc/cmdline".into()),
            device: self.parameters.clone(),
            run: self.run.join("parameters"),
            saved: self.state.join("parameters"),
        }
    }

    /// What the boot before left word of, as long as this one lasts.
    pub(super) fn rebooted(&self) -> PathBuf {
        self.run.join("rebooted")
    }

    /// Where permissions lie: beside the profiles, as the language has it.
    pub(super) fn permissions(&self) -> Vec<String> {
        let beside = self.profiles.iter().filter_map(|profiles| profiles.parent());
        let mut all: Vec<String> =
            beside.map(|directory| directory.join("permissions").display().to_string()).collect();
        all.dedup();
        all
    }

    /// Which services start at boot, as people chose on the device.
    pub(super) fn choices(&self) -> PathBuf {
        self.own.with_extension("toml")
    }
}
