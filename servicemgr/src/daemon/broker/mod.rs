//! The system bus: dbus-broker as a service like any other, with servicemgr as its controller.
//!
//! ```text
//! programs ──/run/dbus/system_bus_socket──► dbus-broker ◄──controller's line──► servicemgr
//!            (opened here, held at PID 1)        ▲   (our end held at PID 1)      │ │
//!                                                └────── as a client: owners ─────┘ │
//! a call to a name that nobody owns ─► Activate ─► Event::Trigger ─► … ─► owned, or ─► give up
//! a name is owned ─► Event::Ready of the service of type `dbus`
//! ```
//!
//! Where dbus-broker does not fit, the service `system-bus-daemon` is the bus instead: dbus-daemon with
//! the policy of its own files. Then we are its client only, for `Event::Ready`.
//!
//! It decides nothing about services: what the bus says becomes events. Invariants: what the bus
//! said is taken from the line after it was acted on and recorded, so none of it is lost when we
//! are killed; a caller whose service does not come gets an error.

mod callers;
mod controller;
mod line;
mod message;
mod owners;
mod policy;
mod rights;
mod signals;

use std::collections::BTreeMap;
use std::future::pending;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use api::pid1::ToPid1;
use model::service::{Address, Kind, Service};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::launcher::ToHold;
use super::{Daemon, TURN};
use crate::engine::{Event, Id, State};
use callers::Want;
use controller::{Controller, Told};
pub(super) use message::read_all;
use owners::Owners;
use policy::Claim;
pub(super) use signals::{Facts, Signals};

/// The service of this name is the system bus.
pub(super) const BUS: &str = "system-bus";

/// The service of this name is the system bus too, without us as its controller.
pub(super) const DAEMON: &str = "system-bus-daemon";

/// Where programs of Debian look for the system bus.
const SOCKET: &str = "/run/dbus/system_bus_socket";

/// Wait before we come again as a client that the bus hung up on.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// Under which name PID 1 holds our end of the controller's line.
const HELD: &str = "bus";

/// Under which name PID 1 holds our line for signals.
pub(super) use signals::HELD as HELD_SIGNALS;

/// What we have to do with the bus.
#[derive(Debug, Default)]
pub(super) struct Broker {
    controller: Option<Controller>,
    connecting: Option<JoinHandle<io::Result<OwnedFd>>>,
    owners: Option<Owners>,
    /// The client that hears signals, on a line of its own.
    pub(super) signals: Option<Signals>,
    pub(super) signals_connecting: Option<JoinHandle<io::Result<OwnedFd>>>,
    waiting: BTreeMap<String, Want>,
    ended: Vec<Id>,
    /// Those who wait until the bus has the last policy.
    renewals: Vec<oneshot::Sender<()>>,
}

/// What has something to say.
#[derive(Debug)]
pub(super) enum Woken {
    /// The controller's line.
    Controller,
    /// The client's line.
    Owners,
    /// The client is connected, or not.
    Connected(io::Result<OwnedFd>),
    /// The line of signals.
    Signals,
    /// The client for signals is connected, or not.
    SignalsConnected(io::Result<OwnedFd>),
}

impl Broker {
    /// Waits until there is something to do.
    pub(super) async fn ready(&mut self) -> Woken {
        let controller = async {
            match &self.controller {
                Some(controller) => controller.line.ready().await,
                None => pending().await,
            }
        };
        let owners = async {
            match &self.owners {
                Some(owners) => owners.line.ready().await,
                None => pending().await,
            }
        };
        let signals = async {
            match &self.signals {
                Some(signals) => signals.line.ready().await,
                None => pending().await,
            }
        };
        let connecting = connected(&mut self.connecting);
        let signals_connecting = connected(&mut self.signals_connecting);
        tokio::select! {
            () = controller => Woken::Controller,
            () = owners => Woken::Owners,
            socket = connecting => Woken::Connected(socket),
            () = signals => Woken::Signals,
            socket = signals_connecting => Woken::SignalsConnected(socket),
        }
    }

    /// Somebody owns `name`: nobody waits for it any more.
    fn owned(&mut self, name: &str) {
        self.waiting.remove(name);
    }
}

/// Until the task that connects has ended, if there is one.
async fn connected(task: &mut Option<JoinHandle<io::Result<OwnedFd>>>) -> io::Result<OwnedFd> {
    match task {
        Some(task) => task.await.unwrap_or_else(|e| Err(io::Error::other(e))),
        None => pending().await,
    }
}

