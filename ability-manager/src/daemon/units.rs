//! servicemgr, of which every instance is a service.
//!
//! ```text
//! loop ─ Op ─► queue of the instance ─ one after the other ─► servicemgr
//! loop ◄─ Heard ─ answers to launches, ends, and after each new connection: who is there
//! ```
//!
//! servicemgr may be replaced at any moment: what was asked is asked again of the next one, which knows
//! all services. Invariants: of one instance nothing is asked before what was asked earlier has an answer,
//! but that it is stopped or killed; every launch is answered once.

mod worker;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use api::params::{Param, ParamsProxy};
use api::services::{Error, ServicesProxy};
use futures_core::Stream;
use model::bundle::BundleId;
use model::parameter;
use model::service::INSTANCE;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::task::spawn_local;
use zbus::connection::Builder;

use crate::engine::{Exit, InstanceId};
use crate::store::{Integrity, Mounting};
use worker::Worker;

/// Calls that servicemgr is asked at a time: a few less than it takes from one client.
const MAX_CALLS: usize = 12;

/// Stops at a time, each on a connection of its own, because they may take long.
const MAX_STOPS: usize = 8;

/// Pause before servicemgr is looked for again.
const PAUSE: Duration = Duration::from_millis(100);

/// How long an app waits for what servicemgr knows of the device, before it gets what is known without.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often something is asked that servicemgr ended before it answered.
const TRIES: u32 = 5;

/// What is heard of servicemgr.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The process of an instance is there.
    Launched(InstanceId),
    /// It is started once more: an end that was heard is that of a process whose start nobody answered.
    Again(InstanceId),
    /// It is not, and will not be; why.
    Refused(InstanceId, String),
    /// The process of an instance has ended.
    Ended(InstanceId, Exit),
    /// These are there now, by their units; ends before that may have gone unheard.
    /// And for how long the device runs.
    Present(BTreeSet<String>, Duration),
    /// A bundle is mounted, and what sees to it that it is what was signed.
    Mounted(BundleId, Integrity),
    /// Of this tree, servicemgr has nothing made ahead any more; or it does not say so.
    LetGo(PathBuf),
}

/// What is asked for an instance.
#[derive(Debug)]
pub(crate) enum Op {
    /// Mount its bundle, and start it.
    Launch {
        /// What mounts it.
        mounting: Box<Mounting>,
        /// What it is, in TOML.
        definition: String,
        /// Its user.
        uid: u32,
        /// Permissions that it has.
        granted: Vec<String>,
    },
    /// It stands still.
    Freeze,
    /// It goes on.
    Thaw,
    /// `SIGTERM`, then time, then `SIGKILL`.
    Stop,
    /// `SIGKILL`.
    Kill,
    /// Who goes first when memory is short.
    Priority(i32),
}

/// servicemgr, as far as instances go.
#[derive(Debug)]
pub(crate) struct Units {
    shared: Rc<Shared>,
    queues: BTreeMap<InstanceId, mpsc::UnboundedSender<Op>>,
}

#[derive(Debug)]
struct Shared {
    socket: PathBuf,
    heard: mpsc::Sender<Heard>,
    /// The connection, while there is one.
    now: watch::Sender<Option<ServicesProxy<'static>>>,
    calls: Semaphore,
    stops: Semaphore,
    /// What is made ready is made one after the other, and whoever wants none waits for those before.
    prepares: Mutex<()>,
    /// One bundle is not mounted twice at a time.
    mounts: RefCell<BTreeMap<BundleId, Rc<Mutex<()>>>>,
}

/// The unit of an instance.
pub(crate) fn unit(bundle: &BundleId, instance: InstanceId) -> String {
    format!("{INSTANCE}{bundle}_{}", instance.0)
}

/// The instance of a unit.
pub(crate) fn instance(unit: &str) -> Option<InstanceId> {
    let (_, number) = unit.strip_prefix(INSTANCE)?.rsplit_once('_')?;
    number.parse().ok().map(InstanceId)
}

