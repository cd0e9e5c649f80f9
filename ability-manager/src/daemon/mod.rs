//! The daemon: what happens becomes events, what was decided becomes calls.
//!
//! ```text
//! ensctl, shell ─ control ─┐                                 ┌─► units: servicemgr launches, freezes, stops
//! apps ─ seat, a bus each ─┼─► Daemon ─ engine::feed ─► acts ┼─► seats: apps are told
//! servicemgr ─ units ──────┤      │                          ├─► memory: missions, their state
//! clock ───────────────────┘      └─ store, permission, want └─► answers
//! ```
//!
//! One thread, one owner. It decides nothing about lives, wants and permissions: those parts are pure and beside
//! it. Invariants: every request has one answer; whatever is known here survives this process; nothing is woken
//! while nothing is due.

mod acts;
mod ahead;
mod answers;
mod apps;
mod asks;
mod bundles;
mod cards;
mod changes;
mod choices;
mod choosing;
mod clients;
mod connecting;
mod control;
mod decide;
mod definition;
mod facts;
mod finding;
mod forms;
mod hears;
mod lock;
mod memory;
mod network;
mod pressure;
mod quiet;
mod resources;
mod seat;
mod settings;
mod tasks;
mod units;
mod uses;
mod view;
mod voice;
mod wanted;
mod work;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use model::bundle::BundleId;
use sys::signals::Signals;
use tokio::net::UnixListener;
use tokio::sync::{broadcast, mpsc};
use tokio::task::{LocalSet, spawn_local};

use crate::cards::Cards;
use crate::choosing::{Choices, Defaults};
use crate::engine::{ConnectionId, Engine, Event, Exit, InstanceId, RequestId};
use crate::permission::Flow;
use crate::store::{Device, Integrity, Places, Store};
use acts::Live;
use ahead::Ahead;
use answers::Answers;
use asks::{Asker, Wait};
use changes::Changes;
use clients::Told;
use control::Request;
use lock::Locking;
use memory::{Memory, Recalled, View};
use pressure::Pressure;
use seat::Call;
use tasks::Tasks;
use units::{Heard, Units};
use uses::Logged;
use work::Work;

pub use settings::Settings;

/// Name of the control socket, when it is handed over.
const BUS: &str = "bus";

/// Calls of apps that may wait for the loop; their connections wait then.
const CALLS: usize = 64;

/// What is known of servicemgr that may wait for the loop.
const HEARD: usize = 64;

/// Threads for what may take long: bundles that are checked, mounted for the first time, or changed.
const BLOCKING: usize = 5;

/// The daemon.
#[derive(Debug)]
struct Daemon {
    settings: Settings,
    /// Names this server on its buses.
    guid: String,
    /// Locale of the device.
    locale: String,
    /// When PID 1 began, on the clock of deadlines.
    began: Duration,
    engine: Engine,
    flow: Flow,
    store: Store,
    units: Units,
    memory: Memory,
    /// Instances, and what is ours of them.
    lives: BTreeMap<InstanceId, Live>,
    /// Those whose launch has no answer yet, and how they ended meanwhile.
    launching: BTreeMap<InstanceId, Option<Exit>>,
    /// Who waits for answers of the engine.
    asks: BTreeMap<RequestId, Asker>,
    last_request: RequestId,
    waits: Vec<Wait>,
    /// Changes of what is installed.
    changes: Changes,
    /// Who waits until the device is locked.
    locking: Locking,
    /// Instances that asked the owner for permissions, by request.
    questions: BTreeMap<u64, (InstanceId, seat::Reply)>,
    /// What sees to it that mounted bundles are what was signed.
    integrity: BTreeMap<BundleId, Integrity>,
    /// Which abilities answer which wants.
    answers: RefCell<Answers>,
    /// The other ends of connections that a service takes just now.
    ends: BTreeMap<ConnectionId, UnixStream>,
    /// Choices that wait, and who waits for them, by their numbers.
    choices: Choices,
    choosers: BTreeMap<u32, Asker>,
    /// What does what by default.
    defaults: Defaults,
    /// Cards on somebody's screen.
    cards: Cards,
    /// Clients that are told what happens.
    clients: broadcast::Sender<Told>,
    /// Bundles that are in front.
    in_front: BTreeSet<BundleId>,
    /// What goes on off the screen.
    tasks: Tasks,
    /// Work that can wait.
    work: Work,
    /// What was done for want of memory.
    pressure: Pressure,
    /// Apps that are to be made ready.
    ahead: Ahead,
    /// Events that came of actions.
    next: VecDeque<Event>,
    calls: mpsc::Sender<Call>,
    /// Something is to be kept.
    dirty: bool,
    /// Missions have changed.
    missions_dirty: bool,
    /// What of the log of permissions is on the disk.
    logged: Logged,
}

