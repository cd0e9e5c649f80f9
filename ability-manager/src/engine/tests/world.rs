//! A device on a virtual clock: events go in by short names, actions come out as short lines.

use std::sync::Arc;
use std::time::Duration;

use model::Name;
use model::bundle::{AbilityKind, BundleId, LaunchMode, Lifecycle};
use model::want::Want;

use crate::engine::{
    Action, Caller, ConnectionId, Engine, Event, Exit, InstanceId, MissionId, Reason, RequestId,
    Shortage, Target, Told, Traits,
};

/// An ability that stories speak of.
#[derive(Debug, Clone)]
pub(super) struct Ability {
    pub(super) target: Target,
    pub(super) traits: Traits,
}

/// `bundle` is one word, `ability` the name in it.
pub(super) fn ability(bundle: &str, ability: &str, kind: AbilityKind) -> Ability {
    let target = Target { bundle: id(bundle), ability: Name::try_from(ability).unwrap() };
    let traits = Traits { kind, lifecycle: Lifecycle::Bus, exported: true, ..Traits::default() };
    Ability { target, traits }
}

pub(super) fn id(bundle: &str) -> BundleId {
    BundleId::try_from(format!("org.{bundle}")).unwrap()
}

/// A page that is told of its life.
pub(super) fn page(bundle: &str) -> Ability {
    ability(bundle, "page", AbilityKind::Page)
}

/// A page that knows nothing of its life.
pub(super) fn program(bundle: &str) -> Ability {
    page(bundle).lifecycle(Lifecycle::Process)
}

/// A service that is told of its life.
pub(super) fn service(bundle: &str) -> Ability {
    ability(bundle, "service", AbilityKind::Service)
}

/// What fills cards.
pub(super) fn form(bundle: &str) -> Ability {
    ability(bundle, "form", AbilityKind::Form)
}

impl Ability {
    pub(super) fn launch(mut self, launch: LaunchMode) -> Self {
        self.traits.launch = launch;
        self
    }

    pub(super) fn lifecycle(mut self, lifecycle: Lifecycle) -> Self {
        self.traits.lifecycle = lifecycle;
        self
    }

    pub(super) fn private(mut self) -> Self {
        self.traits.exported = false;
        self
    }
}

/// A want that says nothing but this.
pub(super) fn want(action: &str) -> Arc<Want> {
    Arc::new(Want { action: Some(action.to_owned()), ..Want::default() })
}

/// An app that calls, with no permission that counts.
pub(super) fn app(instance: u64) -> Caller {
    Caller::App { instance: InstanceId(instance), permitted: true, background: false }
}

/// A device.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) now: Duration,
    requests: RequestId,
    /// What was told last, to be answered.
    tokens: Vec<(u64, u32)>,
}

impl World {
    pub(super) fn feed(&mut self, event: Event) -> Vec<String> {
        let actions = self.engine.feed(self.now, event);
        for action in &actions {
            if let Action::Tell { instance, token, .. } = action {
                self.tokens.push((instance.0, *token));
            }
        }
        actions.iter().map(line).collect()
    }

