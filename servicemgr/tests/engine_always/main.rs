//! What must hold whatever happens: random services, random events, random faults.
//!
//! A small world stands in for the kernel: it has a process where the engine asked for one, loses
//! it now and then, and does what signals ask for, sooner or later or not at all.

#[path = "../plans/mod.rs"]
mod plans;

use std::collections::BTreeMap;
use std::time::Duration;

use model::Plan;
use model::service::{Kind, Output, RestartWhen, Service};
use plans::{name, service};
use proptest::prelude::*;
use servicemgr::engine::{Action, Ask, End, Engine, Event, Id, Job, State};

/// What is left of a service in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    Main,
    Leftovers,
}

struct World {
    plan: Plan,
    engine: Engine,
    now: Duration,
    processes: BTreeMap<Id, Process>,
    jobs: Vec<Job>,
    last_job: Job,
    settled: u32,
    all_down: u32,
}

impl World {
    fn new(plan: Plan) -> Self {
        Self {
            engine: Engine::new(&plan),
            plan,
            now: Duration::ZERO,
            processes: BTreeMap::new(),
            jobs: Vec::new(),
            last_job: 0,
            settled: 0,
            all_down: 0,
        }
    }

    fn ids(&self, names: &[model::Name]) -> Vec<Id> {
        let all = &self.plan.services;
        names.iter().filter_map(|n| all.iter().position(|s| s.name == *n)).collect()
    }

    fn service(&self, id: Id) -> &Service {
        self.plan.services.get(id).expect("in the plan")
    }

    /// One event with all that follows. `fault` decides whether starts fail.
    fn feed(&mut self, event: Event, fault: bool) {
        let mut todo = vec![event];
        while let Some(event) = todo.pop() {
            let before = self.processes.clone();
            let actions = self.engine.step(self.now, &event);
            for action in actions {
                self.act(action, &before, fault, &mut todo);
            }
            self.check();
        }
    }

    fn act(
        &mut self,
        action: Action,
        before: &BTreeMap<Id, Process>,
        fault: bool,
        todo: &mut Vec<Event>,
    ) {
        match action {
            Action::Spawn(id) => {
                assert!(!self.processes.contains_key(&id), "{id} has a process already");
                let service = self.service(id);
                for need in self.ids(&service.requires) {
                    assert!(self.engine.state(need).met(), "{id} starts before {need} is ready");
                }
                for first in self.ids(&service.wants).into_iter().chain(self.ids(&service.after)) {
                    assert!(self.engine.state(first).settled(), "{id} starts before {first}");
                }
                self.processes.insert(id, Process::Main);
                todo.push(match fault {
                    true => Event::SpawnFailed(id, "EAGAIN".into()),
                    false => Event::Spawned(id),
                });
            }
            Action::Terminate(id) => {
                for (user, s) in self.plan.services.iter().enumerate() {
                    let uses = self.ids(&s.requires).contains(&id);
                    let state = self.engine.state(user);
                    assert!(!uses || !state.running(), "{id} is stopped before {user}, {state:?}");
                    assert!(!uses || !state.ending(), "{id} is stopped before {user} is gone");
                }
                assert!(before.contains_key(&id), "nothing of {id} is left to signal");
            }
            Action::Kill(id) => assert!(before.contains_key(&id), "{id} has nothing to kill"),
            Action::Gone(id) => {
                self.processes.remove(&id);
            }
            Action::Answer(job, _) => {
                let at = self.jobs.iter().position(|j| *j == job).expect("a request not answered");
                self.jobs.swap_remove(at);
            }
            Action::Settled => self.settled += 1,
            Action::AllDown => self.all_down += 1,
            _ => {}
        }
    }

    fn check(&self) {
        for (id, s) in self.plan.services.iter().enumerate() {
            let state = self.engine.state(id);
            let life = self.engine.life(id).expect("in the plan");
            if state.running() {
                for need in self.ids(&s.requires) {
                    let other = self.engine.state(need);
                    assert!(other.met(), "{id} is {state:?} while {need} is {other:?}");
                }
            }
            let bounded = matches!(state, State::Starting | State::Stopping | State::Backoff);
            assert_eq!(life.due.is_some(), bounded, "{id} is {state:?} until {:?}", life.due);
            let has = self.processes.get(&id);
            assert!(!(life.main || life.left) || has.is_some(), "{id} has no process");
        }
        assert!(self.engine.deadline().is_none_or(|at| at > self.now), "a deadline was missed");
    }

    /// A process does something by itself.
    fn live(&mut self, id: Id, what: u8, fault: bool) {
        let Some(process) = self.processes.get(&id).copied() else { return };
        let end = match what % 3 {
            0 => End::Status(0),
            1 => End::Status(1),
            _ => End::Signal(9),
        };
        match (process, what) {
            (Process::Main, 0..=3) => self.feed(Event::Ready(id), fault),
            (Process::Main, 4..=5) => {
                self.processes.insert(id, Process::Leftovers);
                self.feed(Event::Exited { id, end, left: true }, fault);
            }
            (Process::Main, _) => {
                self.processes.remove(&id);
                self.feed(Event::Exited { id, end, left: false }, fault);
            }
            (Process::Leftovers, _) => {
                self.processes.remove(&id);
                self.feed(Event::Empty(id), fault);
            }
        }
    }

    fn ask(&mut self, id: Id, ask: Ask, fault: bool) {
        self.last_job += 1;
        self.jobs.push(self.last_job);
        self.feed(Event::Ask(id, ask, self.last_job), fault);
    }

