//! What starts services while they are armed: sockets, paths, devices, signals; and what stops them
//! idle.
//!
//! ```text
//!            Arm                      it happens                    off again
//!  (armed) ──────► watched by epoll ────────────► Event::Trigger ... ─────────► Arm
//!                        ▲  rests while the service runs: what comes then stays in the kernel's
//!                        └─ queue (of the socket, of inotify), which is looked at when armed again
//! ```
//!
//! Invariants: nothing is polled; what is watched wakes us only while its service is armed and off.
//! The kernel's queues are held at PID 1, so a new servicemgr finds what came meanwhile. Nothing
//! here decides what a trigger means: the engine does.

mod accept;
mod devices;
mod glob;
mod idle;
mod listen;
mod paths;
mod places;
mod signals;
mod sockets;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use sys::inotify::Inotify;
use sys::watch::{Set, What};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Daemon, ready};
use crate::engine::{Ask, Event, Id, Job, Now, State};
use devices::Devices;
use places::Paths;

pub(super) use accept::CONNECTION;
pub(super) use listen::listen;

/// Triggers of one service within [`TRIGGER_WINDOW`]: more, and it starts and ends without taking
/// what triggers it (systemd's `TriggerLimitBurst`).
const TRIGGER_LIMIT: u32 = 200;

/// See [`TRIGGER_LIMIT`].
const TRIGGER_WINDOW: Duration = Duration::from_secs(2);

/// Number of requests that nobody waits for.
pub(super) const NOBODY: Job = 0;

/// Where a wake-up comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// A socket or FIFO of an armed service.
    Socket(Id),
    /// A socket whose connections we take.
    Accept(Id),
    /// The watched paths of a service.
    Paths(Id),
    /// The kernel's messages about devices.
    Devices,
}

impl Source {
    /// As a number for epoll.
    fn number(self) -> u64 {
        let (kind, id) = match self {
            Self::Socket(id) => (0, id),
            Self::Accept(id) => (1, id),
            Self::Paths(id) => (2, id),
            Self::Devices => (3, 0),
        };
        u64::try_from(id).unwrap_or(0) << 2 | kind
    }

    fn from_number(number: u64) -> Self {
        let id = Id::try_from(number >> 2).unwrap_or(Id::MAX);
        match number & 3 {
            0 => Self::Socket(id),
            1 => Self::Accept(id),
            2 => Self::Paths(id),
            _ => Self::Devices,
        }
    }
}

/// What is due later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Later {
    /// A look whether a service is idle.
    Idle(Id),
    /// Taking connections again, for which there was no room.
    Accept(Id),
    /// Starting by signals again, of which there were too many.
    Signal(Id),
}

/// What is due now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Due {
    /// When it was armed, it had happened already.
    Trigger(Id),
    /// While it ran, or before it could start, a signal came.
    Signal(Id),
    /// It served a connection and failed: nobody will look at it.
    Forget(Id),
    /// Its sockets could not be opened; why.
    Broken(Id, String),
}

/// Triggers of late.
#[derive(Debug, Clone, Copy, Default)]
struct Spin {
    since: Now,
    count: u32,
}

