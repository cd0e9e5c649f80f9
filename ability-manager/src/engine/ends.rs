//! How instances end, and what begins after that.
//!
//! Invariant: an instance that has ended is nowhere: not in front, not connected, not of a mission.

use std::mem;

use api::abilities::State;
use model::bundle::BundleId;

use super::Engine;
use super::instance::{Instance, Who};
use super::refusal::Refusal;
use super::requests::Again;
use super::words::{Action, Exit, InstanceId, MissionId, RequestId};

impl Engine {
    /// An instance ends as soon as it can.
    pub(super) fn end(&mut self, id: InstanceId, why: Exit) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.ends_for(why);
        }
    }

    /// A page wants to begin anew.
    pub(super) fn ask_restart(&mut self, request: RequestId, id: InstanceId, state: Vec<u8>) {
        let result = self.restart(id, state).map(|()| None);
        self.answer(request, result);
    }

    fn restart(&mut self, id: InstanceId, state: Vec<u8>) -> Result<(), Refusal> {
        let instance = self.instances.get(&id).ok_or(Refusal::NoInstance)?;
        if let Some(why) = &instance.ending {
            return Err(Refusal::Ending(why.clone()));
        }
        if !instance.is_page() || instance.state != State::Foreground {
            return Err(Refusal::NotShown);
        }
        if !self.rules.restarts(self.now, &instance.target.bundle) {
            return Err(Refusal::TooSoon);
        }
        if !state.is_empty() {
            self.save(id, state);
        }
        self.end(id, Exit::Restarted);
        Ok(())
    }

    /// All of a bundle ends.
    pub(super) fn end_all(&mut self, bundle: &BundleId, why: &Exit) {
        let of = |(id, i): (&InstanceId, &Instance)| (i.target.bundle == *bundle).then_some(*id);
        let ids: Vec<InstanceId> = self.instances.iter().filter_map(of).collect();
        for id in ids {
            self.end(id, why.clone());
            if *why == Exit::Revoked {
                self.around(id, |instance, around| instance.kill(around, Exit::Revoked));
            }
            let Some(instance) = self.instances.get_mut(&id) else { continue };
            instance.forget |= *why == Exit::Removed;
            let kept = mem::take(&mut instance.afterwards);
            self.refuse(kept.iter().map(Again::request), &Refusal::Ending(why.clone()));
        }
        if *why == Exit::Removed {
            for mission in self.missions.of(bundle) {
                if self.missions.get(mission).is_some_and(|mission| mission.instance.is_none()) {
                    self.drop_mission(mission);
                }
            }
        }
    }

    /// The processes of an instance are gone.
    pub(super) fn ended(&mut self, id: InstanceId, how: Exit) {
        let Some(mut instance) = self.instances.remove(&id) else { return };
        self.disconnect_all(id);
        let untaken = instance.untaken(id);
        self.lose_all(&mut instance);
        self.refuse(instance.give_up(Who::Instance(id)), &Refusal::UnknownCaller);
        let crashed = instance.ending.is_none() && how.is_crash();
        let again = crashed && instance.is_page() && instance.state == State::Foreground;
        let exit = instance.ending.take().unwrap_or(how);
        // Unless people look at something else by now.
        let anew = exit == Exit::Restarted && self.next.is_none() && self.in_front().is_none();
        for waiting in mem::take(&mut instance.waiting) {
            self.answer(waiting.request, Instance::last_answer(waiting, &exit));
        }
        if let Some(mission) = instance.mission {
            self.leave_mission(mission, exit, instance.forget);
            if anew || (again && self.rules.restarts(self.now, &instance.target.bundle)) {
                // Nobody waits for it, and there was room for it before.
                let _ = self.restore(mission);
            }
        }
        for kept in instance.afterwards {
            match kept {
                Again::Ask(request, ask) => self.begin(request, ask),
                Again::Show(request, mission, traits) => self.ask_show(request, mission, traits),
            }
        }
        for (request, ask) in untaken {
            self.begin(request, ask);
        }
    }

    fn leave_mission(&mut self, id: MissionId, exit: Exit, forget: bool) {
        let Some(mission) = self.missions.get_mut(id) else { return };
        mission.instance = None;
        mission.exit = Some(exit);
        if forget || !mission.ran {
            self.drop_mission(id);
        }
    }

    /// A mission is forgotten.
    pub(super) fn drop_mission(&mut self, mission: MissionId) {
        if self.missions.remove(mission).is_some() {
            self.actions.push(Action::Drop { mission });
        }
    }
}
