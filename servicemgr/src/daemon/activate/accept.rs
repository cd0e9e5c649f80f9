//! A process for each connection: an instance of the template `SERVICE@`.
//!
//! ```text
//! connection ──taken──► held at PID 1 ──► SERVICE@7 starts with it as descriptor 3 ──► ours is closed
//! ```
//!
//! Invariant: a connection that was taken is held until the process has it, so it outlives
//! servicemgr; after that only the process has it, and the other side notices its end.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use api::pid1::ToPid1;
use model::service::{RestartWhen, Service};
use sys::bind::{self, Peer};

use super::super::Daemon;
use super::{Due, Later, NOBODY, Source};
use crate::engine::{Ask, Event, Id, State};

/// Connections of one service at once; the next ones wait in its backlog.
const MAX_CONNECTIONS: usize = 64;

/// Connections taken in one turn, before others have theirs.
const AT_ONCE: usize = 16;

/// How long to wait when there is no room for another descriptor.
const NO_ROOM: Duration = Duration::from_secs(1);

/// Name of a connection in `LISTEN_FDNAMES`, as systemd's.
pub(in crate::daemon) const CONNECTION: &str = "connection";

/// Under which name PID 1 holds the connection of an instance.
pub(super) fn connection_key(instance: &str) -> String {
    format!("connection/{instance}")
}

impl Daemon {
    /// Takes connections, or not, as the state of the service and of its instances wants it.
    pub(super) fn follow_connections(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let parent =
            service.name.of_template().and_then(|(template, _)| template.strip_suffix('@'));
        let parent = parent.and_then(|name| self.find(name));
        if let Some(parent) = parent.filter(|p| self.takes_connections(*p)) {
            self.follow_instance(id);
            return self.follow_connections(parent);
        }
        if !self.takes_connections(id) {
            return;
        }
        let source = Source::Accept(id);
        let wanted = self.wants_connections(id) && self.connected(id) < MAX_CONNECTIONS;
        match (self.activate.watches(source), wanted) {
            (true, false) => self.activate.leave(source),
            (false, true) => self.watch_for_connections(id),
            _ => {}
        }
    }

    fn takes_connections(&self, id: Id) -> bool {
        self.plan.services.get(id).is_some_and(|s| s.sockets.iter().any(|s| s.accept))
    }

    fn wants_connections(&self, id: Id) -> bool {
        let armed = self.engine.life(id).is_some_and(|life| life.armed);
        let armed = armed && !self.engine.foe_is_up(id);
        !self.engine.going_down() && (armed || self.engine.state(id).met())
    }

    /// Its instances that have not ended.
    fn connected(&self, id: Id) -> usize {
        let Some(service) = self.plan.services.get(id) else { return 0 };
        let prefix = format!("{}@", service.name);
        let ours = self.names.iter().filter(|(name, _)| name.starts_with(&prefix));
        ours.filter(|(_, id)| !self.is_off(**id)).count()
    }

    fn watch_for_connections(&mut self, id: Id) {
        // A target has nothing to start, so nobody else opens them.
        if !self.open_or_fail(id) {
            return;
        }
        let Some(service) = self.plan.services.get(id) else { return };
        let Some(open) = self.launcher.sockets.get(service.name.as_str()) else { return };
        for ((name, fd), _) in open.iter().zip(&service.sockets).filter(|(_, s)| s.accept) {
            let watched = sys::poll::set_nonblocking(fd)
                .and_then(|()| self.activate.watch(Source::Accept(id), fd.as_fd()));
            if let Err(e) = watched {
                log::error!("could not watch the socket {name} of {}: {e}", service.name);
            }
        }
    }

    /// Takes what waits, a bounded number.
    pub(super) fn take_connections(&mut self, id: Id) {
        for _ in 0..AT_ONCE {
            if !self.wants_connections(id) || self.connected(id) >= MAX_CONNECTIONS {
                return self.activate.leave(Source::Accept(id));
            }
            match self.take_connection(id) {
                Ok(None) => return,
                Ok(Some(connection)) => {
                    if let Err(why) = self.serve_connection(id, connection) {
                        self.refuse(id, &why);
                    }
                }
                Err(e) => {
                    self.refuse(id, &e.to_string());
                    self.activate.leave(Source::Accept(id));
                    let later = self.now().saturating_add(NO_ROOM);
                    return self.activate.put_off(Later::Accept(id), later);
                }
            }
        }
        // What still waits came before and is told once: watched anew, it is told again.
        self.activate.leave(Source::Accept(id));
        self.follow_connections(id);
    }

