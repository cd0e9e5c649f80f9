//! The control socket: peer-to-peer D-Bus, one connection a client.
//!
//! The kernel says who a client is when it connects; nothing it sends can change that. A request
//! goes to the loop as a value and its answer comes back as one.

pub(super) mod brief;

use std::fs;
use std::time::Duration;

use api::pid1::End;
use api::services::{
    Bar, Change, Edge, Error, Failed, PATH, Row, Status, System, Transaction, Why,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use wire::clients::Client;
use zbus::connection::Builder;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, interface};

use super::instances::{Ended, Wanted};
use super::{Daemon, explain, params, permissions};
use crate::engine::Ask;
use brief::Asked;

/// Requests that may wait for the loop.
pub(super) const QUEUE: usize = 64;

/// How long a client may take to introduce itself.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What a client may send: a name and a header, sixteen times before it reads an answer. No call takes descriptors.
const LIMITS: wire::Limits = wire::Limits {
    message: 16 << 10,
    unanswered: Some(16),
    descriptors: wire::Descriptors::Refused,
};

pub(super) type Reply<T> = oneshot::Sender<T>;

/// What a client wants: done by the loop, which knows everything. It carries where the answer goes.
pub(super) type Request = Box<dyn FnOnce(&mut Daemon) + Send>;

/// The way to the loop, for as long as the client is there: nobody waits for one that has hung up,
/// or its socket and its place among those who wait would be kept for it.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    requests: mpsc::Sender<Request>,
    client: watch::Receiver<()>,
}

impl Desk {
    /// For a client that is there until `client` changes.
    pub(super) fn new(requests: mpsc::Sender<Request>, client: watch::Receiver<()>) -> Self {
        Self { requests, client }
    }

    /// Asks the loop; the answer may come later. `None`: somebody has gone meanwhile.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Daemon, Reply<T>) + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let request: Request = Box::new(move |daemon| ask(daemon, reply));
        self.requests.send(request).await.ok()?;
        self.answer(answer).await
    }

    /// Waits for an answer. `None`: somebody has gone meanwhile.
    async fn answer<T>(&self, answer: oneshot::Receiver<T>) -> Option<T> {
        let mut client = self.client.clone();
        tokio::select! {
            answer = answer => answer.ok(),
            _gone = client.changed() => None,
        }
    }
}

/// Takes clients for as long as the daemon lives.
pub(super) async fn serve(listener: UnixListener, requests: mpsc::Sender<Request>) {
    let guid = api::guid(&fs::read_to_string(api::paths::BOOT_ID).unwrap_or_default());
    let one = |client: Client| {
        let Client { stream, uid, gone } = client;
        serve_one(stream, Desk::new(requests.clone(), gone), uid, guid.clone())
    };
    wire::clients::serve(listener, one).await;
}

/// Serves a client until it hangs up; `uid` is who it is.
pub(super) async fn serve_one(
    stream: UnixStream,
    desk: Desk,
    uid: u32,
    guid: String,
) -> zbus::Result<()> {
    let slow = |_| zbus::Error::Failure("too slow".into());
    let services = Services { desk: desk.clone(), uid };
    let greeting = wire::greet(stream, guid.as_str(), LIMITS, Asked::read);
    let socket = match tokio::time::timeout(HANDSHAKE, greeting).await.map_err(slow)?? {
        wire::Begun::Messages(reader, writer) => wire::split(reader, writer),
        wire::Begun::Question(stream, asked) => {
            return Ok(brief::serve(&stream, services.brief(asked)).await?);
        }
    };
    let build = Builder::authenticated_socket(socket, guid).p2p();
    let params = params::Client::new(desk.clone(), uid);
    let explainer = explain::Client::new(desk.clone(), uid);
    let permissions = permissions::Client::new(desk, uid);
    let build = build.serve_at(PATH, services);
    let build = build.serve_at(explain::Client::PATH, explainer);
    let build = build.serve_at(permissions::Client::PATH, permissions);
    let build = build.serve_at(params::Client::PATH, params).build();
    let connection = tokio::time::timeout(HANDSHAKE, build).await.map_err(slow)??;
    connection.closed().await;
    Ok(())
}

/// One client's view.
struct Services {
    desk: Desk,
    uid: u32,
}

