//! The daemon: files, the engine, clients of the bus, and what ties them together.
//!
//! ```text
//! socket (from servicemgr) ─► client ─► desk ─ mail ─► hub ◄─ engine, links
//!      └─ in no group, and nobody for IDLE ─► ends; the next client starts the next one
//! ```
//!
//! | file | does |
//! |---|---|
//! | `hub` | one thing after the other: events to the cores, actions to the world |
//! | `links` | what is said on a link |
//! | `group` | the group changes, and everything follows |
//! | `pairing` | attempts to pair |
//! | `desk`, `shown`, `doctor` | the bus, and what is shown there |
//! | `files`, `facts`, `voice` | the disk, this device, servicemgr |

mod desk;
mod doctor;
mod facts;
mod files;
mod gate;
mod group;
mod hub;
mod links;
mod mail;
mod pairing;
mod shown;
#[cfg(test)]
mod tests;
mod voice;

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sys::signals::Signals;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};

use crate::engine::{self, Engine, Options};
use crate::session::{Bye, Session};
use crate::streams::Doors;
use crate::trust::SecretKey;
use desk::Desk;
use files::Files;
use gate::Admitted;
use hub::Hub;
use mail::{Ask, Mail};

/// Name of the control socket, when it is handed over.
const BUS: &str = "bus";

/// UDP port of links, if it is free: so that an address alone says where a device is.
const USUAL_PORT: u16 = 28_181;

/// How long it stays in no group when nobody is connected.
const IDLE: Duration = Duration::from_secs(20);

/// Where things are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Control socket, where none was handed over.
    pub control: PathBuf,
    /// What is its own.
    pub state: PathBuf,
    /// servicemgr.
    pub services: PathBuf,
    /// Port of multicast DNS; none: nobody is announced, nobody is heard.
    pub multicast: Option<u16>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            control: api::paths::DEVICES_SOCKET.into(),
            state: "/var/lib/softbus".into(),
            services: api::paths::SERVICES_SOCKET.into(),
            multicast: Some(engine::PORT),
        }
    }
}

/// Runs until `SIGTERM`; in no group, until nobody asks any more.
///
/// # Errors
/// What is missing to begin with.
pub fn run(settings: &Settings) -> io::Result<()> {
    let handed = sys::listen::take()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let done = runtime.block_on(serve(settings, handed));
    runtime.shutdown_background();
    done
}

async fn serve(settings: &Settings, handed: Vec<(String, OwnedFd)>) -> io::Result<()> {
    let signals = Signals::open()?;
    let handed = handed.into_iter().find(|(name, _)| name == BUS).map(|(_, socket)| socket);
    let bind = || sys::bind::unix(&settings.control, sys::bind::Kind::Stream, 0o666);
    let socket = std::os::unix::net::UnixListener::from(handed.map_or_else(bind, Ok)?);
    socket.set_nonblocking(true)?;
    let listener = UnixListener::from_std(socket)?;
    let (mail, questions) = Mail::new();
    let mut hub = begin(settings, mail.clone()).await?;
    hub.begin();
    let guid = api::guid(&std::fs::read_to_string(api::paths::BOOT_ID).unwrap_or_default());
    let mut clients: u64 = 0;
    let serve_one = move |client: wire::clients::Client| {
        clients = clients.saturating_add(1);
        desk::serve_one(
            Desk { mail: mail.clone(), uid: client.uid, client: clients },
            client.stream,
            guid.clone(),
        )
    };
    let ended = tokio::select! {
        () = wire::clients::serve(listener, serve_one) => Ok(()),
        () = turn(&mut hub, questions) => Ok(()),
        ended = wire::told_to_end(&signals) => ended,
    };
    hub.unsaved = true;
    hub.save();
    let links: Vec<_> = hub.links.keys().copied().collect();
    links.into_iter().for_each(|id| hub.cut(id, Bye::Ending));
    hub.engine.stop().await;
    ended
}