/// A fresh line for each bus: ours and its end. What a client says first is said already, so that a
/// line which PID 1 holds always has that behind it.
pub(super) fn line(hold: &mut ToHold<'_>) -> Result<(OwnedFd, OwnedFd), String> {
    let both = UnixStream::pair().and_then(|(mut ours, theirs)| {
        ours.write_all(message::GREETING_WITH_DESCRIPTORS)?;
        Ok((ours, theirs))
    });
    let (ours, theirs) = both.map_err(|e| format!("line to the system bus: {e}"))?;
    hold(HELD.to_owned(), ours.as_fd());
    Ok((ours.into(), theirs.into()))
}

/// What the program of the bus gets besides what its TOML says: which machine this is.
pub(super) fn arguments(service: &Service) -> Service {
    let mut service = service.clone();
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let id = id.trim();
    if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        service.exec.extend(["--machine-id".to_owned(), id.to_owned()]);
    }
    service
}

impl Daemon {
    /// A bus runs, with its end of the line; this is ours. `again`: it runs since a servicemgr
    /// before us.
    pub(super) fn bus_begins(&mut self, line: OwnedFd, again: bool) {
        self.bus_ends();
        let users = self.users_of_bus();
        let (claims, wrong) = policy::claims(&self.plan.services, &users);
        for problem in wrong {
            log::warn!("system bus: {problem}");
        }
        let names: Vec<(String, u32)> = claims.iter().flat_map(Claim::names).collect();
        let rights = self.bus_rights(&users);
        let begun = self.bus_socket().and_then(|socket| {
            let policy = policy::policy(&claims, &rights);
            Controller::begin(line, self.generation, &names, policy, &socket)
        });
        match begun {
            Ok(controller) => self.broker.controller = Some(controller),
            Err(e) => return self.bus_broken(&e.to_string()),
        }
        if again {
            let unknown = Want { number: None, again: true };
            let names = names.into_iter().map(|(name, _)| (name, Want { ..unknown }));
            self.broker.waiting = model::gather(names);
            let ids = 0..self.plan.services.len();
            let failed = ids.filter(|id| self.engine.state(*id) == State::Failed);
            self.broker.ended = model::gather(failed);
        }
    }

    /// The bus's listening socket, in the way it takes it.
    fn bus_socket(&self) -> io::Result<OwnedFd> {
        let missing = || io::Error::new(ErrorKind::NotFound, "it has no [[socket]] to listen on");
        let (_, socket) =
            self.launcher.sockets.get(BUS).and_then(|all| all.first()).ok_or_else(missing)?;
        sys::poll::set_nonblocking(socket)?;
        socket.try_clone()
    }

    /// Nobody is there any more to talk to.
    fn bus_ends(&mut self) {
        let Broker { connecting, signals_connecting, .. } = &mut self.broker;
        for task in [connecting.take(), signals_connecting.take()].into_iter().flatten() {
            task.abort();
        }
        self.broker = Broker::default();
    }

    /// There is no talking to the bus: without a controller it ends, and starts again by its own
    /// rules.
    fn bus_broken(&mut self, why: &str) {
        log::error!(target: BUS, "{BUS}: {why}");
        self.bus_hangs_up();
    }

    fn bus_hangs_up(&mut self) {
        self.bus_ends();
        self.tell(&ToPid1::Drop(HELD.to_owned()), None);
    }

    /// Whether the bus is dbus-daemon, which takes no policy of ours. Either names the other, so that both are
    /// there: it is the one that runs, or that was wanted last.
    pub(super) fn bus_has_own_files(&self) -> bool {
        let daemon = self.find(DAEMON).and_then(|id| self.engine.life(id));
        self.broker.controller.is_none() && daemon.is_some_and(|life| life.wanted)
    }

    /// The bus has something to say.
    pub(super) fn hear_bus(&mut self, woken: Woken) {
        match woken {
            Woken::Controller => self.hear_controller(),
            Woken::Owners => self.hear_owners(),
            Woken::Signals => self.hear_signals(),
            Woken::SignalsConnected(socket) => self.begin_to_hear_signals(socket),
            Woken::Connected(socket) => {
                self.broker.connecting = None;
                let names = self.plan.services.iter().flat_map(names);
                match socket.and_then(|socket| Owners::begin(socket, names)) {
                    Ok(owners) => self.broker.owners = Some(owners),
                    Err(e) => log::error!(
                        "servicemgr is no client of the system bus: {e}: services of type dbus \
                         do not become ready; restart {BUS}"
                    ),
                }
            }
        }
    }

    fn hear_controller(&mut self) {
        for _ in 0..TURN {
            let Some(controller) = &mut self.broker.controller else { return };
            let item = controller.line.flush().and_then(|()| controller.line.next());
            let told = match &item {
                Ok(Some(item)) => controller.hear(item),
                Ok(None) => return,
                // It ended; its exit says how.
                Err(e) if gone(e) => return self.bus_hangs_up(),
                Err(e) => return self.bus_broken(&e.to_string()),
            };
            if let Some(told) = told {
                self.bus_told(told);
            }
            let Some(controller) = &mut self.broker.controller else { return };
            if controller.line.done().is_err() {
                return self.bus_hangs_up();
            }
        }
    }

