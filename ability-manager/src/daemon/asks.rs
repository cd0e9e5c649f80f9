//! What clients and apps ask, as requests to the engine, and the way of their answers.
//!
//! Invariant: whoever asks has one answer, also when the engine is not asked at all.

use std::sync::Arc;

use api::abilities::{Error, Started as Row};
use model::bundle::{Ability, AbilityKind, BundleId};
use model::want::Want;

use super::control::Reply;
use super::finding::{Answering, Found};
use super::units;
use super::{Daemon, seat};
use crate::engine::{
    Caller, Event, InstanceId, Kind, MissionId, Refusal, RequestId, Started, Target, Traits,
};

/// Most requests under way; more are refused at once.
const MAX_ASKS: usize = 1024;

/// Most clients that wait for a state.
const MAX_WAITS: usize = 256;

/// Who waits for an answer of the engine.
#[derive(Debug)]
pub(super) enum Asker {
    /// A client, which is told what was started.
    Started(Reply<Row>),
    /// A client, which is told that it is done.
    Done(Reply<()>),
    /// An app, which is told that it is done.
    App(seat::Reply),
    /// A card, which is to be filled.
    Card(u32),
    /// An app, which gets its end of a connection.
    Connected(seat::Reply),
    /// Nobody.
    Nobody,
}

/// A client that waits for a state of an instance.
#[derive(Debug)]
pub(super) struct Wait {
    instance: Option<InstanceId>,
    states: Vec<String>,
    reply: Reply<String>,
}

impl Daemon {
    /// Notes who waits, and the number of the request.
    pub(super) fn asked_by(&mut self, asker: Asker) -> Option<RequestId> {
        if self.asks.len() >= MAX_ASKS {
            let why = format!("{MAX_ASKS} requests are under way: ask again later");
            tell(asker, Err(Error::Refused(why)));
            return None;
        }
        self.last_request += 1;
        self.asks.insert(self.last_request, asker);
        Some(self.last_request)
    }

    /// The engine's answer.
    pub(super) fn answer(&mut self, request: RequestId, result: Result<Option<Started>, Refusal>) {
        let Some(asker) = self.asks.remove(&request) else { return };
        if let Asker::Connected(reply) = asker {
            return self.connected(result, reply);
        }
        if let (Asker::Card(number), Err(why)) = (&asker, &result) {
            return self.not_filled(*number, why.to_string());
        }
        let row = |started: Started| {
            let live = self.lives.get(&started.instance);
            live.map(|live| Row {
                unit: live.unit.clone(),
                bundle: live.target.bundle.to_string(),
                ability: live.target.ability.to_string(),
                mission: started.mission.map_or(0, |mission| mission.0),
                again: started.again,
            })
        };
        tell(asker, result.map(|started| started.and_then(row)).map_err(|why| error(&why)));
    }

    /// A client wants something started.
    pub(super) fn start(&mut self, want: Want, show: bool, reply: Reply<Row>) {
        match self.find(&want, |_, _| true) {
            Found::Nothing(why) => drop(reply.send(Err(why))),
            Found::Several(all) => {
                let name = |target: &Target| format!("{}/{}", target.bundle, target.ability);
                let names: Vec<String> = all.iter().map(name).collect();
                let why = format!("several abilities answer this want: {}", names.join(", "));
                drop(reply.send(Err(Error::Ambiguous(why))));
            }
            Found::One(Answering { traits, .. }) if traits.kind == AbilityKind::Form => {
                drop(reply.send(Err(error(&Refusal::IsForm))));
            }
            Found::One(Answering { target, traits, .. }) => {
                if let Some(why) = self.locked_out(&target) {
                    return drop(reply.send(Err(Error::Refused(why))));
                }
                let Some(request) = self.asked_by(Asker::Started(reply)) else { return };
                let (caller, want) = (Caller::Root, Arc::new(want));
                self.feed(Event::Start { request, caller, target, traits, want, show });
            }
        }
    }

    /// A client wants an instance ended: its unit, or the number of its mission.
    pub(super) fn stop(&mut self, unit: &str, reply: Reply<()>) {
        let of_mission = |number: u32| self.engine.mission(MissionId(number))?.instance;
        let of_unit = || {
            units::instance(unit)
                .filter(|id| self.lives.get(id).is_some_and(|live| live.unit == unit))
        };
        let found = unit.parse().ok().and_then(of_mission).or_else(of_unit);
        let Some(instance) = found else {
            let rests = |number: &u32| self.engine.mission(MissionId(*number)).is_some();
            let why = match unit.parse().ok().filter(rests) {
                Some(number) => format!(
                    "mission {number} does not run: `ensctl ability show {number}` starts it, forget removes it"
                ),
                None => format!("no instance is called `{unit}`: `ensctl ability list` shows all"),
            };
            return drop(reply.send(Err(Error::NotFound(why))));
        };
        let Some(request) = self.asked_by(Asker::Done(reply)) else { return };
        self.feed(Event::Stop { request, instance });
    }

