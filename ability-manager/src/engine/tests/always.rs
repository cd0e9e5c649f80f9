//! What must hold at every step, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::abilities::State;

use crate::engine::instance::{Instance, Who};
use crate::engine::links::Step;
use crate::engine::requests::{Again, Goal, Waiting};
use crate::engine::{Action, Engine, Event, InstanceId, RequestId};

/// Feeds an event, and checks all that must hold of this step and of what is there after it.
pub(super) fn step(engine: &mut Engine, now: Duration, event: Event) -> Vec<Action> {
    let told = event.clone();
    let asked = request(&event);
    let before = engine.clone();
    let actions = engine.feed(now, event);
    let context = || format!("{told:?}\ngave {actions:#?}\nfrom {before:#?}\nto {engine:#?}");
    requests(&before, asked, &actions, engine).unwrap_or_else(|e| panic!("{e}: {}", context()));
    told_and_started(&before, &actions, engine).unwrap_or_else(|e| panic!("{e}: {}", context()));
    world(engine).unwrap_or_else(|e| panic!("{e}: {}", context()));
    if engine.due().is_some_and(|due| due <= engine.now) {
        panic!("it is due at once again: {}", context());
    }
    actions
}

fn request(event: &Event) -> Option<RequestId> {
    match event {
        Event::Start { request, .. }
        | Event::Connect { request, .. }
        | Event::Disconnect { request, .. }
        | Event::Show { request, .. }
        | Event::Hide { request, .. }
        | Event::Stop { request, .. }
        | Event::Restart { request, .. }
        | Event::Forget { request, .. } => Some(*request),
        _ => None,
    }
}

/// Requests that wait, as often as they are found.
pub(super) fn waiting(engine: &Engine) -> Vec<RequestId> {
    let of = |instance: &Instance| {
        let now = instance.waiting.iter().map(|waiting| waiting.request);
        now.chain(instance.afterwards.iter().map(Again::request)).collect::<Vec<_>>()
    };
    let mut all: Vec<RequestId> = engine.instances.values().flat_map(of).collect();
    all.sort_unstable();
    all
}

/// Each request is answered once, or waits in one place.
fn requests(
    before: &Engine,
    asked: Option<RequestId>,
    actions: &[Action],
    after: &Engine,
) -> Result<(), String> {
    let mut known = waiting(before);
    known.extend(asked);
    known.sort_unstable();
    let mut seen = waiting(after);
    for action in actions {
        if let Action::Answer { request, .. } = action {
            seen.push(*request);
        }
    }
    seen.sort_unstable();
    if known != seen {
        return Err(format!("requests {known:?} became {seen:?}"));
    }
    let idle = after.due().is_none() && !waiting(after).is_empty();
    if idle { Err("somebody waits, and nothing is due".into()) } else { Ok(()) }
}

/// What is told is known, has attached and does not stand still; each is launched once.
fn told_and_started(before: &Engine, actions: &[Action], after: &Engine) -> Result<(), String> {
    let mut known: BTreeSet<InstanceId> = before.instances.keys().copied().collect();
    let mut still: BTreeMap<InstanceId, bool> = BTreeMap::new();
    for (id, instance) in &before.instances {
        still.insert(*id, instance.state == State::Frozen);
    }
    let mut last = before.last_instance;
    for action in actions {
        match action {
            Action::Launch { instance, mission, .. } => {
                if *instance <= last {
                    return Err(format!("{instance:?} was launched before"));
                }
                if mission.is_some_and(|mission| after.missions.get(mission).is_none()) {
                    return Err(format!("{instance:?} shows a mission that is not there"));
                }
                last = *instance;
                known.insert(*instance);
            }
            Action::Tell { instance, .. } => {
                let there = after.instances.get(instance);
                if !there.is_some_and(|there| there.attached && there.is_told()) {
                    return Err(format!("{instance:?} is told, and does not hear"));
                }
                if still.get(instance) == Some(&true) {
                    return Err(format!("{instance:?} is told, and stands still"));
                }
            }
            Action::Freeze { instance } | Action::Thaw { instance } => {
                let freeze = matches!(action, Action::Freeze { .. });
                if still.insert(*instance, freeze) == Some(freeze) {
                    return Err(format!("{instance:?} is frozen or thawed twice"));
                }
            }
            Action::Terminate { instance } | Action::Kill { instance, .. } => {
                if !known.contains(instance) {
                    return Err(format!("{instance:?} is ended, and not known"));
                }
            }
            Action::Save { .. } | Action::Drop { .. } | Action::Answer { .. } => {}
        }
    }
    let mut frozen = after.instances.iter().filter(|(_, i)| i.state == State::Frozen);
    match frozen.find(|(id, _)| still.get(id) != Some(&true)) {
        Some((id, _)) => Err(format!("{id:?} should stand still")),
        None => Ok(()),
    }
}

