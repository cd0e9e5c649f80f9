//! One life from start to end: its process, its readiness, its way down.
//!
//! ```text
//! Starting: commands before ─ process ─ ready? ─ commands after ─► Ready │ Done
//! Leaving:  users first
//! Stopping: commands to stop ─ stop signal ─ (kill) ─ all gone ─ commands after the stop ─► next
//! ```

use model::service::Kind;

use super::{Action, Down, End, Engine, Id, Next, Now, Phase, Reason, State, Unit};

impl Engine {
    pub(super) fn start(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let due = now.saturating_add(unit.spec.start_timeout);
        let (target, commands) =
            (unit.spec.kind == Kind::Target, unit.spec.commands(Phase::BeforeStart));
        if let Some(why) = &unit.forbidden {
            unit.life.reason = Some(Reason::Forbidden(why.to_string()));
            unit.life.wanted = false;
            return self.set(id, State::Failed, now);
        }
        let life = &mut unit.life;
        (life.up, life.well, life.own, life.watch) = (false, false, false, None);
        (life.killed, life.signalled, life.aborted) = (false, false, false);
        life.times.started.get_or_insert(now);
        if target {
            return self.become_ready(now, id);
        }
        self.set(id, State::Starting, now);
        self.set_due(id, Some(due));
        if commands > 0 { self.run(now, id, Phase::BeforeStart, 0) } else { self.spawn(now, id) }
    }

    pub(super) fn spawn(&mut self, now: Now, id: Id) {
        self.thaw(now, id);
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.life.main = true;
        self.actions.push(Action::Spawn(id));
        self.mark(id);
    }

    pub(super) fn spawned(&mut self, now: Now, id: Id) {
        if self.unit(id, |u| u.spec.ready_at_once()) {
            self.ready(now, id);
        }
        self.mark(id);
    }

    pub(super) fn spawn_failed(&mut self, now: Now, id: Id, why: &str) {
        self.ended(now, id, false, |_| Some(Reason::Spawn(why.to_owned())));
    }

    pub(super) fn unheld(&mut self, now: Now, id: Id, why: &str) {
        self.ended(now, id, false, |_| Some(Reason::Unheld(why.to_owned())));
    }

