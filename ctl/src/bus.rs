//! The calls of `api` as ensctl makes them: the same names as in its proxies, without a runtime.

mod abilities;
mod background;
mod choices;
mod devices;
mod lock;
mod stores;

use std::os::fd::OwnedFd;

use api::params::Param;
use api::permissions::{Outcome, Row as Permission, Shown};
use api::sandbox::{Explained, Imitation, Refusing, Restricted, Target};
use api::services::{Bar, Change, Edge, Failed, Row, Status, System, Transaction, Why};
use api::{journal, params, permissions, sandbox, services};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::zvariant::{DynamicType, Type};

use wire::client::{Object, Wire};

pub(crate) use abilities::Abilities;
pub(crate) use devices::{Devices, Stage, Words};
pub(crate) use stores::Stores;

const SERVICES: Object = Object { path: services::PATH, interface: services::INTERFACE };
const SANDBOX: Object = Object { path: sandbox::PATH, interface: sandbox::INTERFACE };
const PERMISSIONS: Object = Object { path: permissions::PATH, interface: permissions::INTERFACE };
const PARAMS: Object = Object { path: params::PATH, interface: params::INTERFACE };
const JOURNAL: Object = Object { path: journal::PATH, interface: journal::INTERFACE };

/// Services, as [`api::services::Services`] says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Services<'a>(pub(crate) &'a Wire);

impl Services<'_> {
    fn call<B, R>(&self, member: &str, body: &B) -> Result<R, services::Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        Ok(self.0.call(SERVICES, member, body)?)
    }

    pub(crate) fn list(&self) -> Result<Vec<Row>, services::Error> {
        self.call("List", &())
    }

    pub(crate) fn status(&self, name: &str) -> Result<Status, services::Error> {
        self.call("Status", &(name,))
    }

    pub(crate) fn start(&self, name: &str) -> Result<(), services::Error> {
        self.call("Start", &(name,))
    }

    pub(crate) fn stop(&self, name: &str) -> Result<(), services::Error> {
        self.call("Stop", &(name,))
    }

    pub(crate) fn restart(&self, name: &str) -> Result<(), services::Error> {
        self.call("Restart", &(name,))
    }

    pub(crate) fn together(
        &self,
        what: &str,
        names: &[&str],
    ) -> Result<Vec<Failed>, services::Error> {
        self.call("Together", &(what, names))
    }

    pub(crate) fn reload(&self, name: &str) -> Result<(), services::Error> {
        self.call("Reload", &(name,))
    }

    pub(crate) fn reset(&self, name: &str) -> Result<(), services::Error> {
        self.call("Reset", &(name,))
    }

    pub(crate) fn freeze(&self, name: &str) -> Result<(), services::Error> {
        self.call("Freeze", &(name,))
    }

    pub(crate) fn thaw(&self, name: &str) -> Result<(), services::Error> {
        self.call("Thaw", &(name,))
    }

    pub(crate) fn enable(&self, name: &str, now: bool) -> Result<(), services::Error> {
        self.call("Enable", &(name, now))
    }

    pub(crate) fn disable(&self, name: &str, now: bool) -> Result<(), services::Error> {
        self.call("Disable", &(name, now))
    }

    pub(crate) fn rehearse(
        &self,
        what: &str,
        names: &[&str],
    ) -> Result<Transaction, services::Error> {
        self.call("Rehearse", &(what, names))
    }

    pub(crate) fn why(&self, name: &str) -> Result<Why, services::Error> {
        self.call("Why", &(name,))
    }

    pub(crate) fn graph(&self) -> Result<Vec<Edge>, services::Error> {
        self.call("Graph", &())
    }

    pub(crate) fn wait(&self, name: &str, states: &[&str]) -> Result<Row, services::Error> {
        self.call("Wait", &(name, states))
    }

    pub(crate) fn run(&self, name: &str, definition: &str) -> Result<(), services::Error> {
        self.call("Run", &(name, definition))
    }

    pub(crate) fn reload_definitions(
        &self,
        rehearse: bool,
    ) -> Result<Vec<Change>, services::Error> {
        self.call("ReloadDefinitions", &(rehearse,))
    }

    pub(crate) fn system(&self) -> Result<System, services::Error> {
        self.call("System", &())
    }

    pub(crate) fn wait_settled(&self) -> Result<System, services::Error> {
        self.call("WaitSettled", &())
    }

    pub(crate) fn boot(&self) -> Result<Vec<Bar>, services::Error> {
        self.call("Boot", &())
    }

    pub(crate) fn power_off(&self) -> Result<(), services::Error> {
        self.call("PowerOff", &())
    }

    pub(crate) fn reboot(&self) -> Result<(), services::Error> {
        self.call("Reboot", &())
    }

    pub(crate) fn attempt(&self, name: &str, definition: &str) -> Result<(), services::Error> {
        Ok(self.0.call(SANDBOX, "Attempt", &(name, definition))?)
    }

    pub(crate) fn imitate(&self, target: &Target) -> Result<Imitation, services::Error> {
        Ok(self.0.call(SANDBOX, "Imitate", &(target,))?)
    }

    pub(crate) fn score(&self, name: &str, target: &Target) -> Result<(), services::Error> {
        Ok(self.0.call(SANDBOX, "Score", &(name, target))?)
    }

    pub(crate) fn explain(&self, name: &str) -> Result<Explained, services::Error> {
        Ok(self.0.call(SANDBOX, "Explain", &(name,))?)
    }

    pub(crate) fn kernel(&self) -> Result<(Vec<String>, Vec<String>), services::Error> {
        Ok(self.0.call(SANDBOX, "Kernel", &())?)
    }

    pub(crate) fn security(&self) -> Result<Vec<Restricted>, services::Error> {
        Ok(self.0.call(SANDBOX, "Security", &())?)
    }

    pub(crate) fn refusing(
        &self,
        name: &str,
        calls: &[&str],
    ) -> Result<Vec<Refusing>, services::Error> {
        Ok(self.0.call(SANDBOX, "Refusing", &(name, calls))?)
    }

    pub(crate) fn permissions(&self, service: &str) -> Result<Vec<Permission>, services::Error> {
        Ok(self.0.call(PERMISSIONS, "List", &(service,))?)
    }

    pub(crate) fn permission(&self, name: &str) -> Result<Shown, services::Error> {
        Ok(self.0.call(PERMISSIONS, "Show", &(name,))?)
    }

    pub(crate) fn grant(
        &self,
        service: &str,
        permission: &str,
        now: bool,
        rehearse: bool,
    ) -> Result<Outcome, services::Error> {
        Ok(self.0.call(PERMISSIONS, "Grant", &(service, permission, now, rehearse))?)
    }

    pub(crate) fn revoke(
        &self,
        service: &str,
        permission: &str,
        gently: bool,
        rehearse: bool,
    ) -> Result<Outcome, services::Error> {
        Ok(self.0.call(PERMISSIONS, "Revoke", &(service, permission, gently, rehearse))?)
    }

    pub(crate) fn reset_permissions(
        &self,
        service: &str,
        rehearse: bool,
    ) -> Result<Outcome, services::Error> {
        Ok(self.0.call(PERMISSIONS, "Reset", &(service, rehearse))?)
    }

    pub(crate) fn halt(&self) -> Result<(), services::Error> {
        self.call("Halt", &())
    }
}