    /// Time passes; whatever is due is done at its time.
    pub(super) fn after(&mut self, time: Duration) -> Vec<String> {
        let end = self.now + time;
        let mut lines = Vec::new();
        while let Some(due) = self.engine.due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            lines.extend(self.feed(Event::Tick));
        }
        self.now = end;
        lines
    }

    pub(super) fn request(&mut self) -> RequestId {
        self.requests += 1;
        self.requests
    }

    pub(super) fn start_by(
        &mut self,
        caller: Caller,
        ability: &Ability,
        want: &Arc<Want>,
        show: bool,
    ) -> Vec<String> {
        let (target, traits, want) = (ability.target.clone(), ability.traits, Arc::clone(want));
        let request = self.request();
        self.feed(Event::Start { request, caller, target, traits, want, show })
    }

    pub(super) fn start(&mut self, ability: &Ability) -> Vec<String> {
        self.start_by(Caller::Root, ability, &Arc::default(), true)
    }

    pub(super) fn connect(&mut self, caller: Caller, ability: &Ability) -> Vec<String> {
        let (target, traits, request) = (ability.target.clone(), ability.traits, self.request());
        self.feed(Event::Connect { request, caller, target, traits, want: Arc::default() })
    }

    /// It takes the connection that it was told of last.
    pub(super) fn accept(&mut self, instance: u64) -> Vec<String> {
        let token = self.token(instance);
        self.feed(Event::Accepted { instance: InstanceId(instance), token })
    }

    pub(super) fn disconnect(&mut self, caller: Caller, connection: u32) -> Vec<String> {
        let (request, connection) = (self.request(), ConnectionId(connection));
        self.feed(Event::Disconnect { request, caller, connection })
    }

    pub(super) fn show(&mut self, mission: u32, ability: &Ability) -> Vec<String> {
        let (request, mission, traits) = (self.request(), MissionId(mission), ability.traits);
        self.feed(Event::Show { request, mission, traits })
    }

    pub(super) fn hide(&mut self, mission: u32) -> Vec<String> {
        let (request, mission) = (self.request(), MissionId(mission));
        self.feed(Event::Hide { request, mission })
    }

    pub(super) fn stop(&mut self, instance: u64) -> Vec<String> {
        let (request, instance) = (self.request(), InstanceId(instance));
        self.feed(Event::Stop { request, instance })
    }

    pub(super) fn restart(&mut self, instance: u64, state: &[u8]) -> Vec<String> {
        let (request, instance, state) = (self.request(), InstanceId(instance), state.to_vec());
        self.feed(Event::Restart { request, instance, state })
    }

    pub(super) fn forget(&mut self, mission: u32) -> Vec<String> {
        let (request, mission) = (self.request(), MissionId(mission));
        self.feed(Event::Forget { request, mission })
    }

    pub(super) fn end(&mut self, bundle: &str, why: Exit) -> Vec<String> {
        self.feed(Event::End { bundle: id(bundle), why })
    }

    pub(super) fn launched(&mut self, instance: u64) -> Vec<String> {
        self.feed(Event::Launched { instance: InstanceId(instance) })
    }

    pub(super) fn attached(&mut self, instance: u64) -> Vec<String> {
        self.feed(Event::Attached { instance: InstanceId(instance) })
    }

    /// It has done what it was told last.
    pub(super) fn done(&mut self, instance: u64) -> Vec<String> {
        self.done_with(instance, &[])
    }

    /// The same, with state to be saved.
    pub(super) fn done_with(&mut self, instance: u64, state: &[u8]) -> Vec<String> {
        let token = self.token(instance);
        let (instance, state) = (InstanceId(instance), state.to_vec());
        self.feed(Event::Done { instance, token, state })
    }

    fn token(&self, instance: u64) -> u32 {
        let told = self.tokens.iter().rev().find(|(of, token)| *of == instance && *token != 0);
        told.map_or(0, |(_, token)| *token)
    }

    pub(super) fn ended(&mut self, instance: u64, exit: Exit) -> Vec<String> {
        self.feed(Event::Ended { instance: InstanceId(instance), exit })
    }

    /// Starts a page and lets it come to the front, taking whoever is there back.
    pub(super) fn in_front(&mut self, ability: &Ability) -> u64 {
        self.start(ability);
        let instance = self.engine.instances().last().map_or(0, |row| row.id.0);
        self.launched(instance);
        self.attached(instance);
        let front = self.engine.instances();
        let leaving = |state| state == api::abilities::State::Backgrounding;
        if let Some(front) = front.iter().find(|row| leaving(row.state)) {
            self.done(front.id.0);
        }
        self.done(instance);
        assert_eq!(self.state(instance), "foreground");
        instance
    }

    pub(super) fn state(&self, instance: u64) -> &'static str {
        self.engine.instance(InstanceId(instance)).map_or("gone", |row| row.state.word())
    }

    /// Why the process of a mission ended last.
    pub(super) fn exit(&self, mission: u32) -> String {
        let row = self.engine.mission(MissionId(mission));
        row.and_then(|row| row.exit).map_or_else(String::new, |exit| exit.to_string())
    }
}

fn line(action: &Action) -> String {
    match action {
        Action::Launch { instance, target, mission, want, reason, restore } => {
            let bundle = target.bundle.as_str().trim_start_matches("org.");
            let mission = mission.map_or(String::new(), |mission| format!(" m{}", mission.0));
            let reason = match reason {
                Reason::Start => "start",
                Reason::Connect => "connect",
                Reason::Restore => "restore",
            };
            let want = want.action.as_ref().map_or(String::new(), |action| format!(" {action}"));
            let state = if *restore { " with state" } else { "" };
            format!("launch {} {bundle}{mission} {reason}{want}{state}", instance.0)
        }
        Action::Tell { instance, event, want, .. } => {
            let want = want.as_ref().and_then(|want| want.action.clone()).unwrap_or_default();
            format!("tell {} {}", instance.0, told(*event, &want))
        }
        Action::Freeze { instance } => format!("freeze {}", instance.0),
        Action::Thaw { instance } => format!("thaw {}", instance.0),
        Action::Terminate { instance } => format!("terminate {}", instance.0),
        Action::Kill { instance, why } => format!("kill {} {why}", instance.0),
        Action::Save { mission, state } => format!("save m{} {} bytes", mission.0, state.len()),
        Action::Drop { mission } => format!("drop m{}", mission.0),
        Action::Answer { request, result: Ok(None) } => format!("{request}: done"),
        Action::Answer { request, result: Ok(Some(started)) } => {
            let mission =
                started.mission.map_or(String::new(), |mission| format!(" m{}", mission.0));
            let again = if started.again { " again" } else { "" };
            let by = started.connection.map_or(String::new(), |number| format!(" by {}", number.0));
            format!("{request}: {}{mission}{again}{by}", started.instance.0)
        }
        Action::Answer { request, result: Err(refusal) } => format!("{request}: {refusal}"),
    }
}

fn told(event: Told, want: &str) -> String {
    match event {
        Told::Foreground => "foreground".into(),
        Told::Background => "background".into(),
        Told::Want => format!("want {want}").trim_end().into(),
        Told::Terminate => "terminate".into(),
        Told::Connect => format!("connect {want}").trim_end().into(),
        Told::Left(_) => "left".into(),
        Told::Lost(connection) => format!("lost {}", connection.0),
        Told::Form => format!("form {want}").trim_end().into(),
        Told::FormGone(card) => format!("form {card} gone"),
        Told::Memory(Shortage::Moderate) => "memory moderate".into(),
        Told::Memory(Shortage::Low) => "memory low".into(),
        Told::Memory(Shortage::Critical) => "memory critical".into(),
    }
}

/// Nothing is to be done.
pub(super) const NOTHING: [&str; 0] = [];

pub(super) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
