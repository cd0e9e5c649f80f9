//! What is asked of the engine: allowed or not, joined to what is there, started, or kept for later.
//!
//! Invariant: each function here answers its request, or leaves it in exactly one `waiting` or `afterwards`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::abilities::State;
use model::bundle::{AbilityKind, BundleId, LaunchMode};
use model::want::Want;

use super::Engine;
use super::instance::{Instance, Who};
use super::limits::{MAX_HELD, MAX_INSTANCES, MAX_WAITING, MAX_WANTS};
use super::refusal::Refusal;
use super::requests::{Again, Ask, Goal, Waiting};
use super::rules::Asker;
use super::words::{
    Action, Caller, Exit, InstanceId, MissionId, Reason, RequestId, Target, Traits,
};
use crate::want;

impl Caller {
    pub(super) fn who(self) -> Who {
        match self {
            Self::Root => Who::Root,
            Self::App { instance, .. } => Who::Instance(instance),
        }
    }
}

impl Ask {
    /// Which one of those that there are of it; page or service.
    fn key(&self) -> Option<&str> {
        let keyed = self.traits.launch == LaunchMode::Specified;
        self.want.key.as_deref().filter(|_| keyed)
    }

    fn is_page(&self) -> bool {
        self.traits.kind == AbilityKind::Page
    }

    fn goal(&self) -> Goal {
        Goal::There { show: self.show && self.is_page() }
    }
}

impl Engine {
    /// A start, or a connection if it says so.
    pub(super) fn ask(&mut self, request: RequestId, caller: Caller, ask: Ask) {
        match self.admit(caller, &ask) {
            Ok(()) => self.begin(request, ask),
            Err(refusal) => self.answer(request, Err(refusal)),
        }
    }

    fn admit(&mut self, caller: Caller, ask: &Ask) -> Result<(), Refusal> {
        let (now, connect) = (self.now, ask.connect.is_some());
        let Caller::App { instance, permitted, background } = caller else {
            return self.rules.admit(now, None, &ask.target, ask.traits, connect);
        };
        let asker = asker(&self.instances, instance, (permitted, background))?;
        self.rules.admit(now, Some(&asker), &ask.target, ask.traits, connect)
    }

    /// Whether an app may have others started now: it is on the screen, or new, or may wherever it is (`background`).
    ///
    /// # Errors
    /// It may not.
    pub fn may_start(
        &self,
        now: Duration,
        instance: InstanceId,
        background: bool,
    ) -> Result<(), Refusal> {
        let asker = asker(&self.instances, instance, (true, background))?;
        if asker.may_start(now) { Ok(()) } else { Err(Refusal::FromBackground) }
    }

    /// Begins what is allowed.
    pub(super) fn begin(&mut self, request: RequestId, ask: Ask) {
        let many = ask.is_page() && ask.traits.launch == LaunchMode::Multiton;
        let found = if many { None } else { self.find(&ask.target, ask.key()) };
        let done = match found {
            Some(id) if self.is_ending(id) => self.keep(id, Again::Ask(request, ask)),
            Some(id) => self.join(id, request, ask),
            None => self.open(request, ask),
        };
        if let Err(refusal) = done {
            self.answer(request, Err(refusal));
        }
    }

    /// Gives a want, or a connection, to what is there.
    fn join(&mut self, id: InstanceId, request: RequestId, ask: Ask) -> Result<(), Refusal> {
        let fits = self.held() + want::size(&ask.want) <= MAX_HELD;
        let Some(instance) = self.instances.get_mut(&id) else { return Err(Refusal::NoInstance) };
        let goal = if instance.is_page() { ask.goal() } else { Goal::There { show: false } };
        if !fits || instance.waiting.len() >= MAX_WAITING {
            return Err(Refusal::Busy);
        }
        if let Some(who) = ask.connect {
            return self.link(id, request, who, (ask.want, true));
        }
        if instance.load() >= MAX_WANTS {
            return Err(Refusal::Busy);
        }
        instance.wants.push_back(Arc::clone(&ask.want));
        let mission = instance.mission.and_then(|mission| self.missions.get_mut(mission));
        if let Some(mission) = mission {
            mission.wanted(&ask.want);
        }
        instance.waiting.push(Waiting { request, goal, again: true });
        if goal == (Goal::There { show: true }) {
            self.show(id);
        }
        Ok(())
    }