impl Spin {
    /// Counts one more, from nothing when the window is over.
    fn count(&mut self, now: Now) -> u32 {
        if now.saturating_sub(self.since) >= TRIGGER_WINDOW {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        self.count
    }
}

/// All that is watched.
#[derive(Debug)]
pub(super) struct Activate {
    set: Set,
    woken: AsyncFd<OwnedFd>,
    /// Copies of what is in the set: a descriptor must leave it before it is closed.
    watched: BTreeMap<Source, Vec<OwnedFd>>,
    /// What is to be done in the next turn.
    due: VecDeque<Due>,
    spins: BTreeMap<Id, Spin>,
    /// Starts by signals of late.
    signals: BTreeMap<Id, Spin>,
    paths: BTreeMap<Id, Paths>,
    devices: Devices,
    later: BTreeSet<(Now, Later)>,
    /// CPU time of idle candidates at the last look, in microseconds.
    usage: BTreeMap<Id, u64>,
    /// Number of the last connection taken for a service.
    connections: BTreeMap<Id, u64>,
}

impl Activate {
    /// Watches nothing yet. Needs the runtime.
    ///
    /// # Errors
    /// `EMFILE`, `ENOMEM`.
    pub(super) fn new() -> io::Result<Self> {
        let set = Set::new()?;
        let woken = ready::watch(set.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
        Ok(Self {
            set,
            woken,
            watched: BTreeMap::new(),
            due: VecDeque::new(),
            spins: BTreeMap::new(),
            signals: BTreeMap::new(),
            paths: BTreeMap::new(),
            devices: Devices::default(),
            later: BTreeSet::new(),
            usage: BTreeMap::new(),
            connections: BTreeMap::new(),
        })
    }

    /// Waits until [`Daemon::hear_activators`] has something to do.
    pub(super) async fn happened(&self) {
        if self.due.is_empty()
            && let Ok(mut guard) = self.woken.readable().await
        {
            guard.retain_ready();
        }
    }

    /// How long until something is due.
    pub(super) fn wait(&self, now: Now) -> Option<Duration> {
        self.later.first().map(|(at, _)| at.saturating_sub(now))
    }

    /// Which of them happened.
    fn next(&self) -> Vec<Source> {
        let next = |_: &OwnedFd| match self.set.next() {
            Ok(numbers) if numbers.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            other => other,
        };
        let numbers = self.woken.try_io(Interest::READABLE, next).unwrap_or_default();
        let mut sources: Vec<Source> = numbers.into_iter().map(Source::from_number).collect();
        sources.dedup();
        sources
    }

    /// It is triggered in the next turn, if it is still armed then.
    pub(super) fn soon(&mut self, id: Id) {
        self.due.push_back(Due::Trigger(id));
    }

    fn watches(&self, source: Source) -> bool {
        self.watched.contains_key(&source)
    }

    /// Watches `fd` until [`Activate::leave`].
    fn watch(&mut self, source: Source, fd: BorrowedFd<'_>) -> io::Result<()> {
        let copy = fd.try_clone_to_owned()?;
        self.set.add(&copy, What::Reading, source.number())?;
        self.watched.entry(source).or_default().push(copy);
        Ok(())
    }

    fn leave(&mut self, source: Source) {
        for fd in self.watched.remove(&source).into_iter().flatten() {
            self.set.remove(&fd);
        }
    }

    /// Its service runs, or is to: nothing of it wakes us.
    fn rest(&mut self, id: Id) {
        self.leave(Source::Socket(id));
        self.leave(Source::Paths(id));
        self.due.retain(|due| *due != Due::Trigger(id));
    }

    fn put_off(&mut self, later: Later, at: Now) {
        self.later.insert((at, later));
    }

    fn forget(&mut self, later: Later) {
        self.later.retain(|(_, l)| *l != later);
    }

    /// Counts a trigger, and says whether there were too many.
    fn spins(&mut self, id: Id, now: Now) -> bool {
        self.spins.entry(id).or_default().count(now) > TRIGGER_LIMIT
    }
}

impl Daemon {
    /// Takes what happened, a bounded piece of it.
    pub(super) fn hear_activators(&mut self) {
        for due in std::mem::take(&mut self.activate.due) {
            match due {
                Due::Trigger(id) => self.trigger(id),
                Due::Signal(id) => self.start_by_signal(id),
                Due::Forget(id) => self.feed(Event::Ask(id, Ask::Reset, NOBODY)),
                Due::Broken(id, why) => self.feed(Event::Unwell(id, why)),
            }
        }
        for source in self.activate.next() {
            // What came before it in this turn may have ended the watch.
            if !self.activate.watches(source) {
                continue;
            }
            match source {
                Source::Socket(id) => self.trigger(id),
                Source::Accept(id) => self.take_connections(id),
                Source::Paths(id) => self.hear_paths(id),
                Source::Devices => self.hear_devices(),
            }
        }
        let now = self.now();
        while let Some((_, later)) =
            self.activate.later.first().copied().filter(|(at, _)| *at <= now)
        {
            self.activate.later.pop_first();
            match later {
                Later::Idle(id) => self.look_whether_idle(id),
                Later::Accept(id) => self.follow_connections(id),
                Later::Signal(id) => self.start_by_signal(id),
            }
        }
    }

