//! Services that start because something happened: a trigger, or another's end.
//!
//! ```text
//! armed, Off ── trigger ──► Waiting … Ready ── quiet, or it ended ──► Off, armed again
//!                                       └── it failed: not watched until it is reset or started
//! ```
//!
//! One that a person stopped is armed again, and what stands there does not start it: only what comes.
//!
//! While one that it conflicts with is up, the sockets of an armed service are closed, for the other
//! may want the same addresses. What else triggers it does, and takes the other down.

use super::graph::Kind as EdgeKind;
use super::transaction::Wish;
use super::{Action, Down, Engine, Id, Next, Now, State};

impl Engine {
    pub(super) fn arm(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        (unit.life.armed, unit.life.hushed) = (true, false);
        if unit.life.state != State::Failed {
            self.actions.push(Action::Arm(id));
        }
        self.mark(id);
    }

    /// Whether one that `id` conflicts with is up, or on its way.
    #[must_use]
    pub fn foe_is_up(&self, id: Id) -> bool {
        let foes = self.units.get(id).map(|u| u.links.foes.as_slice()).unwrap_or_default();
        foes.iter().any(|foe| !matches!(self.state(*foe), State::Off | State::Failed))
    }

    /// `id` came up, or is off again: armed ones that conflict with it close their sockets, or open
    /// them again.
    pub(super) fn displace(&mut self, id: Id) {
        let foes = self.units.get(id).map(|u| u.links.foes.clone()).unwrap_or_default();
        for foe in foes {
            let Some(life) = self.units.get(foe).map(|u| &u.life) else { continue };
            if !life.armed || !matches!(life.state, State::Off | State::Done) {
                continue;
            }
            if self.down == Down::No && !self.foe_is_up(foe) {
                self.actions.push(Action::Listen(foe));
            }
            self.mark(foe);
        }
    }

    pub(super) fn disarm(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        if std::mem::take(&mut unit.life.armed) {
            self.actions.push(Action::Disarm(id));
        }
        self.mark(id);
    }

    /// Something it waits for has happened. One that is on its way down starts again after that.
    pub(super) fn trigger(&mut self, now: Now, id: Id) {
        let Some(life) = self.units.get(id).map(|u| &u.life) else { return };
        let ends = life.state.ending() && matches!(life.next, Next::Off | Next::Done);
        let rests = matches!(life.state, State::Off | State::Done);
        if !life.armed || self.down != Down::No || !(rests || ends) {
            return;
        }
        let mut draft = self.empty_draft();
        match self.draft_start(&mut draft, id, Wish::Trigger) {
            Ok(()) => self.carry_out(now, &draft),
            Err(why) => self.refuse(now, id, why),
        }
    }

    /// Nobody uses it: it ends until something triggers it.
    pub(super) fn quiet(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get(id) else { return };
        let used = unit.links.users.iter().any(|e| {
            e.kind == EdgeKind::Requires && !matches!(self.state(e.to), State::Off | State::Failed)
        });
        if !unit.life.armed || unit.life.state != State::Ready || used {
            return;
        }
        if let Some(unit) = self.units.get_mut(id) {
            (unit.life.wanted, unit.life.requested) = (false, false);
        }
        self.leave(now, id, Next::Off);
    }

    /// Starts those that were to start because others failed or ended well. Says whether there
    /// were any.
    pub(super) fn handle(&mut self, now: Now) -> bool {
        let Some((of, handler, failure)) = self.handlers.pop_front() else { return false };
        let up = !matches!(self.state(handler), State::Off | State::Failed);
        if of == handler || up || self.down != Down::No {
            return true;
        }
        let mut draft = self.empty_draft();
        let drafted = self.draft_start(&mut draft, handler, Wish::Handler);
        if drafted.is_ok() {
            self.carry_out(now, &draft);
        }
        if let Some(unit) = self.units.get_mut(handler) {
            unit.life.handler = failure;
        }
        if let Err(why) = drafted {
            self.refuse(now, handler, why);
        }
        true
    }
}
