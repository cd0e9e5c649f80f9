//! The daemon: inputs, clock, bus, end.
//!
//! ```text
//! open store ──► take inputs ──► bus ──► READY=1 ──► tasks turn ── TERM ──► drain ──► sync ──► 0
//! ```
//!
//! One thread. Nothing wakes up while nothing happens. Each input is a task that takes all that is
//! there, a batch at most, and then writes once. Invariant: no input and no reader waits for another.

mod bus;
mod datagrams;
mod inputs;
mod kernel;
mod log;
mod reader;
mod ready;
mod shared;
mod streams;

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use sys::signals::{Signals, Taken};
use tokio::io::Interest;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

use crate::record::Machine;
use crate::settings::Settings;
use crate::store::Store;
use crate::store::disk::{Directory, Disk, Nowhere};
use inputs::Inputs;
use log::Log;
use shared::Shared;

/// Longest time for taking what is left in the inputs at the end.
const DRAIN: Duration = Duration::from_secs(2);

/// Name of the socket of the bus, when it is handed over.
const BUS: &str = "bus";

/// Runs until `SIGTERM` or `SIGINT`.
///
/// # Errors
/// What is missing to begin with: descriptors, the socket of the bus, the async runtime; at the
/// end: the log could not be brought to the disk.
pub fn run(settings: &Settings) -> io::Result<()> {
    let handed = sys::listen::take()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    let done = runtime.block_on(tasks.run_until(serve(settings, handed)));
    // All that matters is on the disk, and who stops us waits: the rest goes with the process.
    std::mem::forget((tasks, runtime));
    done
}

async fn serve(settings: &Settings, handed: Vec<(String, OwnedFd)>) -> io::Result<()> {
    let signals = Signals::open()?;
    let (store, directory, troubles) = open(settings)?;
    let shared = Shared::new(Log::new(store, machine()));
    for text in troubles {
        shared.with(|log, _| log.say(3, &text));
    }
    let (stop, stopping) = watch::channel(false);
    let (bus, handed): (Vec<_>, Vec<_>) = handed.into_iter().partition(|(name, _)| name == BUS);
    let bus = bus.into_iter().next().map(|(_, socket)| socket);
    let mut inputs = Inputs::new(shared.clone());
    inputs.open(settings, handed, &stopping);
    spawn_bus(settings, bus, &shared, directory)?;
    let clock = shared.clone();
    spawn_local(async move { clock.keep_time().await });
    shared.write();
    notify(&shared, "READY=1");
    tokio::select! {
        ended = told_to_end(&signals) => ended?,
        () = inputs.watch() => {}
    }
    notify(&shared, "STOPPING=1");
    stop.send_replace(true);
    // What is not taken in time stays in its socket or pipe for the next journal.
    let _ = tokio::time::timeout(DRAIN, inputs.drain()).await;
    // The last chance for what a full disk kept in memory.
    shared.with(|log, _| log.store.try_again());
    shared.write();
    shared.with(|log, _| log.store.sync())
}

/// Waits for `SIGTERM` or `SIGINT`. tokio's own way to do so keeps 22 KiB and two sockets for all the
/// signals there are.
async fn told_to_end(signals: &Signals) -> io::Result<()> {
    let ready = ready::of(signals.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
    loop {
        let mut ready = ready.readable().await?;
        match signals.next()? {
            Some(Taken::Terminate | Taken::Interrupt) => return Ok(()),
            Some(Taken::Child | Taken::Power) => {}
            None => ready.clear_ready(),
        }
    }
}

/// On the socket that was handed over, so that who asks waits for the next journal and none has to make
/// it: a journal that can write where it lies could put itself in the place of others.
fn spawn_bus(
    settings: &Settings,
    handed: Option<OwnedFd>,
    shared: &Rc<Shared>,
    directory: PathBuf,
) -> io::Result<()> {
    let bind = || sys::bind::unix(&settings.bus, sys::bind::Kind::Stream, 0o600);
    let socket = handed.map_or_else(bind, Ok)?;
    let socket = std::os::unix::net::UnixListener::from(socket);
    socket.set_nonblocking(true)?;
    let (requests, queue) = bus::queue();
    spawn_local(bus::listen(UnixListener::from_std(socket)?, requests));
    spawn_local(bus::answer(shared.clone(), directory, queue));
    Ok(())
}

/// A manager that is away asks again, or gives up on us by its own clock.
fn notify(shared: &Shared, line: &str) {
    if let Err(e) = sys::sd_notify::sd_notify(line) {
        shared.with(|log, _| log.say(4, &format!("cannot tell the manager {line}: {e}")));
    }
}

/// The log in the first directory that can hold it, in memory if there is none.
fn open(settings: &Settings) -> io::Result<(Store, PathBuf, Vec<String>)> {
    // Names this log, for cursors; not a secret, so it does not wait for the pool of a first boot.
    let id = uuid("/proc/sys/kernel/random/uuid");
    let mut troubles = Vec::new();
    // Without it there may be a log all the same.
    if let Err(e) = fs::create_dir_all(&settings.run) {
        troubles.push(format!("no {}: {e}", settings.run.display()));
    }
    for path in [settings.log.clone(), settings.run.join("log")] {
        let disk = Directory::open(&path);
        match disk.and_then(|disk| Store::open(Box::new(disk), &id)) {
            Ok(store) => return Ok((store, path, troubles)),
            Err(e) => troubles.push(format!("no log in {}: {e}", path.display())),
        }
    }
    let nowhere: Box<dyn Disk> = Box::new(Nowhere);
    Ok((Store::open(nowhere, &id)?, PathBuf::new(), troubles))
}

fn machine() -> Machine {
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Machine::new(uuid(api::paths::BOOT_ID), &uuid("/etc/machine-id"), hostname.trim())
}

/// A UUID of a file as its digits; nothing when it is not there.
fn uuid(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().replace('-', "")
}
