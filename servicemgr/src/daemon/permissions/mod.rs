//! Permissions of services on this device: what they ask for, what the owner decided, what that makes of
//! their sandboxes.
//!
//! ```text
//! definition: profile, asked ───────────────┐
//! /usr/lib/ensemble/permissions/NAME.toml ──┼─ Service::widened ─► the sandbox in force
//! /var/lib/ensemble/permissions (decided) ──┘                   └► rights on the system bus
//! /run/ensemble/permissions (of services of the moment)
//! ```
//!
//! What nobody is asked about is in the definition's profile already. Where no service asks for anything,
//! nothing here reads a file. Invariants: a service has what it asks for and what was granted, never more;
//! whatever is wrong with decisions, permissions or the compiler, it has less; the profile of its definition
//! is never lost, so what was granted can be taken away.

mod bus;
mod change;
mod facts;
mod store;
#[cfg(test)]
mod tests;
mod told;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use model::permission::{Grant, Permission};
use model::sandbox::Profile;
use model::service::Service;
use model::text::permission::{Defined, load};
use model::text::sandbox::Rule;
use model::{Name, Plan};
use tokio::sync::mpsc;

use super::definitions::OfDevice;
use super::sandboxes::Sandboxes;
use super::shipped::Shipped;
use super::{Daemon, Settings};
use crate::engine::Id;
use store::Store;

pub(super) use bus::Client;

/// All about them.
#[derive(Debug)]
pub(super) struct Permissions {
    /// Where the texts of permissions lie.
    directories: Vec<String>,
    /// What there is of them without reading texts.
    shipped: Shipped,
    /// Those of which somebody needed the text, or why there is no such.
    known: BTreeMap<Name, Result<Arc<Defined>, String>>,
    /// Decisions about services that are defined.
    lasting: Store,
    /// Decisions about services of the moment: they go with them, or with the boot.
    passing: Store,
    /// Services that were granted something.
    given: BTreeMap<Name, Given>,
    /// Clients that are told of decisions.
    watchers: Vec<mpsc::Sender<bus::Decided>>,
}

/// What a service was granted.
#[derive(Debug)]
struct Given {
    /// Its profile without that.
    base: Profile,
    /// What counts of it.
    held: Vec<Name>,
}

/// What came of granting.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Widened {
    /// The profile.
    pub(super) profile: Profile,
    /// What counts.
    held: Vec<Name>,
    /// What does not, and why.
    pub(super) wrong: Vec<(Name, String)>,
}

impl Permissions {
    /// Gives the services of a plan what they were granted.
    pub(super) fn begin(settings: &Settings, plan: &mut Plan, shipped: Shipped) -> Self {
        let mut this = Self::new(settings, shipped);
        for service in &mut plan.services {
            this.give(service, false);
        }
        this
    }

    /// Nothing is read yet.
    fn new(settings: &Settings, shipped: Shipped) -> Self {
        Self {
            directories: settings.permissions(),
            shipped,
            known: BTreeMap::new(),
            lasting: Store::new(settings.state.join("permissions")),
            passing: Store::new(settings.run.join("permissions")),
            given: BTreeMap::new(),
            watchers: Vec::new(),
        }
    }

    /// Gives a service what it was granted, and nothing else. `moment`: no file defines it.
    fn give(&mut self, service: &mut Service, moment: bool) {
        if let Some(old) = self.given.remove(&service.name) {
            service.sandbox = old.base.into();
        }
        if service.permissions.is_empty() {
            return;
        }
        // About apps others decide: one that was launched with a permission has it.
        let granted = if service.app_id().is_some() {
            service.permissions.clone()
        } else {
            let store = self.store(moment).get();
            store.granted(&service.name, &service.permissions).cloned().collect()
        };
        if granted.is_empty() {
            return;
        }
        let Widened { profile, held, wrong } = self.widened(service, &granted);
        let name = service.name.as_str();
        for (permission, why) in wrong {
            log::error!(target: name, "{name}: {permission} does not count: {why}");
        }
        if !held.is_empty() {
            let base = profile_of(service).clone();
            service.sandbox = profile.into();
            self.given.insert(service.name.clone(), Given { base, held });
        }
    }

