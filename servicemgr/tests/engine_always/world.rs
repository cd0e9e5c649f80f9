//! A small world that stands in for the kernel and the daemon. It has a process or a command where
//! the engine asked for one, loses it now and then, does what signals ask for, sooner or later or
//! not at all; and it checks at every step what must always hold.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use model::service::{Kind, Reload, Service};
use model::{Name, Plan};
use servicemgr::engine::{Action, Ask, End, Engine, Event, Id, Job, Life, Phase, State};

/// What is left of a service in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Process {
    Main,
    Leftovers,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) plan: Rc<Plan>,
    links: Rc<Vec<Links>>,
    pub(crate) engine: Engine,
    pub(crate) now: Duration,
    pub(crate) processes: BTreeMap<Id, Process>,
    pub(crate) commands: BTreeMap<Id, Phase>,
    pub(crate) frozen: BTreeSet<Id>,
    /// States before this step.
    states: Vec<State>,
    /// What servicemgr has written down: all that changed, but for what the end of everything alone means.
    written: BTreeMap<Id, Life>,
    pub(crate) jobs: Vec<Job>,
    last_job: Job,
    pub(crate) settled: u32,
    pub(crate) all_down: u32,
}

/// Relations as indices, found by another way than the engine's.
#[derive(Debug, Default)]
struct Links {
    requires: Vec<Id>,
    once: Vec<Id>,
    order: Vec<Id>,
    foes: Vec<Id>,
    users: Vec<Id>,
}

