//! What happened in a guest and when: one line `WHO PID NANOSECONDS` an event, in one file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::process;

/// This program.
pub(crate) const PROGRAM: &str = "/bench/peer";

/// The daemon, a program without a library: image-builder/src/bench_daemon/daemon.c.
pub(crate) const DAEMON: &str = "/bench/daemon";

/// The file; daemons write to it too.
const FILE: &str = "/bench/records";

/// Who the manager is, at its start.
pub(crate) const BEGAN: &str = "began";

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The number of a daemon, or [`BEGAN`].
    pub(crate) who: String,
    /// Its process.
    pub(crate) pid: u32,
    /// When, in nanoseconds since the kernel began.
    pub(crate) at: u64,
}

/// Notes that `who` is there now.
pub(crate) fn add(who: &str) -> io::Result<()> {
    let line = format!("{who} {} {}\n", process::id(), now());
    File::options().create(true).append(true).open(FILE)?.write_all(line.as_bytes())
}

/// The time as records have it.
pub(crate) fn now() -> u64 {
    u64::try_from(sys::clock::boottime().as_nanos()).unwrap_or(u64::MAX)
}

/// All events so far, in order.
pub(crate) fn read() -> io::Result<Vec<Record>> {
    Ok(fs::read_to_string(FILE)?.lines().filter_map(parse).collect())
}

/// The last event of `who`.
pub(crate) fn last(who: u32) -> io::Result<Option<Record>> {
    let who = who.to_string();
    Ok(read()?.into_iter().rev().find(|r| r.who == who))
}

fn parse(line: &str) -> Option<Record> {
    let mut words = line.split(' ');
    let (who, pid, at) = (words.next()?, words.next()?, words.next()?);
    Some(Record { who: who.to_owned(), pid: pid.parse().ok()?, at: at.parse().ok()? })
}
