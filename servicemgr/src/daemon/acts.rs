//! What the engine decided, done: processes, signals, groups, answers, words for people.
//!
//! Nothing here decides; how an action went is an event for the engine.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use api::pid1::ToPid1;
use api::services::Error as Refusal;
use model::service::Kind;

use super::broker::Facts;
use super::launcher::Wish;
use super::link::Link;
use super::{Daemon, voice};
use crate::engine::{Action, Answer, Event, Id, JOURNAL, Job, Next, State};

/// `SIGKILL`.
const SIGKILL: i32 = 9;

/// While the device goes down, a service that stops within this time is not told one by one.
const QUICK: Duration = Duration::from_secs(1);

/// How many times a group is looked at in which commands left something that is killed: 100 ms.
pub(super) const LEFT_LOOKS: u32 = 20;

impl Daemon {
    /// Does what the engine asked; how it went is itself an event.
    pub(super) fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Open(id) => {
                // The start tries again and fails with it.
                let service = self.plan.services.get(id)?;
                let name = service.name.to_string();
                if let Err(why) = self.open(id) {
                    log::warn!(target: name.as_str(), "{name}: {why}");
                }
            }
            Action::Arm(id) => self.arm(id),
            Action::Hush(id) => self.hush_paths(id),
            Action::Listen(id) => self.listen_again(id),
            Action::Disarm(id) => self.disarm(id),
            Action::Spawn(id) => return Some(self.spawn(id)),
            Action::Terminate(id) => {
                if !self.end_main_first(id) {
                    self.signal(id, false);
                }
                return self.give_up_main(id);
            }
            Action::Kill(id) => self.signal(id, true),
            Action::Gone(id) => self.gone(id),
            Action::Answer(job, answer) => self.answer(job, answer),
            Action::Run(id, phase, number) => return self.run_command(id, phase, number),
            Action::EndCommand(id) => self.end_command(id),
            Action::Abandon(id) => self.abandon_command(id),
            Action::Reload(id) => self.reload(id),
            Action::Abort(id) => self.abort(id),
            Action::Freeze(id, still) => self.freeze(id, still),
            Action::Critical(id) => return self.start_device_again(id),
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

    /// Opens its sockets that are not open yet.
    ///
    /// # Errors
    /// Which one, and why not.
    pub(super) fn open(&mut self, id: Id) -> Result<(), String> {
        let Some(service) = self.plan.services.get(id) else { return Ok(()) };
        let link = &self.link;
        self.launcher.open(service, &mut |key, fd| hold(link, key, fd))
    }

    fn spawn(&mut self, id: Id) -> Event {
        match self.try_to_spawn(id) {
            Ok(event) => event,
            Err(why) => {
                self.unwatch(id);
                let sandbox = self.plan.services.get(id).map(|service| &*service.sandbox);
                match sandbox.and_then(|sandbox| self.launcher.sandboxes.broken(sandbox)) {
                    Some(_) => Event::Unheld(id, why),
                    None => Event::SpawnFailed(id, why),
                }
            }
        }
    }

    fn try_to_spawn(&mut self, id: Id) -> Result<Event, String> {
        let Some(service) = self.plan.services.get(id) else { return Ok(Event::Lost(id)) };
        let (name, number) = (service.name.to_string(), service.ready_fd);
        let (beside, forking) =
            (!service.commands.before_start.is_empty(), service.kind == Kind::Forking);
        if !beside && let Some(instead) = self.begin_start(id)? {
            return Ok(instead);
        }
        let pipe = match number {
            Some(_) => Some(self.make_ready_fd(id, &name).map_err(|e| format!("ready-fd: {e}"))?),
            None => None,
        };
        self.before_fork(id);
        self.note_permissions(id, false);
        let Some(service) = self.plan.services.get(id) else { return Ok(Event::Lost(id)) };
        let stored = self.upkeep.stores.passed(&name);
        let ready = number.zip(pipe.as_ref().map(AsFd::as_fd));
        let reuse = !beside && self.can_begin_in_its_group(id);
        let came = self.parts.get(id).and_then(|part| part.signal.told.as_deref());
        let variables = came.map(Facts::variables).unwrap_or_default();
        let wish = Wish {
            stored: &stored,
            ready,
            beside,
            reuse,
            variables: &variables,
            note: Some(id),
            ..Wish::default()
        };
        let link = &self.link;
        let mut keep = |key: String, fd: BorrowedFd<'_>| hold(link, key, fd);
        let started = self.launcher.start(service, &wish, &mut self.streams, &mut keep)?;
        drop(pipe);
        self.belongs(started.pid, id);
        self.fresh.insert(id);
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
        if let Some(line) = started.bus {
            self.bus_begins(line, false);
        }
        if !forking {
            self.watch_over(id);
        }
        Ok(Event::Spawned(id))
    }

