//! Data of bundles: made, kept as they were, put back, erased.
//!
//! ```text
//! DATA/ID  root 0711 ─┬─ el1  0700, of its user
//!                     └─ el2  0700, of its user
//! update   copied to bundles/saved/NUMBER, which the next generation names
//! restore  named by a generation as unfinished ─► DATA/ID becomes saved/NUMBER.old (garbage) ─► saved/NUMBER
//!          becomes DATA/ID ─► named no more
//! ```
//!
//! They are copied, for ext4 shares no blocks between files, and a rename would leave the new version without data.
//! The limit of what a bundle stores bounds the copy.
//!
//! Invariants: restoring and erasing can be done again from wherever they were cut; of what a bundle made,
//! only files, directories and links are copied, they stay its own, and no link is followed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::bundle::BundleId;

use super::disk::{As, Kind};
use super::generation::Unfinished;
use super::intake::MARGIN;
use super::refusal::Tried;
use super::{Base, Refusal, disk};

/// Most files, directories and links of one bundle that are copied.
pub const MAX_FILES: usize = 100_000;

/// Deepest directory that is copied.
pub const MAX_DEPTH: usize = 64;

/// A copy is at most so many times what a bundle may keep: files with holes take more room in it.
const MOST_TIMES: u64 = 4;

/// A copy may always be so large, in bytes.
const MOST_ALWAYS: u64 = 256 << 20;

/// Classes of data: from boot on, and from the owner's first unlock on.
const CLASSES: [&str; 2] = ["el1", "el2"];

/// Of a bundle's directory.
const OUTER: As = As { mode: 0o711, owner: Some(0) };

/// What a copy may still take.
struct Left {
    files: usize,
    /// Of what the bundle may have copied.
    bytes: u64,
    /// Of the disk.
    free: u64,
}

impl Base {
    pub(super) fn data(&self, id: &BundleId) -> PathBuf {
        self.places.data.join(id.as_str())
    }

    fn saved(&self, number: u64) -> PathBuf {
        self.places.bundles.join("saved").join(number.to_string())
    }

    /// Whether there are data of this bundle.
    pub(super) fn has_data(&self, id: &BundleId) -> Result<bool, Refusal> {
        let at = self.data(id);
        Ok(disk::about(&at).tried("looking at", &at)?.is_some())
    }

    /// Makes the directories of a bundle's data, as its user's.
    pub(super) fn make_data(&self, id: &BundleId, uid: u32) -> Result<PathBuf, Refusal> {
        let at = self.data(id);
        let make = |path: &Path, how| {
            self.disk.make_directory(path, how).tried("making the directory", path)
        };
        make(&self.places.data, As { mode: 0o755, owner: Some(0) })?;
        make(&at, OUTER)?;
        let mut made = false;
        for class in CLASSES {
            let path = at.join(class);
            match disk::about(&path).tried("looking at", &path)? {
                None => {
                    make(&path, As { mode: 0o700, owner: Some(uid) })?;
                    made = true;
                }
                Some(there) if there.kind == Kind::Directory && self.disk.owns(there.uid, uid) => {}
                Some(_) => {
                    return Err(Refusal::Failed(format!(
                        "{} is not of the user {uid} of {id}, who it should be of: erase it: `ensctl app remove {id}`",
                        path.display()
                    )));
                }
            }
        }
        // What the app keeps in there is to be found again after a power cut.
        let directories = [&at, &self.places.data].into_iter().filter(|_| made);
        for directory in directories {
            self.disk.sync_directory(directory).tried("writing", directory)?;
        }
        Ok(at)
    }

