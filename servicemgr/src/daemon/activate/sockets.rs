//! Sockets and FIFOs that trigger a service: a connection, a packet or a byte waits at one of them.
//!
//! Nothing is taken from them here, so the service finds all of it.

use model::service::Service;

use super::super::Daemon;
use super::Source;
use crate::engine::Id;

impl Daemon {
    pub(super) fn watch_sockets(&mut self, id: Id) {
        self.activate.leave(Source::Socket(id));
        let Some(service) = self.plan.services.get(id) else { return };
        let Some(open) = self.launcher.sockets.get(service.name.as_str()) else { return };
        for ((name, fd), _) in open.iter().zip(&service.sockets).filter(|(_, s)| !s.accept) {
            if let Err(e) = self.activate.watch(Source::Socket(id), std::os::fd::AsFd::as_fd(fd)) {
                log::error!("could not watch the socket {name} of {}: {e}", service.name);
            }
        }
    }
}

/// Whether a service has sockets of its own, not only such as we take connections from.
pub(super) fn has_own(service: &Service) -> bool {
    service.sockets.iter().any(|s| !s.accept)
}
