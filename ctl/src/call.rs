//! One question to a daemon over peer-to-peer D-Bus, and what its errors mean.
//!
//! ```text
//! connect ──► call ──► answer
//!    ▲          │
//!    └── lost ──┘   the daemon was replaced; its listening socket was not
//! ```
//!
//! Invariant: what is asked again changes nothing the second time.

mod devices;

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use api::paths::{ABILITIES_SOCKET, JOURNAL_SOCKET, SERVICES_SOCKET, STORE_SOCKET};
use api::{abilities, journal, params, services, stores};

use crate::bus::{self, Abilities, Params, Services, Stores};
use crate::fault::Fault;
pub(crate) use devices::{Next, devices, pairing, said_devices};
use wire::client::{self, Deadline, Wire};

/// Time a daemon has to answer a question that it need not wait for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Times a lost connection is made anew.
const RECONNECTS: u32 = 3;

/// A daemon that answers questions.
#[derive(Debug, Clone, Copy)]
struct Daemon {
    name: &'static str,
    socket: &'static str,
    /// Questions or answers may carry descriptors.
    fds: bool,
    /// What to do when it can't be reached.
    advice: &'static str,
}

const SERVICEMGR: Daemon = Daemon {
    name: "servicemgr",
    socket: SERVICES_SOCKET,
    fds: false,
    advice: "on a running device, read its console for why; elsewhere there is nothing to control",
};

const JOURNAL: Daemon = Daemon {
    name: "journal",
    socket: JOURNAL_SOCKET,
    fds: true,
    advice: "see `ensctl service status journal`; kernel messages are in `dmesg`",
};

const ABILITIES: Daemon = Daemon {
    name: "ability-manager",
    socket: ABILITIES_SOCKET,
    fds: true,
    advice: "see `ensctl service status ability-manager`; a device without it has no apps",
};

const STORE: Daemon = Daemon {
    name: "store",
    socket: STORE_SOCKET,
    fds: true,
    advice: "see `ensctl service status store`; a device without it has apps from files only",
};

impl Daemon {
    fn unreachable(&self, why: &str) -> Fault {
        let Self { name, socket, advice, .. } = self;
        Fault::Unreachable(format!("cannot reach {name} at {socket}: {why}\n{advice}"))
    }

    fn connect(&self, until: Deadline) -> Result<Wire, Fault> {
        Wire::connect(Path::new(self.socket), self.fds, until).map_err(|e| match e.kind() {
            ErrorKind::PermissionDenied => {
                Fault::Refused(format!("{} answers only root: run ensctl as root", self.name))
            }
            ErrorKind::NotFound => self.unreachable("it is not running"),
            ErrorKind::ConnectionRefused => self.unreachable("it has ended"),
            _ => self.unreachable(&e.to_string()),
        })
    }

    fn late(&self, limit: Duration) -> Fault {
        self.unreachable(&format!("no answer within {limit:?}"))
    }
}

/// Why one try failed.
enum Lost<E> {
    /// The daemon said so, or the bus did.
    Said(E),
    /// The connection went away before the answer came.
    Gone,
    /// It did not come in time.
    Late,
}

/// Asks servicemgr. `ask` gets a fresh connection; when that is lost and `again` is true, it gets
/// another one. `limit` is how long an answer may take.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn services<T>(
    again: bool,
    limit: Option<Duration>,
    ask: impl Fn(Services<'_>) -> Result<T, services::Error>,
) -> Result<T, Fault> {
    match (services_within(again, limit, ask)?, limit) {
        (Some(answer), _) => Ok(answer),
        (None, limit) => Err(SERVICEMGR.late(limit.unwrap_or(PATIENCE))),
    }
}

/// As [`services()`]; `None` when no answer came in time.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn services_within<T>(
    again: bool,
    limit: Option<Duration>,
    ask: impl Fn(Services<'_>) -> Result<T, services::Error>,
) -> Result<Option<T>, Fault> {
    repeat(&SERVICEMGR, again, limit, |wire| ask(Services(wire)), lost_services)?
        .transpose()
        .map_err(said)
}

