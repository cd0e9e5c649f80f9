//! The rules by which services start, stop, fail and come back: events in, actions out.
//!
//! ```text
//!            asked            all before it settled              ready
//!     Off ──────────► Waiting ────────────────────► Starting ──────────► Ready ◄┐ oneshot:
//!      ▲               ▲   │                           │                  │     │ Done
//!      │               │   │ what it requires failed   │ time-out         │ asked to stop, or
//!      │ next          │   ▼                           ▼                  ▼ a need is lost
//!      │               │ Failed                     Leaving ◄─────────────┘
//!      │               │   ▲                           │ its users are gone
//!      │               │   │ next                      ▼ TERM
//!      └───────────────┼───┴──────────────────────  Stopping
//!                      │ its time has come             │
//!                   Backoff ◄──────────────────────────┘ all are gone
//! ```
//!
//! A step has two phases. First what follows is told to the neighbours until nothing changes
//! (a need is lost: its users leave); then what may begin begins (a start, a `SIGTERM`). Each
//! service counts its neighbours in the way, so a start of everything is one look per edge.
//!
//! Invariants: a service runs only while all it requires are ready; it is signalled only after
//! its users have ended; it starts only after those have; every wait has a deadline.
//!
//! Nothing here knows a process id, a file or a clock.

mod ask;
mod graph;
mod life;
mod reason;
mod rules;
mod words;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use model::service::{Kind, Restart};
use model::{Name, Plan};

pub use graph::JOURNAL;
pub use life::{Life, Next, Now, Running, State, Times};
pub use reason::{End, Reason};
pub use words::{Action, Answer, Ask, Event, Phase, Transaction};

use graph::{Edge, Graph};

/// Place of a service in the plan.
pub type Id = usize;

/// Number of a request, chosen by who asks; the answer carries it.
pub type Job = u64;

/// Time the kernel gets to end processes after `SIGKILL`: longer means stuck in a driver.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// All services of a device.
#[derive(Debug)]
pub struct Engine {
    units: Vec<Unit>,
    enabled: Vec<Id>,
    due: BTreeSet<(Now, Id)>,
    /// Those whose neighbours must hear of their new state.
    told: VecDeque<Id>,
    /// Those which may be able to begin something.
    able: VecDeque<Id>,
    /// Those whose life changed in this step.
    changed: Vec<Id>,
    actions: Vec<Action>,
    /// Services with something left to end.
    alive: usize,
    /// Services the boot waits for.
    booting: usize,
    boot_asked: bool,
    booted: bool,
    down: Down,
    looks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Down {
    No,
    Asked,
    Told,
}

#[derive(Debug)]
struct Unit {
    name: Name,
    kind: Kind,
    restart: Restart,
    start_timeout: Duration,
    stop_timeout: Duration,
    needs: Vec<Edge>,
    users: Vec<Edge>,
    /// Needs that are in the way of a start.
    unmet: usize,
    /// Users on their way down: in the way of a stop.
    ending: usize,
    /// Those of them that require it: in the way of a start.
    ending_hard: usize,
    /// Requests not yet answered, and whether they want it up.
    jobs: Vec<(Job, bool)>,
    life: Life,
    marked: bool,
}

impl Engine {
    /// An engine with every service off.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let graph = Graph::new(plan);
        let edges = graph.needs.into_iter().zip(graph.users);
        let units = plan.services.iter().zip(edges).map(|(s, (needs, users))| Unit {
            name: s.name.clone(),
            kind: s.kind,
            restart: s.restart.clone(),
            start_timeout: s.start_timeout,
            stop_timeout: s.stop_timeout,
            unmet: needs.iter().filter(|e| e.kind == graph::Kind::Requires).count(),
            needs,
            users,
            ending: 0,
            ending_hard: 0,
            jobs: Vec::new(),
            life: Life::default(),
            marked: false,
        });
        Self {
            units: units.collect(),
            enabled: plan.enabled.iter().filter_map(|id| Id::try_from(*id).ok()).collect(),
            due: BTreeSet::new(),
            told: VecDeque::new(),
            able: VecDeque::new(),
            changed: Vec::new(),
            actions: Vec::new(),
            alive: 0,
            booting: 0,
            boot_asked: false,
            booted: false,
            down: Down::No,
            looks: 0,
        }
    }

    /// Goes on from what [`Engine::life`] showed before. `booted`: the boot was over; `down`: the
    /// device was going down. The daemon then sends `Spawned`, `Lost` or `Exited` for each service
    /// whose process it has news of, and `Tick`.
    pub fn restore(&mut self, lives: Vec<(Id, Life)>, booted: bool, down: bool) {
        for (id, life) in lives {
            let Some(unit) = self.units.get_mut(id) else { continue };
            let (state, due) = (life.state, life.due);
            self.boot_asked |= life.times.asked.is_some();
            unit.life = Life { state: State::Off, due: None, ..life };
            self.booting += usize::from(unit.life.boot);
            let since = unit.life.since;
            self.set(id, state, since);
            self.set_due(id, due);
            self.able.push_back(id);
        }
        self.booted = booted;
        self.down = if down { Down::Asked } else { Down::No };
    }

    /// Takes one event and says what to do. The same calls always give the same answers.
    pub fn step(&mut self, now: Now, event: &Event) -> Vec<Action> {
        match event {
            Event::Boot => self.boot(now),
            Event::Ask(id, ask, job) => self.ask(now, *id, *ask, *job),
            Event::Down => self.all_down(now),
            Event::Spawned(id) => self.spawned(now, *id),
            Event::SpawnFailed(id, why) => self.spawn_failed(now, *id, why),
            Event::Lost(id) => self.lost(now, *id),
            Event::Ready(id) => self.ready(now, *id),
            Event::Exited { id, end, left } => self.exited(now, *id, *end, *left),
            Event::Empty(id) => self.empty(now, *id),
            _ => {}
        }
        self.tick(now);
        loop {
            if let Some(id) = self.told.pop_front() {
                self.tell(now, id);
            } else if let Some(id) = self.able.pop_front() {
                self.begin(now, id);
            } else {
                break;
            }
        }
        self.answer();
        std::mem::take(&mut self.actions)
    }

    /// When to send [`Event::Tick`] next, if at all.
    #[must_use]
    pub fn deadline(&self) -> Option<Now> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Those whose [`Life`] changed since the last call.
    pub fn changed(&mut self) -> Vec<Id> {
        for id in &self.changed {
            if let Some(unit) = self.units.get_mut(*id) {
                unit.marked = false;
            }
        }
        std::mem::take(&mut self.changed)
    }

    /// All that changes about a service.
    #[must_use]
    pub fn life(&self, id: Id) -> Option<&Life> {
        self.units.get(id).map(|u| &u.life)
    }

    /// Where a service is; `Off` for one that does not exist.
    #[must_use]
    pub fn state(&self, id: Id) -> State {
        self.units.get(id).map_or(State::Off, |u| u.life.state)
    }

    /// Whether the boot is over.
    #[must_use]
    pub fn booted(&self) -> bool {
        self.booted
    }

    /// Whether the device goes down.
    #[must_use]
    pub fn going_down(&self) -> bool {
        self.down != Down::No
    }

    /// How many edges were looked at so far: the measure of the work done.
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.looks
    }
}
