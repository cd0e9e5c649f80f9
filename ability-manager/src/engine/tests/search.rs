//! Breadth-first through all that can happen in a small world: every event in every state, states that differ in
//! names alone taken as one. What must hold is looked at in each step; and from each state, once nobody
//! does anything any more, time alone answers all who wait.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use model::bundle::LaunchMode;

use super::always::{step, waiting};
use super::world::{Ability, app, form, id, page, program, service};
use crate::engine::instance::{Instance, Who};
use crate::engine::links::{Link, Step};
use crate::engine::requests::{Again, Goal};
use crate::engine::rules::Rules;
use crate::engine::{
    Caller, ConnectionId, Engine, Event, Exit, InstanceId, MissionId, NEW_PROCESS, RequestId,
};

/// Most states that one search looks at: a few seconds.
const MAX_STATES: usize = 20_000;

/// Most instances, missions and requests at a time, so that the search ends somewhere.
const MOST: usize = 2;

/// Most steps of time until all who wait are answered: every wait is a chain of a few times.
const MAX_TICKS: usize = 40;

#[test]
fn two_pages_on_one_screen_keep_all_rules() {
    search(&[page("a"), program("b")]);
}

#[test]
fn a_page_and_a_service_of_one_bundle_keep_all_rules() {
    search(&[page("a"), service("a")]);
}

#[test]
fn several_instances_of_one_page_keep_all_rules() {
    search(&[page("a").launch(LaunchMode::Multiton), service("b")]);
}

#[test]
fn two_services_that_are_connected_to_each_other_keep_all_rules() {
    search(&[service("a"), service("b")]);
}

#[test]
fn a_page_and_a_card_keep_all_rules() {
    search(&[page("a"), form("b")]);
}

fn search(abilities: &[Ability]) {
    let mut seen = HashSet::new();
    let mut states = VecDeque::from([Engine::default()]);
    while let Some(engine) = states.pop_front() {
        all_are_answered(engine.clone());
        for (now, event) in events(&engine, abilities) {
            let mut next = engine.clone();
            step(&mut next, now, event);
            next.rules = Rules::default();
            if seen.len() < MAX_STATES && seen.insert(hash(&next)) {
                states.push_back(next);
            }
        }
    }
    assert!(seen.len() > 1_000, "{} states are no search", seen.len());
}

/// Nobody does anything any more, and what is killed stays: all who wait are answered all the same.
fn all_are_answered(mut engine: Engine) {
    for _ in 0..MAX_TICKS {
        if waiting(&engine).is_empty() {
            return;
        }
        let Some(due) = engine.due() else { break };
        step(&mut engine, due, Event::Tick);
    }
    assert!(waiting(&engine).is_empty(), "nobody answers: {engine:#?}");
}

/// All that can happen now, and when.
fn events(engine: &Engine, abilities: &[Ability]) -> Vec<(Duration, Event)> {
    let request = waiting(engine).last().map_or(1, |last| last + 1);
    let mut events = Vec::new();
    if waiting(engine).len() < MOST {
        asks(engine, abilities, request, &mut events);
    }
    events.push(Event::End { bundle: id("a"), why: Exit::Removed });
    events.push(Event::End { bundle: id("a"), why: Exit::Revoked });
    for (id, instance) in &engine.instances {
        events.push(Event::Busy { instance: *id, busy: !instance.busy });
        of_instance(*id, instance, &mut events);
    }
    let mut events: Vec<_> = events.into_iter().map(|event| (engine.now, event)).collect();
    events.extend(engine.due().map(|due| (due, Event::Tick)));
    events
}

fn asks(engine: &Engine, abilities: &[Ability], request: RequestId, events: &mut Vec<Event>) {
    let root = Caller::Root;
    for Ability { target, traits } in abilities {
        let (target, traits, want) = (target.clone(), *traits, Arc::default());
        if engine.instances.len() >= MOST || engine.missions.in_order().len() > MOST {
            break;
        }
        if target.ability.as_str() == "service" {
            let callers = engine.instances.keys().map(|id| app(id.0)).chain([root]);
            for caller in callers {
                let (target, want) = (target.clone(), Arc::clone(&want));
                events.push(Event::Connect { request, caller, target, traits, want });
            }
        }
        let caller = root;
        events.push(Event::Start { request, caller, target, traits, want, show: true });
    }
    for (connection, link) in engine.instances.values().flat_map(|life| &life.links) {
        let caller = match link.who {
            Who::Root => root,
            Who::Instance(id) => app(id.0),
        };
        events.push(Event::Disconnect { request, caller, connection: *connection });
    }
    for (mission, kept) in engine.missions.in_order() {
        events.push(Event::Show { request, mission, traits: kept.traits });
        events.push(Event::Hide { request, mission });
        events.push(Event::Forget { request, mission });
    }
    for instance in engine.instances.keys().copied() {
        events.push(Event::Stop { request, instance });
        events.push(Event::Restart { request, instance, state: vec![1] });
    }
}