    /// Takes back from services of a plan what makes a sandbox that can't be compiled.
    pub(super) fn take_back_broken(&mut self, plan: &mut Plan, sandboxes: &mut Sandboxes) {
        if self.given.is_empty() {
            return;
        }
        for service in &mut plan.services {
            self.take_back(service, sandboxes);
        }
    }

    fn take_back(&mut self, service: &mut Service, sandboxes: &mut Sandboxes) {
        if !self.given.contains_key(&service.name) {
            return;
        }
        let Some(why) = sandboxes.broken(&service.sandbox).map(str::to_owned) else { return };
        let name = service.name.as_str();
        log::error!(target: name, "{name}: none of its permissions counts: its sandbox with them: {why}");
        if let Some(old) = self.given.remove(&service.name) {
            service.sandbox = old.base.into();
            sandboxes.learn([&*service]);
        }
    }

    /// Where the decisions about a service are.
    fn store(&mut self, moment: bool) -> &mut Store {
        if moment { &mut self.passing } else { &mut self.lasting }
    }

    /// The profile of a service, which is that of its definition, with these of what it asks for.
    pub(super) fn widened(&mut self, service: &Service, granted: &[Name]) -> Widened {
        let mut out = Widened { profile: profile_of(service).clone(), ..Widened::default() };
        let mut held: Vec<Arc<Permission>> = Vec::new();
        for name in granted {
            let why = match self.meant(name) {
                Err(why) => why,
                Ok(found) if is_defined(service, &found) => continue,
                Ok(found) => {
                    let all = held.iter().chain([&found]).map(|held| &**held);
                    match service.widened(&all.collect::<Vec<&Permission>>()) {
                        Ok(profile) => {
                            out.profile = profile;
                            out.held.push(name.clone());
                            held.push(found);
                            continue;
                        }
                        Err(forbidden) => forbidden.to_string(),
                    }
                }
            };
            out.wrong.push((name.clone(), why));
        }
        out
    }

    /// What a permission of the device means.
    ///
    /// # Errors
    /// As [`Self::find`].
    fn meant(&mut self, name: &Name) -> Result<Arc<Permission>, String> {
        match self.shipped.permission(name) {
            Some(permission) => Ok(permission),
            None => self.find(name).map(|found| Arc::new(found.permission.clone())),
        }
    }