impl Services {
    /// Asks the loop; the answer may come later.
    async fn call<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Daemon, Reply<T>) + Send + 'static,
    ) -> Result<T, Error> {
        self.desk.call(ask).await.ok_or_else(ending)
    }

    /// Asks the loop what it can answer at once. That a client has hung up meanwhile is fine.
    async fn look<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Daemon) -> T + Send + 'static,
    ) -> Result<T, Error> {
        self.call(|daemon, reply| drop(reply.send(ask(daemon)))).await
    }

    fn only_root(&self, what: &str) -> Result<(), Error> {
        match self.uid {
            0 => Ok(()),
            uid => {
                Err(Error::NotPermitted(format!("{what}: only root may, and you are user {uid}")))
            }
        }
    }

    /// What was asked in brief is what the bus has under the same name.
    async fn brief(&self, asked: Asked) -> Result<(), Error> {
        match asked {
            Asked::Start(name) => self.start(name).await,
            Asked::Stop(name) => self.stop(name).await,
            Asked::PowerOff => self.power_off().await,
            Asked::Reboot => self.reboot().await,
            Asked::Halt => self.halt().await,
        }
    }

    async fn ask(&self, name: String, ask: Ask, what: &str) -> Result<(), Error> {
        self.only_root(what)?;
        self.call(move |daemon, reply| daemon.ask(&name, ask, reply)).await?
    }

    async fn down(&self, end: End, what: &str) -> Result<(), Error> {
        self.only_root(what)?;
        self.call(move |daemon, reply| {
            let _hung_up = reply.send(());
            daemon.go_down(end);
        })
        .await
    }
}

/// Ends become signals, for as long as somebody is there to hear them.
async fn pass_on(
    mut told: mpsc::Receiver<Ended>,
    emitter: SignalEmitter<'static>,
    connection: Connection,
) {
    loop {
        let ended = tokio::select! {
            ended = told.recv() => ended,
            () = connection.closed() => return,
        };
        let Some(Ended { name, how, number, why }) = ended else { break };
        if Services::ended(&emitter, &name, how, number, &why).await.is_err() {
            break;
        }
    }
    // It was too slow, or we end. It may be gone already.
    let _gone = connection.close().await;
}

/// Nobody is left to answer.
fn ending() -> Error {
    Error::GoingDown("servicemgr is ending; try again".into())
}

#[interface(name = "org.ensemble.Services1")]
impl Services {
    async fn list(&self) -> Result<Vec<Row>, Error> {
        self.look(|daemon| daemon.rows()).await
    }

    async fn status(&self, name: String) -> Result<Status, Error> {
        self.look(move |daemon| daemon.find_status(&name)).await?
    }

    async fn start(&self, name: String) -> Result<(), Error> {
        self.ask(name, Ask::Start, "start").await
    }

    async fn stop(&self, name: String) -> Result<(), Error> {
        self.ask(name, Ask::Stop, "stop").await
    }

    async fn restart(&self, name: String) -> Result<(), Error> {
        self.ask(name, Ask::Restart, "restart").await
    }

    async fn together(&self, what: String, names: Vec<String>) -> Result<Vec<Failed>, Error> {
        self.only_root(&what)?;
        let answers = self.look(move |daemon| daemon.ask_all(&what, &names)).await??;
        let mut failed = Vec::new();
        for (name, answer) in answers {
            match self.desk.answer(answer).await.ok_or_else(ending)? {
                Ok(()) => {}
                Err(Error::Failed(reason) | Error::Replaced(reason)) => {
                    failed.push(Failed { name, reason });
                }
                Err(e) => return Err(e),
            }
        }
        Ok(failed)
    }

    async fn reload(&self, name: String) -> Result<(), Error> {
        self.ask(name, Ask::Reload, "reload").await
    }

    async fn reset(&self, name: String) -> Result<(), Error> {
        self.ask(name, Ask::Reset, "reset").await
    }

    async fn freeze(&self, name: String) -> Result<(), Error> {
        self.ask(name, Ask::Freeze, "freeze").await
    }

    async fn thaw(&self, name: String) -> Result<(), Error> {
        self.ask(name, Ask::Thaw, "thaw").await
    }

