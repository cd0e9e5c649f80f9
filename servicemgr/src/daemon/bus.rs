//! The control socket: peer-to-peer D-Bus, one connection a client.
//!
//! The kernel says who a client is when it connects; nothing it sends can change that. A request
//! goes to the loop as a value and its answer comes back as one.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::pid1::End;
use api::services::{Bar, Error, PATH, Row, Status, System};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use zbus::connection::Builder;
use zbus::interface;

use super::{Daemon, wire};
use crate::engine::{Ask, Event};

/// Requests that may wait for the loop.
pub(super) const QUEUE: usize = 64;

/// Clients at a time; a further one is hung up on. Those of root are counted apart: others must not
/// be able to keep it out.
const MAX_CLIENTS: usize = 32;

/// How long a client may take to introduce itself.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Pause after the system had no descriptor for a new client.
const PAUSE: Duration = Duration::from_millis(200);

type Reply<T> = oneshot::Sender<T>;

/// What a client wants, with where the answer goes.
#[derive(Debug)]
pub(super) enum Request {
    List(Reply<Vec<Row>>),
    Status(String, Reply<Result<Status, Error>>),
    Ask(String, Ask, Reply<Result<(), Error>>),
    System(Reply<System>),
    WaitSettled(Reply<System>),
    Boot(Reply<Vec<Bar>>),
    Down(End, Reply<()>),
}

/// Takes clients for as long as the daemon lives.
pub(super) async fn serve(listener: UnixListener, requests: mpsc::Sender<Request>) {
    let (of_root, of_others) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    loop {
        let accepted = listener.accept().await;
        let (stream, uid) = match accepted.and_then(|(s, _)| Ok((sys::bind::peer_uid(&s)?, s))) {
            Ok((uid, stream)) => (stream, uid),
            Err(e) => {
                log::warn!("could not take a client: {e}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let clients = if uid == 0 { &of_root } else { &of_others };
        if clients.fetch_add(1, Ordering::Relaxed) >= MAX_CLIENTS {
            clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (services, clients) =
            (Services { requests: requests.clone(), uid }, Arc::clone(clients));
        tokio::spawn(async move {
            // A client that breaks off or speaks nonsense is its own problem.
            let _nonsense = client(stream, services).await;
            clients.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn client(stream: UnixStream, services: Services) -> zbus::Result<()> {
    let guid = api::guid(&fs::read_to_string(api::paths::BOOT_ID).unwrap_or_default());
    let greeted = async {
        let socket = wire::greet(stream, guid.as_str()).await?;
        let build = Builder::authenticated_socket(socket, guid.clone());
        build.p2p().serve_at(PATH, services).build().await
    };
    let connection = tokio::time::timeout(HANDSHAKE, greeted)
        .await
        .map_err(|_| zbus::Error::Failure("too slow".into()))??;
    connection.closed().await;
    Ok(())
}

/// One client's view.
struct Services {
    requests: mpsc::Sender<Request>,
    uid: u32,
}

impl Services {
    async fn call<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let gone = || Error::GoingDown("servicemgr is ending; try again".into());
        self.requests.send(request(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    fn only_root(&self, what: &str) -> Result<(), Error> {
        match self.uid {
            0 => Ok(()),
            uid => {
                Err(Error::NotPermitted(format!("{what}: only root may, and you are user {uid}")))
            }
        }
    }

    async fn ask(&self, name: &str, ask: Ask, what: &str) -> Result<(), Error> {
        self.only_root(what)?;
        self.call(|reply| Request::Ask(name.to_owned(), ask, reply)).await?
    }

    async fn down(&self, end: End, what: &str) -> Result<(), Error> {
        self.only_root(what)?;
        self.call(|reply| Request::Down(end, reply)).await
    }
}

#[interface(name = "org.ensemble.Services1")]
impl Services {
    async fn list(&self) -> Result<Vec<Row>, Error> {
        self.call(Request::List).await
    }

    async fn status(&self, name: &str) -> Result<Status, Error> {
        self.call(|reply| Request::Status(name.to_owned(), reply)).await?
    }

    async fn start(&self, name: &str) -> Result<(), Error> {
        self.ask(name, Ask::Start, "start").await
    }

    async fn stop(&self, name: &str) -> Result<(), Error> {
        self.ask(name, Ask::Stop, "stop").await
    }

    async fn restart(&self, name: &str) -> Result<(), Error> {
        self.ask(name, Ask::Restart, "restart").await
    }

    async fn system(&self) -> Result<System, Error> {
        self.call(Request::System).await
    }

    async fn wait_settled(&self) -> Result<System, Error> {
        self.call(Request::WaitSettled).await
    }

    async fn boot(&self) -> Result<Vec<Bar>, Error> {
        self.call(Request::Boot).await
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

impl Daemon {
    /// Does what a client wants. That it may have hung up meanwhile is fine.
    pub(super) fn request(&mut self, request: Request) {
        match request {
            Request::List(reply) => drop(reply.send(self.rows())),
            Request::System(reply) => drop(reply.send(self.system())),
            Request::Boot(reply) => drop(reply.send(self.bars())),
            Request::Status(name, reply) => {
                let status = self.find(&name).and_then(|id| self.status(id));
                drop(reply.send(status.ok_or_else(|| unknown(&name))));
            }
            Request::WaitSettled(reply) if self.engine.booted() => {
                drop(reply.send(self.system()));
            }
            Request::WaitSettled(reply) => self.settled.push(reply),
            Request::Down(end, reply) => {
                let _hung_up = reply.send(());
                self.go_down(end);
            }
            Request::Ask(name, ask, reply) => match self.find(&name) {
                None => drop(reply.send(Err(unknown(&name)))),
                Some(id) => {
                    self.last_job += 1;
                    self.jobs.insert(self.last_job, reply);
                    self.feed(Event::Ask(id, ask, self.last_job));
                }
            },
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::NoSuchService(format!("no service is called `{name}`: ensctl service list shows them"))
}