fn links(plan: &Plan) -> Vec<Links> {
    let all = &plan.services;
    let names = |s: &Service, n: &[Name]| n.contains(&s.name);
    let which = |is: &dyn Fn(&Service) -> bool| -> Vec<Id> {
        all.iter().enumerate().filter(|(_, s)| is(s)).map(|(id, _)| id).collect()
    };
    let passing = |s: &Service| s.kind == Kind::Oneshot && !s.remain;
    let of = |me: &Service| {
        let hard = |s: &Service| names(s, &me.requires) || names(s, &me.binds);
        Links {
            requires: which(&|s| hard(s) && !passing(s)),
            once: which(&|s| hard(s) && passing(s)),
            order: which(&|s| names(s, &me.wants) || names(s, &me.after) || names(me, &s.before)),
            foes: which(&|s| names(s, &me.conflicts) || names(me, &s.conflicts)),
            users: which(&|s| !passing(me) && (names(me, &s.requires) || names(me, &s.binds))),
        }
    };
    all.iter().map(of).collect()
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            engine: Engine::new(&plan),
            links: Rc::new(links(&plan)),
            plan: Rc::new(plan),
            now: Duration::ZERO,
            processes: BTreeMap::new(),
            commands: BTreeMap::new(),
            frozen: BTreeSet::new(),
            states: Vec::new(),
            written: BTreeMap::new(),
            jobs: Vec::new(),
            last_job: 0,
            settled: 0,
            all_down: 0,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.plan.services.len()
    }

    pub(crate) fn service(&self, id: Id) -> &Service {
        &self.plan.services[id]
    }

    /// One event with all that follows. `fault` decides whether starts fail.
    pub(crate) fn feed(&mut self, event: Event, fault: bool) {
        let mut todo = vec![event];
        while let Some(event) = todo.pop() {
            let before = self.processes.clone();
            self.states = (0..self.count()).map(|id| self.engine.state(id)).collect();
            let actions = self.engine.step(self.now, &event);
            self.write(&event);
            for action in actions {
                self.act(action, &before, fault, &mut todo);
            }
            self.check(&event);
        }
    }

    fn write(&mut self, event: &Event) {
        for id in self.engine.changed() {
            let life = self.engine.life(id).cloned().unwrap_or_default();
            if *event != Event::Down || life.state != State::Leaving {
                self.written.insert(id, life);
            }
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
                self.may_start(id);
                self.processes.insert(id, Process::Main);
                todo.push(match fault {
                    true => Event::SpawnFailed(id, "EAGAIN".into()),
                    false => Event::Spawned(id),
                });
            }
            Action::Run(id, phase, number) => {
                if (phase, number) == (Phase::BeforeStart, 0) {
                    self.may_start(id);
                }
                let old = self.commands.insert(id, phase);
                assert_eq!(old, None, "two commands of {id}");
            }
            Action::EndCommand(id) => assert!(self.commands.contains_key(&id)),
            Action::Abandon(id) => {
                let was = self.commands.remove(&id);
                assert_eq!(was, Some(Phase::Reload), "{id} has another command to abandon");
            }
            Action::Terminate(id) => {
                for user in &self.links[id].users {
                    let state = self.engine.state(*user);
                    assert!(!state.occupies(), "{id} is stopped while {user} is {state:?}");
                }
                assert!(before.contains_key(&id), "nothing of {id} is left to signal");
            }
            Action::Kill(id) => assert!(before.contains_key(&id), "{id} has nothing to kill"),
            Action::Abort(id) => assert_eq!(before.get(&id), Some(&Process::Main)),
            Action::Gone(id) => {
                self.processes.remove(&id);
                self.commands.remove(&id);
            }
            Action::Freeze(id, true) => assert!(self.frozen.insert(id), "{id} is frozen twice"),
            Action::Freeze(id, false) => assert!(self.frozen.remove(&id), "{id} was not frozen"),
            Action::Answer(job, _) => {
                let at = self.jobs.iter().position(|j| *j == job).expect("a request not answered");
                self.jobs.swap_remove(at);
            }
            Action::Settled => self.settled += 1,
            Action::AllDown => self.all_down += 1,
            _ => {}
        }
    }

    fn may_start(&self, id: Id) {
        let state = |id: &Id| self.engine.state(*id);
        assert!(!self.commands.contains_key(&id), "{id} starts while its command runs");
        assert!(!self.frozen.contains(&id), "{id} starts frozen");
        let links = &self.links[id];
        for need in &links.requires {
            assert!(state(need).met(), "{id} starts before {need} is ready");
        }
        // Order counts when a start begins, not after its first commands.
        let begins = self.states[id] != State::Starting;
        for need in links.once.iter().chain(&links.order).filter(|_| begins) {
            // Or it was asked for by what followed from this start.
            let later = state(need) == State::Waiting && self.states[*need].settled();
            let was = self.states[*need];
            assert!(
                state(need).settled() || later,
                "{id} starts, {need} {was:?} {:?}",
                state(need)
            );
        }
        for need in links.once.iter().filter(|_| begins) {
            assert_ne!(state(need), State::Failed, "{id} starts without the work of {need}");
        }
        for foe in &links.foes {
            assert!(!self.processes.contains_key(foe), "{id} starts beside {foe}");
        }
    }

    fn check(&self, event: &Event) {
        for id in 0..self.count() {
            self.check_one(id, event);
        }
        let now = self.now;
        assert!(self.engine.deadline().is_none_or(|at| at > now), "missed a deadline at {event:?}");
    }

    fn check_one(&self, id: Id, event: &Event) {
        let life = self.engine.life(id).expect("in the plan");
        let state = life.state;
        for need in self.links[id].requires.iter().filter(|_| state.running()) {
            let other = self.engine.state(*need);
            assert!(other.met(), "{event:?}: {id} is {state:?} while {need} is {other:?}");
        }
        for foe in self.links[id].foes.iter().filter(|foe| **foe != id) {
            let other = self.engine.life(*foe).expect("in the plan");
            let both = state.occupies() && other.state.occupies();
            assert!(!both, "{event:?}: {id} is {state:?} while {foe} is {:?}", other.state);
            assert!(!(life.wanted && other.wanted), "{event:?}: {id} and {foe} are wanted");
        }
        match state {
            State::Starting | State::Stopping | State::Backoff => {
                assert!(life.due.is_some(), "{event:?}: {id} is {state:?} for ever");
            }
            State::Waiting | State::Leaving => {
                let why = self.engine.why(id);
                assert!(!why.held_by.is_empty(), "{event:?}: {id} is {state:?} for nothing");
            }
            State::Ready => assert_eq!(life.due.is_some(), life.reloading, "{event:?}: {id}"),
            State::Off | State::Done | State::Failed => {
                assert!(life.due.is_none() && !life.main && life.command.is_none(), "{id}");
            }
        }
        assert!(life.frozen.is_none() || matches!(state, State::Starting | State::Ready), "{id}");
        assert_eq!(life.frozen.is_some(), self.frozen.contains(&id), "{id}");
        assert_eq!(life.command.is_some(), self.commands.contains_key(&id), "{event:?}: {id}");
        let process = if life.main { Some(Process::Main) } else { None };
        let process = process.or(life.left.then_some(Process::Leftovers));
        assert_eq!(process, self.processes.get(&id).copied(), "{event:?}: {id} is {state:?}");
    }

    /// The main process ends, or what it left.
    pub(crate) fn exit(&mut self, id: Id, end: End, left: bool, fault: bool) {
        match self.processes.get(&id) {
            Some(Process::Main) if left => {
                self.processes.insert(id, Process::Leftovers);
                self.feed(Event::Exited { id, end, left }, fault);
            }
            Some(Process::Main) => {
                self.processes.remove(&id);
                self.feed(Event::Exited { id, end, left }, fault);
            }
            Some(Process::Leftovers) => {
                self.processes.remove(&id);
                self.feed(Event::Empty(id), fault);
            }
            None => {}
        }
    }

    /// The command that runs ends.
    pub(crate) fn end_command(&mut self, id: Id, well: bool, fault: bool) {
        if self.commands.remove(&id).is_some() {
            let end = if well { Ok(()) } else { Err("exit status 1".to_owned()) };
            self.feed(Event::CommandEnded { id, end }, fault);
        }
    }

    /// It is not started after all: a condition does not hold.
    pub(crate) fn skip(&mut self, id: Id) {
        if self.engine.state(id) == State::Starting && !self.frozen.contains(&id) {
            self.processes.remove(&id);
            self.commands.remove(&id);
            self.feed(Event::Skipped(id, "x".into()), false);
        }
    }

    pub(crate) fn ask(&mut self, id: Id, ask: Ask, fault: bool) {
        self.last_job += 1;
        self.jobs.push(self.last_job);
        self.feed(Event::Ask(id, ask, self.last_job), fault);
    }

    /// Waits for the next deadline.
    pub(crate) fn wait(&mut self) {
        if let Some(at) = self.engine.deadline() {
            self.now = self.now.max(at);
            self.feed(Event::Tick, false);
        }
    }

    /// As when servicemgr dies and the next one goes on from its state.
    pub(crate) fn adopt(&mut self) {
        let lives = self.written.clone().into_iter().collect();
        let (booted, down) = (self.engine.booted(), self.engine.going_down());
        // Who waited for an answer was hung up on.
        self.jobs.clear();
        self.engine = Engine::new(&self.plan);
        self.engine.restore(lives, booted, false);
        if down {
            self.feed(Event::Down, false);
        }
        for id in self.commands.keys().copied().collect::<Vec<_>>() {
            self.commands.remove(&id);
            self.feed(Event::CommandLost(id), false);
        }
        self.feed(Event::Tick, false);
    }

    /// From now on everything behaves: what is told to stop stops, what starts gets ready.
    pub(crate) fn calm(&mut self) {
        for id in self.frozen.clone() {
            self.ask(id, Ask::Thaw, false);
        }
        for _ in 0..10_000 {
            let busy = (0..self.count()).find(|id| self.behave(*id));
            if busy.is_none() {
                match self.engine.deadline() {
                    Some(_) => self.wait(),
                    None => return,
                }
            }
        }
        unreachable!("it never comes to rest");
    }

    /// What a good service does next, if anything is expected of it.
    fn behave(&mut self, id: Id) -> bool {
        let life = self.engine.life(id).expect("in the plan");
        let (state, deaf, reloading) = (life.state, life.deaf, life.reloading);
        let watched = life.dog.is_some();
        let works = self.service(id).kind == Kind::Oneshot;
        if self.commands.contains_key(&id) {
            self.end_command(id, true, false);
        } else if !self.processes.contains_key(&id) {
            return false;
        } else if state == State::Stopping || state == State::Starting && works {
            self.exit(id, End::Status(0), false, false);
        } else if deaf {
            self.feed(Event::Reloading(id), false);
        } else if state == State::Starting || reloading {
            self.feed(Event::Ready(id), false);
        } else if watched {
            self.feed(Event::Watch(id, Duration::ZERO), false);
        } else {
            return false;
        }
        true
    }

    /// Who is where, and why.
    fn picture(&self) -> String {
        let line = |id: Id| {
            let (s, links) = (self.service(id), &self.links[id]);
            let state = self.engine.state(id);
            let why = self.engine.why(id).held_by;
            format!("{id} {} {:?} {state:?} {links:?} {why:?}\n", s.name, s.kind)
        };
        (0..self.count()).map(line).collect()
    }

    /// It comes to rest by itself, with every request answered, and then it ends.
    pub(crate) fn comes_to_rest(&mut self) {
        self.calm();
        let rest = (0..self.count()).all(|id| self.engine.state(id).settled());
        assert!(rest && self.jobs.is_empty(), "{:?} are left of\n{}", self.jobs, self.picture());
        self.feed(Event::Down, false);
        self.calm();
        assert_eq!((self.all_down, &self.processes), (1, &BTreeMap::new()));
        assert!(self.jobs.is_empty() && self.commands.is_empty());
    }
}

/// Everything that a service can have, on one.
pub(crate) fn furnish(s: &mut Service) {
    let command = || vec![vec!["/bin/true".to_owned()]];
    s.commands.before_start = command();
    s.commands.after_start = command();
    s.commands.stop = command();
    s.commands.after_stop = command();
    s.commands.reload = Some(Reload::Command(vec!["/bin/true".to_owned()]));
    s.watchdog = Some(Duration::from_secs(1));
}
