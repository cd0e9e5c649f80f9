//! What a new servicemgr needs to know: a log of small records in a memfd that PID 1 holds.
//!
//! ```text
//! step = [length u32][crc32c u32][record in postcard]…      later records replace earlier ones
//! ```
//!
//! Invariants: a step is written before what it tells is acted on or acknowledged; it counts as a
//! whole or not at all; a torn or foreign tail ends the log and nothing before it is lost. When most of the log is history, a new
//! one with the present only takes its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use model::Name;
use model::service::Service;
use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

use super::broker::Facts;
use super::forking::Forked;
use crate::engine::{Id, Life, Now};

/// Longest log that is read, in bytes: more than twenty times what 4096 services need.
const MAX_LOG: u64 = 64 << 20;

/// Bytes before the records of a step.
const HEADER: usize = 8;

/// A log shorter than this is not rewritten.
const SMALL: usize = 256 * 1024;

/// What changes about the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whole {
    /// Checksum of the plan that the ids belong to.
    pub(super) plan: u32,
    /// The boot is over since then.
    pub(super) settled: Option<Now>,
    /// The device goes down (1 power off, 2 reboot, 3 halt).
    pub(super) down: Option<u8>,
    /// Exits up to this one are known.
    pub(super) seen: u64,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What the engine knows.
    pub(super) life: Life,
    /// Its main process.
    pub(super) pid: Option<i32>,
    /// Its own words.
    pub(super) text: String,
    /// Devices that its last start has seen.
    pub(super) devices: BTreeSet<String>,
    /// Signals that start it.
    pub(super) signal: Came,
    /// Its other processes.
    pub(super) side: Beside,
    /// Permissions that its processes were started with.
    pub(super) permissions: Vec<Name>,
}

/// Signals on the bus that came for a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Came {
    /// The one that it was started by.
    pub(super) told: Option<Box<Facts>>,
    /// The one that starts it when it is off again; later ones count with it.
    pub(super) waits: Option<Box<Facts>>,
}

/// What else is known of the processes of a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beside {
    /// The command that runs.
    pub(super) command: Option<i32>,
    /// How far a service of type `forking` is.
    pub(super) forked: Forked,
}

/// A [`Kept`] to be written.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Keep<'a> {
    /// What the engine knows.
    pub(super) life: &'a Life,
    /// Its main process.
    pub(super) pid: Option<i32>,
    /// Its own words.
    pub(super) text: &'a str,
    /// Devices that its last start has seen.
    pub(super) devices: &'a BTreeSet<String>,
    /// Signals that start it.
    pub(super) signal: &'a Came,
    /// Its other processes.
    pub(super) side: Beside,
    /// Permissions that its processes were started with.
    pub(super) permissions: &'a [Name],
}

#[derive(Serialize, Deserialize)]
enum Record<Unit, Definition> {
    Whole(Whole),
    Unit(Id, Unit),
    /// The definition of a service that is not in the plan, or that it is no more.
    Service(Id, Option<Definition>),
    /// The names of all services, one a line: the next servicemgr may have others.
    Names(String),
    /// Services to restart once the next servicemgr goes on.
    Restart(Vec<Name>),
}

/// All that a log tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// The whole.
    pub(super) whole: Whole,
    /// Services with a history.
    pub(super) units: BTreeMap<Id, Kept>,
    /// Services that are not in the plan.
    pub(super) services: BTreeMap<Id, Service>,
    /// The names by which the ids are meant, if the plan may be another one now.
    pub(super) names: Vec<String>,
    /// Services to restart.
    pub(super) restart: Vec<Name>,
}

impl Saved {
    /// Reads the log in `file` from its beginning.
    ///
    /// # Errors
    /// Those of reading a memfd: none known.
    pub(super) fn read(file: OwnedFd) -> io::Result<Self> {
        let mut file = File::from(file);
        file.rewind()?;
        let mut bytes = Vec::new();
        file.take(MAX_LOG).read_to_end(&mut bytes)?;
        let mut saved = Self::default();
        let mut rest = bytes.as_slice();
        while let Some((records, tail)) = step(rest) {
            for record in records {
                match record {
                    Record::Whole(whole) => saved.whole = whole,
                    Record::Unit(id, kept) => {
                        saved.units.insert(id, *kept);
                    }
                    Record::Service(id, Some(service)) => {
                        saved.units.remove(&id);
                        saved.services.insert(id, *service);
                    }
                    Record::Service(id, None) => {
                        saved.units.remove(&id);
                        saved.services.remove(&id);
                    }
                    Record::Names(names) => {
                        saved.names = names.lines().map(str::to_owned).collect();
                    }
                    Record::Restart(names) => saved.restart = names,
                }
            }
            rest = tail;
        }
        Ok(saved)
    }
}

/// The records of a step, and what follows it.
type Step<'a> = (Vec<Record<Box<Kept>, Box<Service>>>, &'a [u8]);

/// The first step.
fn step(bytes: &[u8]) -> Option<Step<'_>> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (crc, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (mut body, tail) = rest.split_at_checked(length)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut records = Vec::new();
    while !body.is_empty() {
        let (record, left) = postcard::take_from_bytes(body).ok()?;
        records.push(record);
        body = left;
    }
    Some((records, tail))
}

/// The log being written.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    buffer: Vec<u8>,
    written: usize,
    limit: usize,
}

impl Log {
    /// An empty one.
    ///
    /// # Errors
    /// As [`sys::memfd::create`].
    pub(super) fn create() -> io::Result<Self> {
        let file = sys::memfd::create("services")?;
        Ok(Self { file, buffer: Vec::new(), written: 0, limit: SMALL })
    }