    /// Copies the data of a bundle, which may keep `size` bytes and whose processes have ended, and answers with the number of the copy; none where it has no data.
    pub(super) fn save_data(
        &self,
        id: &BundleId,
        (number, uid): (u64, u32),
        size: u64,
    ) -> Result<Option<u64>, Refusal> {
        let from = self.data(id);
        if !self.has_data(id)? {
            return Ok(None);
        }
        let to = self.saved(number);
        let all = to.parent().unwrap_or(&to).to_owned();
        self.disk
            .make_directory(&all, As { mode: 0o700, owner: Some(0) })
            .tried("making the directory", &all)?;
        let free = self.disk.free(&all).tried("looking how much is free in", &all)?;
        let bytes = size.saturating_mul(MOST_TIMES).max(MOST_ALWAYS);
        let mut left = Left { files: MAX_FILES, bytes, free: free.saturating_sub(MARGIN) };
        let copied = self
            .disk
            .make_directory(&to, OUTER)
            .and_then(|()| self.copy_tree(&from, &to, uid, MAX_DEPTH, &mut left))
            .and_then(|()| self.disk.sync_all(&to));
        if let Err(why) = copied {
            // Garbage that would take room on a disk that may have none.
            let _gone = self.disk.remove_tree(&to);
            let why = Refusal::tried("keeping as they are the data in", &from, &why);
            return Err(why);
        }
        Ok(Some(number))
    }

    fn copy_tree(
        &self,
        from: &Path,
        to: &Path,
        uid: u32,
        depth: usize,
        left: &mut Left,
    ) -> io::Result<()> {
        let deeper = depth.checked_sub(1);
        let deeper = deeper.ok_or_else(|| too(format!("deeper than {MAX_DEPTH}")))?;
        for name in disk::names(from)? {
            let (from, to) = (from.join(&name), to.join(&name));
            let Some(about) = disk::about(&from)? else { continue };
            let rest = left.files.checked_sub(1);
            left.files = rest.ok_or_else(|| too(format!("more than {MAX_FILES} files")))?;
            let how = As { mode: about.mode & 0o777, owner: Some(uid) };
            match about.kind {
                Kind::Directory => {
                    self.disk.make_directory(&to, how)?;
                    self.copy_tree(&from, &to, uid, deeper, left)?;
                }
                Kind::File => self.copy_file(&from, &to, how, left)?,
                Kind::Link => self.disk.link(&fs::read_link(&from)?, &to, Some(uid))?,
                // Pipes and sockets have nothing in them, and whoever made them is gone.
                Kind::Other => {}
            }
        }
        Ok(())
    }

    fn copy_file(&self, from: &Path, to: &Path, how: As, left: &mut Left) -> io::Result<()> {
        let source = disk::open(from)?;
        let size = source.metadata()?.len();
        if size > left.bytes {
            return Err(too("larger than what it may keep".to_owned()));
        }
        if size > left.free {
            return Err(io::ErrorKind::StorageFull.into());
        }
        (left.bytes, left.free) = (left.bytes - size, left.free - size);
        self.disk.write(to, how, &mut |out| {
            io::copy(&mut io::Read::take(&source, size), out).map(|_| ())
        })
    }

    /// Does what a generation left to be done to the data of a bundle; it may have been begun already.
    pub(super) fn finish_data(&self, id: &BundleId, left: Unfinished) -> Result<(), Refusal> {
        let at = self.data(id);
        let done = match left {
            Unfinished::Erase => self.disk.remove_tree(&at),
            Unfinished::Restore(number) => self.restore(&at, &self.saved(number)),
        };
        done.and_then(|()| self.disk.sync_all(&self.places.bundles))
            .tried("putting in order the data in", &at)
    }

    fn restore(&self, at: &Path, saved: &Path) -> io::Result<()> {
        if disk::about(saved)?.is_none() {
            return Ok(());
        }
        let directories = || [at.parent(), saved.parent()].into_iter().flatten();
        let written =
            || directories().try_for_each(|directory| self.disk.sync_directory(directory));
        if disk::about(at)?.is_some() {
            let old = disk::beside(saved, ".old");
            self.disk.remove_tree(&old)?;
            self.disk.rename(at, &old)?;
            written()?;
        }
        self.disk.rename(saved, at)?;
        written()
    }
}

fn too(what: String) -> io::Error {
    io::Error::other(format!("{what}: more than is copied"))
}