    async fn enable(&self, name: String, now: bool) -> Result<(), Error> {
        self.only_root("enable")?;
        self.call(move |daemon, reply| daemon.enable(&name, true, now, reply)).await?
    }

    async fn disable(&self, name: String, now: bool) -> Result<(), Error> {
        self.only_root("disable")?;
        self.call(move |daemon, reply| daemon.enable(&name, false, now, reply)).await?
    }

    async fn rehearse(&self, what: String, names: Vec<String>) -> Result<Transaction, Error> {
        self.look(move |daemon| daemon.rehearse(&what, &names)).await?
    }

    async fn why(&self, name: String) -> Result<Why, Error> {
        self.look(move |daemon| daemon.why(&name)).await?
    }

    async fn graph(&self) -> Result<Vec<Edge>, Error> {
        self.look(|daemon| daemon.edges()).await
    }

    async fn wait(&self, name: String, states: Vec<String>) -> Result<Row, Error> {
        self.call(move |daemon, reply| daemon.wait(&name, states, reply)).await?
    }

    async fn run(&self, name: String, definition: String) -> Result<(), Error> {
        self.only_root("run")?;
        self.call(move |daemon, reply| daemon.run_transient(&name, &definition, reply)).await?
    }

    async fn launch(
        &self,
        name: String,
        definition: String,
        uid: u32,
        granted: Vec<String>,
        own: Vec<String>,
    ) -> Result<(), Error> {
        self.only_root("launch")?;
        let wanted = Wanted { definition, uid, granted, own };
        self.call(move |daemon, reply| daemon.launch_instance(&name, &wanted, reply)).await?
    }

    async fn prepare(
        &self,
        definition: String,
        uid: u32,
        granted: Vec<String>,
    ) -> Result<(), Error> {
        self.only_root("prepare")?;
        let wanted = Wanted { definition, uid, granted, own: Vec::new() };
        self.look(move |daemon| daemon.prepare_instance(&wanted)).await?
    }

    async fn let_go(&self, tree: String) -> Result<(), Error> {
        self.only_root("let go")?;
        let gone = move |daemon: &mut Daemon| daemon.launcher.spares.let_go(tree.as_bytes());
        self.look(gone).await
    }

    async fn watch_ends(
        &self,
        prefix: String,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.only_root("watch ends")?;
        let told = self.look(move |daemon| daemon.instances.watchers.watch(&prefix)).await??;
        tokio::spawn(pass_on(told, emitter.to_owned(), connection.clone()));
        Ok(())
    }

    #[zbus(signal)]
    async fn ended(
        emitter: &SignalEmitter<'_>,
        name: &str,
        how: &str,
        number: i32,
        why: &str,
    ) -> zbus::Result<()>;

    async fn set_priority(&self, name: String, oom_score_adj: i32) -> Result<(), Error> {
        self.only_root("set priority")?;
        self.look(move |daemon| daemon.set_priority(&name, oom_score_adj)).await?
    }

    async fn kill(&self, name: String) -> Result<(), Error> {
        self.only_root("kill")?;
        self.call(move |daemon, reply| daemon.kill_at_once(&name, reply)).await?
    }

    async fn forget_app(&self, name: String) -> Result<(), Error> {
        self.only_root("forget an app")?;
        self.look(move |daemon| daemon.forget_app(&name)).await?
    }

    async fn reload_definitions(&self, rehearse: bool) -> Result<Vec<Change>, Error> {
        self.only_root("reload")?;
        self.look(move |daemon| daemon.reload_definitions(rehearse)).await?
    }

    async fn system(&self) -> Result<System, Error> {
        self.look(|daemon| daemon.system()).await
    }

    async fn wait_settled(&self) -> Result<System, Error> {
        self.call(Daemon::wait_settled).await
    }

    async fn boot(&self) -> Result<Vec<Bar>, Error> {
        self.look(|daemon| daemon.bars()).await
    }

    async fn power_off(&self) -> Result<(), Error> {
        self.down(End::PowerOff, "poweroff").await
    }

    async fn reboot(&self) -> Result<(), Error> {
        self.down(End::Reboot, "reboot").await
    }

    async fn halt(&self) -> Result<(), Error> {
        self.down(End::Halt, "halt").await
    }
}
