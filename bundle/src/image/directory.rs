//! A block of a directory: first all entries, then all names.
//!
//! Invariant: names are in order, over blocks too, since Linux searches by halves; each block is as full as it can be,
//! so there are no more blocks than names.

use crate::read::field;
use crate::refused::Fault;

/// Bytes of an entry without its name.
const ENTRY: usize = 12;

/// Longest name, in bytes: what Linux can hold.
const MAX_NAME: usize = 255;

/// Bytes of a block.
const BYTES: usize = 4096;

/// A name in a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) name: String,
    /// Number of its inode.
    pub(super) nid: u64,
    /// What it says its inode is.
    pub(super) kind: u8,
}

/// Reads the blocks of one directory, in their order.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    last: Option<String>,
    used: usize,
}

impl Blocks {
    /// The names in the next block, which is not `full` if it is the last one.
    pub(super) fn next(&mut self, block: &[u8]) -> Result<Vec<Name>, Fault> {
        let first = usize::from(u16::from_le_bytes(field(block, 8)));
        if first < ENTRY || !first.is_multiple_of(ENTRY) || first > block.len() {
            return Err(Fault::damaged("its names are not behind its entries"));
        }
        let (entries, names) = block.split_at_checked(first).unwrap_or_default();
        let mut all = Vec::with_capacity(entries.len() / ENTRY);
        let mut at = first;
        let mut starts = entries.chunks(ENTRY).map(|entry| usize::from(number(entry, 8))).skip(1);
        for entry in entries.chunks(ENTRY) {
            if usize::from(number(entry, 8)) != at || entry.get(11) != Some(&0) {
                return Err(Fault::damaged("its names are not one behind the other"));
            }
            let rest = names.get(at - first..).unwrap_or_default();
            let length = match starts.next() {
                Some(next) => next.checked_sub(at),
                None => Some(last_length(rest, block.len())?),
            };
            let name = length.and_then(|length| rest.get(..length));
            let name = name.ok_or_else(|| Fault::damaged("a name lies outside of its block"))?;
            at += name.len();
            let kind = *entry.get(10).unwrap_or(&0);
            all.push(Name { name: checked(name)?, nid: u64::from_le_bytes(field(entry, 0)), kind });
        }
        self.follow(&all, at)?;
        Ok(all)
    }

    /// The names go on where the block before ended, for which there was no room in it.
    fn follow(&mut self, names: &[Name], used: usize) -> Result<(), Fault> {
        let first = names.first().map_or(0, |first| ENTRY + first.name.len());
        if self.last.is_some() && self.used + first <= BYTES {
            return Err(Fault::damaged("a block of it has room for more names"));
        }
        for Name { name, .. } in names {
            if self.last.as_ref().is_some_and(|last| last >= name) {
                let why = format!("its names are not in order, each once: {name:?}");
                return Err(Fault::damaged(why));
            }
            self.last = Some(name.clone());
        }
        self.used = used;
        Ok(())
    }
}

fn number(entry: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(field(entry, at))
}

/// Length of the last name: up to the zeros that fill a block up, which the last block of a directory has not.
fn last_length(rest: &[u8], block: usize) -> Result<usize, Fault> {
    let length = rest.iter().take_while(|byte| **byte != 0).count();
    let zeros = rest.get(length..).unwrap_or_default();
    if !zeros.is_empty() && (block < BYTES || zeros.iter().any(|byte| *byte != 0)) {
        return Err(Fault::damaged("there is something behind its names"));
    }
    Ok(length)
}

/// A name that is one, and that a terminal can show.
fn checked(name: &[u8]) -> Result<String, Fault> {
    if name.is_empty() || name.len() > MAX_NAME {
        let why = format!("a name of {} bytes in it: 1 to {MAX_NAME}", name.len());
        return Err(Fault::damaged(why));
    }
    if name.contains(&b'/') {
        return Err(Fault::forbidden("a name in it has a `/`: it would lie elsewhere"));
    }
    match std::str::from_utf8(name) {
        Ok(name) if !name.contains(char::is_control) => Ok(name.to_owned()),
        _ => Err(Fault::forbidden("a name in it is not UTF-8 or has control characters")),
    }
}