/// Parameters, as [`api::params::Params`] says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Params<'a>(pub(crate) &'a Wire);

impl Params<'_> {
    fn call<B, R>(&self, member: &str, body: &B) -> Result<R, params::Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        Ok(self.0.call(PARAMS, member, body)?)
    }

    pub(crate) fn get(&self, name: &str) -> Result<String, params::Error> {
        self.call("Get", &(name,))
    }

    pub(crate) fn set(&self, name: &str, value: &str) -> Result<(), params::Error> {
        self.call("Set", &(name, value))
    }

    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<Param>, params::Error> {
        self.call("List", &(prefix,))
    }

    pub(crate) fn wait(
        &self,
        name: &str,
        value: &str,
        milliseconds: u64,
    ) -> Result<String, params::Error> {
        self.call("Wait", &(name, value, milliseconds))
    }

    pub(crate) fn watch(&self, prefix: &str) -> Result<(), params::Error> {
        self.call("Watch", &(prefix,))
    }

    /// The next change of those that are watched.
    pub(crate) fn changed(&self) -> Result<Param, params::Error> {
        let signal = self.0.signal()?;
        let (name, value) = signal.body().deserialize()?;
        Ok(Param { name, value })
    }
}

/// Records of the journal, as [`api::journal::Journal`] says.
pub(crate) fn read(wire: &Wire, query: &journal::Query) -> Result<OwnedFd, journal::Error> {
    let fd: zbus::OwnedFd = wire.call(JOURNAL, "Read", &(query,))?;
    Ok(fd.into())
}
