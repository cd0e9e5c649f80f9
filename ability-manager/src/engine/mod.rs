//! How instances of abilities live: events in, actions out.
//!
//! ```text
//! requests ─ rules ─► asks ─┬─► an instance that is there ─┐          ┌─ instance: one life, its time-outs
//!                           ├─► a new one: Launch ─────────┼─ settle ─┼─ front: which page is on the screen
//!                           └─► kept until one has ended   │          └─ requests: who is answered now
//! Launched, Attached, Done, Ended, Tick ───────────────────┘
//! ```
//!
//! The picture of a life is in `instance`. After each event all that can go on goes on.
//!
//! Invariants: every request gets one answer; an instance is launched once, told only while it is known,
//! attached and not standing still, and known until its processes are gone; whatever is awaited has a due
//! time; at most one page is in front; a page has a mission. All lists are bounded.
//!
//! Nothing here knows a process id, a file or a clock.

mod asks;
pub mod background;
pub mod continuous;
mod ending;
mod ends;
mod exit;
mod front;
mod instance;
mod limits;
mod links;
pub mod memory;
mod missions;
mod refusal;
mod requests;
mod rows;
mod rules;
#[cfg(test)]
mod tests;
mod words;
pub mod work;

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use api::app::MAX_STATE;
use serde::{Deserialize, Serialize};

pub use limits::{
    BACKGROUND_TIMEOUT, CONNECT_TIMEOUT, FOREGROUND_TIMEOUT, FREEZE_AFTER, IDLE_TIMEOUT,
    KILL_TIMEOUT, LOAD_TIMEOUT, MAX_CALLS, MAX_CONNECTIONS, MAX_CONNECTIONS_EACH, MAX_HELD,
    MAX_INSTANCES, MAX_KEPT_WANT, MAX_MISSIONS, MAX_MISSIONS_EACH, MAX_PAGE_STARTS, MAX_WAITING,
    MAX_WANTS, NEW_PROCESS, RESTART_INTERVAL, SECOND, STOP_TIMEOUT, STUCK_RETRY, TERMINATE_TIMEOUT,
};
pub use refusal::{Kind, Refusal};
pub use rows::{InstanceRow, MissionRow};
pub use words::{
    Action, Caller, ConnectionId, Event, Exit, InstanceId, MissionId, Reason, RequestId, Shortage,
    Started, Target, Told, Traits,
};

use instance::Instance;
use missions::Missions;
use requests::{Again, Answer, Ask};
use rules::Rules;

/// All instances and missions of a device. Serialized it is all there is to know: what was read back goes
/// on where it was.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Engine {
    now: Duration,
    instances: BTreeMap<InstanceId, Instance>,
    missions: Missions,
    rules: Rules,
    /// The page that comes to the front next.
    next: Option<InstanceId>,
    last_instance: InstanceId,
    last_token: u32,
    last_connection: ConnectionId,
    #[serde(skip)]
    actions: Vec<Action>,
}

impl Engine {
    /// Takes what happened, and says what to do.
    pub fn feed(&mut self, now: Duration, event: Event) -> Vec<Action> {
        self.now = self.now.max(now);
        self.take(event);
        self.expire();
        self.settle();
        mem::take(&mut self.actions)
    }

