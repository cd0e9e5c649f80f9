//! One question to a daemon over peer-to-peer D-Bus, and what its errors mean.
//!
//! ```text
//! connect ──► authenticate ──► call ──► answer
//!    ▲                           │
//!    └── connection lost ────────┘   the daemon was replaced; its listening socket was not
//! ```
//!
//! Invariant: what is asked again changes nothing the second time.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::time::Duration;

use api::journal::{self, JournalProxy};
use api::params::{self, ParamsProxy};
use api::paths::{JOURNAL_SOCKET, SERVICES_SOCKET};
use api::services::{self, ServicesProxy};
use zbus::Connection;
use zbus::connection::Builder;
use zbus::proxy::CacheProperties;

use crate::fault::Fault;

/// Time a daemon has to answer a question that it need not wait for.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Times a lost connection is made anew.
const RECONNECTS: u32 = 3;

/// A daemon that answers questions.
#[derive(Debug, Clone, Copy)]
struct Daemon {
    name: &'static str,
    socket: &'static str,
    /// What to do when it can't be reached.
    advice: &'static str,
}

const SERVICEMGR: Daemon = Daemon {
    name: "servicemgr",
    socket: SERVICES_SOCKET,
    advice: "on a running device, read its console for why; elsewhere there is nothing to control",
};

const JOURNAL: Daemon = Daemon {
    name: "journal",
    socket: JOURNAL_SOCKET,
    advice: "see `ensctl service status journal`; kernel messages are in `dmesg`",
};

impl Daemon {
    fn unreachable(&self, why: &str) -> Fault {
        let Self { name, socket, advice } = self;
        Fault::Unreachable(format!("cannot reach {name} at {socket}: {why}\n{advice}"))
    }

    /// Boxed: one copy of this much code is enough.
    fn connect(self) -> Pin<Box<dyn Future<Output = Result<Connection, Fault>>>> {
        Box::pin(async move { self.open().await })
    }

    async fn open(&self) -> Result<Connection, Fault> {
        let stream = UnixStream::connect(self.socket).map_err(|e| match e.kind() {
            ErrorKind::PermissionDenied => {
                Fault::Refused(format!("{} answers only root: run ensctl as root", self.name))
            }
            ErrorKind::NotFound => self.unreachable("it is not running"),
            ErrorKind::ConnectionRefused => self.unreachable("it has ended"),
            _ => self.unreachable(&e.to_string()),
        })?;
        let build = Builder::unix_stream(stream).p2p().build();
        match tokio::time::timeout(PATIENCE, build).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(e)) => Err(self.unreachable(&e.to_string())),
            Err(_) => Err(self.unreachable(&format!("no answer within {PATIENCE:?}"))),
        }
    }
}

/// Why one try failed.
enum Lost<E> {
    /// The daemon said so, or the bus did.
    Said(E),
    /// The connection went away before the answer came.
    Gone,
}