/// Asks servicemgr about parameters, as [`services()`].
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn params<T>(
    again: bool,
    limit: Option<Duration>,
    ask: impl Fn(Params<'_>) -> Result<T, params::Error>,
) -> Result<T, Fault> {
    let answer = repeat(&SERVICEMGR, again, limit, |wire| ask(Params(wire)), lost_params)?;
    let late = || SERVICEMGR.late(limit.unwrap_or(PATIENCE));
    answer.ok_or_else(late)?.map_err(said_params)
}

/// Asks ability-manager, as [`services()`]. Questions may carry descriptors.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn abilities<T>(
    again: bool,
    limit: Option<Duration>,
    ask: impl Fn(Abilities<'_>) -> Result<T, abilities::Error>,
) -> Result<T, Fault> {
    let answer = repeat(&ABILITIES, again, limit, |wire| ask(Abilities(wire)), lost_abilities)?;
    let late = || ABILITIES.late(limit.unwrap_or(PATIENCE));
    answer.ok_or_else(late)?.map_err(said_abilities)
}

/// Asks store, as [`services()`]. Questions and answers may carry descriptors.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn stores<T>(
    again: bool,
    limit: Option<Duration>,
    ask: impl Fn(Stores<'_>) -> Result<T, stores::Error>,
) -> Result<T, Fault> {
    let answer = repeat(&STORE, again, limit, |wire| ask(Stores(wire)), lost_stores)?;
    let late = || STORE.late(limit.unwrap_or(PATIENCE));
    answer.ok_or_else(late)?.map_err(said_stores)
}

/// Asks a daemon until there is an answer, whatever it is.
fn repeat<T, E>(
    daemon: &Daemon,
    again: bool,
    limit: Option<Duration>,
    ask: impl Fn(&Wire) -> Result<T, E>,
    lost: fn(E) -> Lost<E>,
) -> Result<Option<Result<T, E>>, Fault> {
    let until = limit.and_then(client::within);
    for _ in 0..RECONNECTS {
        let wire = daemon.connect(until)?;
        match ask(&wire).map_err(lost) {
            Ok(answer) => return Ok(Some(Ok(answer))),
            Err(Lost::Said(error)) => return Ok(Some(Err(error))),
            Err(Lost::Late) => return Ok(None),
            Err(Lost::Gone) if again => {}
            Err(Lost::Gone) => break,
        }
    }
    let why = format!(
        "{} was replaced before it answered: look with `ensctl status`, then ask again",
        daemon.name
    );
    Err(Fault::Unreachable(why))
}

/// Tells of each change of parameters whose names begin with `prefix`: first those there are, then
/// what comes, until the connection ends.
///
/// # Errors
/// [`Fault`], in words for people. The connection did not even begin, or `each` failed.
pub(crate) fn watch(
    prefix: &str,
    mut began: impl FnMut(),
    mut each: impl FnMut(params::Param) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let wire = SERVICEMGR.connect(None)?;
    let bus = Params(&wire);
    let all = bus.watch(prefix).and_then(|()| bus.list(prefix)).map_err(said_params)?;
    began();
    all.into_iter().try_for_each(&mut each)?;
    while let Ok(param) = bus.changed() {
        each(param)?;
    }
    Ok(())
}

/// Asks journal for records; they come through the descriptor.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn read(query: &journal::Query) -> Result<OwnedFd, Fault> {
    let wire = JOURNAL.connect(client::within(PATIENCE))?;
    match bus::read(&wire, query) {
        Ok(fd) => Ok(fd),
        Err(journal::Error::BadQuery(why)) => {
            Err(Fault::Usage(crate::args::Usage { why, help: "ensctl log --help".to_owned() }))
        }
        Err(journal::Error::Busy(why) | journal::Error::Failed(why)) => Err(Fault::NotWell(why)),
        Err(journal::Error::ZBus(zbus::Error::InputOutput(e))) if is_late(&e) => {
            Err(JOURNAL.late(PATIENCE))
        }
        Err(journal::Error::ZBus(e)) => Err(JOURNAL.unreachable(&bus_words(&e))),
    }
}

fn lost_services(error: services::Error) -> Lost<services::Error> {
    match error {
        services::Error::ZBus(zbus::Error::InputOutput(e)) if is_gone(&e) => Lost::Gone,
        services::Error::ZBus(zbus::Error::InputOutput(e)) if is_late(&e) => Lost::Late,
        other => Lost::Said(other),
    }
}

fn lost_params(error: params::Error) -> Lost<params::Error> {
    match error {
        params::Error::ZBus(zbus::Error::InputOutput(e)) if is_gone(&e) => Lost::Gone,
        params::Error::ZBus(zbus::Error::InputOutput(e)) if is_late(&e) => Lost::Late,
        other => Lost::Said(other),
    }
}

fn lost_abilities(error: abilities::Error) -> Lost<abilities::Error> {
    match error {
        abilities::Error::ZBus(zbus::Error::InputOutput(e)) if is_gone(&e) => Lost::Gone,
        abilities::Error::ZBus(zbus::Error::InputOutput(e)) if is_late(&e) => Lost::Late,
        other => Lost::Said(other),
    }
}

fn lost_stores(error: stores::Error) -> Lost<stores::Error> {
    match error {
        stores::Error::ZBus(zbus::Error::InputOutput(e)) if is_gone(&e) => Lost::Gone,
        stores::Error::ZBus(zbus::Error::InputOutput(e)) if is_late(&e) => Lost::Late,
        other => Lost::Said(other),
    }
}

fn is_late(e: &io::Error) -> bool {
    e.kind() == ErrorKind::WouldBlock
}

fn is_gone(e: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(
        e.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
    )
}

/// An answer that is an error, in words for people.
pub(crate) fn said(error: services::Error) -> Fault {
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

fn said_abilities(error: abilities::Error) -> Fault {
    use abilities::Error as E;
    match error {
        E::NotFound(why) => Fault::NoSuchService(why),
        E::Failed(why) | E::Ambiguous(why) => Fault::NotWell(why),
        E::Refused(why) | E::Invalid(why) | E::NotPermitted(why) => Fault::Refused(why),
        E::Untrusted(why) => Fault::Refused(format!(
            "{why}\nif its maker told you this key, `ensctl app install --trust` installs it"
        )),
        E::ZBus(e) => ABILITIES.unreachable(&bus_words(&e)),
    }
}

fn said_stores(error: stores::Error) -> Fault {
    use stores::Error as E;
    match error {
        E::NotFound(why) => Fault::NoSuchService(why),
        E::Failed(why) => Fault::NotWell(why),
        E::Refused(why) | E::Invalid(why) | E::NotPermitted(why) => Fault::Refused(why),
        E::Unknown(why) => Fault::Refused(format!("{why}\n`--fingerprint` says so")),
        E::ZBus(e) => STORE.unreachable(&bus_words(&e)),
    }
}

/// What the bus says, without its own names for errors.
fn bus_words(e: &zbus::Error) -> String {
    match e {
        zbus::Error::MethodError(name, Some(why), _) => format!("it said {name}: {why}"),
        other => other.to_string(),
    }
}
