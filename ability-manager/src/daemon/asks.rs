//! What clients and apps ask, as requests to the engine, and the way of their answers.
//!
//! Invariant: whoever asks has one answer, also when the engine is not asked at all.

use std::sync::Arc;

use api::abilities::{Candidate, Error, Started as Row};
use model::Name;
use model::bundle::{Ability, BundleId};
use model::want::Want;

use super::control::Reply;
use super::units;
use super::{Daemon, seat};
use crate::engine::{
    Caller, Event, InstanceId, Kind, MissionId, Refusal, RequestId, Started, Target, Traits,
};
use crate::store::Held;

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

    /// The one ability that answers a want.
    ///
    /// # Errors
    /// None does, or several do.
    pub(super) fn target(
        &self,
        want: &Want,
        may: impl Fn(&Held, &Ability) -> bool,
    ) -> Result<(Target, Traits, Option<Name>), Error> {
        let named = |held: &Held, ability: &Ability| {
            let target = Target { bundle: held.id().clone(), ability: ability.name.clone() };
            (target, traits(ability), ability.permission.clone())
        };
        if let Some(id) = &want.bundle {
            let held = self.store.get(id).ok_or_else(|| {
                Error::NotFound(format!("no bundle is called `{id}`: `ensctl app list` shows all"))
            })?;
            let ability = match &want.ability {
                Some(name) => held.manifest.ability(name.as_str()).ok_or_else(|| {
                    Error::NotFound(format!("{id} has no ability `{name}`: `ensctl app info {id}`"))
                })?,
                None if want.action.is_none() && want.uri.is_none() => {
                    held.manifest.first_page().ok_or_else(|| {
                        Error::NotFound(format!(
                            "{id} has no page: name one of its abilities: `ensctl app info {id}`"
                        ))
                    })?
                }
                None => return self.one_of(self.matching(want, &may), named),
            };
            return Ok(named(held, ability));
        }
        self.one_of(self.matching(want, &may), named)
    }

    fn one_of<T>(
        &self,
        found: Vec<(Arc<Held>, Name)>,
        named: impl Fn(&Held, &Ability) -> T,
    ) -> Result<T, Error> {
        let [(held, name)] = found.as_slice() else {
            let names: Vec<String> =
                found.iter().map(|(held, name)| format!("{}/{name}", held.id())).collect();
            return Err(if names.is_empty() {
                Error::NotFound("no ability answers this want".to_owned())
            } else {
                Error::Ambiguous(format!(
                    "several abilities answer this want: {}",
                    names.join(", ")
                ))
            });
        };
        held.manifest
            .ability(name.as_str())
            .map(|ability| named(held, ability))
            .ok_or_else(|| Error::NotFound("no ability answers this want".to_owned()))
    }

    /// All abilities that answer an implicit want.
    fn matching(
        &self,
        want: &Want,
        may: &impl Fn(&Held, &Ability) -> bool,
    ) -> Vec<(Arc<Held>, Name)> {
        let mut found = self.answers.borrow_mut().to(want, &self.store);
        found.retain(|(held, name)| {
            let named = want.bundle.as_ref().is_none_or(|id| id == held.id())
                && want.ability.as_ref().is_none_or(|wanted| wanted == name);
            let ability = held.manifest.ability(name.as_str());
            named && ability.is_some_and(|ability| may(held, ability))
        });
        found
    }

    /// What would answer a want.
    pub(super) fn candidates(&self, want: &Want) -> Vec<Candidate> {
        self.candidates_for(want, |_, _| true)
    }

    /// What of all that somebody may start would answer a want.
    pub(super) fn candidates_for(
        &self,
        want: &Want,
        may: impl Fn(&Held, &Ability) -> bool,
    ) -> Vec<Candidate> {
        let label = |held: &Held, name: &Name| {
            let ability = held.manifest.ability(name.as_str());
            let label = ability.and_then(|ability| ability.label.as_ref());
            label.unwrap_or(&held.manifest.name).of(&self.locale).to_owned()
        };
        let row = |held: &Held, name: &Name| Candidate {
            bundle: held.id().to_string(),
            ability: name.to_string(),
            label: label(held, name),
        };
        if want.bundle.is_some() && (want.ability.is_some() || want.action.is_none()) {
            let Ok((target, ..)) = self.target(want, &may) else { return Vec::new() };
            // What is there is nobody's to know who may not start it.
            let theirs = |held: &&Arc<Held>| {
                let ability = held.manifest.ability(target.ability.as_str());
                ability.is_some_and(|ability| may(held, ability))
            };
            let held = self.store.get(&target.bundle).filter(theirs);
            return held.map(|held| row(held, &target.ability)).into_iter().collect();
        }
        self.matching(want, &may).iter().map(|(held, name)| row(held, name)).collect()
    }

    /// A client wants something started.
    pub(super) fn start(&mut self, want: Want, show: bool, reply: Reply<Row>) {
        match self.target(&want, |_, _| true) {
            Err(e) => drop(reply.send(Err(e))),
            Ok((target, traits, _)) => {
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
        Asker::Nobody => {}
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