    /// A permission of the device, with the places of its rules.
    ///
    /// # Errors
    /// Why there is none of this name, for people.
    fn find(&mut self, name: &Name) -> Result<Arc<Defined>, String> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let found = load(&OfDevice, &self.directories, name.as_str());
        let found = found.map(Arc::new).map_err(|report| report.to_string().trim_end().to_owned());
        self.known.insert(name.clone(), found.clone());
        found
    }

    /// Whether who has a permission may own names of the bus.
    fn owns(&mut self, name: &Name) -> bool {
        self.meant(name).is_ok_and(|found| !found.bus.own.is_empty())
    }

    /// A service as its definition says.
    pub(super) fn as_defined<'s>(&self, service: &'s Service) -> Cow<'s, Service> {
        match self.given.get(&service.name) {
            None => Cow::Borrowed(service),
            Some(given) => {
                Cow::Owned(Service { sandbox: given.base.clone().into(), ..service.clone() })
            }
        }
    }

    /// The profile of a service as its definition says.
    pub(super) fn base<'s>(&'s self, service: &'s Service) -> &'s Profile {
        self.given.get(&service.name).map_or(profile_of(service), |given| &given.base)
    }

    /// What the owner granted a service, as far as it counts.
    pub(super) fn held(&self, service: &Name) -> &[Name] {
        self.given.get(service).map_or(&[], |given| &given.held)
    }

    /// All permissions that a service has, those of its definition among them.
    pub(super) fn of(&mut self, service: &Service) -> Vec<Arc<Permission>> {
        let held = self.held(&service.name).to_vec();
        let asked = service.permissions.iter().filter_map(|name| self.meant(name).ok());
        asked.filter(|found| found.grant == Grant::System || held.contains(&found.name)).collect()
    }

    /// The rules of what the owner granted a service.
    pub(super) fn rules(&mut self, service: &Service) -> Vec<Rule> {
        let held = self.held(&service.name).to_vec();
        held.iter()
            .filter_map(|name| self.find(name).ok())
            .flat_map(|of| of.rules.clone())
            .collect()
    }

    /// A service of the moment, or an instance, is no more.
    fn forget(&mut self, service: &Name, moment: bool) {
        self.given.remove(service);
        if !moment {
            return;
        }
        let store = self.store(true);
        if store.get().iter().any(|(of, ..)| of == service) {
            let mut rest = store.get().clone();
            rest.forget(service);
            if let Err(e) = store.replace(rest) {
                log::error!("{}: {e}: it still says what {service} may", store.path().display());
            }
        }
    }
}

/// Whether a permission is in the profile of whoever asks for it. An app has none that was not given to it.
fn is_defined(service: &Service, found: &Permission) -> bool {
    found.grant == Grant::System && service.app_id().is_none()
}

/// The profile in force.
fn profile_of(service: &Service) -> &Profile {
    &service.sandbox
}

impl Daemon {
    /// Whether a service may do something on the bus by its permissions.
    pub(super) fn has_rights_on_bus(&mut self, id: Id) -> bool {
        let Some(service) = self.plan.services.get(id) else { return false };
        let says = |bus: &model::permission::Bus| !bus.talk.is_empty() || !bus.own.is_empty();
        self.permissions.of(service).iter().any(|found| says(&found.bus))
    }

    /// Whether no file defines a service: decisions about it end with it.
    fn is_of_the_moment(&self, id: Id) -> bool {
        let template = |service: &Service| service.name.of_template().is_some();
        self.is_transient(id) && !self.plan.services.get(id).is_some_and(template)
    }

    /// The names of all permissions that a service has.
    pub(super) fn names_of_permissions(&mut self, id: Id) -> Vec<String> {
        let Some(service) = self.plan.services.get(id) else { return Vec::new() };
        let all = self.permissions.of(service);
        all.iter().map(|found| found.name.to_string()).collect()
    }

    /// Gives a service that was just made what it was granted.
    pub(super) fn give_permissions(&mut self, id: Id) {
        let moment = self.is_of_the_moment(id);
        let Some(service) = self.plan.services.get_mut(id) else { return };
        self.permissions.give(service, moment);
        self.launcher.sandboxes.learn([&*service]);
        self.permissions.take_back(service, &mut self.launcher.sandboxes);
    }

    /// A service that was made while the device runs is no more.
    pub(super) fn forget_permissions(&mut self, id: Id) {
        let moment = self.is_of_the_moment(id);
        if let Some(service) = self.plan.services.get(id).filter(|s| !s.permissions.is_empty()) {
            self.permissions.forget(&service.name, moment);
        }
    }

    /// A process of a service starts with what it has now. `fresh`: nothing of it runs yet.
    pub(super) fn note_permissions(&mut self, id: Id, fresh: bool) {
        let (Some(service), Some(part)) = (self.plan.services.get(id), self.parts.get_mut(id))
        else {
            return;
        };
        if fresh {
            part.permissions.clear();
            part.side.revoked = None;
        }
        for name in self.permissions.held(&service.name) {
            if !part.permissions.contains(name) {
                part.permissions.push(name.clone());
            }
        }
    }
}