    pub(super) fn lost(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id).filter(|u| u.life.main) else { return };
        if unit.life.state != State::Starting {
            return self.exited(now, id, End::Unknown, false);
        }
        unit.life.main = false;
        unit.life.next = Next::Waiting;
        self.actions.push(Action::Gone(id));
        self.settle(now, id);
    }

    /// It is not started: a condition does not hold. That counts as done.
    pub(super) fn skipped(&mut self, now: Now, id: Id, condition: &str) {
        let Some(unit) = self.units.get_mut(id) else { return };
        if unit.life.state != State::Starting {
            return;
        }
        unit.life.main = false;
        unit.life.command = None;
        unit.life.next = Next::Done;
        unit.life.reason = Some(Reason::Skipped(condition.to_owned()));
        self.actions.push(Action::Gone(id));
        self.settle(now, id);
    }

    pub(super) fn ready(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get(id) else { return };
        let (life, spec) = (&unit.life, &unit.spec);
        let working = life.command.is_some_and(|c| !c.ended);
        if working || !life.main || spec.kind == Kind::Oneshot {
            return;
        }
        match life.state {
            State::Starting if spec.commands(Phase::AfterStart) > 0 => {
                self.run(now, id, Phase::AfterStart, 0);
            }
            State::Starting => self.become_ready(now, id),
            State::Ready if life.reloading && !life.deaf => self.reload_over(now, id, None),
            _ => {}
        }
    }

    /// Its process is ready and so are its commands, or its work is done.
    pub(super) fn become_ready(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        (unit.life.unready, unit.life.reason) = (0, None);
        if unit.spec.kind == Kind::Oneshot {
            unit.life.short = 0;
            unit.life.well = true;
            unit.life.next = if unit.spec.remain { Next::Done } else { Next::Off };
            let next = unit.life.next;
            return self.ended_with(now, id, next);
        }
        unit.life.up = true;
        unit.life.times.ready.get_or_insert(now);
        let watch = unit.watch().filter(|_| unit.life.main);
        self.set(id, State::Ready, now);
        self.set_dog(id, watch.map(|d| now.saturating_add(d)));
    }

    pub(super) fn exited(&mut self, now: Now, id: Id, end: End, left: bool) {
        self.ended(now, id, left, |unit| match (unit.life.state, end.ok()) {
            (_, false) => Some(Reason::Ended(end)),
            (State::Starting, true) if unit.spec.kind != Kind::Oneshot => Some(Reason::EndedEarly),
            (_, true) => None,
        });
    }

    /// The main process of `id` is not there (any more); `why` tells what was wrong with that.
    fn ended(&mut self, now: Now, id: Id, left: bool, why: impl Fn(&Unit) -> Option<Reason>) {
        let Some(unit) = self.units.get_mut(id).filter(|u| u.life.main) else { return };
        unit.life.main = false;
        unit.life.left = left;
        let reason = why(unit);
        self.mark(id);
        match self.state(id) {
            State::Starting if reason.is_none() => {
                if self.unit(id, |u| u.spec.commands(Phase::AfterStart)) > 0 {
                    self.run(now, id, Phase::AfterStart, 0);
                } else {
                    self.become_ready(now, id);
                }
            }
            State::Starting | State::Ready => self.fall(now, id, reason),
            State::Stopping if self.unit(id, |u| u.life.own) => {
                let next = self.fell(now, id, reason);
                if let Some(unit) = self.units.get_mut(id) {
                    (unit.life.own, unit.life.next) = (false, next);
                }
                self.go_on_stopping(now, id);
            }
            // An abort went to the main process only.
            State::Stopping if left && self.unit(id, |u| u.life.aborted && !u.life.killed) => {
                self.actions.push(Action::Terminate(id));
            }
            State::Stopping => self.go_on_stopping(now, id),
            _ => self.finish_if_gone(now, id),
        }
    }

    /// It ended or is not well, which nobody asked for; `None`: it ended well.
    pub(super) fn fall(&mut self, now: Now, id: Id, reason: Option<Reason>) {
        let next = self.fell(now, id, reason);
        self.ended_with(now, id, next);
    }

    fn fell(&mut self, now: Now, id: Id, reason: Option<Reason>) -> Next {
        let Some(unit) = self.units.get_mut(id) else { return Next::Off };
        let next = unit.fell(now, reason);
        if unit.is_critical() && self.down == Down::No {
            self.actions.push(Action::Critical(id));
        }
        next
    }

    /// To `next`, by way of a stop if anything of it is left.
    fn ended_with(&mut self, now: Now, id: Id, next: Next) {
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.life.next = next;
        if unit.busy() { self.part(now, id, next) } else { self.finish(now, id) }
    }

    pub(super) fn empty(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id).filter(|u| u.life.left && !u.life.main) else {
            return;
        };
        unit.life.left = false;
        self.mark(id);
        match self.state(id) {
            State::Leaving => self.finish_if_gone(now, id),
            State::Stopping => self.go_on_stopping(now, id),
            _ => {}
        }
    }

    /// It said that it ends: as an end by itself, but it gets time for it.
    pub(super) fn ends_itself(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        if unit.life.state != State::Ready || !unit.life.main {
            return;
        }
        let due = now.saturating_add(unit.spec.stop_timeout);
        self.leave(now, id, Next::Off);
        if let Some(unit) = self.units.get_mut(id) {
            unit.life.own = true;
        }
        self.set(id, State::Stopping, now);
        self.set_due(id, Some(due));
    }

    /// Its users are gone: now it.
    pub(super) fn end(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get(id) else { return };
        if !unit.busy() && !unit.has_stop_commands() {
            return self.finish(now, id);
        }
        let due = now.saturating_add(unit.spec.stop_timeout);
        self.set(id, State::Stopping, now);
        self.set_due(id, Some(due));
        self.go_on_stopping(now, id);
    }

    /// The next step of a stop, once the one before has ended.
    pub(super) fn go_on_stopping(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let life = &unit.life;
        if life.command.is_some() || life.own {
            return;
        }
        if !life.signalled && unit.has_stop_commands() {
            return self.run(now, id, Phase::Stop, 0);
        }
        let signal = (unit.life.main || unit.life.left)
            && !unit.life.signalled
            && !(unit.life.aborted && unit.life.main);
        if signal && unit.ending > 0 {
            // It ended by its own wish, left others, and its users are not gone yet.
            let next = unit.life.next;
            return self.part(now, id, next);
        }
        unit.life.signalled = true;
        if signal {
            self.actions.push(Action::Terminate(id));
        }
        self.mark(id);
        self.finish_if_gone(now, id);
    }

    fn finish_if_gone(&mut self, now: Now, id: Id) {
        if !self.unit(id, Unit::busy) {
            self.finish(now, id);
        }
    }

    /// All its processes are gone: on to what comes next, by way of the commands after a stop.
    pub(super) fn finish(&mut self, now: Now, id: Id) {
        self.thaw(now, id);
        let Some(unit) = self.units.get_mut(id) else { return };
        (unit.life.main, unit.life.left) = (false, false);
        let spec = &unit.spec;
        let commands = spec.commands(Phase::AfterStop) > 0 && unit.life.next != Next::Done;
        let due = now.saturating_add(spec.stop_timeout);
        if spec.kind != Kind::Target {
            self.actions.push(Action::Gone(id));
        }
        if !commands {
            return self.settle(now, id);
        }
        unit.life.signalled = true;
        unit.life.killed = false;
        self.set(id, State::Stopping, now);
        self.set_due(id, Some(due));
        self.run(now, id, Phase::AfterStop, 0);
    }

    /// Nothing of it is left to wait for: it is what it was to be next.
    pub(super) fn settle(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let next = std::mem::take(&mut unit.life.next);
        unit.life.times.gone = Some(now);
        (unit.life.reloading, unit.life.deaf) = (false, false);
        match next {
            Next::Waiting if self.down == Down::No => self.wait(now, id),
            Next::Backoff if self.down == Down::No => {
                let due = now.saturating_add(unit.delay());
                unit.life.restarts = unit.life.restarts.saturating_add(1);
                self.set(id, State::Backoff, now);
                self.set_due(id, Some(due));
            }
            Next::Off | Next::Waiting | Next::Backoff => {
                (unit.life.wanted, unit.life.requested) = (false, false);
                self.succeeded(id);
                self.set(id, State::Off, now);
            }
            Next::Failed => {
                unit.life.wanted = false;
                self.set(id, State::Failed, now);
            }
            Next::Done => {
                unit.life.up = unit.life.well;
                unit.life.times.ready.get_or_insert(now);
                self.succeeded(id);
                self.set(id, State::Done, now);
            }
        }
    }

    /// If it ended well by itself, others may start for that.
    fn succeeded(&mut self, id: Id) {
        if let Some(unit) = self.units.get(id).filter(|u| u.life.well) {
            let handlers = unit.links.on_success.iter().map(|to| (id, *to, false));
            self.handlers.extend(handlers);
        }
    }
}
