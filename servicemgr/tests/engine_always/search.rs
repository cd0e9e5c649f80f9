//! Small graphs, searched breadth first: every event in every state, states deduplicated.
//!
//! | | graphs | states a graph |
//! |---|---|---|
//! | two services, each pair of kinds, each relation | 9 × 8 × 8 | [`STATES`] |
//! | three services in a row, each pair of relations, kinds taken in turn | 9 × 9 | [`STATES`] |
//!
//! `ENSEMBLE_SOAK=n` searches n times as many states of each. What differs only in times and not in
//! the order of deadlines is one state. From every fourth new state it must come to rest.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use model::Plan;
use model::service::{Kind, Output, Reload, RestartWhen, Service, Start};
use servicemgr::engine::{Ask, End, Event, Id, Life, State};

use crate::plans::{name, plan, service};
use crate::world::{Process, World, furnish};

/// States looked at in each graph.
const STATES: usize = 120;

/// Relations there are.
const RELATIONS: usize = 9;

/// Kinds of services that are told apart here.
const KINDS: usize = 8;

/// How many times more than usual is done.
pub(crate) fn soak() -> usize {
    std::env::var("ENSEMBLE_SOAK").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

fn relate(s: &mut Service, relation: usize, to: &str) {
    let lists = [
        &mut s.requires,
        &mut s.wants,
        &mut s.after,
        &mut s.before,
        &mut s.binds,
        &mut s.conflicts,
        &mut s.part_of,
        &mut s.on_failure,
        &mut s.on_success,
    ];
    lists.into_iter().nth(relation % RELATIONS).into_iter().for_each(|list| list.push(name(to)));
}

fn make(named: &str, kind: usize) -> Service {
    let mut s = service(named);
    s.output = Output::Null;
    s.restart.limit = 2;
    match kind % KINDS {
        0 => s.commands.reload = Some(Reload::Signal(1)),
        1 => (s.kind, s.commands.reload) = (Kind::NotifyReload, Some(Reload::Signal(1))),
        2 => (s.kind, s.restart.when) = (Kind::Oneshot, RestartWhen::Never),
        3 => s.kind = Kind::Target,
        4 => (s.kind, s.remain) = (Kind::Oneshot, false),
        5 => furnish(&mut s),
        6 => (s.start, s.restart.when) = (Start::Demand, RestartWhen::Always),
        _ => (s.kind, s.restart.when) = (Kind::Idle, RestartWhen::Never),
    }
    s
}

/// What makes two states different.
fn key(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    let ids = 0..world.count();
    let lives: Vec<&Life> = ids.filter_map(|id| world.engine.life(id)).collect();
    let mut times: Vec<_> = lives.iter().flat_map(|l| [l.due, l.dog]).flatten().collect();
    times.sort_unstable();
    let rank = |at: Option<Duration>| at.map(|at| times.binary_search(&at).unwrap_or_default());
    for life in &lives {
        format!("{:?}{:?}{:?}", life.state, life.next, life.command.map(|c| (c.phase, c.ended)))
            .hash(&mut hasher);
        let flags =
            [life.wanted, life.armed, life.main, life.left, life.up, life.well, life.handler];
        let more = [life.signalled, life.aborted, life.killed, life.own, life.boot, life.reloading];
        (flags, more, life.deaf, life.frozen.is_some()).hash(&mut hasher);
        (rank(life.due), rank(life.dog), life.falls.len(), life.unready).hash(&mut hasher);
        std::mem::discriminant(&life.reason.as_ref().map(std::mem::discriminant)).hash(&mut hasher);
    }
    (world.engine.booted(), world.engine.going_down(), world.jobs.len()).hash(&mut hasher);
    hasher.finish()
}

/// Everything that may happen to `id` now, one world each.
fn futures(world: &World, id: Id, put: &mut dyn FnMut(World)) {
    let mut then = |change: &dyn Fn(&mut World)| {
        let mut next = world.clone();
        change(&mut next);
        put(next);
    };
    let asks = [
        Ask::Start,
        Ask::Stop,
        Ask::Restart,
        Ask::Reload,
        Ask::Reset,
        Ask::Arm,
        Ask::Disarm,
        Ask::Freeze,
        Ask::Thaw,
    ];
    for ask in asks {
        then(&|w| w.ask(id, ask, false));
    }
    then(&|w| w.ask(id, Ask::Start, true));
    then(&|w| w.feed(Event::Trigger(id), false));
    then(&|w| w.feed(Event::Quiet(id), false));
    then(&|w| w.feed(Event::Unbound(id, "x".into()), false));
    if world.commands.contains_key(&id) {
        then(&|w| w.end_command(id, true, false));
        then(&|w| w.end_command(id, false, false));
    }
    if world.engine.state(id) == State::Starting {
        then(&|w| w.skip(id));
    }
    match world.processes.get(&id) {
        Some(Process::Main) => {
            let said = [
                Event::Ready(id),
                Event::Reloading(id),
                Event::Stopping(id),
                Event::Alive(id),
                Event::Watch(id, Duration::from_secs(2)),
                Event::Extend(id, Duration::from_secs(60)),
                Event::Unwell(id, "x".into()),
            ];
            for event in said {
                then(&|w| w.feed(event.clone(), false));
            }
            then(&|w| w.exit(id, End::Status(0), false, false));
            then(&|w| w.exit(id, End::Status(1), false, false));
            then(&|w| w.exit(id, End::Status(1), true, false));
        }
        Some(Process::Leftovers) => then(&|w| w.exit(id, End::Unknown, false, false)),
        None => {}
    }
}

/// Every event in every state of `plan`, up to `most` states. Returns how many there were.
fn search(plan: Plan, most: usize) -> usize {
    let mut world = World::new(plan);
    world.feed(Event::Boot, false);
    let mut seen = HashSet::from([key(&world)]);
    let mut todo = VecDeque::from([world]);
    let mut found = 0;
    while let Some(world) = todo.pop_front().filter(|_| found < most) {
        found += 1;
        if found % 4 == 0 {
            world.clone().comes_to_rest();
        }
        let mut put = |mut next: World| {
            // Requests that nobody waits for make no difference.
            if next.jobs.len() <= 2 && seen.insert(key(&next)) {
                next.jobs.sort_unstable();
                todo.push_back(next);
            }
        };
        for id in 0..world.count() {
            futures(&world, id, &mut put);
        }
        let mut later = world.clone();
        later.wait();
        put(later);
        let mut adopted = world.clone();
        adopted.adopt();
        put(adopted);
        if !world.engine.going_down() {
            let mut down = world.clone();
            down.feed(Event::Down, false);
            put(down);
        }
    }
    found
}

#[test]
fn two_services_hold_their_promises_whatever_happens() {
    let mut found = 0;
    for relation in 0..RELATIONS {
        for kinds in 0..KINDS * KINDS {
            let mut a = make("a", kinds % KINDS);
            relate(&mut a, relation, "b");
            let b = make("b", kinds / KINDS);
            found += search(plan(vec![a, b], &[name("a")]), STATES * soak());
        }
    }
    assert!(found > RELATIONS * KINDS * KINDS * 20, "only {found} states");
}

#[test]
fn three_services_in_a_row_hold_their_promises_whatever_happens() {
    let mut found = 0;
    for relations in 0..RELATIONS * RELATIONS {
        let mut a = make("a", relations);
        relate(&mut a, relations % RELATIONS, "b");
        let mut b = make("b", relations / 3 + 1);
        relate(&mut b, relations / RELATIONS, "c");
        let c = make("c", relations / 7 + 2);
        found += search(plan(vec![a, b, c], &[name("a"), name("c")]), STATES * soak());
    }
    assert!(found > RELATIONS * RELATIONS * 50, "only {found} states");
}
