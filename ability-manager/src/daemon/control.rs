//! The control socket: peer-to-peer D-Bus, one connection a client.
//!
//! The kernel says who a client is when it connects; nothing it sends can change that. A request goes to the
//! loop as a value and its answer comes back as one.

use std::convert::Infallible;
use std::time::Duration;

use api::abilities::{Candidate, Error, Instance, Mission, PATH, Started, Want};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use wire::clients::Client;
use zbus::connection::Builder;
use zbus::interface;

use super::bundles::Bundles;
use super::cards::Forms;
use super::choices::Choices;
use super::clients::Told;
use super::lock::Locks;
use super::quiet::Quiet;
use super::{Daemon, clients, wanted};

/// Requests that may wait for the loop.
pub(super) const QUEUE: usize = 64;

/// How long a client may take to introduce itself.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Calls that a client may have unanswered: it may wait for many missions.
const MAX_CALLS: usize = 64;

pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What a client wants: done by the loop, which knows everything. It carries where the answer goes.
pub(super) type Request = Box<dyn FnOnce(&mut Daemon) + Send>;

/// What a client may send; only root's descriptors are taken, and only to be installed.
fn limits(uid: u32) -> wire::Limits {
    // A want is the longest thing that is said.
    let message = model::want::MAX_WANT + (16 << 10);
    let descriptors = if uid == 0 { wire::Descriptors::Taken } else { wire::Descriptors::Closed };
    wire::Limits { message, unanswered: Some(MAX_CALLS), descriptors }
}

/// The way to the loop, for as long as the client is there.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    requests: mpsc::Sender<Request>,
    client: watch::Receiver<()>,
    uid: u32,
}

impl Desk {
    /// Asks the loop; the answer may come later.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Daemon, Reply<T>) + Send + 'static,
    ) -> Result<T, Error> {
        let ending =
            || Error::Failed("ability-manager is ending: ask again in a moment".to_owned());
        let (reply, answer) = oneshot::channel();
        let request: Request = Box::new(move |daemon| ask(daemon, reply));
        self.requests.send(request).await.map_err(|_| ending())?;
        let mut client = self.client.clone();
        tokio::select! {
            answer = answer => answer.map_err(|_| ending())?,
            // Nobody is there to hear it.
            _gone = client.changed() => Err(ending()),
        }
    }

    /// Asks the loop what it can answer at once.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Daemon) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.call(|daemon, reply| drop(reply.send(ask(daemon)))).await
    }

    /// Tells the loop something that has no answer. Lost when too much waits for it.
    pub(super) fn tell(&self, what: impl FnOnce(&mut Daemon) + Send + 'static) {
        let _lost = self.requests.try_send(Box::new(what));
    }

    /// Whether the client may change something.
    pub(super) fn only_root(&self, what: &str) -> Result<(), Error> {
        match self.uid {
            0 => Ok(()),
            uid => {
                Err(Error::NotPermitted(format!("{what}: only root may, and you are user {uid}")))
            }
        }
    }

    /// Who the client is.
    pub(super) fn uid(&self) -> u32 {
        self.uid
    }
}

/// Takes clients for as long as the daemon lives.
pub(super) async fn serve(
    listener: UnixListener,
    requests: mpsc::Sender<Request>,
    guid: String,
    told: broadcast::Sender<Told>,
) {
    let one = |client: Client| {
        let Client { stream, uid, gone } = client;
        let desk = Desk { requests: requests.clone(), client: gone, uid };
        serve_one(stream, desk, guid.clone(), told.subscribe())
    };
    wire::clients::serve(listener, one).await;
}

/// Serves a client until it hangs up.
async fn serve_one(
    stream: UnixStream,
    desk: Desk,
    guid: String,
    told: broadcast::Receiver<Told>,
) -> zbus::Result<()> {
    let slow = |_| zbus::Error::Failure("too slow".into());
    let greeting = wire::greet(stream, &guid, limits(desk.uid), |_| None::<Infallible>);
    let begun = tokio::time::timeout(HANDSHAKE, greeting).await.map_err(slow)??;
    let wire::Begun::Messages(reader, writer) = begun;
    let build = Builder::authenticated_socket(wire::split(reader, writer), guid).p2p();
    let build = build.serve_at(PATH, Abilities { desk: desk.clone() });
    let build = build.serve_at(PATH, Quiet::new(desk.clone()));
    let build = build.serve_at(PATH, Locks::new(desk.clone()));
    let build = build.serve_at(PATH, Choices::new(desk.clone()));
    let build = build.serve_at(PATH, Forms::new(desk.clone()));
    let build = build.serve_at(PATH, Bundles::new(desk)).build();
    let connection = tokio::time::timeout(HANDSHAKE, build).await.map_err(slow)??;
    tokio::select! {
        () = connection.closed() => Ok(()),
        broken = clients::tell(&connection, told) => broken,
    }
}

/// One client's view of instances and missions.
struct Abilities {
    desk: Desk,
}

#[interface(name = "org.ensemble.Abilities1")]
impl Abilities {
    async fn start(&self, want: Want, show: bool) -> Result<Started, Error> {
        self.desk.only_root("start")?;
        let want = wanted::read(want)?;
        self.desk.call(move |daemon, reply| daemon.start(want, show, reply)).await
    }

    async fn candidates(&self, want: Want) -> Result<Vec<Candidate>, Error> {
        let want = wanted::read(want)?;
        self.desk.look(move |daemon| Ok(daemon.candidates(&want))).await
    }

    async fn stop(&self, unit: String) -> Result<(), Error> {
        self.desk.only_root("stop")?;
        self.desk.call(move |daemon, reply| daemon.stop(&unit, reply)).await
    }

    async fn show(&self, mission: u32) -> Result<Started, Error> {
        self.desk.only_root("show")?;
        self.desk.call(move |daemon, reply| daemon.show(mission, reply)).await
    }

    async fn hide(&self, mission: u32) -> Result<(), Error> {
        self.desk.only_root("hide")?;
        self.desk.call(move |daemon, reply| daemon.hide(mission, reply)).await
    }

    async fn forget(&self, mission: u32) -> Result<(), Error> {
        self.desk.only_root("forget")?;
        self.desk.call(move |daemon, reply| daemon.forget(mission, reply)).await
    }

    async fn instances(&self) -> Result<Vec<Instance>, Error> {
        self.desk.look(|daemon| Ok(daemon.instances())).await
    }

    async fn missions(&self) -> Result<Vec<Mission>, Error> {
        self.desk.look(|daemon| Ok(daemon.missions())).await
    }

    async fn wait(&self, unit: String, states: Vec<String>) -> Result<String, Error> {
        self.desk.call(move |daemon, reply| daemon.wait(&unit, states, reply)).await
    }

    async fn dump(&self) -> Result<String, Error> {
        self.desk.look(|daemon| Ok(daemon.dump())).await
    }
}