    /// A client wants a mission in front.
    pub(super) fn show(&mut self, mission: u32, reply: Reply<Row>) {
        let mission = MissionId(mission);
        let target = self.engine.mission(mission).map(|row| row.target);
        let held = target.as_ref().and_then(|target| self.store.get(&target.bundle));
        let ability = held.as_ref().zip(target.as_ref());
        let ability = ability.and_then(|(held, t)| held.manifest.ability(t.ability.as_str()));
        let Some(ability) = ability else {
            let why = match target {
                Some(target) => {
                    format!("{}/{} is not installed any more", target.bundle, target.ability)
                }
                None => no_mission(mission),
            };
            return drop(reply.send(Err(Error::NotFound(why))));
        };
        let traits = traits(ability);
        if let Some(why) = target.as_ref().and_then(|target| self.locked_out(target)) {
            return drop(reply.send(Err(Error::Refused(why))));
        }
        let Some(request) = self.asked_by(Asker::Started(reply)) else { return };
        self.feed(Event::Show { request, mission, traits });
    }

    /// A client wants a mission off the screen.
    pub(super) fn hide(&mut self, mission: u32, reply: Reply<()>) {
        let Some(request) = self.asked_by(Asker::Done(reply)) else { return };
        self.feed(Event::Hide { request, mission: MissionId(mission) });
    }

    /// A client wants a mission forgotten.
    pub(super) fn forget(&mut self, mission: u32, reply: Reply<()>) {
        let Some(request) = self.asked_by(Asker::Done(reply)) else { return };
        self.feed(Event::Forget { request, mission: MissionId(mission) });
    }

    /// A client wants to know when an instance is in one of these states.
    pub(super) fn wait(&mut self, unit: &str, states: Vec<String>, reply: Reply<String>) {
        if self.waits.len() >= MAX_WAITS {
            let why = format!("{MAX_WAITS} clients wait already: ask again later");
            return drop(reply.send(Err(Error::Refused(why))));
        }
        let instance = units::instance(unit);
        self.waits.retain(|wait| !wait.reply.is_closed());
        self.waits.push(Wait { instance, states, reply });
        self.answer_waits();
    }

    /// Answers those whose state has come.
    pub(super) fn answer_waits(&mut self) {
        let mut waits = std::mem::take(&mut self.waits);
        let engine = &self.engine;
        for wait in
            waits.extract_if(.., |wait| wait.states.iter().any(|state| state == wait.now(engine)))
        {
            let word = wait.now(engine).to_owned();
            // It has hung up meanwhile.
            let _gone = wait.reply.send(Ok(word));
        }
        self.waits = waits;
    }

    /// Everything of a bundle is to end.
    pub(super) fn end_bundle(&mut self, bundle: &BundleId, why: crate::engine::Exit) {
        self.feed(Event::End { bundle: bundle.clone(), why });
    }
}

impl Asker {
    /// Nothing comes of it.
    pub(super) fn refuse(self, why: Error) {
        tell(self, Err(why));
    }
}

impl Wait {
    fn now(&self, engine: &crate::engine::Engine) -> &'static str {
        let row = self.instance.and_then(|instance| engine.instance(instance));
        row.map_or("gone", |row| row.state.word())
    }
}

/// What the engine must know of an ability.
pub(super) fn traits(ability: &Ability) -> Traits {
    Traits {
        kind: ability.kind,
        launch: ability.launch,
        lifecycle: ability.lifecycle,
        exported: ability.exported,
    }
}

fn no_mission(mission: MissionId) -> String {
    format!("there is no mission {}: `ensctl ability missions` shows all", mission.0)
}

/// Answers whoever asked.
fn tell(asker: Asker, result: Result<Option<Row>, Error>) {
    // Who has hung up meanwhile wants no answer.
    match asker {
        Asker::Nobody | Asker::Card(_) => {}
        Asker::Done(reply) => drop(reply.send(result.map(|_| ()))),
        Asker::App(reply) | Asker::Connected(reply) => reply.send(result.as_ref().map(|_| &())),
        Asker::Started(reply) => {
            let ended = || Error::Failed("it has ended meanwhile: see `ensctl log`".to_owned());
            drop(reply.send(result.and_then(|row| row.ok_or_else(ended))));
        }
    }
}

/// A refusal of the engine, in words of the bus.
pub(super) fn error(why: &Refusal) -> Error {
    let text = why.to_string();
    match why.kind() {
        Kind::NotFound => Error::NotFound(text),
        Kind::Refused => Error::Refused(text),
        Kind::Failed => Error::Failed(text),
        Kind::Invalid => Error::Invalid(text),
    }
}
