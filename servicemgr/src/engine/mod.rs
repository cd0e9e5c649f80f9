//! The rules by which services start, stop, fail and come back: events in, actions out.
//!
//! ```text
//!            asked            all before it settled              ready
//!     Off ──────────► Waiting ────────────────────► Starting ──────────► Ready ◄┐ oneshot:
//!      ▲ trigger,      ▲   │                           │                  │     │ Done
//!      │ if armed      │   │ what it requires failed   │ time-out         │ asked to stop, a need
//!      │ next          │   ▼                           ▼                  ▼ is lost, it is not well
//!      │               │ Failed                     Leaving ◄─────────────┤
//!      │               │   ▲                           │ its users        │ it says that it ends
//!      │               │   │ next                      ▼ are gone         ▼
//!      └───────────────┼───┴─────────────────────── Stopping ◄────────────┘
//!                      │ its time has come             │
//!                   Backoff ◄──────────────────────────┘ all are gone
//!
//!     Starting: commands before ─ process ─ ready ─ commands after     a target: none of it
//!     Stopping: commands to stop ─ signal ─ kill ─ gone ─ commands after the stop
//! ```
//!
//! A step has two phases. First what follows is told to the neighbours until nothing changes
//! (a need is lost: its users leave); then what may begin begins (a start, a `SIGTERM`). Each
//! service counts its neighbours in the way, so a start of everything is one look per edge. A
//! request is drafted as a whole before: [`Engine::plan`].
//!
//! Invariants: a service runs only while all it requires are ready, and never beside one that it
//! conflicts with; it is signalled only after its users have ended; it starts only after those
//! have; every wait has a deadline, which stands still only while it is frozen; every request is
//! answered once.
//!
//! Nothing here knows a process id, a file or a clock.

mod arm;
mod ask;
mod commands;
mod course;
mod graph;
mod life;
mod reason;
mod rules;
mod time;
mod transaction;
mod transient;
mod unit;
mod why;
mod words;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use model::Plan;

pub use graph::JOURNAL;
pub use life::{Life, Next, Now, Running, State, Times};
pub use reason::{End, Reason};
pub use time::{IDLE_WAIT, MAX_EXTEND};
pub use why::{Hold, Why};
pub use words::{Action, Answer, Ask, Event, Phase, Transaction};

use time::Clock;
use unit::Unit;

/// Place of a service in the plan.
pub type Id = usize;

/// Number of a request, chosen by who asks; the answer carries it.
pub type Job = u64;

