//! Sockets and FIFOs that trigger a service: a connection, a packet or a byte waits at one of them.
//!
//! Nothing is taken from them here, so the service finds all of it.

use std::os::fd::AsFd;

use api::pid1::ToPid1;
use model::service::{Service, Start};

use super::super::Daemon;
use super::super::launcher::socket_key;
use super::{Due, Source};
use crate::engine::{Id, State};

impl Daemon {
    /// Opens the sockets of an armed service, if they are closed, and watches them.
    pub(in crate::daemon) fn listen_again(&mut self, id: Id) {
        if !self.waits_armed(id) || self.engine.foe_is_up(id) {
            return;
        }
        if self.open_or_fail(id) {
            self.watch_sockets(id);
            self.follow_connections(id);
        }
    }

    /// Opens the sockets of a service that no start will open. Without them it has failed: that is
    /// told in the next turn.
    pub(super) fn open_or_fail(&mut self, id: Id) -> bool {
        match self.open(id) {
            Ok(()) => true,
            Err(why) => {
                let broken = Due::Broken(id, why);
                if !self.activate.due.contains(&broken) {
                    self.activate.due.push_back(broken);
                }
                false
            }
        }
    }

    fn watch_sockets(&mut self, id: Id) {
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
    /// not wait for ever. So are those of a service that is off while one is up that it conflicts with,
    /// for that one may want the same addresses. Otherwise a service that starts with the device keeps
    /// its own, whatever happens.
    pub(super) fn follow_sockets(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let takes = service.sockets.iter().any(|s| s.accept);
        let armed = self.engine.life(id).is_some_and(|life| life.armed);
        let waits = armed && self.engine.state(id) != State::Failed && !self.engine.foe_is_up(id);
        let open = match (takes, service.start) {
            (true, _) => waits || self.engine.state(id).met() || !self.is_off(id),
            (false, Start::Demand) => waits || !self.is_off(id),
            (false, Start::Boot) => !(self.is_off(id) && self.engine.foe_is_up(id)),
        };
        if open {
            return;
        }
        self.activate.leave(Source::Socket(id));
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
