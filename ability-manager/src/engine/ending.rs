//! How a life ends: told, stopped by servicemgr, killed, killed again; each with a time.
//!
//! Invariant: the reason that was there first stays, but for [`Exit::Restarted`]: what ends for another reason too does not come
//! back. After a kill nothing but kills is asked for.

use api::abilities::State;
use serde::{Deserialize, Serialize};

use super::instance::{Around, Instance};
use super::limits::{KILL_TIMEOUT, STOP_TIMEOUT, STUCK_RETRY, TERMINATE_TIMEOUT};
use super::words::{Action, Exit, Told};

/// How far its end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// It was told.
    Told,
    /// servicemgr was asked to stop it.
    Asked,
    /// It was killed.
    Killed,
    /// It was killed, and is still there.
    Stuck,
}

impl Instance {
    /// It ends as soon as it can.
    pub(super) fn ends_for(&mut self, why: Exit) {
        if self.ending.as_ref().is_none_or(|ending| *ending == Exit::Restarted) {
            self.ending = Some(why);
        }
    }

    pub(super) fn pursue_end(&mut self, around: &mut Around<'_>) {
        match self.state {
            State::Foreground if self.is_told() => self.leave(around),
            State::Loading => self.stop(around),
            State::Foreground
            | State::Background
            | State::Frozen
            | State::Inactive
            | State::Active => {
                self.thaw(around);
                if self.is_told() {
                    self.enter(around, State::Terminating, Some(TERMINATE_TIMEOUT));
                    self.step = Step::Told;
                    self.tell_transition(around, Told::Terminate);
                } else {
                    self.stop(around);
                }
            }
            State::Foregrounding | State::Backgrounding | State::Terminating => {}
        }
    }

    /// servicemgr stops it.
    pub(super) fn stop(&mut self, around: &mut Around<'_>) {
        self.enter(around, State::Terminating, Some(STOP_TIMEOUT));
        self.step = Step::Asked;
        around.act(Action::Terminate { instance: around.id });
    }

    /// It goes at once.
    pub(super) fn kill(&mut self, around: &mut Around<'_>, why: Exit) {
        if self.state == State::Terminating && matches!(self.step, Step::Killed | Step::Stuck) {
            return;
        }
        self.ends_for(why);
        self.enter(around, State::Terminating, Some(KILL_TIMEOUT));
        self.step = Step::Killed;
        self.act_kill(around);
    }

    pub(super) fn kill_again(&mut self, around: &mut Around<'_>) {
        let (step, wait) = match self.step {
            Step::Told | Step::Asked => (Step::Killed, KILL_TIMEOUT),
            Step::Killed | Step::Stuck => (Step::Stuck, STUCK_RETRY),
        };
        self.step = step;
        self.due = Some(around.now + wait);
        self.act_kill(around);
    }

    fn act_kill(&self, around: &mut Around<'_>) {
        let why = self.ending.clone().unwrap_or(Exit::Unknown);
        around.act(Action::Kill { instance: around.id, why });
    }

    /// It was killed, and does not end.
    pub(super) fn is_stuck(&self) -> bool {
        self.state == State::Terminating && self.step == Step::Stuck
    }
}
