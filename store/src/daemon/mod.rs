//! The daemon: clients of the bus, and an end when there are none.
//!
//! ```text
//! socket (from servicemgr) ─► client ─► desk ─ work on a thread that may wait ─► answer
//!      └─ nobody for IDLE ─► ends; the next client starts the next one
//! ```
//!
//! It knows nothing by itself: each question reads the shelf, and checks again what lies there. Those that change
//! it come one after the other.

mod desk;
mod work;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::stores::PATH;
use sys::signals::Signals;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use zbus::connection::Builder;

use desk::Desk;
use work::Work;

/// Name of the control socket, when it is handed over.
const BUS: &str = "bus";

/// How long it stays when nobody is connected.
const IDLE: Duration = Duration::from_secs(20);

/// Clients at a time that are not root; a further one is hung up on.
const MAX_CLIENTS: usize = 16;

/// How long a client may take to introduce itself.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Pause after the system had no descriptor for a new client.
const PAUSE: Duration = Duration::from_millis(200);

/// Questions that are worked on at a time.
const BLOCKING: usize = 4;

/// Longest message: a root comes along when a store is added.
const MAX_MESSAGE: usize = 576 << 10;

/// Where things are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Control socket, where none was handed over.
    pub control: PathBuf,
    /// What is known of stores.
    pub shelf: PathBuf,
    /// Stores that the device comes with: `NAME/place` and `NAME/root.json`.
    pub image: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            control: api::paths::STORE_SOCKET.into(),
            shelf: "/var/lib/store".into(),
            image: model::store::PATH.into(),
        }
    }
}

/// Runs until nobody asks any more, or `SIGTERM`.
///
/// # Errors
/// What is missing to begin with.
pub fn run(settings: Settings) -> io::Result<()> {
    let handed = sys::listen::take()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(BLOCKING)
        .build()?;
    let done = LocalSet::new().block_on(&runtime, serve(settings, handed));
    runtime.shutdown_background();
    done
}

/// Who is connected.
#[derive(Debug, Default)]
struct Clients {
    all: AtomicUsize,
    others: AtomicUsize,
    changed: Notify,
}

impl Clients {
    /// Answers when nobody was connected for [`IDLE`].
    async fn gone(&self) {
        loop {
            let changed = self.changed.notified();
            if self.all.load(Ordering::Relaxed) > 0 {
                changed.await;
                continue;
            }
            if tokio::time::timeout(IDLE, changed).await.is_err() {
                return;
            }
        }
    }
}

async fn serve(settings: Settings, handed: Vec<(String, OwnedFd)>) -> io::Result<()> {
    let signals = Signals::open()?;
    let guid = api::guid(&std::fs::read_to_string(api::paths::BOOT_ID).unwrap_or_default());
    let handed = handed.into_iter().find(|(name, _)| name == BUS).map(|(_, socket)| socket);
    let bind = || sys::bind::unix(&settings.control, sys::bind::Kind::Stream, 0o666);
    let socket = std::os::unix::net::UnixListener::from(handed.map_or_else(bind, Ok)?);
    socket.set_nonblocking(true)?;
    let listener = UnixListener::from_std(socket)?;
    let work = Arc::new(Work::new(&settings.shelf, &settings.image));
    let clients = Arc::new(Clients::default());
    tokio::select! {
        () = listen(&listener, &work, &clients, &guid) => Ok(()),
        () = clients.gone() => Ok(()),
        ended = wire::told_to_end(&signals) => ended,
    }
}

/// Takes clients for ever.
async fn listen(listener: &UnixListener, work: &Arc<Work>, clients: &Arc<Clients>, guid: &str) {
    loop {
        let accepted = listener.accept().await;
        let Ok((uid, stream)) = accepted.and_then(|(s, _)| Ok((sys::bind::peer_uid(&s)?, s)))
        else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let desk = Desk { work: Arc::clone(work), uid };
        let (guid, clients) = (guid.to_owned(), Arc::clone(clients));
        if uid != 0 && clients.others.fetch_add(1, Ordering::Relaxed) >= MAX_CLIENTS {
            clients.others.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        clients.all.fetch_add(1, Ordering::Relaxed);
        clients.changed.notify_waiters();
        tokio::spawn(async move {
            // A client that breaks off or speaks nonsense is its own problem.
            let _nonsense = serve_one(stream, desk, guid).await;
            if uid != 0 {
                clients.others.fetch_sub(1, Ordering::Relaxed);
            }
            clients.all.fetch_sub(1, Ordering::Relaxed);
            clients.changed.notify_waiters();
        });
    }
}

/// Serves a client until it hangs up.
async fn serve_one(stream: UnixStream, desk: Desk, guid: String) -> zbus::Result<()> {
    let slow = |_| zbus::Error::Failure("too slow".into());
    let descriptors =
        if desk.uid == 0 { wire::Descriptors::Taken } else { wire::Descriptors::Closed };
    let limits = wire::Limits { message: MAX_MESSAGE, unanswered: Some(BLOCKING), descriptors };
    let greeting = wire::greet(stream, &guid, limits, |_| None::<std::convert::Infallible>);
    let begun = tokio::time::timeout(HANDSHAKE, greeting).await.map_err(slow)??;
    let wire::Begun::Messages(reader, writer) = begun;
    let build = Builder::authenticated_socket(wire::split(reader, writer), guid).p2p();
    let build = build.serve_at(PATH, desk).build();
    let connection = tokio::time::timeout(HANDSHAKE, build).await.map_err(slow)??;
    connection.closed().await;
    Ok(())
}