/// What is so of connections: who is connected is there, and hears when it is so no more; what is not there yet has
/// somebody who waits for it.
fn links(engine: &Engine, id: InstanceId, instance: &Instance) -> Result<(), String> {
    if instance.hears() && !instance.lost.is_empty() {
        return Err(format!("{id:?} was not told what it has lost"));
    }
    for (connection, link) in &instance.links {
        if let Who::Instance(who) = link.who
            && !engine.instances.contains_key(&who)
        {
            return Err(format!("{who:?} is gone, and connected to {id:?}"));
        }
        let there =
            engine.instances.iter().filter(|(_, other)| other.links.contains_key(connection));
        if connection.0 == 0 || there.count() != 1 {
            return Err(format!("{connection:?} is not one"));
        }
        let waits = |waiting: &Waiting| waiting.goal == Goal::Connected(*connection);
        let waits = instance.waiting.iter().filter(|waiting| waits(waiting)).count();
        let open = instance.is_open(*connection);
        if waits > 1 || (waits == 0 && !open && instance.ending.is_none()) || (waits > 0 && open) {
            return Err(format!("{waits} wait for {connection:?} to {id:?}, {link:?}"));
        }
        let told = matches!(link.step, Step::Asked(_));
        let works = matches!(instance.state, State::Inactive | State::Active);
        if told && works && instance.ending.is_none() {
            return Err(format!("{id:?} was not told of {connection:?}"));
        }
    }
    Ok(())
}

/// What is so at any time.
fn world(engine: &Engine) -> Result<(), String> {
    let front = engine.instances.values().filter(|instance| instance.is_in_front()).count();
    if front > 1 {
        return Err(format!("{front} are in front"));
    }
    if let Some(next) = engine.next {
        let next = engine.instances.get(&next);
        if !next.is_some_and(|next| next.is_page() && next.ending.is_none()) {
            return Err("who comes next can't come".into());
        }
    }
    for (id, instance) in &engine.instances {
        let rests = matches!(instance.state, State::Active | State::Foreground | State::Frozen);
        let works = instance.state == State::Background && instance.busy;
        if instance.due.is_none() != rests && !works {
            return Err(format!("{id:?} in {:?} has due {:?}", instance.state, instance.due));
        }
        if instance.is_page() != instance.mission.is_some() {
            return Err(format!("{id:?} and its mission do not agree"));
        }
        if instance.state == State::Terminating && instance.ending.is_none() {
            return Err(format!("{id:?} ends for no reason"));
        }
        let mission = instance.mission.and_then(|mission| engine.missions.get(mission));
        if instance.is_page() && mission.and_then(|mission| mission.instance) != Some(*id) {
            return Err(format!("the mission of {id:?} does not know it"));
        }
        links(engine, *id, instance)?;
    }
    for (id, mission) in engine.missions.in_order() {
        let shown = mission.instance.and_then(|instance| engine.instances.get(&instance));
        if mission.instance.is_some() && shown.and_then(|shown| shown.mission) != Some(id) {
            return Err(format!("{id:?} is shown by what does not know it"));
        }
    }
    Ok(())
}
