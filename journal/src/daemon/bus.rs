//! `org.ensemble.Journal1`: what others ask, peer to peer.
//!
//! ```text
//! connection (zbus, any number up to MAX) ── Request ──► answer (one task, has the log) ──► reader
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use api::journal::{Error, PATH, Query, Status};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use zbus::connection::Builder;

use super::reader::{self, MAX_READERS, Wanted};
use super::shared::Shared;
use crate::query::Filter;

/// Most connections at once; more wait.
const MAX_CONNECTIONS: usize = 64;

/// Most requests that wait for an answer; more wait in their connections.
const MAX_REQUESTS: usize = 64;

/// Time a new connection has to say hello.
const HELLO: Duration = Duration::from_secs(5);

/// Wait after the kernel could not give us a connection: too many open files.
const BREATHE: Duration = Duration::from_secs(1);

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What somebody asks.
#[derive(Debug)]
pub(super) enum Request {
    /// Records.
    Read(Query, Reply<OwnedFd>),
    /// How it is.
    Status(Reply<Status>),
    /// A new file.
    Rotate(Reply<()>),
    /// All on the disk.
    Sync(Reply<()>),
}

/// Where connections put requests, and where [`answer`] finds them.
pub(super) fn queue() -> (mpsc::Sender<Request>, mpsc::Receiver<Request>) {
    mpsc::channel(MAX_REQUESTS)
}

/// The object on each connection.
struct Desk {
    requests: mpsc::Sender<Request>,
}

impl Desk {
    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        let ending = || Error::Failed("journal is ending: ask again in a moment".to_owned());
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| ending())?;
        answer.await.map_err(|_| ending())?
    }
}

#[zbus::interface(name = "org.ensemble.Journal1")]
impl Desk {
    async fn read(&self, query: Query) -> Result<zbus::OwnedFd, Error> {
        self.ask(|reply| Request::Read(query, reply)).await.map(Into::into)
    }

    async fn status(&self) -> Result<Status, Error> {
        self.ask(Request::Status).await
    }

    async fn rotate(&self) -> Result<(), Error> {
        self.ask(Request::Rotate).await
    }

    async fn sync(&self) -> Result<(), Error> {
        self.ask(Request::Sync).await
    }
}

/// Takes connections for ever.
pub(super) async fn listen(listener: UnixListener, requests: mpsc::Sender<Request>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let ours = sys::process::user();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(BREATHE).await;
            continue;
        };
        // The log holds what is nobody else's business.
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == ours) {
            continue;
        }
        let desk = Desk { requests: requests.clone() };
        tokio::task::spawn_local(async move {
            // Whoever goes away in the middle of it has lost nothing that we could tell somebody.
            let _ = serve(stream, desk).await;
            drop(permit);
        });
    }
}

async fn serve(stream: UnixStream, desk: Desk) -> zbus::Result<()> {
    let boot = std::fs::read_to_string(api::paths::BOOT_ID).unwrap_or_default();
    let builder = Builder::unix_stream(stream.into_std()?).server(api::guid(&boot)).p2p();
    let connecting = builder.serve_at(PATH, desk).build();
    let Ok(connection) = tokio::time::timeout(HELLO, connecting).await else { return Ok(()) };
    connection?.closed().await;
    Ok(())
}

/// Answers requests for ever.
pub(super) async fn answer(
    shared: Rc<Shared>,
    directory: PathBuf,
    mut requests: mpsc::Receiver<Request>,
) {
    let mut readers = JoinSet::new();
    let mut counts = BTreeMap::new();
    loop {
        let request = tokio::select! {
            request = requests.recv() => request,
            Some(_) = readers.join_next() => continue,
        };
        // An asker that went away wants no answer: a failed send is fine.
        match request {
            None => return,
            Some(Request::Read(query, reply)) => {
                let _ = reply.send(begin(&shared, query, &mut readers));
            }
            Some(Request::Status(reply)) => {
                let status = status(&shared, &mut counts).await;
                let directory = directory.display().to_string();
                let status = status.map(|status| Status { directory, ..status });
                let _ = reply.send(status.map_err(|e| failed("count the records", &e)));
            }
            Some(Request::Rotate(reply)) => {
                shared.write();
                let done = shared.with(|log, _| log.store.rotate());
                shared.write();
                let _ = reply.send(done.map_err(|e| failed("begin a new file", &e)));
            }
            Some(Request::Sync(reply)) => {
                shared.write();
                let done = shared.with(|log, _| log.store.sync());
                let _ = reply.send(done.map_err(|e| failed("bring the log to the disk", &e)));
            }
        }
    }
}

fn failed(what: &str, why: &io::Error) -> Error {
    Error::Failed(format!("cannot {what}: {why}: see `ensctl log -u journal`"))
}

fn begin(shared: &Rc<Shared>, query: Query, readers: &mut JoinSet<()>) -> Result<OwnedFd, Error> {
    if readers.len() >= MAX_READERS {
        return Err(Error::Busy(format!("{MAX_READERS} readers are at it: end one of them")));
    }
    let (lines, follow) = (query.lines, query.follow);
    let filter = shared
        .with(|log, _| Filter::new(query, log.store.log(), log.boot()))
        .map_err(Error::BadQuery)?;
    let (output, input) = io::pipe().map_err(|e| failed("make a pipe", &e))?;
    let wanted = Wanted { filter, lines, follow };
    readers.spawn_local(reader::read(shared.clone(), wanted, input));
    Ok(output.into())
}

/// Archived files never change: what was counted once is remembered in `counts`.
async fn status(shared: &Shared, counts: &mut BTreeMap<u64, u64>) -> io::Result<Status> {
    let (files, active) = shared.with(|log, _| (log.store.files(), log.store.active()));
    let known: BTreeSet<u64> = files.iter().copied().collect();
    counts.retain(|file, _| known.contains(file));
    let mut records = 0;
    for file in files {
        let count = match counts.get(&file) {
            Some(count) => *count,
            None => reader::count(shared, file).await?,
        };
        records += count;
        if file != active {
            counts.insert(file, count);
        }
    }
    Ok(shared.with(|log, _| {
        let (bytes, files, lost) = log.store.sizes();
        Status {
            bytes,
            files: u32::try_from(files).unwrap_or(u32::MAX),
            records: records + log.store.count_in_memory(),
            dropped: lost + log.refused(),
            directory: String::new(),
            trouble: log.store.trouble().unwrap_or_default().to_owned(),
        }
    }))
}