    pub(super) fn signal(&mut self, id: Id, kill: bool) {
        let Some(service) = self.plan.services.get(id) else { return };
        let pid = self.parts.get(id).and_then(|p| p.pid);
        if kill {
            self.fresh.remove(&id);
        }
        let number = if kill { SIGKILL } else { service.commands.stop_signal };
        let limit = service.stop_timeout;
        let told = match kill.then(|| self.group(id)).flatten() {
            Some(group) => Some(group.kill()),
            None => self.signal_group(id, None, number),
        };
        let done = match (told, pid) {
            (Some(done), _) => done,
            (None, Some(pid)) => sys::session::signal_around(pid, number),
            (None, None) => Ok(()),
        };
        let Some(service) = self.plan.services.get(id) else { return };
        let name = service.name.as_str();
        if kill {
            log::warn!(target: name, "{name}: did not end within {limit:?}: killed");
        }
        if let Err(e) = done {
            log::error!(target: name, "could not signal {name}: {e}");
        }
    }

    /// A signal to each process in the group of a service, but for one that was told. `None`: it has no
    /// group.
    pub(super) fn signal_group(
        &mut self,
        id: Id,
        told: Option<i32>,
        number: i32,
    ) -> Option<std::io::Result<()>> {
        let name = self.plan.services.get(id)?.name.as_str();
        let groups = self.launcher.groups.as_ref()?;
        let members = groups.members(name).ok()?;
        let done = groups.signal(name, &members, number, told);
        self.parts.get_mut(id)?.side.members = Some(members);
        Some(done)
    }

    pub(super) fn group(&self, id: Id) -> Option<sys::cgroup::Group> {
        let service = self.plan.services.get(id)?;
        self.launcher.groups.as_ref()?.get(service.name.as_str()).ok()
    }

    /// Whether processes are in the group of a service.
    pub(super) fn populated(&self, id: Id) -> bool {
        let Some(name) = self.plan.services.get(id).map(|service| service.name.as_str()) else {
            return false;
        };
        let Some(groups) = &self.launcher.groups else { return false };
        if self.nobody_else() {
            return false;
        }
        let members = self.parts.get(id).and_then(|part| part.side.members.as_ref());
        let lives = members.and_then(|members| groups.lives(name, members).ok());
        lives.unwrap_or_else(|| groups.populated(name).unwrap_or(false))
    }

    fn gone(&mut self, id: Id) {
        if let Some(pid) = self.parts.get_mut(id).and_then(|p| p.pid.take()) {
            self.by_pid.remove(&pid);
        }
        self.unwatch(id);
        self.let_go(id);
        let Some(service) = self.plan.services.get(id) else { return };
        // Its group is empty and goes with the kernel, unless commands may have left something in it.
        if self.engine.going_down() && service.commands.are_none() && service.health.is_none() {
            return;
        }
        self.empty.push(id);
    }

    fn answer(&mut self, job: Job, answer: Answer) {
        let Some(reply) = self.jobs.remove(&job) else { return };
        let result = match answer {
            Answer::Done => Ok(()),
            Answer::Failed(reason) => Err(Refusal::Failed(reason.to_string())),
            Answer::Replaced => {
                Err(Refusal::Replaced("another request took over; look at its status".into()))
            }
            Answer::Refused(why) => Err(Refusal::Refused(why)),
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
        self.streams.expect(0);
        // Nobody may have asked for a journal at all.
        self.nobody_listens();
        self.tell(&ToPid1::Settled, None);
        let system = self.system();
        for waiting in self.settled.drain(..) {
            let _gone = waiting.send(system.clone());
        }
        // The plan in bytes, and what the start of many at once took.
        sys::memory::give_back();
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
        let why = || life.reason.as_ref().map_or("ended".to_owned(), ToString::to_string);
        let took = life.times.leaving.map(|began| life.since.saturating_sub(began));
        let quiet = self.engine.going_down() && took.is_some_and(|took| took < QUICK);
        match life.state {
            State::Ready => log::info!(target: name, "{name}: ready"),
            State::Done => log::info!(target: name, "{name}: done"),
            State::Failed => log::error!(target: name, "{name}: failed: {}", why()),
            State::Off if old != State::Waiting && !quiet => {
                log::info!(target: name, "{name}: stopped");
            }
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
        // Nobody is left who could write.
        if self.engine.going_down() && self.engine.nothing_runs() {
            return;
        }
        if matches!(self.engine.state(journal), State::Failed | State::Off) {
            voice::without_journal(true);
            self.streams.give_up(self.launcher.sockets.get(JOURNAL).map_or(&[], Vec::as_slice));
        }
    }
}

pub(super) fn hold(link: &Link, key: String, fd: BorrowedFd<'_>) {
    if let Err(e) = link.send(&ToPid1::Hold(key), Some(fd)) {
        log::error!("could not give a descriptor to PID 1: {e}");
    }
}
