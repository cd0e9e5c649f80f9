//! Sockets and FIFOs that trigger a service: a connection, a packet or a byte waits at one of them.
//!
//! Nothing is taken from them here, so the service finds all of it.

use std::os::fd::AsFd;

use api::pid1::ToPid1;
use model::service::{Service, Start};

use super::super::Daemon;
use super::super::launcher::socket_key;
use super::Source;
use crate::engine::{Id, State};

impl Daemon {
    pub(super) fn watch_sockets(&mut self, id: Id) {
        self.activate.leave(Source::Socket(id));
        let Some(service) = self.plan.services.get(id) else { return };
        let Some(open) = self.launcher.sockets.get(service.name.as_str()) else { return };
        for ((name, fd), _) in open.iter().zip(&service.sockets).filter(|(_, s)| !s.accept) {
            if let Err(e) = self.activate.watch(Source::Socket(id), fd.as_fd()) {
                log::error!("could not watch the socket {name} of {}: {e}", service.name);
            }
        }
    }
}

impl Daemon {
    /// Closes sockets from which nobody will take anything: whoever connects should be refused, and
    /// not wait for ever. A service that starts with the device keeps its own, whatever happens.
    pub(super) fn follow_sockets(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let takes = service.sockets.iter().any(|s| s.accept);
        let armed = self.engine.life(id).is_some_and(|life| life.armed);
        let waits = armed && self.engine.state(id) != State::Failed;
        let open = match (takes, service.start) {
            (true, _) => waits || self.engine.state(id).met() || !self.is_off(id),
            (false, Start::Demand) => waits || !self.is_off(id),
            (false, Start::Boot) => true,
        };
        if open {
            return;
        }
        let count = self.launcher.sockets.remove(service.name.as_str()).map_or(0, |s| s.len());
        for number in 0..count {
            self.tell(&ToPid1::Drop(socket_key(&service.name, number)), None);
        }
    }
}

/// Whether a service has sockets of its own, not only such as we take connections from.
pub(super) fn has_own(service: &Service) -> bool {
    service.sockets.iter().any(|s| !s.accept)
}
