//! Abilities and bundles, as [`api::abilities`] says.

use std::os::fd::AsFd;

use api::abilities::{
    BUNDLES_INTERFACE, Bundle, BundleInfo, Candidate, Error, INTERFACE, Installed, Instance,
    Mission, PATH, Permission, PermissionLog, Started, Want,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::Fd;
use zbus::zvariant::{DynamicType, Type};

use wire::client::{Object, Wire};

const ABILITIES: Object = Object { path: PATH, interface: INTERFACE };
const BUNDLES: Object = Object { path: PATH, interface: BUNDLES_INTERFACE };

/// The calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abilities<'a>(pub(crate) &'a Wire);

impl Abilities<'_> {
    pub(super) fn call<B, R>(&self, object: Object, member: &str, body: &B) -> Result<R, Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        Ok(self.0.call(object, member, body)?)
    }

    pub(crate) fn start(&self, want: &Want, show: bool) -> Result<Started, Error> {
        self.call(ABILITIES, "Start", &(want, show))
    }

    pub(crate) fn candidates(&self, want: &Want) -> Result<Vec<Candidate>, Error> {
        self.call(ABILITIES, "Candidates", &(want,))
    }

    pub(crate) fn stop(&self, unit: &str) -> Result<(), Error> {
        self.call(ABILITIES, "Stop", &(unit,))
    }

    pub(crate) fn show(&self, mission: u32) -> Result<Started, Error> {
        self.call(ABILITIES, "Show", &(mission,))
    }

    pub(crate) fn hide(&self, mission: u32) -> Result<(), Error> {
        self.call(ABILITIES, "Hide", &(mission,))
    }

    pub(crate) fn forget(&self, mission: u32) -> Result<(), Error> {
        self.call(ABILITIES, "Forget", &(mission,))
    }

    pub(crate) fn instances(&self) -> Result<Vec<Instance>, Error> {
        self.call(ABILITIES, "Instances", &())
    }

    pub(crate) fn missions(&self) -> Result<Vec<Mission>, Error> {
        self.call(ABILITIES, "Missions", &())
    }

    pub(crate) fn wait(&self, unit: &str, states: &[&str]) -> Result<String, Error> {
        self.call(ABILITIES, "Wait", &(unit, states))
    }

    pub(crate) fn dump(&self) -> Result<String, Error> {
        self.call(ABILITIES, "Dump", &())
    }

    pub(crate) fn list(&self) -> Result<Vec<Bundle>, Error> {
        self.call(BUNDLES, "List", &())
    }

    pub(crate) fn info(&self, id: &str) -> Result<BundleInfo, Error> {
        self.call(BUNDLES, "Info", &(id,))
    }

    pub(crate) fn install(
        &self,
        file: impl AsFd,
        trust: bool,
        downgrade: bool,
    ) -> Result<Installed, Error> {
        self.call(BUNDLES, "Install", &(Fd::from(file.as_fd()), trust, downgrade))
    }

    pub(crate) fn install_from(
        &self,
        file: impl AsFd,
        keys: &[String],
        store: &str,
        downgrade: bool,
    ) -> Result<Installed, Error> {
        self.call(BUNDLES, "InstallFrom", &(Fd::from(file.as_fd()), keys, store, downgrade))
    }

    pub(crate) fn remove(&self, id: &str, keep_data: bool) -> Result<(), Error> {
        self.call(BUNDLES, "Remove", &(id, keep_data))
    }

    pub(crate) fn rollback(&self, id: &str) -> Result<Installed, Error> {
        self.call(BUNDLES, "Rollback", &(id,))
    }

    pub(crate) fn keys(&self) -> Result<Vec<(String, String)>, Error> {
        self.call(BUNDLES, "Keys", &())
    }

    pub(crate) fn trust(&self, key: &str, trusted: bool) -> Result<(), Error> {
        self.call(BUNDLES, "Trust", &(key, trusted))
    }

    pub(crate) fn permissions(&self, id: &str) -> Result<Vec<Permission>, Error> {
        self.call(BUNDLES, "Permissions", &(id,))
    }

    pub(crate) fn decide(
        &self,
        id: &str,
        permission: &str,
        decision: &str,
    ) -> Result<Vec<String>, Error> {
        self.call(BUNDLES, "Decide", &(id, permission, decision))
    }

    pub(crate) fn permission_log(&self, id: &str) -> Result<PermissionLog, Error> {
        self.call(BUNDLES, "PermissionLog", &(id,))
    }
}
