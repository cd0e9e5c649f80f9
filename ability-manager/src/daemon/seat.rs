//! The bus of an instance: a socket of its own, and who is at the other end of it is that instance.
//!
//! ```text
//! library of a session bus ─ Hello, AddMatch … ─► driver (pure)     answered at once
//!   └─ org.ensemble.App1 ─► Call ─► the loop ─► Reply                answered when it is so
//!   ◄─ signal Lifecycle ─ Seat::tell
//! ```
//!
//! The kernel says whether the other end is the app's user; what it says of itself is not looked at.
//! Invariants: an app that sends much, or reads nothing, is slowed down or hung up on, and nobody else notices;
//! every call has one answer, and what was answered before a signal is read before it.

mod call;
mod connection;
mod driver;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use api::app::{INTERFACE, PATH, Want};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_local};
use zbus::message::Message;

pub(crate) use call::{Call, Reply, What};

/// Most connections of one instance at a time: a library of its language, and one that this uses.
const MAX_CONNECTIONS: usize = 4;

/// Messages that may wait until a client reads them; one that lets more wait is hung up on.
const QUEUE: usize = 64;

/// Pause after the system had no descriptor for a new connection.
const PAUSE: Duration = Duration::from_millis(200);

/// Name of the socket in the directory of an instance.
pub(crate) const SOCKET: &str = "bus";

/// The name that ability-manager has on the bus of every instance.
const OWNER: &str = ":1.0";

/// Whose bus it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whose {
    /// The instance.
    pub instance: u64,
    /// The only user who may connect.
    pub uid: u32,
}

/// The bus of an instance; it is no more when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    shared: Rc<Shared>,
    task: AbortHandle,
    directory: PathBuf,
}

/// What its connections share.
#[derive(Debug)]
struct Shared {
    whose: Whose,
    guid: String,
    calls: mpsc::Sender<Call>,
    connections: RefCell<BTreeMap<u32, Connection>>,
    next: Cell<u32>,
}

/// One connection, as others see it.
#[derive(Debug)]
struct Connection {
    out: mpsc::Sender<Message>,
    /// It asked to be told of its lifecycle.
    attached: bool,
    /// Ends it.
    task: Option<AbortHandle>,
}

impl Seat {
    /// Makes `directory` and the socket in it, both the app's, and listens.
    ///
    /// # Errors
    /// The directory or the socket can't be made.
    pub(crate) fn open(
        directory: &Path,
        whose: Whose,
        guid: String,
        calls: mpsc::Sender<Call>,
    ) -> io::Result<Self> {
        let path = directory.join(SOCKET);
        // What an earlier instance of this number left is nobody's any more.
        clear(directory)?;
        // What is above is of all its instances, and stays: views of theirs may be made already.
        if let Some(above) = directory.parent() {
            fs::DirBuilder::new().mode(0o755).recursive(true).create(above)?;
        }
        fs::DirBuilder::new().mode(0o700).create(directory)?;
        let owner = Some((whose.uid, whose.uid));
        let access = sys::bind::Access { mode: 0o600, owner, backlog: 8 };
        let socket = sys::bind::unix_for(&path, sys::bind::Kind::Stream, &access)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        chown(directory, Some(whose.uid), Some(whose.uid))?;
        let socket = std::os::unix::net::UnixListener::from(socket);
        socket.set_nonblocking(true)?;
        let listener = UnixListener::from_std(socket)?;
        let connections = RefCell::default();
        let shared = Shared { whose, guid, calls, connections, next: Cell::new(1) };
        let shared = Rc::new(shared);
        let task = spawn_local(accept(listener, shared.clone())).abort_handle();
        Ok(Self { shared, task, directory: directory.to_owned() })
    }

    /// Tells the instance what happens to it; whether anybody of it listens.
    pub(crate) fn tell(&self, event: &str, token: u32, want: &Want) -> bool {
        let signal = Message::signal(PATH, INTERFACE, "Lifecycle").sender(OWNER);
        let Ok(signal) = signal.build(&(event, token, want)) else {
            log::error!("an event that is no message: {event}");
            return false;
        };
        let mut told = false;
        for (number, connection) in &*self.shared.connections.borrow() {
            if !connection.attached {
                continue;
            }
            if connection.out.try_send(signal.clone()).is_ok() {
                told = true;
            } else {
                log::warn!(
                    "{}: connection {number} does not read what it is told",
                    self.directory.display()
                );
                connection.end();
            }
        }
        told
    }

    /// Whether anybody of the instance asked to be told.
    pub(crate) fn is_attached(&self) -> bool {
        self.shared.connections.borrow().values().any(|connection| connection.attached)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.task.abort();
        for connection in self.shared.connections.borrow().values() {
            connection.end();
        }
        if let Err(e) = clear(&self.directory) {
            log::warn!("could not remove {}: {e}", self.directory.display());
        }
    }
}

impl Connection {
    fn end(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Removes the directory of an instance that is no more, and what it put there; links are not followed.
fn clear(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Takes connections for as long as the instance is there.
async fn accept(listener: UnixListener, shared: Rc<Shared>) {
    loop {
        let accepted = listener.accept().await;
        let (stream, uid) = match accepted.and_then(|(s, _)| Ok((sys::bind::peer_uid(&s)?, s))) {
            Ok((uid, stream)) => (stream, uid),
            Err(e) => {
                log::warn!("could not take a connection of an app: {e}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let many = shared.connections.borrow().len() >= MAX_CONNECTIONS;
        if uid != shared.whose.uid || many {
            continue;
        }
        let number = shared.next.get();
        shared.next.set(number.wrapping_add(1).max(1));
        let (out, queue) = mpsc::channel(QUEUE);
        let connection = Connection { out: out.clone(), attached: false, task: None };
        shared.connections.borrow_mut().insert(number, connection);
        let leaving = Leaving { shared: shared.clone(), number };
        let task = spawn_local(connection::serve(stream, leaving, out, queue)).abort_handle();
        if let Some(connection) = shared.connections.borrow_mut().get_mut(&number) {
            connection.task = Some(task);
        }
    }
}

/// A connection is forgotten when its task ends, however it does.
#[derive(Debug)]
struct Leaving {
    shared: Rc<Shared>,
    number: u32,
}

impl Leaving {
    /// From now on it is told of its lifecycle.
    fn attach(&self) {
        if let Some(connection) = self.shared.connections.borrow_mut().get_mut(&self.number) {
            connection.attached = true;
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // A task that is aborted is dropped later, by the runtime.
        self.shared.connections.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