    /// When to send [`Event::Tick`], if nothing else happens before.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.instances.values().filter_map(Instance::next_due).min()
    }

    /// The manager was started anew, and this was its snapshot: those who asked are gone, unanswered. The
    /// daemon then sends `Ended` for each instance whose unit is gone.
    pub fn adopted(&mut self) {
        for instance in self.instances.values_mut() {
            instance.waiting.clear();
            instance.afterwards.clear();
            instance.links.retain(|_, link| link.lasts());
        }
    }

    /// The device was started anew, and this was its snapshot: missions stay, instances do not.
    pub fn rebooted(&mut self) {
        self.missions.rebooted();
        *self = Self { missions: mem::take(&mut self.missions), ..Self::default() };
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Start { request, caller, target, traits, want, show } => {
                self.ask(request, caller, Ask { target, traits, want, show, connect: None });
            }
            Event::Connect { request, caller, target, traits, want } => {
                let connect = Some(caller.who());
                self.ask(request, caller, Ask { target, traits, want, show: false, connect });
            }
            Event::Accepted { instance, token } => self.accepted(instance, token),
            Event::Disconnect { request, caller, connection } => {
                self.ask_disconnect(request, caller, connection);
            }
            Event::FormGone { target, card } => self.form_gone(&target, card),
            Event::Show { request, mission, traits } => self.ask_show(request, mission, traits),
            Event::Hide { request, mission } => self.ask_hide(request, mission),
            Event::Stop { request, instance } => self.ask_stop(request, instance),
            Event::Restart { request, instance, state } => {
                self.ask_restart(request, instance, state);
            }
            Event::Forget { request, mission } => self.ask_forget(request, mission),
            Event::End { bundle, why } => self.end_all(&bundle, &why),
            Event::Kill { instance, why } => {
                self.around(instance, |instance, around| instance.kill(around, why));
            }
            Event::Finish { instance, why } => self.end(instance, why),
            Event::Busy { instance, busy } => {
                self.around(instance, |instance, around| instance.busy(around, busy));
            }
            Event::Memory(level) => self.tell_all(level),
            Event::Launched { instance } => {
                self.around(instance, |instance, around| instance.launched(around));
                self.ran(instance);
            }
            Event::Attached { instance } => {
                self.around(instance, |instance, around| instance.attached(around));
                self.ran(instance);
            }
            Event::LaunchFailed { instance, why } => {
                self.ended(instance, Exit::LaunchFailed(why));
            }
            Event::Done { instance, token, state } => self.done(instance, token, state),
            Event::Ended { instance, exit } => self.ended(instance, exit),
            Event::Tick => {}
        }
    }

    /// The mission of an instance has had a process that was there.
    fn ran(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get(&id) else { return };
        let there = instance.is_there();
        let mission = instance.mission.and_then(|mission| self.missions.get_mut(mission));
        if let Some(mission) = mission {
            mission.ran |= there;
        }
    }

    fn done(&mut self, id: InstanceId, token: u32, state: Vec<u8>) {
        if self.unlinked(id, token) {
            return;
        }
        let saves = self.around(id, |instance, around| instance.done(around, token));
        if saves == Some(true) {
            self.save(id, state);
        }
    }

    /// What an instance wants to find again is kept for its mission.
    fn save(&mut self, id: InstanceId, state: Vec<u8>) {
        if state.len() > MAX_STATE {
            return;
        }
        let Some(mission) = self.instances.get(&id).and_then(|instance| instance.mission) else {
            return;
        };
        let Some(kept) = self.missions.get_mut(mission) else { return };
        if kept.saved > 0 || !state.is_empty() {
            kept.saved = state.len();
            self.actions.push(Action::Save { mission, state });
        }
    }

    fn tell_all(&mut self, level: Shortage) {
        for (id, instance) in &self.instances {
            if instance.hears() {
                let (instance, event) = (*id, Told::Memory(level));
                self.actions.push(Action::Tell { instance, token: 0, event, want: None });
            }
        }
    }

    /// What has run out of time.
    fn expire(&mut self) {
        self.expire_links();
        let late = |(id, instance): (&InstanceId, &Instance)| {
            instance.due.is_some_and(|due| due <= self.now).then_some(*id)
        };
        let late: Vec<InstanceId> = self.instances.iter().filter_map(late).collect();
        for id in late {
            let next = self.next == Some(id);
            self.around(id, |instance, around| instance.expire(around, next));
        }
    }

    /// All that can go on goes on. Who waits is answered before the front changes, so that what was so for
    /// a moment counts.
    fn settle(&mut self) {
        let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
        for id in &ids {
            self.around(*id, |instance, around| instance.pursue(around));
        }
        self.answer_all(&ids);
        self.arrange();
        self.answer_all(&ids);
    }

    fn answer_all(&mut self, ids: &[InstanceId]) {
        for id in ids {
            let Some(instance) = self.instances.get_mut(id) else { continue };
            let waiting = mem::take(&mut instance.waiting);
            let mut left = Vec::new();
            for waiting in waiting {
                match instance.answer(*id, waiting) {
                    Some(result) => {
                        self.actions.push(Action::Answer { request: waiting.request, result });
                    }
                    None => left.push(waiting),
                }
            }
            instance.waiting = left;
            if instance.is_stuck() {
                let kept = mem::take(&mut instance.afterwards);
                self.refuse(kept.iter().map(Again::request), &Refusal::Stuck);
            }
        }
    }

    fn answer(&mut self, request: RequestId, result: Answer) {
        self.actions.push(Action::Answer { request, result });
    }

    fn refuse(&mut self, requests: impl IntoIterator<Item = RequestId>, why: &Refusal) {
        for request in requests {
            self.answer(request, Err(why.clone()));
        }
    }
}
