//! Services that are not in the plan: instances of templates, and those that somebody runs.
//!
//! ```text
//! template, definition ──► appended to the plan ──► runs as any other ──► off: forgotten
//! ```
//!
//! Their definitions are in the state log, so they survive servicemgr. One that failed is kept, so
//! that people can look at it, until it is reset or started again; but for instances of apps (`instances`).

use api::services::{Error, MAX_DEFINITION};
use model::Name;
use model::plan::MAX_SERVICES;
use model::service::Service;

use super::Daemon;
use super::bus::Reply;
use super::requests::unknown;
use crate::engine::{Ask, Event, Id, State};

/// Whether a definition is short enough for the bus; why not.
pub(super) fn fits(definition: &str) -> Result<(), String> {
    let length = definition.len();
    if length <= MAX_DEFINITION {
        return Ok(());
    }
    Err(format!(
        "a definition of {length} bytes: at most {MAX_DEFINITION} come over the bus: write it to a file in \
         /etc/ensemble/services, then `ensctl reload`"
    ))
}

impl Daemon {
    /// Makes a service that is forgotten once it has ended.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub(super) fn add_transient(&mut self, service: Service) -> Result<Id, String> {
        let name = service.name.to_string();
        if self.find(&name).is_some() {
            return Err(format!("a service is called `{name}` already"));
        }
        if self.names.len() >= MAX_SERVICES {
            return Err(format!("there are {MAX_SERVICES} services already"));
        }
        let names = &self.names;
        let id = self.engine.add(&service, &|name: &Name| names.get(name.as_str()).copied())?;
        self.place(id, service);
        self.log.service(id, self.plan.services.get(id));
        self.give_permissions(id);
        let service = self.plan.services.get(id);
        let asks = service.is_some_and(|s| !s.permissions.is_empty() && s.app_id().is_none());
        if asks || service.is_some_and(|s| s.bus.is_some()) || self.has_rights_on_bus(id) {
            // Asked before it starts, and the bus answers in order.
            let _told = self.renew_bus_policy();
        }
        Ok(id)
    }

    /// Puts a service where the engine has it.
    pub(super) fn place(&mut self, id: Id, service: Service) {
        self.names.insert(service.name.to_string(), id);
        if let Some(slot) = self.plan.services.get_mut(id) {
            *slot = service;
        } else {
            self.plan.services.push(service);
        }
        if let Some(part) = self.parts.get_mut(id) {
            *part = super::Part::default();
        } else {
            self.parts.push(super::Part::default());
        }
    }

    /// Whether the plan of the device does not have it.
    pub(super) fn is_transient(&self, id: Id) -> bool {
        id >= self.fixed
    }

    /// Forgets transient services that have ended.
    pub(super) fn forget_ended(&mut self) {
        for id in std::mem::take(&mut self.ended) {
            let Some(service) = self.plan.services.get(id) else { continue };
            let name = service.name.to_string();
            let wanted = self.engine.life(id).is_none_or(|life| life.armed || life.wanted);
            let over = match self.engine.state(id) {
                State::Off | State::Done => !wanted,
                // How an instance ended was told, and it has no second life.
                State::Failed => service.app_id().is_some(),
                _ => false,
            };
            if !over {
                continue;
            }
            if self.names.get(&name) != Some(&id) {
                continue;
            }
            if self.engine.vacate(id) {
                self.names.remove(&name);
                // Of other services, the rights are those of a definition that may come back.
                let rights = self.is_of_app(id) && self.has_rights_on_bus(id);
                self.forget_permissions(id);
                if rights {
                    let _told = self.renew_bus_policy();
                }
                self.log.service(id, None);
                for key in self.forget_descriptors(id) {
                    self.tell(&api::pid1::ToPid1::Drop(key), None);
                }
            }
        }
    }

    /// What PID 1 holds for a service that is no more; ours is closed.
    fn forget_descriptors(&mut self, id: Id) -> Vec<String> {
        let Some(service) = self.plan.services.get(id) else { return Vec::new() };
        let name = service.name.as_str();
        let sockets = self.launcher.sockets.remove(name).map_or(0, |list| list.len());
        let mut keys: Vec<String> =
            (0..sockets).map(|n| super::launcher::socket_key(&service.name, n)).collect();
        self.launcher.outputs.remove(name);
        if self.streams.remove(name) {
            keys.push(super::launcher::log_key(name));
        }
        keys
    }

    /// An instance of a template, by its name.
    pub(super) fn instantiate(&mut self, name: &str) -> Result<Id, Error> {
        let whole = Name::try_from(name).map_err(|_| unknown(name))?;
        let (template, instance) = whole.of_template().ok_or_else(|| unknown(name))?;
        let template = self
            .plan
            .templates
            .iter()
            .find(|t| t.name.as_str() == template)
            .ok_or_else(|| unknown(name))?;
        let service = template.instance(instance).map_err(|_| unknown(name))?;
        self.add_transient(service).map_err(Error::Failed)
    }

    /// A service made here does without what the kernel under this device may lack, as those of the
    /// plan do.
    pub(super) fn tolerating(&self, mut service: Service) -> Service {
        service.sandbox = service.sandbox.into_inner().tolerating(&self.plan.optional).into();
        service
    }

    /// Makes a service from its definition and starts it.
    pub(super) fn run_transient(
        &mut self,
        name: &str,
        definition: &str,
        reply: Reply<Result<(), Error>>,
    ) {
        let made = Name::try_from(name)
            .map_err(|e| Error::BadDefinition(format!("`{name}`: {e}")))
            .and_then(|name| fits(definition).map(|()| name).map_err(Error::BadDefinition))
            .and_then(|name| {
                let made = super::definitions::parse(&name, definition, &self.settings);
                made.map_err(Error::BadDefinition)
            })
            .map(|service| self.tolerating(service));
        self.start_transient(made, reply);
    }

    /// Starts a service that was made.
    pub(super) fn start_transient(
        &mut self,
        made: Result<Service, Error>,
        reply: Reply<Result<(), Error>>,
    ) {
        match made.and_then(|service| self.add_transient(service).map_err(Error::Failed)) {
            Err(e) => drop(reply.send(Err(e))),
            Ok(id) => {
                let job = self.job(reply);
                self.feed(Event::Ask(id, Ask::Start, job));
            }
        }
    }
}
