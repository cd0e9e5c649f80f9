//! The loop of servicemgr: the world in as events, actions out as system calls.
//!
//! ```text
//! PID 1 ─┐                                    ┌─► record in the state log (first of all)
//! notify ┼─► Event ─► engine::step ─► Action ─┼─► processes, groups, sockets
//! bus ───┤                                    └─► answers, PID 1
//! clock ─┘
//! ```
//!
//! It decides nothing; `acts` does what was decided. Invariant: what a step decided is in the state log before it is done, so a
//! servicemgr that dies anywhere leaves nothing that the next one does not know.

mod activate;
mod acts;
mod adopt;
mod around;
mod births;
mod broker;
mod bus;
mod commands;
mod conditions;
mod credentials;
mod critical;
mod definitions;
mod ends;
mod explain;
mod facts;
mod forking;
mod found;
mod groups;
mod health;
mod hears;
mod instances;
mod launcher;
mod limits;
mod link;
mod notify;
mod oom;
pub mod outside;
mod own;
mod params;
mod permissions;
mod probe;
mod process;
mod ready;
mod record;
mod refusals;
mod renewal;
mod requests;
mod said;
mod sandboxes;
mod security;
mod settings;
mod shipped;
mod spares;
mod state;
mod storage;
mod store;
mod streams;
mod timer;
mod timers;
mod transient;
mod upkeep;
mod view;
mod voice;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::future::pending;
use std::time::Duration;

use api::pid1::ToPid1;
use api::services::Error as Refusal;
use model::{Name, Plan};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::engine::{Action, End, Engine, Event, Id, Job, Life, Now, State};
use activate::Activate;
use broker::Broker;
use bus::Request;
use ends::Ends;
use instances::Instances;
use launcher::Launcher;
use link::Link;
use notify::Notify;
use params::{Board, Saver};
use permissions::Permissions;
use state::{Keep, Log, Whole};
use streams::Streams;
use timer::Every;
use timers::Timers;
use upkeep::Upkeep;

pub use settings::Settings;

/// Messages taken from one source before the others are looked at.
const TURN: usize = 64;

/// How often PID 1 hears that we live, where a hardware watchdog hangs on it.
const ALIVE_EVERY: Duration = Duration::from_secs(10);

/// How often groups with processes left are looked at, beside each time a process ends.
const LEFT_EVERY: Duration = Duration::from_millis(500);

/// What the daemon knows about a service and the engine does not.
#[derive(Debug, Default)]
struct Part {
    pid: Option<i32>,
    text: String,
    last: Option<End>,
    /// The state that was last told to people.
    told: State,
    /// Its other processes, and what is watched for it.
    side: upkeep::Side,
    /// Devices that its last start has seen.
    devices: BTreeSet<String>,
    /// Signals on the bus that start it.
    signal: state::Came,
    /// Permissions that its processes were started with, of those that the owner granted.
    permissions: Vec<Name>,
}

impl Part {
    /// What the next servicemgr must know.
    fn keep<'a>(&'a self, life: &'a Life) -> Keep<'a> {
        let (text, devices, side) = (&self.text, &self.devices, self.side.kept());
        let (signal, permissions) = (&self.signal, self.permissions.as_slice());
        Keep { life, pid: self.pid, text, devices, signal, side, permissions }
    }
}

/// The daemon.
#[derive(Debug)]
struct Daemon {
    plan: Plan,
    engine: Engine,
    began: Now,
    generation: u32,
    whole: Whole,
    /// What the log shows of it.
    written: Whole,
    parts: Vec<Part>,
    by_pid: HashMap<i32, Id>,
    launcher: Launcher,
    activate: Activate,
    timers: Timers,
    params: Board,
    permissions: Permissions,
    instances: Instances,
    saver: Saver,
    streams: Streams,
    /// What is watched for running services.
    upkeep: Upkeep,
    /// What is known of ends while the device goes down.
    ends: Ends,
    /// Processes that the kernel killed for want of memory.
    kills: oom::Kills,
    broker: Broker,
    link: Link,
    notify: Notify,
    log: Log,
    down: Option<api::pid1::End>,
    jobs: BTreeMap<Job, oneshot::Sender<Result<(), Refusal>>>,
    last_job: Job,
    settled: Vec<oneshot::Sender<api::services::System>>,
    /// Services whose main process ended and others did not.
    left: Vec<Id>,
    acknowledged: u64,
    /// When groups with processes left are looked at.
    look: Every,
    /// When PID 1 hears that we live, if it wants to.
    alive: Option<Every>,
    /// Ids by name.
    names: HashMap<String, Id>,
    /// Clients that wait for a state of a service.
    waits: Vec<requests::Wait>,
    /// New definitions wait until what they take away has ended.
    renewal: Option<renewal::Renewal>,
    settings: Settings,
    /// Services of the plan; later ones were made while the device runs.
    fixed: usize,
    /// Services made while the device runs which may have ended for good.
    ended: Vec<Id>,
    /// Services whose groups are empty now and may be removed.
    empty: Vec<Id>,
    /// Services whose groups we made, and killed nobody in.
    fresh: BTreeSet<Id>,
}

