//! The timers of armed services: one deadline on each clock for all of them.
//!
//! ```text
//! armed ──► due? ──► first on its clock ──► kernel's timer ──► Trigger, of all that are due by now
//!             ▲──────────── clock set, triggered ◄────────────────┘
//! ```
//!
//! One that may be late (`accuracy`) does not set the kernel's timer before its last moment, so it
//! shares the wake-up of another, if there is one.
//!
//! What was triggered when is kept in files: in `/run` for the next servicemgr, in `/var` for the
//! next boot when a timer is persistent. Those are written before the trigger is told, without
//! waiting for the disk: after a power cut a service may run once more. Nothing wakes up when
//! nothing is due; a device without timers has no descriptor and no file of ours.

mod files;
mod kernel;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use model::service::{Service, Timer, TimerWhen};
use sys::timerfd::{Clock, Woken};

use super::Daemon;
use super::activate::NOBODY;
use crate::engine::{Ask, Event, Id, Now, State};
use crate::timers::{Due, Moment, Past, delay, due};
use files::{line, moment, read, replace, since_1970, wall, zone};
use kernel::Kernel;

/// Where the files are.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Of `localtime` and `machine-id`.
    pub(super) etc: PathBuf,
    /// History for the next servicemgr.
    pub(super) run: PathBuf,
    /// Stamps for the next boot.
    pub(super) state: PathBuf,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Timers {
    places: Places,
    /// When PID 1 began, on the kernel's clock.
    began: Duration,
    machine: Option<String>,
    /// Services that are armed and have timers.
    armed: BTreeMap<Id, Armed>,
    /// What happened to services with timers, armed or not.
    past: HashMap<String, Past>,
    boot: Line<Now>,
    wall: Line<Timestamp>,
    boot_timer: Kernel,
    wall_timer: Kernel,
}

#[derive(Debug, Clone)]
struct Armed {
    name: String,
    timers: Vec<Timer>,
    boot: Option<Span<Now>>,
    wall: Option<Span<Timestamp>>,
}

/// When the first timer of a service is due on a clock, and when it must have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span<T> {
    due: T,
    last: T,
}

impl<T: Ord + Copy> Span<T> {
    /// What covers another one too.
    fn and(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self { due: self.due.min(other.due), last: self.last.min(other.last) }
    }
}

/// What is due on a clock.
#[derive(Debug)]
struct Line<T> {
    due: BTreeSet<(T, Id)>,
    last: BTreeSet<(T, Id)>,
}

impl<T: Ord + Copy> Line<T> {
    const fn new() -> Self {
        Self { due: BTreeSet::new(), last: BTreeSet::new() }
    }

    fn insert(&mut self, id: Id, span: Span<T>) {
        self.due.insert((span.due, id));
        self.last.insert((span.last, id));
    }

    fn remove(&mut self, id: Id, span: Span<T>) {
        self.due.remove(&(span.due, id));
        self.last.remove(&(span.last, id));
    }

    /// Until when somebody must have been woken.
    fn first(&self) -> Option<T> {
        self.last.first().map(|(at, _)| *at)
    }

    fn due(&self, now: T) -> impl Iterator<Item = Id> {
        self.due.iter().take_while(move |(at, _)| *at <= now).map(|(_, id)| *id)
    }
}

impl Timers {
    /// None armed. `began`: when PID 1 began, on the kernel's clock.
    pub(super) fn new(places: Places, began: Duration) -> Self {
        Self {
            places,
            began,
            machine: None,
            armed: BTreeMap::new(),
            past: HashMap::new(),
            boot: Line::new(),
            wall: Line::new(),
            boot_timer: Kernel::new(Clock::Boot),
            wall_timer: Kernel::new(Clock::Wall),
        }
    }

    /// A service waits for its timers, since `since`.
    pub(super) fn arm(&mut self, id: Id, service: &Service, since: Now, now: Moment) {
        let timers = &service.activation.timers;
        if timers.is_empty() {
            return;
        }
        let name = service.name.to_string();
        let ago = now.boot.saturating_sub(since);
        let armed = Moment { boot: since, wall: now.wall.checked_sub(ago).unwrap_or(now.wall) };
        let persistent = timers.iter().any(|timer| timer.persistent);
        match self.past.get_mut(&name) {
            Some(past) => past.armed = armed,
            None => {
                let past = self.remember(&name, armed, persistent);
                self.past.insert(name.clone(), past);
            }
        }
        self.disarm(id);
        let timers = timers.clone();
        self.armed.insert(id, Armed { name, timers, boot: None, wall: None });
        self.compute(id, now);
    }

