//! The log: takes records, keeps the newest of them within limits, whatever the disk does.
//!
//! ```text
//! push ──► waiting (memory) ── write ──► active file ── rotate ──► archived files ──► removed
//!             │    ▲                        │
//!             │    └── disk full: oldest file removed, tried again; none left: stays here
//!             └── more than RING: oldest records lost, counted, told later
//! ```
//!
//! Invariant: records are in order and whole; a record is in memory or in a file, never in both,
//! and never in neither without being counted. `write` does one write for all that waits.
//!
//! On the disk for sure (`fdatasync`): a record of priority 0 to 2 before `write` returns, any
//! other within [`SYNC_AFTER`], or when asked to (`Sync`, the end of the daemon).

pub mod cursor;
pub mod disk;
pub mod tail;
mod waiting;

#[cfg(test)]
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "small numbers")]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::Duration;

use disk::Disk;
use waiting::Waiting;

/// Largest file in bytes; then a new one begins.
pub const FILE_MAX: u64 = 8 << 20;

/// Most bytes of all files.
pub const TOTAL_MAX: u64 = 64 << 20;

/// The files may take one part in this many of their file system, if that is less.
pub const DISK_SHARE: u64 = 10;

/// Smallest file in bytes: below that a log is of no use.
pub const FILE_MIN: u64 = 128 << 10;

/// Most bytes of records that wait in memory because the disk takes none.
pub const RING: usize = 1 << 20;

/// With this many bytes in memory, a write need not wait for the end of its batch. The memory is kept
/// for the next ones: more than this saves few writes and costs every device that much.
pub const WRITE_AT: usize = 16 << 10;

/// Wait before a disk that took nothing is tried again.
pub const RETRY: Duration = Duration::from_secs(10);

/// Longest time that a record may not be on the disk for sure; as in journald.
pub const SYNC_AFTER: Duration = Duration::from_secs(300);

/// Records of this priority and more urgent are on the disk at once.
pub const SYNC_AT_ONCE: u8 = 2;

/// Each start leaves out the rest of this many numbers, so that a record that a power cut took and
/// a new one never share a cursor.
const GAP: u64 = 1 << 20;

/// How large the log may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One file.
    pub file: u64,
    /// All files.
    pub total: u64,
}

impl Limits {
    /// For a file system of this many bytes.
    #[must_use]
    pub fn of(disk: u64) -> Self {
        let total = TOTAL_MAX.min(disk / DISK_SHARE).max(2 * FILE_MIN);
        Self { file: FILE_MAX.min(total / 4).max(FILE_MIN), total }
    }
}

/// The log. See the top of this file.
#[derive(Debug)]
pub struct Store {
    disk: Box<dyn Disk>,
    limits: Limits,
    archived: BTreeMap<u64, u64>,
    /// Number that the active file gets when it is archived.
    active: u64,
    length: u64,
    log: String,
    next: u64,
    /// Room for the text of a cursor.
    cursor: String,
    waiting: Waiting,
    retry_at: Option<Duration>,
    sync_at: Option<Duration>,
    trouble: Option<String>,
    lost: u64,
    untold: u64,
    notes: Vec<(u8, String)>,
}

impl Store {
    /// Opens the log: cuts off what a power cut tore, keeps within the limits. `log` (32
    /// hexadecimal digits, random) names it if it is new.
    ///
    /// # Errors
    /// The directory cannot be read, or its files cannot be cut or moved.
    pub fn open(disk: Box<dyn Disk>, log: &str) -> io::Result<Self> {
        let limits = Limits::of(disk.size()?);
        let archived = disk.archived()?;
        let active = archived.last_key_value().map_or(1, |(number, _)| number + 1);
        let mut store = Self {
            disk,
            limits,
            archived,
            active,
            length: 0,
            log: log.to_owned(),
            next: 1,
            cursor: String::new(),
            waiting: Waiting::default(),
            retry_at: None,
            sync_at: None,
            trouble: None,
            lost: 0,
            untold: 0,
            notes: Vec::new(),
        };
        store.recover()?;
        store.shrink();
        Ok(store)
    }

    fn recover(&mut self) -> io::Result<()> {
        let tail = match self.disk.read(None) {
            Ok(file) => tail::check(file)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => tail::Tail::default(),
            Err(e) => return Err(e),
        };
        let mut last = tail.last;
        if last.is_none()
            && let Some(newest) = self.archived.keys().next_back()
        {
            last = tail::check(self.disk.read(Some(*newest))?)?.last;
        }
        if let Some(last) = last {
            self.log = last.log;
            self.next = last.number.saturating_add(1).next_multiple_of(GAP);
        }
        self.length = tail.bytes;
        if tail.damaged {
            let name = self.active;
            self.notes.push((4, format!("the log file is damaged, it is kept as number {name}")));
            self.rotate()?;
        } else if tail.whole < tail.bytes {
            let torn = tail.bytes - tail.whole;
            self.notes.push((5, format!("cut {torn} bytes of a torn record off the log")));
            self.disk.cut(tail.whole)?;
            self.length = tail.whole;
        }
        Ok(())
    }

    /// Adds a record, which `encode` writes with the cursor it is given. It waits for [`Self::write`].
    pub fn push(&mut self, priority: u8, encode: impl FnOnce(&mut Vec<u8>, &str)) {
        self.cursor.clear();
        // To a string in memory: there is nothing that could fail.
        let _never = cursor::write(&mut self.cursor, &self.log, self.next);
        self.waiting.push(self.next, priority, |out| encode(out, &self.cursor));
        self.next += 1;
    }