/// Runs until PID 1 hangs up.
///
/// # Errors
/// What keeps servicemgr from running at all: no plan, no PID 1, no runtime.
pub fn run(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let socket = sys::inherited::take(api::pid1::FD)
        .map_err(|e| format!("no socket of PID 1: {e}: servicemgr is started by init"))?;
    voice::install()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let done = runtime.block_on(async {
        let (mut daemon, listener) = adopt::begin(settings, socket)?;
        let (requests, inbox) = mpsc::channel(bus::QUEUE);
        tokio::spawn(bus::serve(listener, requests));
        daemon.serve(inbox).await
    });
    // What was gathered and not sent yet.
    log::logger().flush();
    done
}

/// Time since the kernel began.
fn clock() -> Duration {
    sys::clock::boottime()
}

impl Daemon {
    fn now(&self) -> Now {
        clock().saturating_sub(self.began)
    }

    async fn serve(&mut self, mut inbox: mpsc::Receiver<Request>) -> Result<(), Box<dyn Error>> {
        self.feed(Event::Boot);
        loop {
            self.answer_callers();
            self.acknowledge();
            let due = self.engine.deadline().map(|at| at.saturating_sub(self.now()));
            let later = self.activate.wait(self.now());
            let look = Some(self.look.wait(self.now())).filter(|_| !self.left.is_empty());
            let renewal = self.renewal_wait();
            let spare = self.launcher.spares.wait(self.now());
            let haste = self.haste();
            let alive = self.alive.as_ref().map(|alive| alive.wait(self.now()));
            tokio::select! {
                ready = self.link.readable() => { ready?; self.hear_pid1()?; }
                ready = self.notify.readable() => { ready?; self.hear_services(); }
                // Who asks while it ends asks the next one.
                Some(request) = inbox.recv(), if self.renewal.is_none() => request(self),
                () = self.streams.writable() => self.streams.flush(),
                woken = self.broker.ready() => self.hear_bus(woken),
                woken = self.upkeep.ready() => self.look_after(woken),
                () = self.activate.happened() => self.hear_activators(),
                woken = self.timers.ready() => self.hear_timers(woken),
                written = self.saver.ended() => self.saver.answer(&written),
                () = after(due) => self.feed(Event::Tick),
                () = after(later) => self.hear_activators(),
                () = after(look) => self.look_at_left(),
                () = after(spare) => self.make_ahead(),
                () = after(haste) => self.end_the_slow(),
                () = after(alive) => self.say_alive(),
                () = after(renewal) => {}
            }
            if self.may_renew() {
                return self.renew();
            }
        }
    }

    fn say_alive(&mut self) {
        let now = self.now();
        self.alive.iter_mut().for_each(|alive| alive.done(now));
        self.tell(&ToPid1::Alive, None);
    }

    fn find(&self, name: &str) -> Option<Id> {
        self.names.get(name).copied()
    }

    /// One event, and all that follows from it.
    fn feed(&mut self, event: Event) {
        self.feed_all(vec![event]);
    }

    /// Events, and all that follows from them: what those that are there together lead to is written
    /// together.
    fn feed_all(&mut self, mut todo: Vec<Event>) {
        while !todo.is_empty() {
            let mut actions = Vec::new();
            self.ends.beginning = todo == [Event::Down];
            for event in todo.drain(..) {
                actions.extend(self.engine.step(self.now(), &event));
            }
            if actions.contains(&Action::Settled) {
                self.whole.settled = Some(self.now());
            }
            self.record();
            for action in actions {
                todo.extend(self.act(action));
            }
        }
        if !self.empty.is_empty() {
            self.remove_empty_groups();
        }
        if !self.ended.is_empty() {
            self.forget_ended();
        }
    }
}

async fn after(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => pending().await,
    }
}
