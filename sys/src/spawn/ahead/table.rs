//! The mounts of the device that something was made of: whether they are still the same.
//!
//! ```text
//! the kernel says that nothing changed ───────────────────► the same
//! it changed ─ lines of those that concern us are equal ──► the same, until the next change
//!            └ not ───────────────────────────────────────► others, for good
//! ```
//!
//! A whole view is made of all mounts, a listed one of those around and in its trees: so what is mounted for
//! somebody else is nothing to it. Who has a mount copied keeps its file system, whose number no other gets
//! meanwhile: equal lines are the same mounts.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::confine::{Confine, Mount, below, seen_from_inside};
use crate::poll::{For, poll};

/// Longest table that is read: some thousand mounts.
const MAX_TABLE: u64 = 1 << 20;

/// Which field of a line is the place, counted from 0.
const PLACE: usize = 4;

/// The mounts, as they were.
#[derive(Debug)]
pub(super) struct Table {
    /// Ours, which tells when it changes.
    file: File,
    /// Where those lie that count; `None` if all do.
    trees: Option<Vec<Vec<u8>>>,
    lines: Vec<u8>,
    /// They are others now.
    others: AtomicBool,
}

impl Table {
    /// Those that this is made of.
    ///
    /// # Errors
    /// `ENOENT`: there is no `/proc`. `ENOMEM`.
    pub(super) fn of(confine: &Confine) -> io::Result<Self> {
        let file = File::open("/proc/self/mountinfo")?;
        let trees = confine.mounts.contains(&Mount::Root).then(|| trees(confine));
        let mut table = Self { file, trees, lines: Vec::new(), others: AtomicBool::new(false) };
        table.lines = table.read()?;
        Ok(table)
    }

    /// Whether nothing at all was mounted or unmounted since this was asked last.
    pub(super) fn rests(&self) -> bool {
        let changed = poll(&[(self.file.as_fd(), For::Hangup)], Some(Duration::ZERO));
        changed.is_ok_and(|ready| ready.iter().all(|table| !table.hangup))
    }

    /// Whether those that count are the same.
    pub(super) fn holds(&self) -> bool {
        let same = || self.rests() || self.read().is_ok_and(|lines| lines == self.lines);
        let holds = !self.others.load(Ordering::Relaxed) && same();
        self.others.fetch_or(!holds, Ordering::Relaxed);
        holds
    }

    /// The lines that count, as they are now.
    fn read(&self) -> io::Result<Vec<u8>> {
        let (mut file, mut text) = (&self.file, Vec::new());
        file.seek(SeekFrom::Start(0))?;
        file.take(MAX_TABLE).read_to_end(&mut text)?;
        let Some(trees) = &self.trees else { return Ok(text) };
        let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| counts(line, trees));
        Ok(lines.flatten().copied().collect())
    }
}

/// Whether a mount lies in one of the trees, or around it.
fn counts(line: &[u8], trees: &[Vec<u8>]) -> bool {
    let Some(place) = line.split(|byte| *byte == b' ').nth(PLACE).map(plain) else { return true };
    trees.iter().any(|tree| below(&place, tree) || below(tree, &place))
}

/// A path without the kernel's `\040` for what would look like the end of it.
fn plain(mut field: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(field.len());
    while let Some((first, rest)) = field.split_first() {
        let code = rest.get(..3).filter(|_| *first == b'\\').and_then(octal);
        field = if code.is_some() { rest.get(3..).unwrap_or_default() } else { rest };
        path.push(code.unwrap_or(*first));
    }
    path
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// Where the trees lie that are shown, whatever links lead there, and the devices.
fn trees(confine: &Confine) -> Vec<Vec<u8>> {
    let tree = |mount: &Mount| {
        let path = match mount {
            Mount::Show { path, .. } => path.to_bytes(),
            Mount::Inside { root, .. } | Mount::Entries { root, .. } => root.to_bytes(),
            Mount::Dev(place, _) => seen_from_inside(place),
            _ => return None,
        };
        fs::canonicalize(OsStr::from_bytes(path)).ok()
    };
    confine.mounts.iter().filter_map(tree).map(|path| path.into_os_string().into_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_in_a_tree_and_around_it_count_and_others_do_not() {
        let trees = [b"/usr".to_vec(), b"/var/lib/a b".to_vec()];
        let at = |place: &str| {
            let line =
                format!("36 35 98:0 /mnt1 {place} rw,noatime shared:1 - ext4 /dev/root rw\n");
            counts(line.as_bytes(), &trees)
        };
        assert!(["/", "/usr", "/usr/lib/x", "/var", r"/var/lib/a\040b/c"].iter().all(|p| at(p)));
        assert!(!["/tmp", "/usrlocal", "/var/log", r"/var/lib/a\040c"].iter().any(|p| at(p)));
        assert!(counts(b"what is this", &trees), "rather once too often");
    }

    #[test]
    fn a_place_is_read_as_it_is_whatever_is_in_its_name() {
        assert_eq!(plain(br"/a\040b\134c\011"), b"/a b\\c\t");
        assert_eq!(plain(br"/a\9\"), br"/a\9\");
    }
}