    /// Whether it is time for [`Self::write`] although more is to come.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        self.waiting.bytes().len() >= WRITE_AT
    }

    /// Brings all that waits to the disk, unless it took nothing a short while ago.
    pub fn write(&mut self, now: Duration) {
        if self.waiting.count() == 0 {
            return;
        }
        if self.retry_at.is_some_and(|at| now < at) {
            return self.bound();
        }
        match self.write_waiting() {
            Ok(()) => {
                let urgent = self.waiting.is_urgent();
                self.waiting.clear();
                self.shrink();
                self.retry_at = None;
                self.trouble = None;
                self.sync_at = self.sync_at.or(Some(now + SYNC_AFTER));
                if urgent {
                    self.sync_noted();
                }
                self.tell();
            }
            Err(e) => {
                if self.trouble.is_none() {
                    self.notes
                        .push((3, format!("the log stays in memory: {e}: make room on its disk")));
                } else if self.untold > 0 {
                    // The note above may have been among the oldest.
                    let lost = self.untold;
                    let note = format!("{e}: {lost} records are lost: make room for the log");
                    self.notes.push((3, note));
                }
                self.trouble = Some(format!("the log stays in memory: {e}"));
                self.retry_at = Some(now + RETRY);
                self.bound();
            }
        }
    }

    /// The next [`Self::write`] tries the disk, however short ago it took nothing.
    pub fn try_again(&mut self) {
        self.retry_at = None;
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        let bytes = u64::try_from(self.waiting.bytes().len()).unwrap_or(u64::MAX);
        if self.length > 0 && self.length.saturating_add(bytes) > self.limits.file {
            self.rotate()?;
        }
        let mut removed = 0;
        let result = loop {
            let full = match self.disk.write(self.length, self.waiting.bytes()) {
                Ok(()) => break Ok(()),
                Err(e) => e,
            };
            let room =
                matches!(full.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            if !room || !self.remove_oldest() {
                break Err(full);
            }
            removed += 1;
        };
        if removed > 0 {
            let note = format!("the disk is full: the log lost its oldest files ({removed})");
            self.notes.push((4, note));
        }
        result?;
        self.length += bytes;
        Ok(())
    }

    /// Loses the oldest records in memory if they are too many.
    fn bound(&mut self) {
        let gone = u64::try_from(self.waiting.bound()).unwrap_or(u64::MAX);
        self.lost += gone;
        self.untold += gone;
    }

    /// The disk takes records again: says how many it did not.
    fn tell(&mut self) {
        if self.untold > 0 {
            let note = format!("{} records were lost while the disk took none", self.untold);
            self.notes.push((4, note));
            self.untold = 0;
        }
    }

    /// Begins a new file.
    ///
    /// # Errors
    /// The disk; the log goes on in the old file.
    pub fn rotate(&mut self) -> io::Result<()> {
        if self.length == 0 {
            return Ok(());
        }
        self.disk.archive(self.active)?;
        self.archived.insert(self.active, self.length);
        self.active += 1;
        self.length = 0;
        self.sync_at = None;
        self.shrink();
        Ok(())
    }

    /// Removes the oldest files until a full active file fits.
    fn shrink(&mut self) {
        let most = self.limits.total.saturating_sub(self.limits.file.max(self.length));
        while self.archived.values().sum::<u64>() > most && self.remove_oldest() {}
    }

    fn remove_oldest(&mut self) -> bool {
        let Some((number, _)) = self.archived.first_key_value().map(|(n, s)| (*n, *s)) else {
            return false;
        };
        match self.disk.remove(number) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => {
                self.notes.push((4, format!("cannot remove old log file {number}: {e}")));
                return false;
            }
        }
        self.archived.remove(&number);
        true
    }

    /// Waits until all that is in files is on the disk.
    ///
    /// # Errors
    /// The disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.sync_at = None;
        if self.length > 0 { self.disk.sync() } else { Ok(()) }
    }

    fn sync_noted(&mut self) {
        if let Err(e) = self.sync() {
            self.notes.push((3, format!("cannot bring the log to the disk for sure: {e}")));
        }
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        [self.sync_at, self.retry_at].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Duration) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.write(now);
        }
        if self.sync_at.is_some_and(|at| at <= now) {
            self.sync_noted();
        }
    }

    /// What the log has to say about itself, with priorities. Push them.
    pub fn take_notes(&mut self) -> Vec<(u8, String)> {
        std::mem::take(&mut self.notes)
    }

    /// Numbers of all files, the active one last, and the oldest first.
    #[must_use]
    pub fn files(&self) -> Vec<u64> {
        self.archived.keys().copied().chain([self.active]).collect()
    }

    /// Number of the oldest file.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.archived.keys().next().copied().unwrap_or(self.active)
    }

    /// Number of the file that is written.
    #[must_use]
    pub fn active(&self) -> u64 {
        self.active
    }

    /// Opens a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]: it has been removed.
    pub fn read(&self, number: u64) -> io::Result<Box<dyn Read>> {
        self.disk.read((number != self.active).then_some(number))
    }

    /// Records from this number on that are in memory only.
    #[must_use]
    pub fn in_memory(&self, from: u64) -> &[u8] {
        self.waiting.from(from)
    }

    /// How many records are in memory only.
    #[must_use]
    pub fn count_in_memory(&self) -> u64 {
        u64::try_from(self.waiting.count()).unwrap_or(u64::MAX)
    }

    /// The number of the next record.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The name of the log in cursors.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Bytes in files, files, and records lost because the disk took none.
    #[must_use]
    pub fn sizes(&self) -> (u64, usize, u64) {
        let bytes = self.archived.values().sum::<u64>() + self.length;
        (bytes, self.archived.len() + usize::from(self.length > 0), self.lost)
    }

    /// Why records stay in memory, if they do.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}
