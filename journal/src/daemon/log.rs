//! The one log of the daemon: entries in, who said them looked up, what went wrong said in it.
//!
//! Invariant: nothing here waits for anybody but the disk.

use std::collections::HashMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sys::seqpacket::Credentials;

use crate::record::native::{self, MAX_MEMFD, Refused};
use crate::record::{Entry, Machine, Origin, Stamp, origin, syslog};
use crate::store::Store;

/// Time for which what `/proc` told about a process is believed: a process that logs a lot costs
/// two files a second, not two files a message.
const FRESH: Duration = Duration::from_secs(1);

/// Most processes that are remembered.
const PROCESSES: usize = 512;

/// Shortest time between two complaints about refused messages.
const COMPLAIN: Duration = Duration::from_secs(30);

/// The log.
#[derive(Debug)]
pub(super) struct Log {
    /// Where records go.
    pub(super) store: Store,
    machine: Machine,
    processes: HashMap<i32, Process>,
    refused: u64,
    untold: u64,
    complained: Option<Duration>,
}

#[derive(Debug, Clone, Default)]
struct Process {
    seen: Duration,
    comm: Option<Vec<u8>>,
    unit: Option<String>,
}

/// What a datagram holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// journald's.
    Native,
    /// syslog.
    Syslog,
}

impl Log {
    /// Over a store.
    #[must_use]
    pub(super) fn new(store: Store, machine: Machine) -> Self {
        let processes = HashMap::new();
        Self { store, machine, processes, refused: 0, untold: 0, complained: None }
    }

    /// Takes an entry.
    pub(super) fn take(&mut self, entry: &Entry<'_>, origin: &Origin) {
        let realtime = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (machine, store) = (&self.machine, &mut self.store);
        store.push(entry.priority(), |out, cursor| {
            let (realtime, monotonic) = (micros(realtime), micros(sys::clock::monotonic()));
            Stamp { cursor, realtime, monotonic, machine }.write(out, entry, origin);
        });
        if self.store.is_heavy() {
            self.store.write(sys::clock::monotonic());
        }
    }

    /// Takes a datagram and what came along with it.
    pub(super) fn datagram(
        &mut self,
        protocol: Protocol,
        payload: &[u8],
        fds: Vec<OwnedFd>,
        sender: Option<Credentials>,
    ) {
        if payload.is_empty() && fds.is_empty() {
            return;
        }
        let origin = self.origin(protocol, sender);
        match protocol {
            Protocol::Syslog => {
                if let Some(entry) = syslog::parse(payload) {
                    self.take(&entry, &origin);
                }
            }
            Protocol::Native if fds.is_empty() => self.native(payload, &origin),
            Protocol::Native => match memfd(payload, fds) {
                Ok(payload) => self.native(&payload, &origin),
                Err(why) => self.refuse(why, &origin),
            },
        }
    }

    fn native(&mut self, payload: &[u8], origin: &Origin) {
        for entry in native::parse(payload) {
            match entry {
                Ok(entry) => self.take(&entry, origin),
                Err(why) => self.refuse(why, origin),
            }
        }
    }

    /// Counts a message that is not taken, and says so now and then.
    pub(super) fn refuse(&mut self, why: Refused, origin: &Origin) {
        self.refused += 1;
        self.untold += 1;
        let now = sys::clock::monotonic();
        if self.complained.is_none_or(|at| now >= at + COMPLAIN) {
            let process = origin.pid.map_or("unknown".to_owned(), |pid| pid.to_string());
            let count = std::mem::take(&mut self.untold);
            self.complained = Some(now);
            self.say(4, &format!("refused {count} messages, the last of process {process}: {why}"));
        }
    }

    fn origin(&mut self, protocol: Protocol, sender: Option<Credentials>) -> Origin {
        let transport = match protocol {
            Protocol::Native => "journal",
            Protocol::Syslog => "syslog",
        };
        // The kernel gives no process (0) for what was sent before anybody asked for it.
        let Some(sender) = sender.filter(|sender| sender.pid > 0) else {
            return Origin { transport, ..Origin::default() };
        };
        let process = self.process(sender.pid);
        Origin {
            transport,
            pid: Some(sender.pid),
            user: Some((sender.uid, sender.gid)),
            comm: process.comm,
            unit: process.unit,
        }
    }

    fn process(&mut self, pid: i32) -> Process {
        let now = sys::clock::monotonic();
        if let Some(known) = self.processes.get(&pid).filter(|p| now < p.seen + FRESH) {
            return known.clone();
        }
        let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let process = Process {
            seen: now,
            comm: fs::read(format!("/proc/{pid}/comm")).ok().map(|c| c.trim_ascii_end().to_vec()),
            unit: origin::unit(&cgroup),
        };
        if self.processes.len() >= PROCESSES {
            self.processes.clear();
        }
        if process.comm.is_some() {
            self.processes.insert(pid, process.clone());
        }
        process
    }

    /// Our own words, written without any socket.
    pub(super) fn say(&mut self, priority: u8, text: &str) {
        let ours = Credentials::ours();
        let origin = Origin {
            transport: "driver",
            pid: Some(ours.pid),
            user: Some((ours.uid, ours.gid)),
            comm: Some(b"journal".to_vec()),
            unit: Some("journal.service".to_owned()),
        };
        let entry = Entry::default()
            .with("PRIORITY", priority.to_string().into_bytes())
            .with("SYSLOG_IDENTIFIER", &b"journal"[..])
            .with("MESSAGE", text.as_bytes());
        self.take(&entry, &origin);
    }

    /// Writes all that was taken, and what the store has to say about it.
    pub(super) fn write(&mut self) {
        let now = sys::clock::monotonic();
        self.store.write(now);
        let notes = self.store.take_notes();
        if notes.is_empty() {
            return;
        }
        for (priority, text) in notes {
            self.say(priority, &text);
        }
        // What this brings up is said after the next write: no end of notes about notes.
        self.store.write(now);
    }

    /// Messages refused since the start.
    #[must_use]
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// The id of this boot.
    #[must_use]
    pub(super) fn boot(&self) -> &str {
        self.machine.boot()
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What the one descriptor holds that came with an empty datagram.
fn memfd(payload: &[u8], fds: Vec<OwnedFd>) -> Result<Vec<u8>, Refused> {
    let Ok([fd]) = <[OwnedFd; 1]>::try_from(fds) else { return Err(Refused::Long) };
    if !payload.is_empty() || !sys::memfd::is_sealed(&fd) {
        return Err(Refused::NotSealed);
    }
    let file = fs::File::from(fd);
    let length = file.metadata().map_err(|_| Refused::Unreadable)?.len();
    let length = usize::try_from(length).map_err(|_| Refused::Long)?;
    if length > MAX_MEMFD {
        return Err(Refused::Long);
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0).map_err(|_| Refused::Unreadable)?;
    Ok(bytes)
}
