//! Random graphs, random events, random faults. `ENSEMBLE_SOAK=n` plays n times as many, and graphs
//! of up to 300 services.

use std::time::Duration;

use model::Plan;
use model::service::{Kind, Output, Reload, RestartWhen, Service, Start};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use servicemgr::engine::{Ask, End, Event, Id, Reason, State};

use crate::plans::{name, plan, service};
use crate::search::soak;
use crate::world::{World, furnish};

/// Kind, restart policy, furniture, relations (to whom, which), enabled.
type Drawn = (u8, u8, u8, Vec<(usize, u8)>, bool);

fn drawn(services: usize) -> impl Strategy<Value = Vec<Drawn>> {
    let edges = proptest::collection::vec((0..services, 0..12_u8), 0..4);
    let one = (0..9_u8, 0..3_u8, 0..6_u8, edges, any::<bool>());
    proptest::collection::vec(one, 1..services)
}

/// Services that come after those before them only, so there is no cycle.
fn plans(services: usize) -> impl Strategy<Value = Plan> {
    drawn(services).prop_map(move |all| {
        // Backwards, so that the order of names is not the order of start.
        let called = |i: usize| format!("s{:03}", services - i);
        let mut made: Vec<Service> = (0..all.len()).map(|i| service(&called(i))).collect();
        let mut on = Vec::new();
        for (i, (kind, when, extra, edges, enabled)) in all.iter().enumerate() {
            shape(&mut made[i], *kind, *when, *extra);
            for (to, relation) in edges.iter().filter(|(to, _)| *to < i) {
                let (me, other) = (name(&called(i)), name(&called(*to)));
                match relation {
                    0..=2 => made[i].requires.push(other),
                    3 | 4 => made[i].wants.push(other),
                    5 => made[i].after.push(other),
                    6 => made[*to].before.push(me),
                    7 => made[i].binds.push(other),
                    8 => made[i].conflicts.push(other),
                    9 => made[*to].part_of.push(me),
                    10 => made[*to].on_failure.push(me),
                    _ => made[i].on_success.push(other),
                }
            }
            if *enabled {
                on.push(name(&called(i)));
            }
        }
        plan(made, &on)
    })
}

fn shape(s: &mut Service, kind: u8, when: u8, extra: u8) {
    s.output = Output::Null;
    s.restart.limit = 3;
    s.restart.when = match when {
        0 => RestartWhen::Never,
        1 => RestartWhen::OnFailure,
        _ => RestartWhen::Always,
    };
    s.kind = match kind {
        0..=2 => Kind::Simple,
        3 | 4 => Kind::Notify,
        5 | 6 => Kind::Oneshot,
        7 => Kind::Target,
        _ => Kind::Idle,
    };
    s.remain = kind != 6;
    match extra {
        0 => furnish(s),
        1 => s.start = Start::Demand,
        2 => s.commands.reload = Some(Reload::Signal(1)),
        3 => s.commands.after_stop = vec![vec!["/bin/true".into()]],
        _ => {}
    }
}

type Step = (usize, u8, u8, bool);

fn script(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0..1000_usize, 0..16_u8, 0..24_u8, prop::bool::weighted(0.1));
    proptest::collection::vec(step, 0..length)
}

fn play(world: &mut World, script: &[Step]) {
    for &(who, what, how, fault) in script {
        let id = who % world.count();
        match what {
            0 | 1 => world.ask(id, Ask::Start, fault),
            2 => world.ask(id, Ask::Stop, fault),
            3 => world.ask(id, Ask::Restart, fault),
            4 => ask_more(world, id, how),
            5 => world.wait(),
            6 => {
                world.now += Duration::from_millis(50);
                world.feed(Event::Tick, fault);
            }
            7 => world.adopt(),
            8 => world.end_command(id, how % 3 != 0, fault),
            9 => match how % 4 {
                0 => world.feed(Event::Unbound(id, "x".into()), fault),
                1 => world.feed(Event::Quiet(id), fault),
                _ => world.feed(Event::Trigger(id), fault),
            },
            _ => live(world, id, how, fault),
        }
    }
}

fn ask_more(world: &mut World, id: Id, how: u8) {
    let asks = [Ask::Reload, Ask::Reset, Ask::Arm, Ask::Disarm, Ask::Freeze, Ask::Thaw];
    let at = usize::from(how) % asks.len();
    world.ask(id, asks[at], false);
}

/// A process does something by itself.
fn live(world: &mut World, id: Id, how: u8, fault: bool) {
    if !world.processes.contains_key(&id) {
        return;
    }
    let second = Duration::from_secs(1);
    match how {
        0..=7 => world.feed(Event::Ready(id), fault),
        8 => world.feed(Event::Reloading(id), fault),
        9 => world.feed(Event::Stopping(id), fault),
        10 => world.feed(Event::Alive(id), fault),
        11 => world.feed(Event::Watch(id, second), fault),
        12 => world.feed(Event::Extend(id, second * 40), fault),
        13 => world.feed(Event::Unwell(id, "x".into()), fault),
        14 => world.skip(id),
        15 | 16 => world.exit(id, End::Status(1), true, fault),
        17 => world.exit(id, End::Signal(9), false, fault),
        18..=20 => world.exit(id, End::Status(0), false, fault),
        _ => world.exit(id, End::Status(1), false, fault),
    }
}

fn config(cases: u32) -> ProptestConfig {
    let cases = cases.saturating_mul(u32::try_from(soak()).unwrap_or(1));
    ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(config(2000))]

    /// Order and deadlines hold at every step; in the end all comes to rest, every request is
    /// answered, and nothing that could run still waits.
    #[test]
    fn order_holds_and_everything_comes_to_rest(plan in plans(9), script in script(120)) {
        let mut world = World::new(plan);
        world.feed(Event::Boot, false);
        play(&mut world, &script);
        world.comes_to_rest();
        prop_assert_eq!(world.settled, 1);
    }

    /// A boot in which nothing goes wrong ends with everything ready that was asked for, and the
    /// way down is its reverse.
    #[test]
    fn a_calm_boot_is_complete_and_its_end_is_its_reverse(plan in plans(9)) {
        let mut world = World::new(plan);
        world.feed(Event::Boot, false);
        world.calm();
        for id in 0..world.count() {
            let life = world.engine.life(id).expect("in the plan");
            // What was refused for a conflict fails those that require it, without a fault.
            let needs = matches!(life.reason, Some(Reason::Needs { .. }));
            prop_assert_eq!(life.state.met(), life.wanted && !needs, "{} is {:?}", id, life);
        }
        let up: Vec<Id> = world.processes.keys().copied().collect();
        world.feed(Event::Down, false);
        for id in up {
            for user in 0..world.count() {
                let me = &world.service(id).name;
                let uses = world.service(user).requires.contains(me);
                if uses && world.processes.contains_key(&user) {
                    prop_assert_eq!(world.engine.state(id), State::Leaving);
                }
            }
        }
        world.calm();
        prop_assert_eq!(world.all_down, 1);
    }
}

/// The same with graphs as large as a device's.
#[test]
fn order_holds_in_large_graphs_too() {
    let mut runner = TestRunner::new(config(6));
    let result = runner.run(&(plans(300), script(1500)), |(plan, script)| {
        let mut world = World::new(plan);
        world.feed(Event::Boot, false);
        play(&mut world, &script);
        world.comes_to_rest();
        Ok(())
    });
    assert_eq!(result, Ok(()));
}
