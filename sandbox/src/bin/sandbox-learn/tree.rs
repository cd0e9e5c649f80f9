//! The processes that the program started, found by their parents: orphans become ours.

use std::collections::BTreeSet;
use std::fs;

use sys::signals::{Sent, send};

/// Most processes that are looked through.
const MAX_PROCESSES: usize = 65_536;

/// All of them that live.
pub(crate) fn descendants() -> BTreeSet<i32> {
    let me = i32::try_from(std::process::id()).unwrap_or(0);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten().take(MAX_PROCESSES);
    let number = |name: &std::ffi::OsStr| name.to_str()?.parse::<i32>().ok();
    let all: Vec<(i32, i32)> = entries
        .filter_map(|entry| number(&entry.file_name()))
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        let ours = |parent: &i32| *parent == me || found.contains(parent);
        let more: Vec<i32> =
            all.iter().filter(|(_, parent)| ours(parent)).map(|(pid, _)| *pid).collect();
        found.extend(more);
        if found.len() == before {
            return found;
        }
    }
}

/// The parent of a process that has not ended.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may hold anything.
    let mut words = stat.get(stat.rfind(')')?.checked_add(1)?..)?.split_whitespace();
    (words.next()? != "Z").then(|| words.next()?.parse().ok())?
}

/// Sends to all of them. Those that have ended meanwhile are fine.
pub(crate) fn signal(signal: Sent) {
    for pid in descendants() {
        let _gone = send(pid, signal);
    }
}
