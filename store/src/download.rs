//! Fetching one file, whatever happens on the way.
//!
//! ```text
//! SHA256.part is not there ─► begun ─┬─ bytes… ─► all are there ─► its SHA-256 is right ─► handed on, name removed
//!             is there ─► goes on ───┘   └─ cut off: stays            └─ wrong ─► removed
//! ```
//!
//! The name of a part is the hash of the whole, so what is there is of that file, or is found out at the end. Invariants:
//! never more bytes than the list says are read or kept; a disk is not filled; few parts stay.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::source::Supply;

/// Bytes that are left free on the disk: what a device needs to go on, and to remove something.
pub const MARGIN: u64 = 16 << 20;

/// Parts that stay beside the one that is fetched; the oldest go first.
const MAX_PARTS: usize = 3;

/// Bytes that are copied at once.
const PIECE: usize = 128 << 10;

/// What is to be fetched.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its path in the store.
    pub path: String,
    /// Its bytes.
    pub length: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// Fetches a file into `directory`; what is there of it is not asked for again. The file that comes back has no name any more.
/// `told` is how many bytes are there, again and again.
///
/// # Errors
/// It can't be had, is not what it should be, or there is no room. What came is kept for the next try, unless it is wrong.
pub fn fetch(
    directory: &Path,
    supply: &Supply,
    what: &Fetched,
    told: &dyn Fn(u64),
) -> Result<File, String> {
    let part = directory.join(format!("{}.part", tuf::hex(&what.sha256)));
    let failed = |e: io::Error| format!("writing {}: {e}", part.display());
    make_room(directory, &part);
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&part);
    let mut file = opened.map_err(failed)?;
    let there = file.metadata().map_err(failed)?.len();
    if there > what.length {
        file.set_len(0).map_err(failed)?;
    } else if there < what.length {
        enough(directory, what.length - there)?;
        rest(&mut file, supply, what, there, told)?;
    }
    if whole(&mut file, what).map_err(failed)? {
        let handed = File::open(&part).map_err(failed)?;
        // From now on it is only theirs who have it open.
        fs::remove_file(&part).map_err(failed)?;
        return Ok(handed);
    }
    let _at_the_next_try = fs::remove_file(&part);
    Err(format!("{} is not the file that is listed: its SHA-256 is another one", what.path))
}

/// Appends what is missing behind `there` bytes.
fn rest(
    file: &mut File,
    supply: &Supply,
    what: &Fetched,
    there: u64,
    told: &dyn Fn(u64),
) -> Result<(), String> {
    let path = &what.path;
    let opened = supply.open(path, there, what.length - there)?;
    let opened = opened.ok_or_else(|| format!("{path} is listed, and not there"))?;
    let failed = |e: io::Error| format!("fetching {path}: {e}");
    file.set_len(opened.at).and_then(|()| file.seek(SeekFrom::Start(opened.at))).map_err(failed)?;
    let mut left = what.length.saturating_sub(opened.at);
    // One byte more shows that there is more.
    let mut from = opened.bytes.take(left.saturating_add(1));
    let mut piece = vec![0; PIECE];
    loop {
        told(what.length - left);
        let count = match from.read(&mut piece) {
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => {
                return Err(format!(
                    "fetching {path}: {e}: {left} bytes are left for the next try"
                ));
            }
        };
        let length = u64::try_from(count).unwrap_or(u64::MAX);
        if length > left {
            return Err(format!("{path} has more bytes than the {} that are listed", what.length));
        }
        let bytes = piece.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        file.write_all(bytes).map_err(failed)?;
        left -= length;
    }
    file.sync_data().map_err(failed)?;
    if left == 0 {
        return Ok(());
    }
    Err(format!("{path} was cut off: {left} of {} bytes are left for the next try", what.length))
}

fn whole(file: &mut File, what: &Fetched) -> io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(<[u8; 32]>::from(hash.finalize()) == what.sha256),
            count => hash.update(piece.get(..count).unwrap_or_default()),
        }
    }
}

fn enough(directory: &Path, wanted: u64) -> Result<(), String> {
    let free = sys::disk::free(directory)
        .map_err(|e| format!("looking how much is free in {}: {e}", directory.display()))?;
    if free >= wanted.saturating_add(MARGIN) {
        return Ok(());
    }
    Err(format!(
        "it takes {} MiB, and {} are free of which {} stay free: remove something: `ensctl app list`",
        wanted.div_ceil(1 << 20),
        free >> 20,
        MARGIN >> 20
    ))
}

/// Removes all other parts but the newest few.
fn make_room(directory: &Path, keep: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let others = entries.map(|entry| entry.path()).filter(|path| path != keep);
    let age = |path: &PathBuf| fs::metadata(path).and_then(|about| about.modified());
    let mut all: Vec<(SystemTime, PathBuf)> =
        others.map(|path| (age(&path).unwrap_or(SystemTime::UNIX_EPOCH), path)).collect();
    all.sort_by(|a, b| b.cmp(a));
    for (_, path) in all.into_iter().skip(MAX_PARTS) {
        // What can't be removed is tried again.
        let _stays = fs::remove_file(path);
    }
}
