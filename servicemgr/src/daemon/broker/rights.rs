//! What services may do on the bus by their permissions, and the policy anew when that changes.
//!
//! ```text
//! permissions granted, revoked ─► rights ─► policy ─SetPolicy─► dbus-broker, also for who is connected
//! ```

use model::service::Service;
use sys::passwd::Users;
use tokio::sync::oneshot;

use super::policy::{self, Right};
use crate::daemon::{Daemon, own};

impl Daemon {
    /// The permissions of services have changed: the bus gets another policy, if there is one. What comes
    /// back is told once it has it.
    pub(in crate::daemon) fn renew_bus_policy(&mut self) -> Option<oneshot::Receiver<()>> {
        self.broker.controller.as_ref()?;
        let users = self.users_of_bus();
        let (claims, _) = policy::claims(&self.plan.services, &users);
        let policy = policy::policy(&claims, &self.bus_rights(&users));
        let (sender, told) = oneshot::channel();
        let controller = self.broker.controller.as_mut()?;
        match controller.renew(policy) {
            Ok(()) => self.broker.renewals.push(sender),
            Err(e) => self.bus_broken(&e.to_string()),
        }
        Some(told)
    }

    /// The users of the device. A service with one of its own that has to do with the bus gets its number now:
    /// a policy that does not know it would hold until another is made.
    pub(super) fn users_of_bus(&self) -> Users {
        let etc = &self.launcher.etc;
        let own = |s: &&Service| s.bus.is_some() || !s.permissions.is_empty();
        for service in self.plan.services.iter().filter(own) {
            if let Err(why) = own::provide(etc, service) {
                // It is why it does not start, too.
                log::warn!(target: service.name.as_str(), "{}: {why}", service.name);
            }
        }
        Users::read(etc).unwrap_or_default()
    }

    /// What services may do on the bus by their permissions.
    pub(super) fn bus_rights(&mut self, users: &Users) -> Vec<Right> {
        let mut all = Vec::new();
        for id in 0..self.plan.services.len() {
            let asks = |s: &&Service| !s.permissions.is_empty();
            let Some(service) = self.plan.services.get(id).filter(asks) else { continue };
            // Root may everything; one whose user does not exist can't start.
            let known = |name: &String| users.find(name).map(|user| user.uid);
            let Some(user) = service.app_id().or_else(|| service.user.as_ref().and_then(known))
            else {
                continue;
            };
            if self.find(service.name.as_str()) != Some(id) {
                continue;
            }
            for found in self.permissions.of(service) {
                let bus = &found.bus;
                let (talk, own) = (bus.talk.clone(), bus.own.clone());
                all.push(Right { user, talk, own });
            }
        }
        all
    }
}