    /// It does not wait any more.
    pub(super) fn disarm(&mut self, id: Id) {
        if let Some(armed) = self.armed.remove(&id) {
            self.forget(id, &armed);
        }
    }

    /// A service starts, since `since`, for whatever reason.
    pub(super) fn started(&mut self, service: &Service, since: Now, now: Moment) {
        let counts = |timer: &Timer| matches!(timer.when, TimerWhen::AfterStart(_));
        if !service.activation.timers.iter().any(counts) {
            return;
        }
        let name = service.name.as_str();
        let Some(past) = self.past.get_mut(name) else { return };
        if past.started.is_none_or(|last| last.boot != since) {
            let ago = now.boot.saturating_sub(since);
            let wall = now.wall.checked_sub(ago).unwrap_or(now.wall);
            past.started = Some(Moment { boot: since, wall });
            let past = *past;
            self.write(name, &past);
        }
    }

    /// When the next timers of a service are due, for people.
    pub(super) fn next(&self, id: Id, now: Now) -> Option<String> {
        let armed = self.armed.get(&id)?;
        let left = |at: Now| format!("in {} s", at.saturating_sub(now).as_secs());
        let boot = armed.boot.map(|span| left(span.due));
        let wall = armed.wall.map(|span| span.due.to_string());
        let all: Vec<String> = wall.into_iter().chain(boot).collect();
        (!all.is_empty()).then(|| all.join(", or "))
    }

    /// Whose timers are due by now; they go on from here.
    pub(super) fn take_due(&mut self, now: Moment) -> Vec<Id> {
        let due = self.boot.due(now.boot).chain(self.wall.due(now.wall));
        let due: BTreeSet<Id> = model::gather(due);
        for id in &due {
            self.triggered(*id, now);
            self.compute(*id, now);
        }
        due.into_iter().collect()
    }

    /// The wall clock was set: every calendar is looked at again.
    pub(super) fn clock_set(&mut self, now: Moment) {
        for id in self.armed.keys().copied().collect::<Vec<_>>() {
            self.compute(id, now);
        }
    }

    /// Until a timer is due, or the clock was set: whether it was. Nothing is lost when this is
    /// dropped.
    pub(super) async fn ready(&mut self) -> Woken {
        let boot = self.boot.first().map(|at| at.saturating_add(self.began));
        let wall = self.wall.first().map(since_1970);
        tokio::select! {
            woken = self.boot_timer.wait(boot) => woken,
            woken = self.wall_timer.wait(wall) => woken,
        }
    }

    fn forget(&mut self, id: Id, armed: &Armed) {
        if let Some(span) = armed.boot {
            self.boot.remove(id, span);
        }
        if let Some(span) = armed.wall {
            self.wall.remove(id, span);
        }
    }

    fn compute(&mut self, id: Id, now: Moment) {
        let Some(armed) = self.armed.get(&id).cloned() else { return };
        let Some(known) = self.past.get_mut(&armed.name) else { return };
        let past = known.on(now);
        if std::mem::replace(known, past) != past {
            self.write(&armed.name, &past);
        }
        let (mut boot, mut wall): (Option<Span<Now>>, Option<Span<Timestamp>>) = (None, None);
        for timer in &armed.timers {
            let late = self.delay(timer.random_delay, &armed.name);
            let zone = zone(timer, &armed.name, &self.places.etc);
            let Some(due) = due(timer, &past, now, late, &zone) else { continue };
            match (due, due.after(timer.accuracy)) {
                (Due::Boot(due), Due::Boot(last)) => boot = Some(Span { due, last }.and(boot)),
                (Due::Wall(due), Due::Wall(last)) => wall = Some(Span { due, last }.and(wall)),
                _ => {}
            }
        }
        self.forget(id, &armed);
        boot.into_iter().for_each(|span| self.boot.insert(id, span));
        wall.into_iter().for_each(|span| self.wall.insert(id, span));
        self.armed.insert(id, Armed { boot, wall, ..armed });
    }

