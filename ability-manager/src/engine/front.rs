//! Who is on the screen: one page, and at most one that comes next.
//!
//! ```text
//! show(X): next = X ── X is there ──► who is in front leaves ── it has left ──► X comes ──► next = none
//! ```
//!
//! Who is in front stays until X is there, so people never look at nothing while something loads. What is
//! asked for last counts.
//!
//! Invariant: at most one page is in front, on its way there or from there.

use api::abilities::State;

use super::Engine;
use super::instance::{Around, Instance};
use super::refusal::Refusal;
use super::requests::Goal;
use super::words::InstanceId;

impl Engine {
    /// This page should come to the front.
    pub(super) fn show(&mut self, id: InstanceId) {
        if !self.instances.get(&id).is_some_and(Instance::is_page) {
            return;
        }
        if self.next != Some(id) {
            self.displace();
        }
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.hide = false;
        let replaced = instance.take(Goal::Hidden);
        let shown = matches!(instance.state, State::Foreground | State::Foregrounding);
        self.next = (!shown).then_some(id);
        self.refuse(replaced, &Refusal::Replaced);
    }

    /// This page should leave the front, or not come to it.
    pub(super) fn hide(&mut self, id: InstanceId) {
        if self.next == Some(id) {
            self.next = None;
        }
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.hide = matches!(instance.state, State::Foreground | State::Foregrounding);
        let replaced = instance.displaced();
        self.refuse(replaced, &Refusal::Replaced);
    }

    /// Whoever was to come next does not.
    fn displace(&mut self) {
        let Some(id) = self.next.take() else { return };
        let replaced = self.instances.get_mut(&id).map(|instance| instance.displaced());
        self.refuse(replaced.unwrap_or_default(), &Refusal::Replaced);
    }

    /// Changes who is in front, as far as that can be now.
    pub(super) fn arrange(&mut self) {
        let Some(next) = self.next else { return };
        let gone = |engine: &Self| {
            engine.instances.get(&next).is_none_or(|instance| instance.ending.is_some())
        };
        if gone(self) {
            self.next = None;
            return;
        }
        if !self.instances.get(&next).is_some_and(|instance| instance.could_be_shown()) {
            return;
        }
        if let Some(front) = self.in_front() {
            self.around(front, |instance, around| {
                if instance.state == State::Foreground {
                    instance.leave(around);
                }
            });
            if self.in_front().is_some() {
                return;
            }
        }
        self.next = None;
        self.around(next, |instance, around| instance.come(around));
        let mission = self.instances.get(&next).and_then(|instance| instance.mission);
        if let Some(mission) = mission {
            self.missions.touch(mission, self.now);
        }
    }

    /// Who is in front, comes or leaves.
    pub(super) fn in_front(&self) -> Option<InstanceId> {
        let mut all = self.instances.iter();
        all.find(|(_, instance)| instance.is_in_front()).map(|(id, _)| *id)
    }

    /// Does something with one instance, in its surroundings.
    pub(super) fn around<T>(
        &mut self,
        id: InstanceId,
        act: impl FnOnce(&mut Instance, &mut Around<'_>) -> T,
    ) -> Option<T> {
        let instance = self.instances.get_mut(&id)?;
        let (token, actions) = (&mut self.last_token, &mut self.actions);
        Some(act(instance, &mut Around { now: self.now, id, token, actions }))
    }
}