/// Time the kernel gets to end processes after `SIGKILL`: longer means stuck in a driver.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// All services of a device.
#[derive(Debug, Clone)]
pub struct Engine {
    units: Vec<Unit>,
    enabled: Vec<Id>,
    due: BTreeSet<(Now, Id, Clock)>,
    /// Those whose neighbours must hear of their new state.
    told: VecDeque<Id>,
    /// Those which may be able to begin something.
    able: VecDeque<Id>,
    /// Those to start because another has failed (true) or ended well: of whom, and who.
    handlers: VecDeque<(Id, Id, bool)>,
    /// Those of type `idle` that wait for the rest of the boot.
    idle: Vec<Id>,
    /// Free slots.
    vacant: Vec<Id>,
    /// Those whose life changed in this step.
    changed: Vec<Id>,
    actions: Vec<Action>,
    /// Services with something left to end.
    alive: usize,
    /// Services the boot waits for.
    booting: usize,
    /// Those of them that do not just wait.
    moving: usize,
    boot_asked: bool,
    booted: bool,
    down: Down,
    /// It goes on from another's state and has not made a step yet.
    adopted: bool,
    looks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Down {
    No,
    Asked,
    Told,
}

impl Engine {
    /// An engine with every service off.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            units: unit::units(plan),
            enabled: plan.enabled.iter().filter_map(|id| Id::try_from(*id).ok()).collect(),
            due: BTreeSet::new(),
            told: VecDeque::new(),
            able: VecDeque::new(),
            handlers: VecDeque::new(),
            idle: Vec::new(),
            vacant: Vec::new(),
            changed: Vec::new(),
            actions: Vec::new(),
            alive: 0,
            booting: 0,
            moving: 0,
            boot_asked: false,
            booted: false,
            down: Down::No,
            adopted: false,
            looks: 0,
        }
    }

    /// Goes on from what [`Engine::life`] showed before. `booted`: the boot was over; `down`: the
    /// device was going down. The daemon then sends `Spawned`, `Lost` or `Exited` for each service
    /// whose process it has news of, `CommandLost` or `CommandEnded` for each with a command, and
    /// `Tick`. The first step says again what is armed.
    pub fn restore(&mut self, lives: Vec<(Id, Life)>, booted: bool, down: bool) {
        self.down = if down { Down::Asked } else { Down::No };
        for (id, life) in lives {
            let Some(unit) = self.units.get_mut(id) else { continue };
            let (state, since, due, dog) = (life.state, life.since, life.due, life.dog);
            self.boot_asked |= life.times.asked.is_some() || life.armed;
            unit.life = Life { state: State::Off, due: None, dog: None, ..life };
            self.booting += usize::from(unit.life.boot);
            if unit.life.armed && state != State::Failed && !down {
                self.actions.push(Action::Arm(id));
            }
            self.place(id, state, since);
            self.set_due(id, due);
            self.set_dog(id, dog);
            self.able.push_back(id);
        }
        self.booted = booted;
        self.adopted = true;
    }

    /// Takes one event and says what to do. The same calls always give the same answers.
    pub fn step(&mut self, now: Now, event: &Event) -> Vec<Action> {
        if std::mem::take(&mut self.adopted) {
            self.trust_dogs(now);
        }
        self.happened(now, event);
        self.tick(now);
        loop {
            if let Some(id) = self.told.pop_front() {
                self.tell(now, id);
            } else if self.handle(now) {
                // What it pulled in is told first.
            } else if let Some(id) = self.able.pop_front() {
                self.begin(now, id);
            } else if !self.release(now) {
                break;
            }
        }
        self.answer();
        std::mem::take(&mut self.actions)
    }

    fn happened(&mut self, now: Now, event: &Event) {
        match event {
            Event::Boot => self.boot(now),
            Event::Ask(id, ask, job) => self.ask(now, *id, *ask, *job),
            Event::AskAll(ask, all) => self.ask_all(now, *ask, all),
            Event::Down => self.all_down(now),
            Event::Spawned(id) => self.spawned(now, *id),
            Event::SpawnFailed(id, why) => self.spawn_failed(now, *id, why),
            Event::Unheld(id, why) => self.unheld(now, *id, why),
            Event::Lost(id) => self.lost(now, *id),
            Event::Skipped(id, condition) => self.skipped(now, *id, condition),
            Event::Ready(id) => self.ready(now, *id),
            Event::Reloading(id) => self.reloading(now, *id),
            Event::Stopping(id) => self.ends_itself(now, *id),
            Event::Alive(id) => self.alive(now, *id),
            Event::Watch(id, every) => self.watch(now, *id, *every),
            Event::Extend(id, by) => self.extend(now, *id, *by),
            Event::Unwell(id, why) => self.unwell(now, *id, why),
            Event::CommandEnded { id, end } => self.command_ended(now, *id, end),
            Event::CommandLost(id) => self.command_lost(now, *id),
            Event::Trigger(id) => self.trigger(now, *id),
            Event::Quiet(id) => self.quiet(now, *id),
            Event::Unbound(id, why) => self.unbound(now, *id, why),
            Event::Exited { id, end, left } => self.exited(now, *id, *end, *left),
            Event::Empty(id) => self.empty(now, *id),
            Event::Tick => {}
        }
    }

    /// When to send [`Event::Tick`] next, if at all.
    #[must_use]
    pub fn deadline(&self) -> Option<Now> {
        self.due.first().map(|(at, ..)| *at)
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

    /// Whether no service has a process.
    #[must_use]
    pub fn nothing_runs(&self) -> bool {
        self.alive == 0
    }

    /// How many edges were looked at so far: the measure of the work done.
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.looks
    }
}