    fn bus_told(&mut self, told: Told) {
        match told {
            Told::Ready => {
                if self.broker.controller.as_ref().is_some_and(Controller::is_settled) {
                    // Who waited for it may have hung up.
                    for reply in self.broker.renewals.drain(..) {
                        let _hung_up = reply.send(());
                    }
                }
                self.bus_is_ready();
            }
            Told::Activate(name, number) => {
                let want = Want { number: Some(number), again: false };
                self.broker.waiting.insert(name.clone(), want);
                self.start_for(&name);
            }
            Told::Reload(question) => {
                if let Some(controller) = &mut self.broker.controller
                    && let Err(e) = controller.reloaded(question)
                {
                    self.bus_broken(&e.to_string());
                }
            }
            Told::Broken(why) => self.bus_broken(&why),
        }
    }

    fn bus_is_ready(&mut self) {
        let Some(id) = self.find(BUS) else { return };
        self.feed(Event::Ready(id));
        self.become_client(Duration::ZERO);
        self.listen_for_signals(Duration::ZERO);
    }

    /// Connects to the bus as a client, after a while, if anybody's names are of interest.
    fn become_client(&mut self, wait: Duration) {
        let idle = self.broker.owners.is_none() && self.broker.connecting.is_none();
        if idle && self.plan.services.iter().any(|s| s.bus.is_some()) {
            self.broker.connecting = Some(self.connect(wait));
        }
    }

    /// Connects to the bus, after a while.
    pub(super) fn connect(&self, wait: Duration) -> JoinHandle<io::Result<OwnedFd>> {
        let socket = self.find(BUS).and_then(|id| self.plan.services.get(id)?.sockets.first());
        let path = match socket.map(|s| &s.address) {
            Some(Address::Path(path)) => path.into(),
            _ => PathBuf::from(SOCKET),
        };
        tokio::spawn(owners::connect(path, wait))
    }

    /// Whether there is a bus to talk to.
    pub(super) fn has_bus(&self) -> bool {
        let ready = |name| self.find(name).is_some_and(|id| self.engine.state(id) == State::Ready);
        (self.broker.controller.is_some() && ready(BUS)) || ready(DAEMON)
    }

    /// Goes on with a bus that a servicemgr before us knew, by the lines that PID 1 held, if any.
    pub(super) fn bus_goes_on(&mut self, held: &mut BTreeMap<String, OwnedFd>) {
        if let Some(line) = held.remove(HELD) {
            self.bus_begins(line, true);
        }
        if let Some(line) = held.remove(signals::HELD) {
            self.go_on_hearing_signals(line);
        }
        if let Some(id) = self.find(DAEMON) {
            self.bus_hears_of(id);
        }
    }

    fn hear_owners(&mut self) {
        for _ in 0..TURN {
            let Some(owners) = &mut self.broker.owners else { return };
            let item = owners.line.flush().and_then(|()| owners.line.next());
            let told = match &item {
                Ok(Some(item)) => owners.hear(item),
                Ok(None) => return,
                Err(e) => return self.client_no_more(e),
            };
            if let Err(e) = owners.line.done() {
                self.client_no_more(&e);
            }
            if let Some((name, true)) = told {
                self.owned(&name);
            }
        }
    }

    /// The bus hung up on us as its client. If it is still there we come again, after a while.
    fn client_no_more(&mut self, why: &io::Error) {
        self.broker.owners = None;
        if !gone(why) {
            log::warn!("servicemgr as a client of the system bus: {why}: connecting again");
        }
        if self.broker.controller.is_some() {
            self.become_client(AGAIN);
        }
    }

    fn owned(&mut self, name: &str) {
        self.broker.owned(name);
        let Some(id) = self.service_of(name) else { return };
        let Some(service) = self.plan.services.get(id) else { return };
        let its_own = service.bus.as_ref().is_some_and(|bus| bus.name == name);
        if its_own && service.kind == Kind::Dbus {
            self.feed(Event::Ready(id));
        }
    }

    fn service_of(&self, name: &str) -> Option<Id> {
        self.plan.services.iter().position(|s| names(s).any(|n| n == name))
    }
}

/// All names of a service on the bus.
fn names(service: &Service) -> impl Iterator<Item = &String> {
    service.bus.iter().flat_map(|bus| std::iter::once(&bus.name).chain(&bus.also))
}

/// Whether the other side ended.
pub(super) fn gone(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}