impl Units {
    /// Looks for servicemgr at this socket, and says what it hears.
    pub(crate) fn new(socket: &Path, heard: mpsc::Sender<Heard>) -> Self {
        let (now, _) = watch::channel(None);
        let (calls, stops) = (Semaphore::new(MAX_CALLS), Semaphore::new(MAX_STOPS));
        let socket = socket.to_owned();
        let (prepares, mounts) = Default::default();
        let shared = Shared { socket, heard, now, calls, stops, prepares, mounts };
        let shared = Rc::new(shared);
        spawn_local(keep(shared.clone()));
        Self { shared, queues: BTreeMap::new() }
    }

    /// Asks something for the instance that is this unit.
    pub(crate) fn ask(&mut self, instance: InstanceId, unit: &str, op: Op) {
        let queue = self.queues.entry(instance).or_insert_with(|| {
            let (queue, ops) = mpsc::unbounded_channel();
            let worker = Worker { shared: self.shared.clone(), instance, unit: unit.to_owned() };
            spawn_local(worker.run(ops));
            queue
        });
        // A worker ends with its queue.
        let _gone = queue.send(op);
    }

    /// The instance is no more; what was asked for it is still done.
    pub(crate) fn forget(&mut self, instance: InstanceId) {
        self.queues.remove(&instance);
    }

    /// Ends a unit that nobody here knows.
    pub(crate) fn kill_stranger(&self, unit: &str) {
        let worker = Worker {
            shared: self.shared.clone(),
            instance: instance(unit).unwrap_or_default(),
            unit: unit.to_owned(),
        };
        spawn_local(async move { worker.again(Op::Kill).await });
    }

    /// What instances of this definition need is made ready while nobody waits for it.
    pub(crate) fn prepare(&self, definition: String, uid: u32, granted: Vec<String>) {
        let shared = self.shared.clone();
        spawn_local(async move {
            let granted: Vec<&str> = granted.iter().map(String::as_str).collect();
            let _next = shared.prepares.lock().await;
            let _turn = shared.calls.acquire().await;
            let proxy = shared.proxy().await;
            if let Err(e) = proxy.prepare(&definition, uid, &granted).await {
                log::debug!("nothing is made ready ahead of a start: {}", sentence(&e));
            }
        });
    }

    /// Parameters that say how the device is to people; none that servicemgr does not tell in time.
    pub(crate) fn parameters(&self) -> impl Future<Output = Vec<Param>> + 'static {
        let shared = self.shared.clone();
        async move {
            let asked = async {
                let _turn = shared.calls.acquire().await;
                let proxy = shared.proxy().await;
                let proxy = ParamsProxy::new(proxy.inner().connection()).await?;
                let mut all = Vec::new();
                for prefix in parameter::OF_SCREEN {
                    all.extend(proxy.list(prefix).await?);
                }
                Ok(all)
            };
            let answer: Result<_, api::params::Error> =
                tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Ok(Vec::new()));
            answer.unwrap_or_else(|e| {
                log::warn!("servicemgr does not say how the screen is: {e}");
                Vec::new()
            })
        }
    }

    /// A bundle is mounted while nobody waits for it.
    pub(crate) fn mount_ahead(&self, mounting: Mounting) {
        let shared = self.shared.clone();
        spawn_local(async move {
            if let Err(why) = shared.mount(mounting).await {
                log::debug!("nothing is mounted ahead of a start: {why}");
            }
        });
    }

    /// What was made ahead that shows something in this tree is let go of: it is said when it is.
    pub(crate) fn let_go(&self, tree: PathBuf) {
        let shared = self.shared.clone();
        spawn_local(async move {
            let asked = async {
                // What was to be made ready before has been, so that nothing is made of it later.
                let _last = shared.prepares.lock().await;
                let _turn = shared.calls.acquire().await;
                shared.proxy().await.let_go(&tree.to_string_lossy()).await
            };
            // The next servicemgr has made nothing yet.
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => log::warn!("what shows {} is kept: {}", tree.display(), sentence(&e)),
                Err(_) => {
                    log::warn!("what shows {} may be kept: servicemgr is late", tree.display());
                }
            }
            shared.tell(Heard::LetGo(tree)).await;
        });
    }

    /// Nothing is counted any more for what instances of this bundle stored.
    pub(crate) fn forget_app(&self, bundle: &BundleId) {
        let (shared, name) = (self.shared.clone(), format!("{INSTANCE}{bundle}"));
        spawn_local(async move {
            if let Err(e) = shared.proxy().await.forget_app(&name).await {
                log::warn!("servicemgr still counts what {name} stored: {e}");
            }
        });
    }
}

