//! Somebody reads the log: a walk over its files into a pipe.
//!
//! ```text
//! oldest file ──► … ──► active file ──► records in memory ──► end
//!                            ▲                      │
//!                            └── written ◄── follow ┘
//! ```
//!
//! A reader has no queue that could fill: it walks at its own pace, with one piece of a file in
//! memory. One that is so slow that the file it is in or goes to has been removed, is cut off.
//! Invariant: each record is given at most once, in order.

use std::io::{self, PipeWriter, Read, Write};
use std::rc::Rc;

use api::export::Decoder;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::log::Log;
use super::ready;
use super::shared::{CHUNK, Shared};
use crate::query::{self, Filter};
use crate::store::tail::Records;

/// Most readers at once.
pub(super) const MAX_READERS: usize = 32;

/// What somebody reads.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Which records.
    pub(super) filter: Filter,
    /// Only the last of them.
    pub(super) lines: Option<u32>,
    /// Also those to come.
    pub(super) follow: bool,
}

/// Why a walk ended before it should.
#[derive(Debug)]
enum Cut {
    /// The reader closed the pipe: it has enough.
    Gone,
    /// What it was to read next has been removed.
    Behind,
    /// The disk or the pipe.
    Failed(io::Error),
}

impl From<io::Error> for Cut {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Gone } else { Self::Failed(error) }
    }
}

/// Gives `wanted` through `pipe`. What goes wrong is said in the log.
pub(super) async fn read(shared: Rc<Shared>, wanted: Wanted, pipe: PipeWriter) {
    let complaint = match give(&shared, wanted, pipe).await {
        Ok(()) | Err(Cut::Gone) => return,
        Err(Cut::Behind) => "cut off a reader that was slower than the log: read again".to_owned(),
        Err(Cut::Failed(e)) => format!("cannot read the log for somebody: {e}"),
    };
    shared.with(|log, _| log.say(4, &complaint));
    shared.write();
}

async fn give(shared: &Shared, wanted: Wanted, pipe: PipeWriter) -> Result<(), Cut> {
    sys::poll::set_nonblocking(&pipe)?;
    let pipe = ready::of(pipe, Interest::WRITABLE)?;
    let mut written = shared.written();
    let mut walk = start(shared, &wanted).await?;
    loop {
        written.mark_unchanged();
        let mut more = true;
        while more {
            more = shared.with(|log, room| walk.step(log, room))?;
            send(shared, &walk, &mut written, &pipe).await?;
            walk.out.clear();
            tokio::task::yield_now().await;
        }
        if !wanted.follow {
            return Ok(());
        }
        tokio::select! {
            changed = written.changed() => if changed.is_err() { return Ok(()) },
            _ = pipe.ready(Interest::ERROR) => return Err(Cut::Gone),
        }
    }
}

/// Where the walk begins. For the last lines: as many files back as hold that many.
async fn start(shared: &Shared, wanted: &Wanted) -> Result<Walk, Cut> {
    let (files, end) = shared.with(|log, _| (log.store.files(), log.store.next()));
    let until = if wanted.follow { u64::MAX } else { end };
    let new = |file, until| Walk::new(wanted.filter.clone(), file, until);
    let Some(lines) = wanted.lines.map(u64::from) else {
        return Ok(new(files.first().copied().unwrap_or(0), until));
    };
    let (mut begin, mut found) = shared.with(|log, _| {
        let mut walk = new(log.store.active(), end);
        walk.memory(log);
        (walk.file, walk.given)
    });
    for file in files.into_iter().rev() {
        begin = file;
        let mut walk = new(file, end);
        while shared.with(|log, room| walk.piece(log, room))? {
            walk.out.clear();
            tokio::task::yield_now().await;
        }
        found += walk.given;
        if found >= lines {
            break;
        }
    }
    let mut walk = new(begin, until);
    walk.skip = found.saturating_sub(lines);
    Ok(walk)
}