/// Asks servicemgr. `ask` gets a fresh proxy; when the connection is lost and `again` is true,
/// it gets another one. `limit` is how long an answer may take.
///
/// # Errors
/// [`Fault`], in words for people.
pub async fn services<T>(
    again: bool,
    limit: Option<Duration>,
    ask: impl AsyncFn(ServicesProxy<'static>) -> Result<T, services::Error>,
) -> Result<T, Fault> {
    let ask = async |bus: Connection| {
        let proxy = ServicesProxy::builder(&bus).cache_properties(CacheProperties::No);
        ask(proxy.build().await?).await
    };
    repeat(again, limit, ask, lost_services).await?.map_err(said)
}

/// Asks servicemgr about parameters, as [`services()`].
///
/// # Errors
/// [`Fault`], in words for people.
pub async fn params<T>(
    again: bool,
    limit: Option<Duration>,
    ask: impl AsyncFn(ParamsProxy<'static>) -> Result<T, params::Error>,
) -> Result<T, Fault> {
    let ask = async |bus: Connection| {
        let proxy = ParamsProxy::builder(&bus).cache_properties(CacheProperties::No);
        ask(proxy.build().await?).await
    };
    repeat(again, limit, ask, lost_params).await?.map_err(said_params)
}

/// Asks servicemgr until there is an answer, whatever it is.
async fn repeat<T, E>(
    again: bool,
    limit: Option<Duration>,
    ask: impl AsyncFn(Connection) -> Result<T, E>,
    lost: fn(E) -> Lost<E>,
) -> Result<Result<T, E>, Fault> {
    for _ in 0..RECONNECTS {
        let connection = SERVICEMGR.connect().await?;
        let answer = match limit {
            None => ask(connection).await,
            Some(limit) => tokio::time::timeout(limit, ask(connection))
                .await
                .map_err(|_| SERVICEMGR.unreachable(&format!("no answer within {limit:?}")))?,
        };
        match answer.map_err(lost) {
            Ok(answer) => return Ok(Ok(answer)),
            Err(Lost::Said(error)) => return Ok(Err(error)),
            Err(Lost::Gone) if again => {}
            Err(Lost::Gone) => break,
        }
    }
    let why =
        "servicemgr was replaced before it answered: look with `ensctl status`, then ask again";
    Err(Fault::Unreachable(why.to_owned()))
}

/// Asks journal for records; they come through the descriptor.
///
/// # Errors
/// [`Fault`], in words for people.
pub async fn read(query: journal::Query) -> Result<std::os::fd::OwnedFd, Fault> {
    let connection = JOURNAL.connect().await?;
    let proxy = JournalProxy::builder(&connection)
        .cache_properties(CacheProperties::No)
        .build()
        .await
        .map_err(|e| JOURNAL.unreachable(&e.to_string()))?;
    let answer = tokio::time::timeout(PATIENCE, proxy.read(query))
        .await
        .map_err(|_| JOURNAL.unreachable(&format!("no answer within {PATIENCE:?}")))?;
    match answer {
        Ok(fd) => Ok(fd.into()),
        Err(journal::Error::BadQuery(why)) => {
            Err(Fault::Usage(crate::args::Usage { why, help: "ensctl log --help".to_owned() }))
        }
        Err(journal::Error::Busy(why) | journal::Error::Failed(why)) => Err(Fault::NotWell(why)),
        Err(journal::Error::ZBus(e)) => Err(JOURNAL.unreachable(&bus_words(&e))),
    }
}

fn lost_services(error: services::Error) -> Lost<services::Error> {
    match error {
        services::Error::ZBus(zbus::Error::InputOutput(e)) if is_gone(&e) => Lost::Gone,
        other => Lost::Said(other),
    }
}

fn lost_params(error: params::Error) -> Lost<params::Error> {
    match error {
        params::Error::ZBus(zbus::Error::InputOutput(e)) if is_gone(&e) => Lost::Gone,
        other => Lost::Said(other),
    }
}

fn is_gone(e: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(
        e.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
    )
}

fn said(error: services::Error) -> Fault {
    match error {
        services::Error::NoSuchService(why) => Fault::NoSuchService(why),
        services::Error::Failed(why)
        | services::Error::Replaced(why)
        | services::Error::BadDefinition(why) => Fault::NotWell(why),
        services::Error::Refused(why) => Fault::Refused(why),
        services::Error::NotPermitted(why) | services::Error::GoingDown(why) => Fault::Refused(why),
        services::Error::ZBus(e) => SERVICEMGR.unreachable(&bus_words(&e)),
    }
}

fn said_params(error: params::Error) -> Fault {
    use params::Error as E;
    match error {
        E::NoSuchParameter(why) | E::TimedOut(why) | E::NotSaved(why) | E::Busy(why) => {
            Fault::NotWell(why)
        }
        E::Refused(why) | E::NotPermitted(why) | E::GoingDown(why) => Fault::Refused(why),
        E::ZBus(e) => SERVICEMGR.unreachable(&bus_words(&e)),
    }
}

/// What the bus says, without its own names for errors.
fn bus_words(e: &zbus::Error) -> String {
    match e {
        zbus::Error::MethodError(name, Some(why), _) => format!("it said {name}: {why}"),
        other => other.to_string(),
    }
}
