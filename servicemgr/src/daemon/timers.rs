//! The timers of armed services: one deadline on each clock for all of them.
//!
//! ```text
//! armed ──► due? ──► first on its clock ──► kernel's timer ──► Trigger
//!             ▲──────────── clock set, triggered ◄────────────────┘
//! ```
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
use model::service::{Service, Timer};
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
    boot: BTreeSet<(Now, Id)>,
    wall: BTreeSet<(Timestamp, Id)>,
    boot_timer: Kernel,
    wall_timer: Kernel,
}

#[derive(Debug, Clone)]
struct Armed {
    name: String,
    timers: Vec<Timer>,
    boot: Option<Now>,
    wall: Option<Timestamp>,
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
            boot: BTreeSet::new(),
            wall: BTreeSet::new(),
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

    /// When the next timers of a service are due, for people.
    pub(super) fn next(&self, id: Id, now: Now) -> Option<String> {
        let armed = self.armed.get(&id)?;
        let boot = armed.boot.map(|at| format!("in {} s", at.saturating_sub(now).as_secs()));
        let wall = armed.wall.map(|at| at.to_string());
        let all: Vec<String> = wall.into_iter().chain(boot).collect();
        (!all.is_empty()).then(|| all.join(", or "))
    }

    /// Whose timers are due by now; they go on from here.
    pub(super) fn take_due(&mut self, now: Moment) -> Vec<Id> {
        let boot = self.boot.iter().take_while(|(at, _)| *at <= now.boot).map(|(_, id)| *id);
        let wall = self.wall.iter().take_while(|(at, _)| *at <= now.wall).map(|(_, id)| *id);
        let due: BTreeSet<Id> = boot.chain(wall).collect();
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
        let boot = self.boot.first().map(|(at, _)| at.saturating_add(self.began));
        let wall = self.wall.first().map(|(at, _)| since_1970(*at));
        tokio::select! {
            woken = self.boot_timer.wait(boot) => woken,
            woken = self.wall_timer.wait(wall) => woken,
        }
    }

    fn forget(&mut self, id: Id, armed: &Armed) {
        if let Some(at) = armed.boot {
            self.boot.remove(&(at, id));
        }
        if let Some(at) = armed.wall {
            self.wall.remove(&(at, id));
        }
    }

    fn compute(&mut self, id: Id, now: Moment) {
        let Some(armed) = self.armed.get(&id).cloned() else { return };
        let Some(known) = self.past.get_mut(&armed.name) else { return };
        let past = known.on(now);
        if std::mem::replace(known, past) != past {
            self.write(&armed.name, &past);
        }
        let (mut boot, mut wall) = (None, None);
        for timer in &armed.timers {
            let late = self.delay(timer.random_delay, &armed.name);
            let zone = zone(timer, &armed.name, &self.places.etc);
            match due(timer, &past, now, late, &zone) {
                Some(Due::Boot(at)) => boot = Some(boot.map_or(at, |b: Now| b.min(at))),
                Some(Due::Wall(at)) => wall = Some(wall.map_or(at, |w: Timestamp| w.min(at))),
                None => {}
            }
        }
        self.forget(id, &armed);
        self.boot.extend(boot.map(|at| (at, id)));
        self.wall.extend(wall.map(|at| (at, id)));
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
        let mut moments = run.lines().filter_map(moment);
        let known = moments.next();
        let stamp = || read(&self.places.state.join(name)).as_deref().and_then(wall);
        let past = Past {
            first: known.unwrap_or(armed),
            armed,
            trigger: moments.next(),
            // From now on, the first time.
            stamp: persistent.then(|| stamp().unwrap_or(armed.wall)),
        };
        if known.is_none() {
            self.write(name, &past);
        }
        past
    }

    fn write(&self, name: &str, past: &Past) {
        let lines = [Some(past.first), past.trigger];
        let text: String = lines.into_iter().flatten().map(line).collect();
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