/// Writes what the walk found; waits for room, but not for a reader that is behind.
async fn send(
    shared: &Shared,
    walk: &Walk,
    written: &mut watch::Receiver<()>,
    pipe: &AsyncFd<PipeWriter>,
) -> Result<(), Cut> {
    let mut rest = &*walk.out;
    while !rest.is_empty() {
        let mut ready = tokio::select! {
            ready = pipe.writable() => ready?,
            changed = written.changed() => {
                if changed.is_err() || shared.with(|log, _| log.store.oldest() > walk.file) {
                    return Err(Cut::Behind);
                }
                continue;
            }
        };
        match pipe.get_ref().write(rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// A place in the log that moves on.
struct Walk {
    filter: Filter,
    /// The file it is in, open or not yet.
    file: u64,
    open: Option<Box<dyn Read>>,
    records: Records,
    /// Records from this number on were not given yet.
    next: u64,
    /// Records from this number on are not wanted.
    until: u64,
    /// Matching records to leave out first.
    skip: u64,
    /// Matching records so far.
    given: u64,
    /// Records to send.
    out: Vec<u8>,
}

impl Walk {
    fn new(filter: Filter, file: u64, until: u64) -> Self {
        let records = Records::default();
        Self {
            filter,
            file,
            open: None,
            records,
            next: 0,
            until,
            skip: 0,
            given: 0,
            out: Vec::new(),
        }
    }

    /// Goes on by one piece. False: there is no more for now.
    fn step(&mut self, log: &Log, room: &mut [u8]) -> Result<bool, Cut> {
        if self.piece(log, room)? {
            return Ok(true);
        }
        if self.file == log.store.active() {
            self.memory(log);
            return Ok(false);
        }
        let next = log.store.files().into_iter().find(|file| *file > self.file);
        self.file = next.filter(|file| *file == self.file + 1).ok_or(Cut::Behind)?;
        self.open = None;
        self.records = Records::default();
        Ok(true)
    }

    /// Reads a piece of the file. False: it has no more for now.
    fn piece(&mut self, log: &Log, room: &mut [u8]) -> Result<bool, Cut> {
        let file = match &mut self.open {
            Some(file) => file,
            none => match log.store.read(self.file) {
                Ok(file) => none.insert(file),
                // Nothing was written since the last file was archived.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    let active = self.file == log.store.active();
                    return if active { Ok(false) } else { Err(Cut::Behind) };
                }
                Err(e) => return Err(Cut::Failed(e)),
            },
        };
        let count = file.read(room).map_err(Cut::Failed)?;
        self.records.push(room.get(..count).unwrap_or_default());
        while let Some(record) = self.records.take() {
            let number = query::number(&record);
            if number < self.next || number >= self.until {
                continue;
            }
            self.next = number + 1;
            if self.filter.matches(&record) {
                self.given += 1;
                if self.given > self.skip {
                    self.out.extend_from_slice(record.raw);
                }
            }
        }
        Ok(count > 0)
    }

    /// Takes the records that are not in a file.
    fn memory(&mut self, log: &Log) {
        let mut decoder = Decoder::default();
        decoder.push(log.store.in_memory(self.next));
        // What is in memory was written by us just now: there is no fault in it.
        while let Ok(Some(record)) = decoder.take() {
            let number = query::number(&record);
            if number >= self.until {
                return;
            }
            self.next = number + 1;
            if self.filter.matches(&record) {
                self.given += 1;
                if self.given > self.skip {
                    self.out.extend_from_slice(record.raw);
                }
            }
        }
    }
}

/// Records in a file. Stops in between so that logging goes on.
///
/// # Errors
/// [`io::ErrorKind::NotFound`]: it has been removed.
pub(super) async fn count(shared: &Shared, file: u64) -> io::Result<u64> {
    let mut open = match shared.with(|log, _| log.store.read(file)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let (mut records, mut total) = (Records::default(), 0);
    let mut room = vec![0; CHUNK];
    loop {
        let count = open.read(&mut room)?;
        if count == 0 {
            return Ok(total);
        }
        records.push(room.get(..count).unwrap_or_default());
        while records.take().is_some() {
            total += 1;
        }
        tokio::task::yield_now().await;
    }
}