    fn delay(&mut self, most: Duration, name: &str) -> Duration {
        if most.is_zero() {
            return most;
        }
        let read = || read(&self.places.etc.join("machine-id")).unwrap_or_default();
        let machine = self.machine.get_or_insert_with(|| read().trim().to_owned());
        delay(most, machine, name)
    }

    fn triggered(&mut self, id: Id, now: Moment) {
        let Some(armed) = self.armed.get(&id) else { return };
        let Some(past) = self.past.get_mut(&armed.name) else { return };
        past.trigger = Some(now);
        past.stamp = past.stamp.map(|_| now.wall);
        let past = *past;
        self.write(&armed.name, &past);
    }

    /// What the files tell of a service that was not armed before by this servicemgr.
    fn remember(&self, name: &str, armed: Moment, persistent: bool) -> Past {
        let run = read(&self.places.run.join(name)).unwrap_or_default();
        let mut moments = run.lines().map(moment);
        let known = moments.next().flatten();
        let stamp = || read(&self.places.state.join(name)).as_deref().and_then(wall);
        let past = Past {
            first: known.unwrap_or(armed),
            armed,
            trigger: moments.next().flatten(),
            started: moments.next().flatten(),
            // From now on, the first time.
            stamp: persistent.then(|| stamp().unwrap_or(armed.wall)),
        };
        if known.is_none() {
            self.write(name, &past);
        }
        past
    }

    fn write(&self, name: &str, past: &Past) {
        let lines = [Some(past.first), past.trigger, past.started];
        let text: String = lines.into_iter().map(line).collect();
        let tell = |written: io::Result<()>| {
            if let Err(e) = written {
                log::warn!(target: name, "{name}: could not write when its timer was due: {e}");
            }
        };
        tell(replace(&self.places.run, name, &text));
        if let Some(stamp) = past.stamp {
            tell(replace(&self.places.state, name, &format!("{}\n", stamp.as_second())));
        }
    }
}

impl Daemon {
    /// The present on both clocks.
    pub(super) fn moment(&self) -> Moment {
        Moment { boot: self.now(), wall: Timestamp::now() }
    }

    /// Its timers begin to count.
    pub(super) fn arm_timers(&mut self, id: Id) {
        let now = self.moment();
        let since = self.engine.life(id).map_or(now.boot, |life| life.since);
        if let Some(service) = self.plan.services.get(id) {
            self.timers.arm(id, service, since.min(now.boot), now);
        }
    }

    /// It is not triggered any more; but one that has failed is tried again at its next time.
    pub(super) fn disarm_timers(&mut self, id: Id) {
        if self.has_failed_armed(id) { self.arm_timers(id) } else { self.timers.disarm(id) }
    }

    /// After the servicemgr before us: what has failed is tried again, too.
    pub(super) fn arm_failed_timers(&mut self) {
        for id in 0..self.plan.services.len() {
            if self.has_failed_armed(id) {
                self.arm_timers(id);
            }
        }
    }

    /// It starts: some of its timers count from then.
    pub(super) fn follow_timers(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        if !service.activation.timers.is_empty()
            && let Some(life) = self.engine.life(id).filter(|life| life.state == State::Starting)
        {
            let now = Moment { boot: self.now(), wall: Timestamp::now() };
            self.timers.started(service, life.since, now);
        }
    }

    fn has_failed_armed(&self, id: Id) -> bool {
        let armed = self.engine.life(id).is_some_and(|life| life.armed);
        armed && self.engine.state(id) == State::Failed
    }

    /// A timer of the kernel woke us.
    pub(super) fn hear_timers(&mut self, woken: Woken) {
        let now = self.moment();
        if woken == Woken::ClockSet {
            self.timers.clock_set(now);
        }
        for id in self.timers.take_due(now) {
            if self.has_failed_armed(id) {
                self.feed(Event::Ask(id, Ask::Reset, NOBODY));
            }
            self.trigger(id);
        }
    }
}
