//! What the engine decided, done: processes, signals, groups, answers, words for people.
//!
//! Nothing here decides; how an action went is an event for the engine.

use std::os::fd::BorrowedFd;

use api::pid1::ToPid1;
use api::services::Error as Refusal;

use super::link::Link;
use super::{Daemon, voice};
use crate::engine::{Action, Answer, Event, Id, JOURNAL, Job, Next, State};

impl Daemon {
    /// Does what the engine asked; how it went is itself an event.
    pub(super) fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Open(id) => self.open(id),
            Action::Spawn(id) => return Some(self.spawn(id)),
            Action::Terminate(id) => self.signal(id, false),
            Action::Kill(id) => self.signal(id, true),
            Action::Gone(id) => self.gone(id),
            Action::Answer(job, answer) => self.answer(job, answer),
            Action::Run(id, ..) => {
                return Some(Event::CommandEnded { id, end: Err("not yet".into()) });
            }
            Action::EndCommand(_)
            | Action::Reload(_)
            | Action::Arm(_)
            | Action::Disarm(_)
            | Action::Abort(_)
            | Action::Freeze(..)
            | Action::Critical(_) => {}
            Action::Settled => self.boot_is_over(),
            Action::AllDown => {
                if let Some(end) = self.down {
                    log::info!("every service has ended");
                    self.tell(&ToPid1::End(end), None);
                }
            }
        }
        None
    }

    fn open(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let link = &self.link;
        if let Err(why) = self.launcher.open(service, &mut |key, fd| hold(link, key, fd)) {
            // The start tries again and fails with it.
            log::warn!(target: service.name.as_str(), "{}: {why}", service.name);
        }
    }

    fn spawn(&mut self, id: Id) -> Event {
        let Some(service) = self.plan.services.get(id) else { return Event::Lost(id) };
        let link = &self.link;
        let mut keep = |key: String, fd: BorrowedFd<'_>| hold(link, key, fd);
        match self.launcher.start(service, &mut self.streams, &mut keep) {
            Ok(started) => {
                self.by_pid.insert(started.pid, id);
                if let Some(part) = self.parts.get_mut(id) {
                    part.pid = Some(started.pid);
                }
                if let Some(line) = started.journal {
                    voice::without_journal(false);
                    if let Err(e) = self.streams.connect(line, true) {
                        log::error!("journal gets no output of services: {e}: restart it");
                    }
                }
                self.streams.flush();
                Event::Spawned(id)
            }
            Err(why) => Event::SpawnFailed(id, why),
        }
    }

    pub(super) fn signal(&mut self, id: Id, kill: bool) {
        let pid = self.parts.get(id).and_then(|p| p.pid);
        let done = match (self.group(id), pid) {
            (Some(group), _) if kill => group.kill(),
            (Some(group), _) => group.terminate(),
            (None, Some(pid)) => sys::session::signal(pid, kill),
            (None, None) => Ok(()),
        };
        let Some(service) = self.plan.services.get(id) else { return };
        let name = service.name.as_str();
        if kill {
            let limit = service.stop_timeout;
            log::warn!(target: name, "{name}: did not end within {limit:?}: killed");
        }
        if let Err(e) = done {
            log::error!(target: name, "could not signal {name}: {e}");
        }
    }

    pub(super) fn group(&self, id: Id) -> Option<sys::cgroup::Group> {
        let service = self.plan.services.get(id)?;
        self.launcher.groups.as_ref()?.get(service.name.as_str()).ok()
    }

    fn gone(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        if let Some(pid) = self.parts.get_mut(id).and_then(|p| p.pid.take()) {
            self.by_pid.remove(&pid);
        }
        if let Some(groups) = &self.launcher.groups
            && let Err(e) = groups.remove(service.name.as_str())
        {
            log::warn!(target: service.name.as_str(), "control group {}: {e}", service.name);
        }
    }

    fn answer(&mut self, job: Job, answer: Answer) {
        let Some(reply) = self.jobs.remove(&job) else { return };
        let result = match answer {
            Answer::Done => Ok(()),
            Answer::Failed(reason) => Err(Refusal::Failed(reason.to_string())),
            Answer::Replaced => {
                Err(Refusal::Replaced("another request took over; look at its status".into()))
            }
            Answer::Refused(why) => Err(Refusal::Failed(why)),
            Answer::GoingDown => {
                Err(Refusal::GoingDown("the device is going down; nothing starts".into()))
            }
        };
        // Who asked may have hung up meanwhile.
        let _gone = reply.send(result);
    }

    fn boot_is_over(&mut self) {
        let failed = self.failed().count();
        match failed {
            0 => log::info!("all services are ready"),
            1 => log::warn!("the boot is over, 1 service has failed: see `ensctl status`"),
            _ => log::warn!("the boot is over, {failed} services have failed: see `ensctl status`"),
        }
        // Nobody may have asked for a journal at all.
        self.nobody_listens();
        self.tell(&ToPid1::Settled, None);
        let system = self.system();
        for waiting in self.settled.drain(..) {
            let _gone = waiting.send(system.clone());
        }
    }

    pub(super) fn tell(&self, message: &ToPid1, fd: Option<BorrowedFd<'_>>) {
        if let Err(e) = self.link.send(message, fd) {
            log::error!("could not tell PID 1: {e}");
        }
    }

    /// Tells people where a service is, when it matters to them.
    pub(super) fn say(&mut self, id: Id) {
        let (Some(service), Some(part), Some(life)) =
            (self.plan.services.get(id), self.parts.get_mut(id), self.engine.life(id))
        else {
            return;
        };
        let old = std::mem::replace(&mut part.told, life.state);
        if old == life.state {
            return;
        }
        let name = service.name.as_str();
        let why = || life.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        match life.state {
            State::Ready => log::info!(target: name, "{name}: ready"),
            State::Done => log::info!(target: name, "{name}: done"),
            State::Failed => log::error!(target: name, "{name}: failed: {}", why()),
            State::Off if old != State::Waiting => log::info!(target: name, "{name}: stopped"),
            State::Leaving | State::Stopping if life.next == Next::Waiting => {
                log::info!(target: name, "{name}: stopping, to start again");
            }
            State::Backoff => {
                let wait = life.due.unwrap_or_default().saturating_sub(life.since);
                log::warn!(target: name, "{name}: {}: starts again in {wait:?}", why());
            }
            _ => {}
        }
        if name == JOURNAL {
            self.nobody_listens();
        }
    }

    /// A journal that will not come by itself must not make those wait who write to it.
    pub(super) fn nobody_listens(&mut self) {
        let Some(journal) = self.find(JOURNAL) else { return };
        if matches!(self.engine.state(journal), State::Failed | State::Off) {
            voice::without_journal(true);
            self.streams.give_up(self.launcher.sockets.get(JOURNAL).map_or(&[], Vec::as_slice));
        }
    }
}

fn hold(link: &Link, key: String, fd: BorrowedFd<'_>) {
    if let Err(e) = link.send(&ToPid1::Hold(key), Some(fd)) {
        log::error!("could not give a descriptor to PID 1: {e}");
    }
}
