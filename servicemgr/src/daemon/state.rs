//! What a new servicemgr needs to know: a log of small records in a memfd that PID 1 holds.
//!
//! ```text
//! record = [length u32][crc32c u32][postcard]      later records replace earlier ones
//! ```
//!
//! Invariants: a record is written before what it tells is acted on or acknowledged; a torn or
//! foreign tail ends the log and nothing before it is lost. When most of the log is history, a new
//! one with the present only takes its place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::engine::{Id, Life, Now};

/// Longest log that is read, in bytes: more than twenty times what 4096 services need.
const MAX_LOG: u64 = 64 << 20;

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
}

#[derive(Serialize, Deserialize)]
enum Record<Unit> {
    Whole(Whole),
    Unit(Id, Unit),
}

/// All that a log tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// The whole.
    pub(super) whole: Whole,
    /// Services with a history.
    pub(super) units: BTreeMap<Id, Kept>,
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
        while let Some((record, tail)) = decode(rest) {
            match record {
                Record::Whole(whole) => saved.whole = whole,
                Record::Unit(id, kept) => {
                    saved.units.insert(id, *kept);
                }
            }
            rest = tail;
        }
        Ok(saved)
    }
}

fn decode(bytes: &[u8]) -> Option<(Record<Box<Kept>>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (crc, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (body, tail) = rest.split_at_checked(length)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    Some((postcard::from_bytes(body).ok()?, tail))
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

    fn add(&mut self, record: &Record<Keep<'_>>) {
        // Plain data in memory: the encoder has no reason to fail, and the reader skips nothing.
        let body = postcard::to_stdvec(record).unwrap_or_default();
        let length = u32::try_from(body.len()).unwrap_or(0);
        self.buffer.extend(length.to_le_bytes());
        self.buffer.extend(crc32c::crc32c(&body).to_le_bytes());
        self.buffer.extend(body);
    }

    /// Writes what was added, in one call.
    ///
    /// # Errors
    /// `ENOMEM`: what was added waits for the next try.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.buffer)?;
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

impl AsFd for Log {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::State;

    fn kept(state: State, pid: i32) -> Kept {
        let life = Life { state, since: Duration::from_secs(7), ..Life::default() };
        Kept { life, pid: Some(pid), text: "fine".into() }
    }

    fn read(log: &Log) -> Saved {
        Saved::read(log.as_fd().try_clone_to_owned().unwrap()).unwrap()
    }

    fn keep(kept: &Kept) -> Keep<'_> {
        Keep { life: &kept.life, pid: kept.pid, text: &kept.text }
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

    #[test]
    fn a_torn_tail_loses_only_itself() {
        let mut log = Log::create().unwrap();
        log.unit(1, keep(&kept(State::Ready, 10)));
        log.flush().unwrap();
        let whole = log.written;
        log.unit(1, keep(&kept(State::Failed, 10)));
        log.flush().unwrap();
        for cut in whole..log.written {
            let copy = Log::create().unwrap();
            let mut bytes = Vec::new();
            log.file.rewind().unwrap();
            log.file.read_to_end(&mut bytes).unwrap();
            let mut file = copy.file.try_clone().unwrap();
            file.write_all(&bytes[..cut]).unwrap();
            assert_eq!(read(&copy).units[&1].life.state, State::Ready, "cut at {cut}");
        }
    }
}
