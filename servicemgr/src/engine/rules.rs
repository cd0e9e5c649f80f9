//! What one service's change means for its neighbours, and when what was asked may begin.
//!
//! [`Engine::set`] is the one place where a state changes. It keeps the counters of the neighbours;
//! `tell` and `begin` are the two phases of a step.

use super::graph::Kind as EdgeKind;
use super::{Action, Down, Engine, Id, Next, Now, Reason, State, Unit};

impl Engine {
    /// A state changes: counts, deadlines, marks and triggers follow.
    pub(super) fn set(&mut self, id: Id, state: State, now: Now) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let old = unit.life.state;
        if old == state {
            return;
        }
        let bare = unit.life.reason.as_ref().map(Reason::bare);
        let for_good = state == State::Failed && !matches!(bare, Some(Reason::Needs { .. }));
        if unit.life.times.asked.is_some() && state.settled() {
            unit.life.times.settled.get_or_insert(now);
        }
        if unit.life.armed && self.down == Down::No {
            if state == State::Failed {
                let why = unit.life.reason.take().map(|why| Reason::Disarmed(Box::new(why)));
                unit.life.reason = why;
                self.actions.push(Action::Disarm(id));
            } else if matches!(state, State::Off | State::Done) || old == State::Failed {
                if unit.life.hushed {
                    self.actions.push(Action::Hush(id));
                }
                self.actions.push(Action::Arm(id));
            }
        }
        if for_good && !unit.life.handler {
            let handlers = unit.links.on_failure.iter().map(|to| (id, *to, true));
            self.handlers.extend(handlers);
        }
        self.place(id, state, now);
    }

    /// The state and all that is counted of it, nothing else.
    pub(super) fn place(&mut self, id: Id, state: State, now: Now) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let old = std::mem::replace(&mut unit.life.state, state);
        if old == state {
            return;
        }
        unit.life.since = now;
        if unit.life.boot {
            self.moving = self.moving + usize::from(state.moves()) - usize::from(old.moves());
        }
        let settled_once = unit.life.boot && state.settled();
        unit.life.boot &= !settled_once;
        self.booting -= usize::from(settled_once);
        let live = |s| usize::from(!matches!(s, State::Off | State::Failed));
        self.alive = self.alive + live(state) - live(old);
        if live(state) != live(old) {
            self.displace(id);
        }
        self.set_due(id, None);
        self.set_dog(id, None);
        self.count(id, old, state);
        self.mark(id);
        if old.met() != state.met() || matches!(state, State::Off | State::Failed) {
            self.told.push_back(id);
        }
    }

    /// Brings the counters of the neighbours up to date.
    fn count(&mut self, id: Id, old: State, new: State) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let links = std::mem::take(&mut unit.links);
        if old.met() != new.met() || old.settled() != new.settled() {
            self.look(links.users.len());
            for edge in &links.users {
                let (was, is) = match edge.kind {
                    EdgeKind::Requires => (old.met(), new.met()),
                    EdgeKind::Once | EdgeKind::Order => (old.settled(), new.settled()),
                    EdgeKind::Last => continue,
                };
                self.clear_way(edge.to, id, !was, !is);
            }
        }
        if old.occupies() != new.occupies() {
            self.look(links.foes.len());
            for foe in &links.foes {
                self.clear_way(*foe, id, old.occupies(), new.occupies());
            }
        }
        if old.ending() != new.ending() {
            self.look(links.needs.len());
            for edge in &links.needs {
                let Some(need) = self.units.get_mut(edge.to) else { continue };
                let add = |n: usize| n + usize::from(new.ending()) - usize::from(old.ending());
                need.ending = add(need.ending);
                if edge.kind.hard() {
                    need.ending_hard = add(need.ending_hard);
                }
                if !new.ending() {
                    self.able.push_back(edge.to);
                }
            }
        }
        if let Some(unit) = self.units.get_mut(id) {
            unit.links = links;
        }
    }

    /// `by` was in the way of `id`, or is now.
    fn clear_way(&mut self, id: Id, by: Id, was: bool, is: bool) {
        let Some(unit) = self.units.get_mut(id).filter(|_| was != is) else { return };
        unit.unmet = unit.unmet + usize::from(is) - usize::from(was);
        if unit.unmet == 0 && unit.life.state == State::Waiting {
            if unit.life.times.started.is_none() {
                unit.life.times.waited_on = Some(by);
            }
            self.able.push_back(id);
        }
    }

    pub(super) fn look(&mut self, edges: usize) {
        self.looks = self.looks.saturating_add(u64::try_from(edges).unwrap_or(0));
    }

    pub(super) fn mark(&mut self, id: Id) {
        if let Some(unit) = self.units.get_mut(id).filter(|u| !u.marked) {
            unit.marked = true;
            self.changed.push(id);
        }
    }

    /// Phase one: what the state of `id` means for those that require it.
    pub(super) fn tell(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get(id) else { return };
        let (state, well) = (unit.life.state, unit.life.well);
        let gone = matches!(state, State::Off | State::Failed);
        let users = unit.links.users.iter().filter(|e| e.kind.hard()).copied();
        let users: Vec<_> = users.collect();
        self.look(self.units.get(id).map_or(0, |u| u.links.users.len()));
        for edge in users {
            let once = edge.kind == EdgeKind::Once;
            let there = state.met() || once && state == State::Off && well;
            match self.state(edge.to) {
                State::Failed if there && self.failed_for_needs(edge.to) => {
                    self.wait(now, edge.to);
                }
                s if s.running() && !there && !once => self.lose(now, edge.to, id, edge.binds),
                State::Waiting | State::Backoff if gone && !there && !once => {
                    self.fail_for(now, edge.to, id, edge.binds);
                }
                State::Waiting | State::Backoff if once && state == State::Failed => {
                    self.fail_for(now, edge.to, id, edge.binds);
                }
                _ => {}
            }
        }
    }

    /// It wants to run, and all that was wrong was what it needs.
    fn failed_for_needs(&self, id: Id) -> bool {
        self.unit(id, |u| {
            let why = u.life.reason.as_ref().map(Reason::bare);
            u.life.wanted && matches!(why, Some(Reason::Needs { .. }))
        })
    }

    /// `user` runs and loses what it requires.
    fn lose(&mut self, now: Now, user: Id, need: Id, binds: bool) {
        if binds {
            let why = self.needs(need);
            if let Some(unit) = self.units.get_mut(user) {
                unit.life.reason = why;
                (unit.life.wanted, unit.life.requested) = (false, false);
            }
        }
        self.leave(now, user, if binds { Next::Off } else { Next::Waiting });
    }

    /// Phase two: begins what nothing is in the way of.
    pub(super) fn begin(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get(id) else { return };
        match unit.life.state {
            State::Waiting => {
                if let Some((need, binds)) = self.hopeless(id) {
                    self.fail_for(now, id, need, binds);
                } else if self.free(id) && !self.hold(now, id) {
                    self.start(now, id);
                }
            }
            State::Leaving if unit.ending == 0 => self.end(now, id),
            _ => {}
        }
    }

    /// Nothing is in the way of its start.
    pub(super) fn free(&self, id: Id) -> bool {
        self.unit(id, |u| u.unmet == 0 && u.ending_hard == 0)
    }

    /// What it can't do without and what will not come.
    fn hopeless(&mut self, id: Id) -> Option<(Id, bool)> {
        let unit = self.units.get(id)?;
        if unit.unmet == 0 && !unit.links.needs.iter().any(|e| e.kind == EdgeKind::Once) {
            return None;
        }
        let lost = unit.links.needs.iter().find(|e| match e.kind {
            EdgeKind::Requires => matches!(self.state(e.to), State::Off | State::Failed),
            EdgeKind::Once => self.state(e.to) == State::Failed,
            EdgeKind::Order | EdgeKind::Last => false,
        });
        let (lost, seen) = (lost.map(|e| (e.to, e.binds)), unit.links.needs.len());
        self.look(seen);
        lost
    }

    /// To `Waiting`, and a look at whether it may start.
    pub(super) fn wait(&mut self, now: Now, id: Id) {
        self.set(id, State::Waiting, now);
        self.able.push_back(id);
    }

    /// To `Leaving`, because somebody or something else wants it: users first, then it.
    pub(super) fn leave(&mut self, now: Now, id: Id, next: Next) {
        if let Some(unit) = self.units.get_mut(id) {
            unit.life.well = false;
        }
        self.part(now, id, next);
    }

    /// To `Leaving`, for whatever reason.
    pub(super) fn part(&mut self, now: Now, id: Id, next: Next) {
        self.thaw(now, id);
        self.end_command(id);
        if let Some(unit) = self.units.get_mut(id) {
            unit.long_life(now);
            let life = &mut unit.life;
            life.next = next;
            (life.killed, life.signalled, life.own) = (false, false, false);
            (life.reloading, life.deaf) = (false, false);
            life.times.leaving = Some(now);
            self.set(id, State::Leaving, now);
            self.able.push_back(id);
        }
    }

    /// `id` fails because `need` is not there. It comes back when `need` does, unless it is bound.
    fn fail_for(&mut self, now: Now, id: Id, need: Id, binds: bool) {
        let why = self.needs(need);
        if let Some(unit) = self.units.get_mut(id) {
            unit.life.reason = why;
            unit.life.wanted &= !binds;
            self.set(id, State::Failed, now);
        }
    }

    /// That `need` is not there, with where the trouble began.
    fn needs(&self, need: Id) -> Option<Reason> {
        let direct = self.units.get(need)?;
        let name = direct.name.clone();
        let why = direct.life.reason.as_ref().filter(|_| direct.life.state == State::Failed);
        Some(match why.map(Reason::bare) {
            Some(Reason::Needs { root, why, .. }) => {
                Reason::Needs { direct: name, root: root.clone(), why: why.clone() }
            }
            why => {
                let why = why.cloned().map(Box::new);
                Reason::Needs { direct: name.clone(), root: name, why }
            }
        })
    }

    pub(super) fn unit<T: Default>(&self, id: Id, of: impl Fn(&Unit) -> T) -> T {
        self.units.get(id).map(of).unwrap_or_default()
    }
}
