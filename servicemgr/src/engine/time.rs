//! Deadlines: how long a state may last, how long a service may be silent, and when both stand
//! still. Nothing here happens unless something is due.

use model::service::Kind;

use super::{Action, Engine, Id, Next, Now, Reason, State};
use std::time::Duration;

/// The most time a service gets by one `EXTEND_TIMEOUT_USEC`. It may ask again.
pub const MAX_EXTEND: Duration = Duration::from_secs(3600);

/// How long a service of type `idle` waits for the rest of the boot.
pub const IDLE_WAIT: Duration = Duration::from_secs(5);

/// Which deadline of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clock {
    /// Of its state.
    State,
    /// Of its watchdog.
    Dog,
}

impl Engine {
    pub(super) fn set_due(&mut self, id: Id, due: Option<Now>) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let still = unit.life.frozen.is_some();
        if let Some(old) = std::mem::replace(&mut unit.life.due, due) {
            self.due.remove(&(old, id, Clock::State));
        }
        self.due.extend(due.filter(|_| !still).map(|at| (at, id, Clock::State)));
    }

    pub(super) fn set_dog(&mut self, id: Id, due: Option<Now>) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let still = unit.life.frozen.is_some();
        if let Some(old) = std::mem::replace(&mut unit.life.dog, due) {
            self.due.remove(&(old, id, Clock::Dog));
        }
        self.due.extend(due.filter(|_| !still).map(|at| (at, id, Clock::Dog)));
    }

    /// Everything whose time has come.
    pub(super) fn tick(&mut self, now: Now) {
        while let Some((_, id, clock)) = self.due.first().copied().filter(|(at, ..)| *at <= now) {
            match clock {
                Clock::State => {
                    self.set_due(id, None);
                    self.time_is_up(now, id);
                }
                Clock::Dog => {
                    self.set_dog(id, None);
                    self.bark(now, id);
                }
            }
        }
    }

    fn time_is_up(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get(id) else { return };
        match unit.life.state {
            State::Waiting if self.free(id) => self.start(now, id),
            State::Starting => {
                let why = Reason::NotReady(unit.spec.start_timeout);
                self.fall(now, id, Some(why));
            }
            State::Ready => self.reload_is_late(now, id),
            State::Backoff => self.wait(now, id),
            State::Stopping => self.stop_is_late(now, id),
            _ => {}
        }
    }

    /// It was silent for too long.
    fn bark(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let (Some(watch), State::Ready) = (unit.watch(), unit.life.state) else { return };
        if unit.life.main {
            unit.life.aborted = true;
            self.actions.push(Action::Abort(id));
        }
        self.fall(now, id, Some(Reason::Watchdog(watch)));
    }

    pub(super) fn unwell(&mut self, now: Now, id: Id, why: &str) {
        let reason = Some(Reason::Unwell(why.to_owned()));
        match self.state(id) {
            State::Ready => self.fall(now, id, reason),
            // What triggers it does so again and again: nothing does any more.
            State::Off | State::Done if self.unit(id, |u| u.life.armed) => {
                self.units.get_mut(id).into_iter().for_each(|u| u.life.reason.clone_from(&reason));
                self.set(id, State::Failed, now);
            }
            _ => {}
        }
    }

    /// It said that it is alive. No news for a new servicemgr: it begins to count anew.
    pub(super) fn alive(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get(id).filter(|u| u.life.dog.is_some()) else { return };
        let next = unit.watch().map(|d| now.saturating_add(d));
        self.set_dog(id, next);
    }

    pub(super) fn watch(&mut self, now: Now, id: Id, every: Duration) {
        let Some(unit) = self.units.get_mut(id).filter(|u| u.life.main) else { return };
        unit.life.watch = Some(every);
        let next = unit.watch().map(|d| now.saturating_add(d));
        self.mark(id);
        if self.state(id) == State::Ready {
            self.set_dog(id, next);
        }
    }

    /// After a restart of servicemgr nobody knows who said what meanwhile.
    pub(super) fn trust_dogs(&mut self, now: Now) {
        for id in 0..self.units.len() {
            self.alive(now, id);
        }
    }

    /// More time for what it is doing; never less than it has.
    pub(super) fn extend(&mut self, now: Now, id: Id, by: Duration) {
        let Some(life) = self.units.get(id).map(|u| &u.life) else { return };
        let doing = match life.state {
            State::Starting => true,
            State::Stopping => !life.killed,
            State::Ready => life.reloading,
            _ => false,
        };
        let until = now.saturating_add(by.min(MAX_EXTEND));
        if doing && life.due.is_some_and(|due| due < until) {
            self.set_due(id, Some(until));
            self.mark(id);
        }
    }

    pub(super) fn freeze(&mut self, now: Now, id: Id) -> Result<(), String> {
        let Some(unit) = self.units.get_mut(id) else { return Ok(()) };
        if unit.life.frozen.is_some() {
            return Ok(());
        }
        if !matches!(unit.life.state, State::Starting | State::Ready) || !unit.busy() {
            return Err(format!("cannot freeze {}: it does not run", unit.name));
        }
        let (due, dog) = (unit.life.due, unit.life.dog);
        unit.life.frozen = Some(now);
        // They stay in its life, and leave the queue.
        self.set_due(id, due);
        self.set_dog(id, dog);
        self.actions.push(Action::Freeze(id, true));
        self.mark(id);
        Ok(())
    }

    /// Its deadlines go on with what was left of them.
    pub(super) fn thaw(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let Some(since) = unit.life.frozen.take() else { return };
        let stood = now.saturating_sub(since);
        let later = |at: Option<Now>| at.map(|at| at.saturating_add(stood));
        let (due, dog) = (later(unit.life.due), later(unit.life.dog));
        self.set_due(id, due);
        self.set_dog(id, dog);
        self.actions.push(Action::Freeze(id, false));
        self.mark(id);
    }

    /// Whether an idle service must wait for the rest of the boot.
    pub(super) fn hold(&mut self, now: Now, id: Id) -> bool {
        let Some(unit) = self.units.get(id) else { return false };
        if self.booted || unit.spec.kind != Kind::Idle {
            return false;
        }
        if unit.life.due.is_none() {
            self.set_due(id, Some(now.saturating_add(IDLE_WAIT)));
        }
        if !self.idle.contains(&id) {
            self.idle.push(id);
        }
        true
    }

    /// Starts the idle services if nobody of the boot is under way: those that still wait can only
    /// wait for them. Says whether it did.
    pub(super) fn release(&mut self, now: Now) -> bool {
        self.idle.retain(|id| {
            let free = |u: &super::Unit| u.unmet == 0 && u.ending_hard == 0;
            self.units.get(*id).is_some_and(|u| u.life.state == State::Waiting && free(u))
        });
        if self.idle.is_empty() || self.moving > 0 {
            return false;
        }
        for id in std::mem::take(&mut self.idle) {
            self.start(now, id);
        }
        true
    }

    /// Something outside of the plan that it was bound to is gone.
    pub(super) fn unbound(&mut self, now: Now, id: Id, why: &str) {
        if matches!(self.state(id), State::Off | State::Failed) {
            return;
        }
        if let Some(unit) = self.units.get_mut(id) {
            unit.life.reason = Some(Reason::Unbound(why.to_owned()));
            (unit.life.wanted, unit.life.requested) = (false, false);
        }
        self.take_one_down(now, id, Next::Off);
        self.mark(id);
    }
}