/// Carries questions out one after the other, until nobody needs it any more.
async fn turn(hub: &mut Hub, mut questions: mpsc::Receiver<Ask>) {
    loop {
        let now = sys::clock::boottime();
        let due = hub.deadline().map(|at| at.saturating_sub(now));
        let needed = hub.group.is_some() || !hub.clients.is_empty();
        let idle = (!needed).then_some(IDLE);
        let wait = due.into_iter().chain(idle).min();
        let sleep = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            question = questions.recv() => match question {
                Some(ask) => ask(hub),
                None => return,
            },
            () = sleep => {
                if !needed && due.is_none() {
                    return;
                }
                hub.step(crate::session::Event::Tick);
            }
        }
    }
}

/// Everything that is known at the beginning.
async fn begin(settings: &Settings, mail: Mail) -> io::Result<Hub> {
    let files = Files::at(&settings.state);
    let key = files.key()?;
    let (group, damaged) = match files.group() {
        Ok(group) => (group, None),
        Err(e) => (None, Some(e.to_string())),
    };
    if let Some(why) = &damaged {
        say(3, why);
    }
    let gate = Arc::new(Admitted::default());
    let (engine, events) = start(&key, &files, Arc::clone(&gate), settings.multicast).await?;
    let key = SecretKey::from_bytes(&key);
    let mut lot = [0; 12];
    sys::random::fill(&mut lot)?;
    let (run, salt) =
        lot.split_first_chunk::<8>().map(|(run, salt)| (*run, salt)).unwrap_or_default();
    let (announcing, announced) = watch::channel(Vec::new());
    let (parameters, told) = watch::channel(std::collections::BTreeMap::new());
    let (services, announcer) = (settings.services.clone(), engine.clone());
    tokio::spawn(async move { voice::speak(&services, told).await });
    tokio::spawn(announce(announcer, announced));
    tokio::spawn(pass_on(events, mail.clone()));
    Ok(Hub {
        mail,
        own: key.id(),
        run: u64::from_le_bytes(run),
        group,
        damaged,
        session: Session::new(key.id()),
        links: Default::default(),
        peers: files.peers(),
        troubles: Default::default(),
        near: Default::default(),
        profile: facts::profile(),
        added: files.added(),
        addresses: engine.addresses(),
        deaf: None,
        clients: Default::default(),
        pairing: Default::default(),
        doors: Arc::new(Doors::default()),
        salt: salt.try_into().unwrap_or_default(),
        announcing,
        parameters,
        waiting: Vec::new(),
        next: 1,
        unsaved: false,
        files,
        key,
        engine,
        gate,
    })
}

/// The engine, at the port of the last time if it is free.
async fn start(
    key: &[u8; 32],
    files: &Files,
    gate: Arc<Admitted>,
    multicast: Option<u16>,
) -> io::Result<(Engine, mpsc::Receiver<engine::Event>)> {
    let before = Some(files.port()).filter(|port| *port != 0).unwrap_or(USUAL_PORT);
    let options =
        |port| Options { port, only: None, relays: Vec::new(), gate: gate.clone(), multicast };
    let started = match Engine::start(key, options(before)).await {
        Err(_) => Engine::start(key, options(0)).await,
        started => started,
    };
    let (engine, events) = started.map_err(io::Error::other)?;
    if engine.port() != files.port()
        && let Err(e) = files.keep_port(engine.port())
    {
        say(4, &format!("remembering the port of links: {e}"));
    }
    Ok((engine, events))
}

/// Announces what is to be announced, always the last word.
async fn announce(engine: Engine, mut what: watch::Receiver<Vec<engine::Announcement>>) {
    while what.changed().await.is_ok() {
        let what = what.borrow_and_update().clone();
        engine.announce(what).await;
    }
}

async fn pass_on(mut events: mpsc::Receiver<engine::Event>, mail: Mail) {
    while let Some(event) = events.recv().await {
        if !mail.tell(move |hub| hub.heard(event)).await {
            return;
        }
    }
}

/// A line of the log.
fn say(level: u8, what: &str) {
    let what = what.replace(char::is_control, " ");
    // Nobody is there to read it.
    let _lost = writeln!(io::stderr(), "<{level}>{what}");
}