/// What comes to the loop.
struct Inbox {
    requests: mpsc::Receiver<Request>,
    calls: mpsc::Receiver<Call>,
    heard: mpsc::Receiver<Heard>,
}

/// Runs until `SIGTERM` or `SIGINT`.
///
/// # Errors
/// What is missing to begin with: the control socket, a place for missions, the async runtime.
pub fn run(settings: Settings) -> io::Result<()> {
    let handed = sys::listen::take()?;
    voice::install();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(BLOCKING)
        .build()?;
    let done = LocalSet::new().block_on(&runtime, serve(settings, handed));
    // What is left is clients' connections, which go with the process.
    runtime.shutdown_background();
    done
}

async fn serve(settings: Settings, handed: Vec<(String, OwnedFd)>) -> io::Result<()> {
    let signals = Signals::open()?;
    let guid = api::guid(&std::fs::read_to_string(api::paths::BOOT_ID).unwrap_or_default());
    let listener = listener(&settings, handed)?;
    let (requests, requested) = mpsc::channel(control::QUEUE);
    let (calls, called) = mpsc::channel(CALLS);
    let (tell, heard) = mpsc::channel(HEARD);
    let mut daemon = Daemon::begin(settings, guid.clone(), calls, tell)?;
    spawn_local(pressure::watch(requests.clone()));
    daemon.work.by(requests.clone());
    daemon.changes.by(requests.clone());
    spawn_local(control::serve(listener, requests, guid, daemon.clients.clone()));
    daemon.do_work();
    let mut inbox = Inbox { requests: requested, calls: called, heard };
    let ending = wire::told_to_end(&signals);
    tokio::pin!(ending);
    loop {
        let wait = daemon.due().map(|at| at.saturating_sub(clock()));
        tokio::select! {
            Some(request) = inbox.requests.recv() => {
                request(&mut daemon);
                daemon.ahead.put_off(clock());
            }
            Some(call) = inbox.calls.recv() => daemon.called(call),
            Some(heard) = inbox.heard.recv() => daemon.hear(heard),
            () = after(wait) => daemon.tick(),
            ended = &mut ending => {
                daemon.keep_log();
                return ended;
            }
        }
        daemon.do_work();
        daemon.keep();
    }
}

/// On the socket that was handed over, so that who asks waits for the next ability-manager.
fn listener(settings: &Settings, handed: Vec<(String, OwnedFd)>) -> io::Result<UnixListener> {
    let handed = handed.into_iter().find(|(name, _)| name == BUS).map(|(_, socket)| socket);
    let bind = || sys::bind::unix(&settings.control, sys::bind::Kind::Stream, 0o666);
    let socket = std::os::unix::net::UnixListener::from(handed.map_or_else(bind, Ok)?);
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket)
}

async fn after(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => pending().await,
    }
}

/// Time since the kernel began.
fn clock() -> Duration {
    sys::clock::boottime()
}

/// Seconds since 1970, for people.
fn today() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

