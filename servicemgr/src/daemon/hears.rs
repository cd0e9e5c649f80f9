//! What services say of themselves (`sd_notify`), as events.
//!
//! Invariant: a message is taken from the socket after what it says is noted; so its sender, who may
//! wait for the descriptor of a `BARRIER=1` to be closed, knows that all is noted, and a servicemgr
//! that dies on the way hears it again.

use std::os::fd::{AsFd, OwnedFd};

use api::pid1::ToPid1;
use model::service::Kind;

use super::notify::{self, Message, Owner};
use super::said::{Dog, Said, Store};
use super::store::Stored;
use super::{Daemon, TURN};
use crate::engine::{Event, Id, State};

impl Daemon {
    /// Takes what is there now.
    pub(super) fn hear_services(&mut self) {
        for _ in 0..TURN {
            let Some(message) = self.notify.next() else { return };
            if let Some(id) = self.owner(&message) {
                self.said(id, message.said, message.fds);
            }
            self.notify.done();
        }
    }

    fn said(&mut self, id: Id, said: Said, fds: Vec<OwnedFd>) {
        if let Some(part) = self.parts.get_mut(id) {
            part.text = said.status.unwrap_or(std::mem::take(&mut part.text));
            part.side.errno = said.errno.unwrap_or(part.side.errno);
        }
        if let Some(pid) = said.main {
            self.said_main(id, pid);
        }
        match said.store {
            Some(Store::Keep { name, poll }) => self.keep_all(id, &name, poll, fds),
            Some(Store::Remove(name)) => {
                if let Some(service) = self.plan.services.get(id) {
                    let service = service.name.to_string();
                    self.drop_stored(&service, |_, stored| stored.name == name);
                }
            }
            None => drop(fds),
        }
        let mut events = Vec::new();
        events.extend(said.watch.map(|time| Event::Watch(id, time)));
        events.extend(said.extend.map(|time| Event::Extend(id, time)));
        match said.watchdog {
            Some(Dog::Alive) => events.push(Event::Alive(id)),
            Some(Dog::Trigger) => {
                events.push(Event::Unwell(id, "it says that it hangs (WATCHDOG=trigger)".into()));
            }
            None => {}
        }
        let words = [
            (said.reloading, Event::Reloading(id)),
            (said.ready && self.ready_by_word(id), Event::Ready(id)),
            (said.stopping, Event::Stopping(id)),
        ];
        events.extend(words.into_iter().filter(|(is, _)| *is).map(|(_, event)| event));
        events.into_iter().for_each(|event| self.feed(event));
    }

    /// Whether it is ready because it says so: it is of that kind and nobody asks it, or it ends a
    /// reload.
    pub(super) fn ready_by_word(&self, id: Id) -> bool {
        let Some(service) = self.plan.services.get(id) else { return false };
        let says = matches!(service.kind, Kind::Notify | Kind::NotifyReload);
        let asked = service.health.as_ref().is_some_and(|health| health.readiness);
        says && !asked || self.engine.state(id) != State::Starting
    }

    /// It says which its main process is.
    fn said_main(&mut self, id: Id, pid: i32) {
        if self.main(id) == Some(pid) {
            return;
        }
        let alive = self.engine.life(id).is_some_and(|life| life.main);
        let Some(service) = self.plan.services.get(id).filter(|_| alive) else { return };
        let name = service.name.to_string();
        if !self.is_of(id, pid) {
            log::warn!(target: name.as_str(), "{name}: MAINPID={pid} is no process of it: ignored");
            return;
        }
        let awaited = self.upkeep.awaited.contains(&id);
        self.upkeep.awaited.retain(|awaited| *awaited != id);
        self.set_main(id, pid);
        if awaited {
            self.watch_over(id);
        }
    }

    /// Keeps descriptors for the next start of a service.
    fn keep_all(&mut self, id: Id, name: &str, poll: bool, fds: Vec<OwnedFd>) {
        let Some(service) = self.plan.services.get(id) else { return };
        // What one process is passed has a limit, and its sockets come first.
        let room = sys::spawn::MAX_FDS.saturating_sub(service.sockets.len());
        let most = service.fd_store.min(u32::try_from(room).unwrap_or(0));
        let service = service.name.to_string();
        for fd in fds {
            let stored = Stored { name: name.to_owned(), fd, poll };
            match self.upkeep.stores.keep(&service, stored, most) {
                Ok(None) => {}
                Ok(Some((number, key))) => {
                    if let Some(stored) = self.upkeep.stores.get(&service, number) {
                        self.tell(&ToPid1::Hold(key), Some(stored.fd.as_fd()));
                    }
                    self.watch_stored(id, number);
                }
                Err(super::store::TooMany) => {
                    log::warn!(
                        target: service.as_str(),
                        "{service}: it stores more than {most} descriptors: see fd-store"
                    );
                    return;
                }
            }
        }
    }

    /// The service whose process sent a message.
    fn owner(&self, message: &Message) -> Option<Id> {
        if let Some(id) = self.by_pid.get(&message.pid) {
            return Some(*id);
        }
        match notify::owner(message.pid, self.groups_name()) {
            Owner::Service(name) => self.find(&name),
            Owner::Session(leader) => self.by_pid.get(&leader).copied(),
            Owner::Nobody => self.owner_of_dead(message),
        }
    }

    /// What the group of all services is called.
    pub(super) fn groups_name(&self) -> &str {
        self.settings.groups.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The sender has ended before it was heard: the kernel may still know its group.
    fn owner_of_dead(&self, message: &Message) -> Option<Id> {
        let group = sys::pidfd::cgroup(message.pidfd.as_ref()?).ok()?;
        let groups = self.launcher.groups.as_ref()?;
        self.plan.services.iter().position(|service| {
            groups.get(service.name.as_str()).and_then(|g| g.inode()).is_ok_and(|n| n == group)
        })
    }
}
