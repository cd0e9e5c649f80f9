//! Long random lives, with events that make no sense in between: no panic, all rules kept, memory bounded.

use std::sync::Arc;
use std::time::Duration;

use model::bundle::{AbilityKind, LaunchMode, Lifecycle};
use model::want::Want;
use proptest::prelude::*;

use super::always::{step, waiting};
use super::world::{Ability, ability, id, page, program, service};
use crate::engine::instance::Instance;
use crate::engine::links::Link;
use crate::engine::{
    Caller, ConnectionId, Engine, Event, Exit, InstanceId, MAX_HELD, MissionId, RequestId, Shortage,
};

/// What happens, as numbers that the state of the engine turns into an event.
#[derive(Debug, Clone)]
struct Happens {
    what: u8,
    which: u8,
    other: u8,
    /// It makes no sense: unknown ids, wrong tokens.
    odd: bool,
    /// Milliseconds since the last one.
    time: u64,
}

fn happens() -> impl Strategy<Value = Happens> {
    let time = prop_oneof![3 => Just(0), 3 => 0..50_u64, 2 => 0..4_000_u64, 1 => 0..30_000_u64];
    (any::<u8>(), any::<u8>(), any::<u8>(), prop::bool::weighted(0.1), time)
        .prop_map(|(what, which, other, odd, time)| Happens { what, which, other, odd, time })
}

fn abilities() -> Vec<Ability> {
    vec![
        page("a"),
        program("a").launch(LaunchMode::Specified),
        page("b").launch(LaunchMode::Multiton),
        program("b").private(),
        service("b"),
        service("c").lifecycle(Lifecycle::Process),
        service("c").launch(LaunchMode::Specified),
        ability("c", "work", AbilityKind::Work),
        ability("c", "form", AbilityKind::Form),
    ]
}

/// Turns numbers into events.
#[derive(Debug)]
struct Fate {
    abilities: Vec<Ability>,
    requests: RequestId,
}

impl Fate {
    fn event(&mut self, engine: &Engine, happens: &Happens) -> Event {
        let Happens { what, which, other, odd, .. } = *happens;
        let instance = pick(engine.instances.keys().copied().collect(), which, odd);
        let instance = instance.unwrap_or(InstanceId(u64::from(other)));
        let missions = engine.missions.in_order().into_iter().map(|(id, _)| id).collect();
        let mission = pick(missions, which, odd).unwrap_or(MissionId(u32::from(other)));
        let Ability { target, traits } = pick(self.abilities.clone(), other, false).unwrap();
        self.requests += 1;
        let request = self.requests;
        let caller = if which % 2 == 0 {
            Caller::Root
        } else {
            Caller::App { instance, permitted: other % 3 > 0, background: other % 5 > 0 }
        };
        let key = (other % 4 > 0).then(|| (other % 4).to_string());
        let text = "x".repeat(if odd { 60_000 } else { 10 });
        let parameters = [("text".to_owned(), text)].into();
        let want = Arc::new(Want { key: key.clone(), parameters, ..Want::default() });
        match what % 34 {
            0..=5 => Event::Start { request, caller, target, traits, want, show: which % 3 > 0 },
            6 | 7 => Event::Connect { request, caller, target, traits, want },
            8 => Event::Disconnect { request, caller, connection: connection(engine, which, odd) },
            9 | 10 => Event::Show { request, mission, traits },
            11 | 12 => Event::Hide { request, mission },
            13 => Event::Stop { request, instance },
            14 if other % 3 == 0 => Event::Forget { request, mission },
            15 if other % 4 == 0 => Event::End { bundle: id("b"), why: exit(which) },
            16 if other % 4 == 0 => Event::Kill { instance, why: Exit::LowMemory },
            17 if odd => Event::Memory(Shortage::Low),
            17 if other % 2 == 0 => Event::Finish { instance, why: Exit::BackgroundTime },
            17 => Event::Busy { instance, busy: which % 2 == 0 },
            18..=20 => Event::Launched { instance },
            21 if other % 4 == 0 => Event::LaunchFailed { instance, why: "x".into() },
            21..=24 => Event::Attached { instance },
            25..=28 => {
                Event::Done { instance, token: token(engine, instance, odd), state: vec![0] }
            }
            29 => Event::Ended { instance, exit: exit(other) },
            30 | 31 => Event::Accepted { instance, token: token(engine, instance, odd) },
            32 => Event::Restart { request, instance, state: vec![0] },
            _ => Event::Tick,
        }
    }
}

fn pick<T: Clone>(from: Vec<T>, which: u8, odd: bool) -> Option<T> {
    let len = from.len().max(1);
    from.get(usize::from(which) % len).cloned().filter(|_| !odd)
}

fn connection(engine: &Engine, which: u8, odd: bool) -> ConnectionId {
    let all = engine.instances.values().flat_map(|life| life.links.keys().copied());
    pick(all.collect(), which, odd).unwrap_or(ConnectionId(7))
}

fn token(engine: &Engine, instance: InstanceId, odd: bool) -> u32 {
    let life = engine.instances.get(&instance).filter(|_| !odd);
    let link = |life: &Instance| life.links.values().find_map(Link::token);
    let command = |life: &Instance| life.commands.first().copied();
    let token = life.and_then(|life| life.token.or_else(|| link(life)).or_else(|| command(life)));
    token.unwrap_or(7)
}

fn exit(number: u8) -> Exit {
    let all = [
        Exit::Normal,
        Exit::Failed(1),
        Exit::Signal(11),
        Exit::Upgraded,
        Exit::Removed,
        Exit::Revoked,
    ];
    pick(all.to_vec(), number, false).unwrap_or(Exit::Unknown)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_all_rules_are_kept(all in prop::collection::vec(happens(), 1..400)) {
        let mut engine = Engine::default();
        let mut fate = Fate { abilities: abilities(), requests: 0 };
        let mut now = Duration::ZERO;
        for happens in &all {
            now += Duration::from_millis(happens.time);
            let event = fate.event(&engine, happens);
            step(&mut engine, now, event);
        }
        let bytes = postcard::to_allocvec(&engine).unwrap();
        prop_assert!(bytes.len() < 2 * MAX_HELD, "{} bytes", bytes.len());
        let mut again: Engine = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(format!("{engine:?}"), format!("{again:?}"));
        again.adopted();
        prop_assert!(waiting(&again).is_empty());
        step(&mut again, now, Event::Tick);
        again.rebooted();
        step(&mut again, now, Event::Tick);
        prop_assert!(again.instances().is_empty());
    }
}