    /// What a service waits for has happened.
    pub(super) fn trigger(&mut self, id: Id) {
        self.activate.rest(id);
        if !self.waits_armed(id) {
            return;
        }
        if self.activate.spins(id, self.now()) {
            let why = format!(
                "triggered more than {TRIGGER_LIMIT} times in {TRIGGER_WINDOW:?}: it ends without \
                 taking what triggers it"
            );
            self.activate.spins.remove(&id);
            return self.feed(Event::Unwell(id, why));
        }
        self.tell_signal(id);
        self.feed(Event::Trigger(id));
        self.watch_signals(id);
    }

    /// Whether a service is armed and does not run.
    pub(super) fn waits_armed(&self, id: Id) -> bool {
        let off = matches!(self.engine.state(id), State::Off | State::Done);
        off && self.engine.life(id).is_some_and(|life| life.armed)
    }

    /// Whether no process of it runs, and none is wanted now.
    fn is_off(&self, id: Id) -> bool {
        matches!(self.engine.state(id), State::Off | State::Failed | State::Done)
    }

    /// Watches for what triggers a service.
    pub(super) fn arm(&mut self, id: Id) {
        if !self.waits_armed(id) {
            return; // It is armed again when it is off.
        }
        self.listen_again(id);
        self.watch_paths(id);
        self.watch_devices(id);
        self.follow_connections(id);
        self.arm_timers(id);
        self.arm_params(id);
        self.arm_signals(id);
        self.launcher.spares.arms();
    }

    /// Watches no longer.
    pub(super) fn disarm(&mut self, id: Id) {
        self.launcher.spares.arms();
        self.activate.rest(id);
        self.disarm_timers(id);
        self.params.disarm(id);
        self.disarm_signals(id);
        self.forget_paths(id);
        self.follow_connections(id);
    }

    /// Its state changed: what watches it follows.
    pub(super) fn follow(&mut self, id: Id) {
        if !self.is_off(id) {
            self.activate.rest(id);
            self.timers.disarm(id);
            self.follow_timers(id);
        }
        self.follow_sockets(id);
        self.follow_idle(id);
        self.follow_connections(id);
        self.follow_devices(id);
        self.follow_signals(id);
    }

    /// Takes what PID 1 held for us: queues of the kernel, and connections that no process has yet.
    pub(super) fn take_held_triggers(&mut self, held: &mut BTreeMap<String, OwnedFd>) {
        if let Some(fd) = held.remove(devices::HELD) {
            self.take_held_devices(fd);
        }
        for (id, service) in self.plan.services.iter().enumerate() {
            if let Some(fd) = held.remove(&paths::key(service)) {
                self.activate.paths.insert(id, Paths::new(Inotify::held(fd)));
            }
            let name = service.name.as_str();
            if let Some(fd) = held.remove(&accept::connection_key(name)) {
                self.launcher.connections.insert(name.to_owned(), fd);
            }
        }
    }

    /// After the servicemgr before us: what runs is followed, what has gone meanwhile is forgotten.
    /// The engine arms what was armed.
    pub(super) fn follow_all(&mut self) {
        for id in 0..self.plan.services.len() {
            self.follow(id);
        }
        self.compare_devices();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_number_and_back() {
        for source in [Source::Socket(0), Source::Accept(7), Source::Paths(4095), Source::Devices] {
            assert_eq!(Source::from_number(source.number()), source);
        }
    }
}