    /// Starts an instance for it.
    fn open(&mut self, request: RequestId, ask: Ask) -> Result<(), Refusal> {
        if self.held() + want::size(&ask.want) > MAX_HELD {
            return Err(Refusal::Busy);
        }
        if self.instances.len() >= MAX_INSTANCES {
            return Err(Refusal::TooManyInstances);
        }
        if let Some(who) = ask.connect {
            self.may_link(None, who)?;
        }
        let key = ask.key().map(str::to_owned);
        let mission = if ask.is_page() { Some(self.mission_for(&ask, key.clone())?) } else { None };
        let reason = if ask.connect.is_some() { Reason::Connect } else { Reason::Start };
        let (page, goal) = (ask.is_page(), ask.goal());
        let want = Arc::clone(&ask.want);
        let instance = Instance::new(self.now, ask.target, key, ask.traits, mission);
        let id = self.launch(instance, ask.want, reason);
        if let Some(who) = ask.connect {
            return self.link(id, request, who, (want, false));
        }
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.waiting.push(Waiting { request, goal, again: false });
            if !page {
                instance.wants.push_back(want);
            }
        }
        if goal == (Goal::There { show: true }) {
            self.show(id);
        }
        Ok(())
    }

    fn mission_for(&mut self, ask: &Ask, key: Option<String>) -> Result<MissionId, Refusal> {
        let many = ask.traits.launch == LaunchMode::Multiton;
        if !many && let Some(id) = self.missions.find(&ask.target, key.as_deref()) {
            if let Some(mission) = self.missions.get_mut(id) {
                mission.wanted(&ask.want);
                mission.traits = ask.traits;
            }
            return Ok(id);
        }
        if let Some(oldest) = self.missions.room(&ask.target.bundle)? {
            self.drop_mission(oldest);
        }
        Ok(self.missions.add(ask.target.clone(), key, ask.traits, &ask.want))
    }

    /// Starts a process.
    fn launch(&mut self, new: Instance, want: Arc<Want>, reason: Reason) -> InstanceId {
        self.last_instance = InstanceId(self.last_instance.0.saturating_add(1));
        let (instance, mission) = (self.last_instance, new.mission);
        let mut restore = false;
        if let Some(kept) = mission.and_then(|mission| self.missions.get_mut(mission)) {
            kept.instance = Some(instance);
            restore = kept.saved > 0;
        }
        let target = new.target.clone();
        self.instances.insert(instance, new);
        self.actions.push(Action::Launch { instance, target, mission, want, reason, restore });
        instance
    }

    /// Starts the process of a mission that has none, to be shown.
    pub(super) fn restore(&mut self, id: MissionId) -> Result<InstanceId, Refusal> {
        let mission = self.missions.get(id).ok_or(Refusal::NoMission)?;
        if self.instances.len() >= MAX_INSTANCES {
            return Err(Refusal::TooManyInstances);
        }
        let (target, key, traits) = (mission.target.clone(), mission.key.clone(), mission.traits);
        let want = Arc::clone(&mission.want);
        let new = Instance::new(self.now, target, key, traits, Some(id));
        let instance = self.launch(new, want, Reason::Restore);
        self.show(instance);
        Ok(instance)
    }

    /// A mission should come to the front.
    pub(super) fn ask_show(&mut self, request: RequestId, id: MissionId, traits: Traits) {
        let Some(mission) = self.missions.get_mut(id) else {
            return self.answer(request, Err(Refusal::NoMission));
        };
        let running = mission.instance;
        if running.is_none() && traits.kind == AbilityKind::Page {
            mission.traits = traits;
        }
        let (instance, again) = match running {
            Some(instance) if self.is_ending(instance) => {
                if let Err(refusal) = self.keep(instance, Again::Show(request, id, traits)) {
                    self.answer(request, Err(refusal));
                }
                return;
            }
            Some(instance) => (instance, true),
            None if traits.kind != AbilityKind::Page => {
                return self.answer(request, Err(Refusal::NoMission));
            }
            None => match self.restore(id) {
                Ok(instance) => (instance, false),
                Err(refusal) => return self.answer(request, Err(refusal)),
            },
        };
        if self.wait(instance, Waiting { request, goal: Goal::Shown, again }) {
            self.show(instance);
        }
    }

    /// A mission should leave the screen.
    pub(super) fn ask_hide(&mut self, request: RequestId, id: MissionId) {
        let Some(mission) = self.missions.get(id) else {
            return self.answer(request, Err(Refusal::NoMission));
        };
        let Some(instance) = mission.instance else { return self.answer(request, Ok(None)) };
        if self.wait(instance, Waiting { request, goal: Goal::Hidden, again: true }) {
            self.hide(instance);
        }
    }

    /// An instance should end.
    pub(super) fn ask_stop(&mut self, request: RequestId, id: InstanceId) {
        if !self.instances.contains_key(&id) {
            return self.answer(request, Err(Refusal::NoInstance));
        }
        if self.wait(id, Waiting { request, goal: Goal::Gone, again: true }) {
            self.end(id, Exit::Requested);
        }
    }

    /// A mission should be forgotten.
    pub(super) fn ask_forget(&mut self, request: RequestId, id: MissionId) {
        let Some(mission) = self.missions.get(id) else {
            return self.answer(request, Err(Refusal::NoMission));
        };
        let Some(instance) = mission.instance else {
            self.drop_mission(id);
            return self.answer(request, Ok(None));
        };
        if self.wait(instance, Waiting { request, goal: Goal::Gone, again: true }) {
            self.end(instance, Exit::Requested);
            if let Some(instance) = self.instances.get_mut(&instance) {
                instance.forget = true;
            }
        }
    }

    /// One more waits for an instance, if there is room.
    fn wait(&mut self, id: InstanceId, waiting: Waiting) -> bool {
        let room = self.instances.get_mut(&id).filter(|i| i.waiting.len() < MAX_WAITING);
        let Some(instance) = room else {
            self.answer(waiting.request, Err(Refusal::Busy));
            return false;
        };
        instance.waiting.push(waiting);
        true
    }

    /// Keeps for later what can't begin before this instance has ended.
    fn keep(&mut self, id: InstanceId, again: Again) -> Result<(), Refusal> {
        let more = if let Again::Ask(_, ask) = &again { want::size(&ask.want) } else { 0 };
        let fits = self.held() + more <= MAX_HELD;
        let room = self.instances.get_mut(&id).filter(|i| fits && i.afterwards.len() < MAX_WANTS);
        room.ok_or(Refusal::Busy)?.afterwards.push(again);
        Ok(())
    }

    /// Bytes of all wants that wait.
    fn held(&self) -> usize {
        self.instances.values().map(Instance::held).sum()
    }

    /// The instance of an ability that is one, or one for each key.
    pub(super) fn find(&self, target: &Target, key: Option<&str>) -> Option<InstanceId> {
        let fits =
            |(_, i): &(&InstanceId, &Instance)| i.target == *target && i.key.as_deref() == key;
        self.instances.iter().rev().find(fits).map(|(id, _)| *id)
    }

    fn is_ending(&self, id: InstanceId) -> bool {
        self.instances.get(&id).is_some_and(|instance| instance.ending.is_some())
    }

    /// Whether instances of a bundle are there.
    #[must_use]
    pub fn runs(&self, bundle: &BundleId) -> bool {
        self.instances.values().any(|instance| instance.target.bundle == *bundle)
    }
}

/// What there is to know of an app that calls.
fn asker(
    instances: &BTreeMap<InstanceId, Instance>,
    instance: InstanceId,
    (permitted, background): (bool, bool),
) -> Result<Asker<'_>, Refusal> {
    let calling = instances.get(&instance).ok_or(Refusal::UnknownCaller)?;
    let bundle = &calling.target.bundle;
    let on_screen = |other: &Instance| {
        let state = matches!(other.state, State::Foreground | State::Foregrounding);
        state && other.target.bundle == *bundle
    };
    let in_front = instances.values().any(on_screen);
    Ok(Asker { bundle, in_front, launched: calling.launched, permitted, background })
}