impl Daemon {
    /// With what the last one knew.
    fn begin(
        settings: Settings,
        guid: String,
        calls: mpsc::Sender<Call>,
        heard: mpsc::Sender<Heard>,
    ) -> io::Result<Self> {
        let memory = Memory::new(&settings.state, &settings.missions, &settings.log)?;
        let (whole, recalled) = memory.recall();
        let mut daemon = Self {
            units: Units::new(&settings.services, heard),
            store: open_store()?,
            locale: locale(),
            guid,
            began: Duration::ZERO,
            engine: whole.engine,
            logged: Logged::new(whole.flow.log()),
            flow: whole.flow,
            tasks: whole.tasks,
            work: Work::default(),
            pressure: Pressure::default(),
            ahead: Ahead::begin(clock()),
            memory,
            lives: BTreeMap::new(),
            launching: BTreeMap::new(),
            asks: BTreeMap::new(),
            last_request: 0,
            waits: Vec::new(),
            changes: Changes::default(),
            locking: Locking::default(),
            questions: BTreeMap::new(),
            integrity: BTreeMap::new(),
            answers: RefCell::default(),
            ends: BTreeMap::new(),
            choices: Choices::default(),
            choosers: BTreeMap::new(),
            defaults: choosing::recall(&settings),
            cards: Cards::default(),
            clients: broadcast::channel(clients::TOLD).0,
            in_front: BTreeSet::new(),
            next: VecDeque::new(),
            calls,
            dirty: true,
            missions_dirty: false,
            settings,
        };
        let boot = recalled == Recalled::Boot;
        let works = if boot { whole.works } else { work::recall(&daemon.settings.work) };
        daemon.work = Work::new(works);
        daemon.cards = forms::recall(&daemon.settings, &daemon.guid);
        match recalled {
            Recalled::Boot => daemon.adopt(whole.kept),
            Recalled::Missions => daemon.engine.rebooted(),
            Recalled::Nothing => {}
        }
        daemon.forget_lost_missions();
        Ok(daemon)
    }

    /// When something is to be done, if nothing else happens before.
    fn due(&self) -> Option<Duration> {
        let back = self.lives.values().filter_map(|live| live.back_by).min();
        let (tasks, work) = (self.tasks.due(), self.work.works.due(clock()));
        let owners = [self.choices.due(), self.cards.due(), self.flow.due(), self.logged.due()];
        let all = [tasks, work, self.engine.due(), back, self.ahead.due()];
        all.into_iter().chain(owners).flatten().min()
    }

    fn tick(&mut self) {
        self.feed(Event::Tick);
        self.tick_permissions();
        self.tick_choices();
        self.tick_cards();
        self.tick_tasks();
        self.tick_ahead();
        self.give_up_those_that_did_not_come_back();
    }

    /// Something happened: does what follows of it, and what follows of that.
    fn feed(&mut self, event: Event) {
        self.next.push_back(event);
        self.pump();
    }

    /// Does what follows of all that waits to be told to the engine.
    fn pump(&mut self) {
        while !self.next.is_empty() {
            while let Some(event) = self.next.pop_front() {
                for action in self.engine.feed(clock(), event) {
                    self.act(action);
                }
            }
            self.after_change();
        }
    }

    /// What others are to see of a change.
    fn after_change(&mut self) {
        self.dirty = true;
        self.forget_the_ended();
        self.forget_questions();
        self.forget_choices();
        self.follow_tasks();
        self.set_priorities();
        self.look_who_is_in_front();
        self.answer_waits();
        self.do_changes();
        self.lock_once_ended();
        self.look_at_memory_again();
    }

    /// Keeps what the next ability-manager must know.
    fn keep(&mut self) {
        if std::mem::take(&mut self.missions_dirty) {
            self.memory.keep_missions(&self.engine);
        }
        if std::mem::take(&mut self.dirty) {
            let kept = self.lives.iter().map(|(id, live)| (*id, &live.kept)).collect();
            let (engine, works) = (&self.engine, &self.work.works);
            let (flow, tasks) = (&self.flow, &self.tasks);
            self.memory.keep(&View { engine, flow, tasks, works, kept });
        }
        self.keep_log_in_time();
    }
}

/// What is installed, and what there is to say about it.
fn open_store() -> io::Result<Store> {
    let release = std::fs::read_to_string("/usr/lib/os-release").unwrap_or_default();
    let (store, said) = Store::open(Places::below(Path::new("/")), Device::this(&release))
        .map_err(io::Error::other)?;
    said.iter().for_each(|text| log::warn!("{text}"));
    Ok(store)
}

/// The locale of the device, as its image has it.
fn locale() -> String {
    let text = std::fs::read_to_string("/etc/locale.conf").unwrap_or_default();
    let found = text.lines().find_map(|line| line.strip_prefix("LANG="));
    found.filter(|locale| !locale.is_empty()).unwrap_or("C.UTF-8").to_owned()
}