    /// Waits for the next deadline.
    fn wait(&mut self) {
        if let Some(at) = self.engine.deadline() {
            self.now = self.now.max(at);
            self.feed(Event::Tick, false);
        }
    }

    /// From now on everything behaves: what is told to stop stops, what starts gets ready.
    fn calm(&mut self) {
        for _ in 0..10_000 {
            let busy = (0..self.plan.services.len()).find(|id| {
                matches!(self.engine.state(*id), State::Starting | State::Stopping)
                    && self.processes.contains_key(id)
            });
            match busy {
                Some(id) if self.engine.state(id) == State::Stopping => self.live(id, 6, false),
                Some(id) if self.service(id).kind == Kind::Oneshot => self.live(id, 6, false),
                Some(id) => self.live(id, 0, false),
                None if self.engine.deadline().is_some() => self.wait(),
                None => return,
            }
        }
        unreachable!("it never comes to rest");
    }
}

/// Services that need only those before them, so there is no cycle.
fn plans() -> impl Strategy<Value = Plan> {
    let one =
        (0..3_u8, 0..3_u8, proptest::collection::vec((0..8_usize, 0..3_u8), 0..4), any::<bool>());
    proptest::collection::vec(one, 1..9).prop_map(|all| {
        let mut services = Vec::new();
        for (i, (kind, when, edges, enabled)) in all.iter().enumerate() {
            // Backwards, so that the order of names is not the order of start.
            let mut s = service(&format!("s{}", 9 - i));
            s.kind = [Kind::Simple, Kind::Notify, Kind::Oneshot][usize::from(*kind)];
            s.restart.when = [RestartWhen::Never, RestartWhen::OnFailure, RestartWhen::Always]
                [usize::from(*when)];
            s.restart.limit = 3;
            s.output = Output::Null;
            for (to, kind) in edges.iter().filter(|(to, _)| *to < i) {
                let other = name(&format!("s{}", 9 - to));
                match kind {
                    0 => s.requires.push(other),
                    1 => s.wants.push(other),
                    _ => s.after.push(other),
                }
            }
            services.push((s, *enabled));
        }
        let on: Vec<_> =
            services.iter().filter(|(_, on)| *on).map(|(s, _)| s.name.clone()).collect();
        let services = services.into_iter().map(|(s, _)| s).collect();
        Plan::link("random", services, &on).expect("no cycle")
    })
}

type Step = (usize, u8, u8, bool);

fn play(world: &mut World, script: &[Step]) {
    for &(who, what, how, fault) in script {
        let id = who % world.plan.services.len();
        match what {
            0 => world.ask(id, Ask::Start, fault),
            1 => world.ask(id, Ask::Stop, fault),
            2 => world.ask(id, Ask::Restart, fault),
            3 => world.wait(),
            4 => {
                world.now += Duration::from_millis(50);
                world.feed(Event::Tick, fault);
            }
            5 => restart_engine(world),
            _ => world.live(id, how, fault),
        }
    }
}

/// As when servicemgr dies and the next one goes on from its state.
fn restart_engine(world: &mut World) {
    let lives = (0..world.plan.services.len())
        .filter_map(|id| Some((id, world.engine.life(id)?.clone())))
        .collect();
    let (booted, down) = (world.engine.booted(), world.engine.going_down());
    // Who waited for an answer was hung up on.
    world.jobs.clear();
    world.engine = Engine::new(&world.plan);
    world.engine.restore(lives, booted, down);
    world.feed(Event::Tick, false);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Order and deadlines hold at every step; in the end all comes to rest, every request is
    /// answered, and nothing that could run still waits.
    #[test]
    fn order_holds_and_everything_comes_to_rest(
        plan in plans(),
        script in proptest::collection::vec((0..9_usize, 0..12_u8, 0..9_u8, prop::bool::weighted(0.1)), 0..120),
    ) {
        let mut world = World::new(plan);
        world.feed(Event::Boot, false);
        play(&mut world, &script);
        world.calm();
        prop_assert!(world.jobs.is_empty(), "requests left: {:?}", world.jobs);
        prop_assert_eq!(world.settled, 1);
        for id in 0..world.plan.services.len() {
            let state = world.engine.state(id);
            prop_assert!(state.settled(), "{} rests as {:?}", id, state);
        }
        world.feed(Event::Down, false);
        world.calm();
        prop_assert_eq!(world.all_down, 1);
        prop_assert!(world.processes.is_empty(), "left: {:?}", world.processes);
    }

    /// A boot in which nothing goes wrong ends with everything ready that was asked for, and the
    /// way down is its reverse.
    #[test]
    fn a_calm_boot_is_complete_and_its_end_is_its_reverse(plan in plans()) {
        let mut world = World::new(plan);
        world.feed(Event::Boot, false);
        world.calm();
        for id in 0..world.plan.services.len() {
            let life = world.engine.life(id).expect("in the plan");
            prop_assert_eq!(life.state.met(), life.wanted, "{} is {:?}", id, life.state);
        }
        let up: Vec<Id> = world.processes.keys().copied().collect();
        world.feed(Event::Down, false);
        for id in up {
            for user in 0..world.plan.services.len() {
                let s = world.service(user);
                let uses = world.ids(&s.requires).contains(&id);
                if uses && world.processes.contains_key(&user) {
                    prop_assert_eq!(world.engine.state(id), State::Leaving);
                }
            }
        }
        world.calm();
        prop_assert_eq!(world.all_down, 1);
    }
}