fn of_instance(instance: InstanceId, life: &Instance, events: &mut Vec<Event>) {
    if life.launched.is_none() {
        events.push(Event::Launched { instance });
        events.push(Event::LaunchFailed { instance, why: String::new() });
    }
    if life.is_told() {
        events.push(Event::Attached { instance });
    }
    let told: Vec<u32> = life.links.values().filter_map(Link::token).collect();
    events.extend(told.iter().map(|token| Event::Accepted { instance, token: *token }));
    for token in life.token.iter().chain(&life.commands).chain(&told).copied() {
        events.push(Event::Done { instance, token, state: vec![1] });
    }
    events.push(Event::Kill { instance, why: Exit::LowMemory });
    for exit in [Exit::Normal, Exit::Signal(11)] {
        events.push(Event::Ended { instance, exit });
    }
}

/// What a state is, whatever its numbers are and whenever it is.
fn hash(engine: &Engine) -> u64 {
    let mut plain = engine.clone();
    let instances: BTreeMap<InstanceId, InstanceId> =
        (1..).map(InstanceId).zip(engine.instances.keys()).map(|(to, from)| (*from, to)).collect();
    let mut missions: Vec<MissionId> =
        engine.missions.in_order().into_iter().map(|(id, _)| id).collect();
    missions.reverse();
    let to_mission = |from: MissionId| {
        let place = missions.iter().position(|id| *id == from).unwrap_or(99);
        MissionId(u32::try_from(place).unwrap_or(u32::MAX) + 1)
    };
    let mut connections = BTreeMap::new();
    let mut number_of = |connection: ConnectionId| {
        let next = ConnectionId(u32::try_from(connections.len()).unwrap_or(u32::MAX));
        *connections.entry(connection).or_insert(next)
    };
    let mut requests = BTreeMap::new();
    let mut tokens = 0_u32;
    plain.instances.clear();
    for (id, instance) in &engine.instances {
        let mut life = instance.clone();
        life.since = Duration::ZERO;
        life.due = life.due.map(|due| due.saturating_sub(engine.now));
        let old = |launched: Duration| engine.now > launched + NEW_PROCESS;
        life.launched = life.launched.map(|launched| Duration::from_secs(u64::from(old(launched))));
        life.mission = life.mission.map(to_mission);
        tokens += 100;
        life.token = life.token.map(|_| tokens);
        life.commands = (tokens..).skip(1).zip(&life.commands).map(|(token, _)| token).collect();
        plain_links(&mut life, engine.now, &instances, &mut number_of);
        let mut number = |request: &mut RequestId| {
            let next = u64::try_from(requests.len()).unwrap_or(u64::MAX);
            *request = *requests.entry(*request).or_insert(next);
        };
        for waiting in &mut life.waiting {
            number(&mut waiting.request);
            if let Goal::Connected(connection) = waiting.goal {
                waiting.goal = Goal::Connected(number_of(connection));
            }
        }
        for kept in &mut life.afterwards {
            match kept {
                Again::Ask(request, ask) => {
                    number(request);
                    ask.connect = ask.connect.map(|who| rename(who, &instances));
                }
                Again::Show(request, mission, _) => {
                    number(request);
                    *mission = to_mission(*mission);
                }
            }
        }
        plain.instances.insert(instances.get(id).copied().unwrap_or_default(), life);
    }
    plain.next = plain.next.and_then(|next| instances.get(&next).copied());
    (plain.now, plain.last_token, plain.last_instance) = Default::default();
    plain.last_connection = ConnectionId(0);
    plain.missions = Default::default();
    let mut hasher = DefaultHasher::new();
    postcard::to_allocvec(&plain).unwrap().hash(&mut hasher);
    for (_, mission) in engine.missions.in_order() {
        let shown = mission.instance.and_then(|instance| instances.get(&instance));
        (mission.target.clone(), shown, mission.saved, mission.ran).hash(&mut hasher);
    }
    hasher.finish()
}

/// Connections, whatever their numbers and tokens are.
fn plain_links(
    life: &mut Instance,
    now: Duration,
    instances: &BTreeMap<InstanceId, InstanceId>,
    number_of: &mut impl FnMut(ConnectionId) -> ConnectionId,
) {
    for (connection, link) in mem::take(&mut life.links) {
        let step = match link.step {
            Step::Told { until, want, .. } => {
                Step::Told { token: 0, until: until.saturating_sub(now), want }
            }
            Step::Open { .. } => Step::Open { token: 0 },
            asked @ Step::Asked(_) => asked,
        };
        let link = Link { who: rename(link.who, instances), step };
        life.links.insert(number_of(connection), link);
    }
    life.lost = life.lost.iter().map(|connection| number_of(*connection)).collect();
}

fn rename(who: Who, instances: &BTreeMap<InstanceId, InstanceId>) -> Who {
    match who {
        Who::Root => who,
        Who::Instance(id) => Who::Instance(instances.get(&id).copied().unwrap_or_default()),
    }
}
