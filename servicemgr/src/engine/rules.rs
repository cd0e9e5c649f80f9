//! What one service's change means for it and for its neighbours.

use model::service::{Kind, RestartWhen};

use super::graph::Kind as EdgeKind;
use super::{Action, Down, End, Engine, Id, KILL_TIMEOUT, Life, Next, Now, Reason, State, Unit};

impl Engine {
    /// The one place where a state changes: counts, deadlines and marks follow.
    pub(super) fn set(&mut self, id: Id, state: State, now: Now) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let old = std::mem::replace(&mut unit.life.state, state);
        if old == state {
            return;
        }
        unit.life.since = now;
        let settled_once = unit.life.boot && state.settled();
        unit.life.boot &= !settled_once;
        self.booting -= usize::from(settled_once);
        let live = |s| usize::from(!matches!(s, State::Off | State::Failed));
        self.alive = self.alive + live(state) - live(old);
        self.set_due(id, None);
        self.count(id, old, state);
        self.mark(id);
        if old.met() != state.met() || matches!(state, State::Off | State::Failed) {
            self.told.push_back(id);
        }
    }

    /// Brings the counters of the neighbours up to date.
    fn count(&mut self, id: Id, old: State, new: State) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let (needs, users) = (std::mem::take(&mut unit.needs), std::mem::take(&mut unit.users));
        if old.met() != new.met() || old.settled() != new.settled() {
            self.looks += u64::try_from(users.len()).unwrap_or(0);
            for edge in &users {
                let (was, is) = match edge.kind {
                    EdgeKind::Requires => (old.met(), new.met()),
                    EdgeKind::Order => (old.settled(), new.settled()),
                    EdgeKind::Last => continue,
                };
                let Some(user) = self.units.get_mut(edge.to) else { continue };
                user.unmet = user.unmet + usize::from(was) - usize::from(is);
                if was != is && user.unmet == 0 && user.life.state == State::Waiting {
                    if user.life.times.started.is_none() {
                        user.life.times.waited_on = Some(id);
                    }
                    self.able.push_back(edge.to);
                }
            }
        }
        if old.ending() != new.ending() {
            self.looks += u64::try_from(needs.len()).unwrap_or(0);
            for edge in &needs {
                let Some(need) = self.units.get_mut(edge.to) else { continue };
                let hard = edge.kind == EdgeKind::Requires;
                for (counter, counts) in [(&mut need.ending, true), (&mut need.ending_hard, hard)] {
                    if counts {
                        *counter = *counter + usize::from(new.ending()) - usize::from(old.ending());
                    }
                }
                if !new.ending() {
                    self.able.push_back(edge.to);
                }
            }
        }
        if let Some(unit) = self.units.get_mut(id) {
            (unit.needs, unit.users) = (needs, users);
        }
    }

    pub(super) fn set_due(&mut self, id: Id, due: Option<Now>) {
        let Some(unit) = self.units.get_mut(id) else { return };
        if let Some(old) = std::mem::replace(&mut unit.life.due, due) {
            self.due.remove(&(old, id));
        }
        self.due.extend(due.map(|at| (at, id)));
    }

    pub(super) fn mark(&mut self, id: Id) {
        if let Some(unit) = self.units.get_mut(id).filter(|u| !u.marked) {
            unit.marked = true;
            self.changed.push(id);
        }
    }

    /// Phase one: what the state of `id` means for those that require it.
    pub(super) fn tell(&mut self, now: Now, id: Id) {
        let state = self.state(id);
        let Some(unit) = self.units.get(id) else { return };
        let users: Vec<Id> =
            unit.users.iter().filter(|e| e.kind == EdgeKind::Requires).map(|e| e.to).collect();
        self.looks += u64::try_from(unit.users.len()).unwrap_or(0);
        for user in users {
            match self.state(user) {
                State::Failed if state.met() && self.unit(user, |u| u.life.wanted) => {
                    self.wait(now, user);
                }
                s if s.running() && !state.met() => self.leave(now, user, Next::Waiting),
                State::Waiting | State::Backoff if matches!(state, State::Off | State::Failed) => {
                    self.fail_for(now, user, id);
                }
                _ => {}
            }
        }
    }

    /// Phase two: begins what nothing is in the way of.
    pub(super) fn begin(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get(id) else { return };
        match unit.life.state {
            State::Waiting if unit.unmet == 0 && unit.ending_hard == 0 => self.start(now, id),
            State::Waiting if unit.unmet > 0 => {
                self.looks += u64::try_from(unit.needs.len()).unwrap_or(0);
                let hopeless = unit.needs.iter().find(|e| {
                    e.kind == EdgeKind::Requires
                        && matches!(self.state(e.to), State::Off | State::Failed)
                });
                if let Some(need) = hopeless.map(|e| e.to) {
                    self.fail_for(now, id, need);
                }
            }
            State::Leaving if unit.ending == 0 => {
                if unit.life.main || unit.life.left {
                    self.terminate(now, id);
                } else {
                    self.finish(now, id);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let due = now.saturating_add(unit.start_timeout);
        unit.life.main = true;
        unit.life.killed = false;
        unit.life.times.started.get_or_insert(now);
        self.set(id, State::Starting, now);
        self.set_due(id, Some(due));
        self.actions.push(Action::Spawn(id));
    }

    fn terminate(&mut self, now: Now, id: Id) {
        let due = now.saturating_add(self.unit(id, |u| u.stop_timeout));
        self.set(id, State::Stopping, now);
        self.set_due(id, Some(due));
        self.actions.push(Action::Terminate(id));
    }

    /// To `Waiting`, and a look at whether it may start.
    pub(super) fn wait(&mut self, now: Now, id: Id) {
        self.set(id, State::Waiting, now);
        self.able.push_back(id);
    }

    /// To `Leaving`: users first, then it.
    pub(super) fn leave(&mut self, now: Now, id: Id, next: Next) {
        if let Some(unit) = self.units.get_mut(id) {
            unit.life.next = next;
            self.set(id, State::Leaving, now);
            self.able.push_back(id);
        }
    }

    /// `id` fails because `need` is not there. It comes back when `need` does.
    fn fail_for(&mut self, now: Now, id: Id, need: Id) {
        let Some(direct) = self.units.get(need) else { return };
        let name = direct.name.clone();
        let failed = direct.life.state == State::Failed;
        let reason = match &direct.life.reason {
            Some(Reason::Needs { root, why, .. }) if failed => {
                Reason::Needs { direct: name, root: root.clone(), why: why.clone() }
            }
            why => {
                let why = why.clone().filter(|_| failed).map(Box::new);
                Reason::Needs { direct: name.clone(), root: name, why }
            }
        };
        if let Some(unit) = self.units.get_mut(id) {
            unit.life.reason = Some(reason);
            self.set(id, State::Failed, now);
        }
    }

    /// All its processes are gone: on to what comes next.
    fn finish(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let next = std::mem::take(&mut unit.life.next);
        unit.life.main = false;
        unit.life.left = false;
        self.actions.push(Action::Gone(id));
        match next {
            Next::Waiting if self.down == Down::No => self.wait(now, id),
            Next::Backoff if self.down == Down::No => {
                let due = now.saturating_add(unit.delay());
                unit.life.restarts = unit.life.restarts.saturating_add(1);
                self.set(id, State::Backoff, now);
                self.set_due(id, Some(due));
            }
            Next::Off | Next::Waiting | Next::Backoff => {
                unit.life.wanted = false;
                self.set(id, State::Off, now);
            }
            Next::Failed => {
                unit.life.wanted = false;
                self.set(id, State::Failed, now);
            }
            Next::Done => {
                unit.life.times.ready.get_or_insert(now);
                self.set(id, State::Done, now);
            }
        }
    }

    pub(super) fn spawned(&mut self, now: Now, id: Id) {
        if self.unit(id, |u| u.kind == Kind::Simple) {
            self.ready(now, id);
        }
        self.mark(id);
    }

    pub(super) fn spawn_failed(&mut self, now: Now, id: Id, why: &str) {
        self.ended(now, id, false, |_| Some(Reason::Spawn(why.to_owned())));
    }

    pub(super) fn lost(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id).filter(|u| u.life.main) else { return };
        if unit.life.state == State::Starting {
            unit.life.next = Next::Waiting;
        }
        self.finish(now, id);
    }

    pub(super) fn ready(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        if unit.life.state == State::Starting && unit.kind != Kind::Oneshot {
            unit.life.times.ready.get_or_insert(now);
            unit.life.unready = 0;
            unit.life.reason = None;
            self.set(id, State::Ready, now);
        }
    }

    pub(super) fn exited(&mut self, now: Now, id: Id, end: End, left: bool) {
        self.ended(now, id, left, |unit| match (unit.life.state, end.ok()) {
            (_, false) => Some(Reason::Ended(end)),
            (State::Starting, true) if unit.kind != Kind::Oneshot => Some(Reason::EndedEarly),
            (_, true) => None,
        });
    }

    /// The main process of `id` is not there (any more); `why` tells what was wrong with that.
    fn ended(&mut self, now: Now, id: Id, left: bool, why: impl Fn(&Unit) -> Option<Reason>) {
        let Some(unit) = self.units.get_mut(id).filter(|u| u.life.main) else { return };
        unit.life.main = false;
        unit.life.left = left;
        let reason = why(unit);
        match unit.life.state {
            State::Starting | State::Ready => {
                let starting = unit.life.state == State::Starting;
                if starting && reason.is_none() {
                    (unit.life.next, unit.life.reason) = (Next::Done, None);
                    (unit.life.unready, unit.life.short) = (0, 0);
                } else {
                    unit.life.next = unit.fell(now, reason);
                }
                let next = unit.life.next;
                if left { self.leave(now, id, next) } else { self.finish(now, id) }
            }
            _ if left => self.mark(id),
            _ => self.finish(now, id),
        }
    }

    pub(super) fn empty(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id).filter(|u| u.life.left && !u.life.main) else {
            return;
        };
        unit.life.left = false;
        self.finish(now, id);
    }

    /// Everything whose time has come.
    pub(super) fn tick(&mut self, now: Now) {
        while let Some((_, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.set_due(id, None);
            let Some(unit) = self.units.get_mut(id) else { continue };
            match unit.life.state {
                State::Starting => {
                    let next = unit.fell(now, Some(Reason::NotReady(unit.start_timeout)));
                    self.leave(now, id, next);
                }
                State::Backoff => self.wait(now, id),
                State::Stopping if !unit.life.killed => {
                    unit.life.killed = true;
                    self.set_due(id, Some(now.saturating_add(KILL_TIMEOUT)));
                    self.actions.push(Action::Kill(id));
                    self.mark(id);
                }
                State::Stopping => {
                    unit.life.reason = Some(Reason::Unkillable);
                    unit.life.next = Next::Failed;
                    self.finish(now, id);
                }
                _ => {}
            }
        }
    }

    pub(super) fn unit<T: Default>(&self, id: Id, of: impl Fn(&Unit) -> T) -> T {
        self.units.get(id).map(of).unwrap_or_default()
    }
}

impl Unit {
    /// It ended without being asked to: notes it, and says what comes next.
    fn fell(&mut self, now: Now, reason: Option<Reason>) -> Next {
        let Life { state, since, falls, .. } = &mut self.life;
        let (state, up) = (*state, now.saturating_sub(*since));
        falls.retain(|at| now.saturating_sub(*at) < self.restart.window);
        falls.push(now);
        let falls = u32::try_from(falls.len()).unwrap_or(u32::MAX);
        self.life.unready = if state == State::Starting { self.life.unready + 1 } else { 0 };
        if state == State::Ready && up >= self.restart.window {
            self.life.short = 0;
        }
        self.life.short = self.life.short.saturating_add(1);
        let again = match self.restart.when {
            RestartWhen::Never => false,
            RestartWhen::OnFailure => reason.is_some(),
            RestartWhen::Always => true,
        };
        let starts = falls.max(self.life.unready);
        if again && starts >= self.restart.limit.max(1) {
            let last = reason.map(Box::new);
            self.life.reason = Some(Reason::GaveUp { starts, last });
            return Next::Failed;
        }
        let failed = reason.is_some();
        self.life.reason = reason;
        match (again, failed) {
            (true, _) => Next::Backoff,
            (false, true) => Next::Failed,
            (false, false) => Next::Off,
        }
    }

    /// The wait before the next start: doubles with each short life.
    fn delay(&self) -> Now {
        let factor = 1_u32.checked_shl(self.life.short.saturating_sub(1)).unwrap_or(u32::MAX);
        self.restart.delay.saturating_mul(factor).min(self.restart.max_delay)
    }
}