    fn refuse(&self, id: Id, why: &str) {
        let Some(service) = self.plan.services.get(id) else { return };
        let name = service.name.as_str();
        log::error!(target: name, "{name}: could not serve a connection: {why}");
    }

    fn take_connection(&self, id: Id) -> io::Result<Option<OwnedFd>> {
        let Some(service) = self.plan.services.get(id) else { return Ok(None) };
        let open = self.launcher.sockets.get(service.name.as_str()).map_or(&[][..], Vec::as_slice);
        for ((_, fd), _) in open.iter().zip(&service.sockets).filter(|(_, s)| s.accept) {
            if let Some(connection) = bind::accept(fd)? {
                return Ok(Some(connection));
            }
        }
        Ok(None)
    }

    fn serve_connection(&mut self, id: Id, connection: OwnedFd) -> Result<(), String> {
        let instance = self.instance_for(id, &connection)?;
        let name = instance.name.to_string();
        self.tell(&ToPid1::Hold(connection_key(&name)), Some(connection.as_fd()));
        self.launcher.connections.insert(name.clone(), connection);
        match self.add_transient(instance) {
            Ok(instance) => {
                self.feed(Event::Ask(instance, Ask::Start, NOBODY));
                Ok(())
            }
            Err(why) => {
                self.close_connection(&name);
                Err(why)
            }
        }
    }

    fn instance_for(&mut self, id: Id, connection: &OwnedFd) -> Result<Service, String> {
        let service = self.plan.services.get(id).ok_or("it is gone")?;
        let template = format!("{}@", service.name);
        let number = match self.activate.connections.get(&id) {
            Some(last) => last + 1,
            None => self.last_number(&template) + 1,
        };
        self.activate.connections.insert(id, number);
        let all = self.plan.templates.iter();
        let found = all.into_iter().find(|t| t.name.as_str() == template);
        let found = found.ok_or_else(|| format!("no template {template}: add {template}.toml"))?;
        let mut made = found.instance(&number.to_string()).map_err(|e| e.to_string())?;
        // There is no second try: the connection is gone with the process.
        made.restart.when = RestartWhen::Never;
        made.environment.extend(remote(connection));
        Ok(made)
    }

    /// The highest number among the instances that a servicemgr before us made.
    fn last_number(&self, template: &str) -> u64 {
        let numbers = self.names.keys().filter_map(|name| name.strip_prefix(template));
        numbers.filter_map(|number| number.parse().ok()).max().unwrap_or(0)
    }

    /// Our copy of a connection is of no use once the process has it, or will never have it.
    fn follow_instance(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let name = service.name.to_string();
        let has_it = self.parts.get(id).is_some_and(|part| part.pid.is_some());
        if self.launcher.connections.contains_key(&name) && (has_it || self.is_off(id)) {
            self.close_connection(&name);
        }
        if self.engine.state(id) == State::Failed && self.is_transient(id) {
            self.activate.due.push_back(Due::Forget(id));
        }
    }

    fn close_connection(&mut self, name: &str) {
        if self.launcher.connections.remove(name).is_some() {
            self.tell(&ToPid1::Drop(connection_key(name)), None);
        }
    }
}

/// Who is at the other end, in the variables that systemd has for it.
fn remote(connection: &OwnedFd) -> BTreeMap<String, String> {
    let (address, port) = match bind::peer(connection) {
        Ok(Peer::Ip(address)) => (address.ip().to_string(), address.port().to_string()),
        Ok(Peer::Vsock { cid, port }) => (format!("vsock:{cid}"), port.to_string()),
        // Who hung up already, or is of this device, has no address.
        Ok(Peer::Local) | Err(_) => return BTreeMap::new(),
    };
    BTreeMap::from([("REMOTE_ADDR".to_owned(), address), ("REMOTE_PORT".to_owned(), port)])
}
