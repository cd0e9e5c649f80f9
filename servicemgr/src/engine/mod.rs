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
mod rules;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use model::service::{Kind, Restart};
use model::{Name, Plan};
use serde::{Deserialize, Serialize};

pub use graph::JOURNAL;
pub use life::{End, Life, Next, Now, Reason, State, Times};

use graph::{Edge, Graph};

/// Place of a service in the plan.
pub type Id = usize;

/// Number of a request, chosen by who asks; the answer carries it.
pub type Job = u64;

/// Time the kernel gets to end processes after `SIGKILL`: longer means stuck in a driver.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// What somebody asks of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// It and what it pulls in should run.
    Start,
    /// It and its users should end.
    Stop,
    /// It should end and run again, its users too.
    Restart,
    /// It should read its configuration anew.
    Reload,
    /// Its failures should be forgotten.
    Reset,
    /// Its triggers should start it from now on.
    Arm,
    /// Its triggers should not start it any more.
    Disarm,
    /// Its processes should stand still.
    Freeze,
    /// They should go on.
    Thaw,
}

/// Which of its commands a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Before the main process.
    BeforeStart,
    /// Once it is ready.
    AfterStart,
    /// To read its configuration anew.
    Reload,
    /// To ask it to end.
    Stop,
    /// After all of it is gone.
    AfterStop,
}

/// What a request would do, in order. Nothing is done yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Those which would stop.
    pub stop: Vec<Id>,
    /// Those which would start.
    pub start: Vec<Id>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Start all that is enabled.
    Boot,
    /// A request.
    Ask(Id, Ask, Job),
    /// Everything should end: the device goes down.
    Down,
    /// The program runs.
    Spawned(Id),
    /// It could not be started.
    SpawnFailed(Id, String),
    /// A start was begun by a servicemgr that died meanwhile, and there is no process.
    Lost(Id),
    /// It is not started: this condition does not hold. Instead of `Spawned`.
    Skipped(Id, String),
    /// It said that it is ready, or that it has reloaded.
    Ready(Id),
    /// It said that it reads its configuration anew.
    Reloading(Id),
    /// It said that it is ending.
    Stopping(Id),
    /// It said that it is alive (`WATCHDOG=1`).
    Alive(Id),
    /// It wants to be watched this closely from now on (`WATCHDOG_USEC`); zero: not at all.
    Watch(Id, Duration),
    /// It needs this much more time from now on for what it is doing (`EXTEND_TIMEOUT_USEC`).
    Extend(Id, Duration),
    /// It said, or a probe found, that it is not well any more; why.
    Unwell(Id, String),
    /// The command that was asked for by [`Action::Run`] ended, or could not be started.
    CommandEnded {
        /// Whose.
        id: Id,
        /// How; a text if it could not be started.
        end: Result<(), String>,
    },
    /// The command that was begun by a servicemgr that died is not there any more.
    CommandLost(Id),
    /// Something it waits for while armed has happened: a connection, a time, a file, a device.
    Trigger(Id),
    /// Nobody used it for as long as it said.
    Quiet(Id),
    /// Its device has gone, or something else that it was bound to outside the plan; why.
    Unbound(Id, String),
    /// Its main process ended.
    Exited {
        /// Which service.
        id: Id,
        /// How.
        end: End,
        /// Other processes of it are left.
        left: bool,
    },
    /// The last of its processes is gone.
    Empty(Id),
    /// Time passed.
    Tick,
}

/// Something the daemon must do now, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make what others may use before it runs: its listening sockets.
    Open(Id),
    /// Start its process. The answer is `Spawned` or `SpawnFailed`.
    Spawn(Id),
    /// Run this command of it. The answer is `CommandEnded`, later.
    Run(Id, Phase, usize),
    /// End the command that runs: its time is over, or nobody needs it any more.
    EndCommand(Id),
    /// The signal by which its main process reads its configuration anew.
    Reload(Id),
    /// Watch for what triggers it.
    Arm(Id),
    /// Stop watching.
    Disarm(Id),
    /// `SIGABRT` to its main process: it hangs, and somebody may want to know where.
    Abort(Id),
    /// Stop (or let go on) all of its processes.
    Freeze(Id, bool),
    /// The device must start again: this service has failed too often.
    Critical(Id),
    /// Its stop signal to all of its processes.
    Terminate(Id),
    /// `SIGKILL` to all of its processes.
    Kill(Id),
    /// It has no process any more.
    Gone(Id),
    /// The answer to a request.
    Answer(Job, Answer),
    /// Every service of the boot is settled. Once.
    Settled,
    /// Every service has ended. Once, after `Down`.
    AllDown,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// As asked.
    Done,
    /// The service failed.
    Failed(Reason),
    /// Someone asked for something else meanwhile.
    Replaced,
    /// The device goes down.
    GoingDown,
    /// It can't be done as a whole, so nothing was; why.
    Refused(String),
}

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