    /// Adds the whole to what [`Log::flush`] writes.
    pub(super) fn whole(&mut self, whole: Whole) {
        self.add(&Record::Whole(whole));
    }

    /// Adds a service to what [`Log::flush`] writes.
    pub(super) fn unit(&mut self, id: Id, kept: Keep<'_>) {
        self.add(&Record::Unit(id, kept));
    }

    /// Adds the definition of a service that is not in the plan, or that it is no more.
    pub(super) fn service(&mut self, id: Id, service: Option<&Service>) {
        self.add(&Record::Service(id, service));
    }

    /// Adds the names of all services.
    pub(super) fn names(&mut self, names: &str) {
        self.add(&Record::Names(names.to_owned()));
    }

    /// Adds what the next servicemgr restarts.
    pub(super) fn restart(&mut self, names: Vec<Name>) {
        self.add(&Record::Restart(names));
    }

    fn add(&mut self, record: &Record<Keep<'_>, &Service>) {
        if self.buffer.is_empty() {
            self.buffer.extend([0; HEADER]);
        }
        // Plain data in memory: the encoder has no reason to fail, and the reader skips nothing.
        let _written = postcard::serialize_with_flavor(record, Behind(&mut self.buffer));
    }

    /// Writes what was added as one step, in one call.
    ///
    /// # Errors
    /// `ENOMEM`: what was added waits for the next try.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some((header, body)) = self.buffer.split_first_chunk_mut::<HEADER>() else {
            return Ok(());
        };
        let length = u32::try_from(body.len()).map_err(io::Error::other)?.to_le_bytes();
        let crc = crc32c::crc32c(body).to_le_bytes();
        for (to, from) in header.iter_mut().zip(length.into_iter().chain(crc)) {
            *to = from;
        }
        // At its place: what an earlier try wrote in part is written over.
        let place = u64::try_from(self.written).map_err(io::Error::other)?;
        self.file.write_all_at(&self.buffer, place)?;
        self.written += self.buffer.len();
        self.buffer.clear();
        Ok(())
    }

    /// Whether most of it is history, so that it should be written anew.
    #[must_use]
    pub(super) fn is_long(&self) -> bool {
        self.written > self.limit
    }

    /// After the present was written into a new log: how long it may get.
    pub(super) fn set_limit(&mut self) {
        self.limit = SMALL.max(self.written.saturating_mul(4));
    }
}

/// Writes behind what is there already, without a buffer of its own for each record.
struct Behind<'a>(&'a mut Vec<u8>);

impl Flavor for Behind<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

impl AsFd for Log {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::engine::State;

    fn kept(state: State, pid: i32) -> Kept {
        let life = Life { state, since: Duration::from_secs(7), ..Life::default() };
        Kept {
            life,
            pid: Some(pid),
            text: "fine".into(),
            devices: BTreeSet::new(),
            signal: Came { told: None, waits: Some(Box::default()) },
            side: Beside::default(),
            permissions: vec![Name::try_from("camera").unwrap()],
        }
    }

    fn read(log: &Log) -> Saved {
        Saved::read(log.as_fd().try_clone_to_owned().unwrap()).unwrap()
    }

    fn keep(kept: &Kept) -> Keep<'_> {
        let Kept { life, pid, text, devices, signal, side, permissions } = kept;
        Keep { life, pid: *pid, text, devices, signal, side: *side, permissions }
    }

    #[test]
    fn the_last_record_of_each_counts() {
        let mut log = Log::create().unwrap();
        log.unit(3, keep(&kept(State::Starting, 30)));
        log.unit(4, keep(&kept(State::Ready, 40)));
        log.flush().unwrap();
        log.unit(3, keep(&kept(State::Ready, 30)));
        let whole = Whole { plan: 9, settled: None, down: Some(1), seen: 77 };
        log.whole(whole);
        log.flush().unwrap();
        let saved = read(&log);
        assert_eq!(saved.whole, whole);
        assert_eq!(saved.units[&3], kept(State::Ready, 30));
        assert_eq!(saved.units[&4], kept(State::Ready, 40));
    }

    /// What is read when only the first `cut` bytes were written.
    fn cut(log: &Log, cut: usize) -> Saved {
        let mut bytes = vec![0; cut];
        log.file.read_exact_at(&mut bytes, 0).unwrap();
        let copy = Log::create().unwrap();
        (&copy.file).write_all(&bytes).unwrap();
        read(&copy)
    }

    #[test]
    fn a_torn_tail_loses_only_itself() {
        let mut log = Log::create().unwrap();
        log.unit(1, keep(&kept(State::Ready, 10)));
        log.flush().unwrap();
        let whole = log.written;
        log.unit(1, keep(&kept(State::Failed, 10)));
        log.flush().unwrap();
        for at in whole..log.written {
            assert_eq!(cut(&log, at).units[&1].life.state, State::Ready, "cut at {at}");
        }
    }

    #[test]
    fn a_torn_step_is_none_so_that_no_boot_begins_in_part() {
        let mut log = Log::create().unwrap();
        for id in 0..20 {
            log.unit(id, keep(&kept(State::Waiting, 0)));
        }
        log.flush().unwrap();
        for at in 0..log.written {
            assert_eq!(cut(&log, at), Saved::default(), "cut at {at}");
        }
        assert_eq!(read(&log).units.len(), 20);
    }

    #[test]
    fn a_step_that_was_written_in_part_is_written_over_by_the_next_try() {
        let mut log = Log::create().unwrap();
        log.unit(1, keep(&kept(State::Ready, 10)));
        log.file.write_all_at(b"half a step", 0).unwrap();
        log.flush().unwrap();
        assert_eq!(read(&log).units[&1], kept(State::Ready, 10));
    }
}