impl Shared {
    /// The connection, once there is one.
    async fn proxy(&self) -> ServicesProxy<'static> {
        let mut now = self.now.subscribe();
        loop {
            if let Some(proxy) = now.borrow_and_update().clone() {
                return proxy;
            }
            // The sender is in `self`.
            let _changed = now.changed().await;
        }
    }

    async fn mount(&self, mounting: Mounting) -> Result<(), String> {
        // Nobody holds the turn of a runtime and waits for that of another bundle.
        if let Some(below) = mounting.below() {
            self.mount_one(below).await?;
        }
        self.mount_one(mounting).await
    }

    async fn mount_one(&self, mounting: Mounting) -> Result<(), String> {
        let bundle = mounting.id().clone();
        let turn = Rc::clone(self.mounts.borrow_mut().entry(bundle.clone()).or_default());
        let _turn = turn.lock().await;
        let done = tokio::task::spawn_blocking(move || mounting.run()).await;
        let done = done.map_err(|e| e.to_string())?.map_err(|why| why.to_string())?;
        self.tell(Heard::Mounted(bundle, done)).await;
        Ok(())
    }

    async fn tell(&self, heard: Heard) {
        // The loop has ended, and so do we.
        let _ending = self.heard.send(heard).await;
    }
}

async fn connect(socket: &Path) -> zbus::Result<zbus::Connection> {
    let stream = std::os::unix::net::UnixStream::connect(socket)?;
    Builder::unix_stream(stream).p2p().build().await
}

/// Keeps a connection, and listens for ends on it.
async fn keep(shared: Rc<Shared>) {
    let mut complained = false;
    loop {
        match listen(&shared).await {
            Ok(()) => complained = false,
            Err(e) if !complained => {
                complained = true;
                log::warn!("servicemgr does not answer at {}: {e}", shared.socket.display());
            }
            Err(_) => {}
        }
        shared.now.send_replace(None);
        tokio::time::sleep(PAUSE).await;
    }
}

/// One connection, until it ends.
async fn listen(shared: &Shared) -> Result<(), Error> {
    let connection = connect(&shared.socket).await.map_err(Error::ZBus)?;
    let proxy = ServicesProxy::new(&connection).await.map_err(Error::ZBus)?;
    let mut ends = pin!(proxy.receive_ended().await.map_err(Error::ZBus)?);
    proxy.watch_ends(INSTANCE).await?;
    let uptime = Duration::from_nanos(proxy.system().await?.uptime);
    let rows = proxy.list().await?;
    let present = rows.into_iter().map(|row| row.name).filter(|name| name.starts_with(INSTANCE));
    shared.tell(Heard::Present(present.collect(), uptime)).await;
    shared.now.send_replace(Some(proxy.clone()));
    while let Some(signal) = next(ends.as_mut()).await {
        let Ok(ended) = signal.args() else { continue };
        if let Some(instance) = instance(ended.name) {
            shared.tell(Heard::Ended(instance, exit(ended.how, ended.number))).await;
        }
    }
    Ok(())
}

async fn next<S: Stream>(mut stream: Pin<&mut S>) -> Option<S::Item> {
    std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await
}

/// How a process ended, in our words.
fn exit(how: &str, number: i32) -> Exit {
    match (how, number) {
        ("status", 0) => Exit::Normal,
        ("status", status) => Exit::Failed(status),
        ("signal", signal) => Exit::Signal(signal),
        ("memory", _) => Exit::LowMemory,
        _ => Exit::Unknown,
    }
}

/// What servicemgr said, without the name of the error.
fn sentence(e: &Error) -> String {
    match e {
        Error::ZBus(e) => e.to_string(),
        Error::NoSuchService(why)
        | Error::Failed(why)
        | Error::Replaced(why)
        | Error::Refused(why)
        | Error::BadDefinition(why)
        | Error::NotPermitted(why)
        | Error::GoingDown(why) => why.clone(),
    }
}

#[cfg(test)]
mod tests;
