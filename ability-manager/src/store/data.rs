//! Data of bundles: made, kept as they were, put back, erased.
//!
//! ```text
//! DATA/ID  root 0711 ─┬─ el1  0700, of its user, encrypted with the key ID.el1 of the vault
//!                     └─ el2  0700, of its user, encrypted with the key ID.el2; empty and root's until there is one
//! update   copied to bundles/saved/NUMBER, which the next generation names
//! restore  named by a generation as unfinished ─► DATA/ID becomes saved/NUMBER.old (garbage) ─► saved/NUMBER
//!          becomes DATA/ID ─► named no more
//! ```
//!
//! They are copied, for ext4 shares no blocks between files, and a rename would leave the new version without data.
//! The limit of what a bundle stores bounds the copy.
//!
//! Where the file system encrypts nothing, and of a bundle that has stored something before it did, data are plain.
//!
//! Invariants: restoring and erasing can be done again from wherever they were cut; of what a bundle made,
//! only files, directories and links are copied, they stay its own, and no link is followed; what is encrypted is
//! copied to where it is encrypted with the same key, and the key is gone before what it opens is erased.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::bundle::BundleId;
use sys::fscrypt::Name as KeyName;

use super::disk::{As, Kind};
use super::generation::Unfinished;
use super::intake::MARGIN;
use super::refusal::Tried;
use super::{Base, Refusal, disk};
use crate::vault::Class;

/// Most files, directories and links of one bundle that are copied.
pub const MAX_FILES: usize = 100_000;

/// Deepest directory that is copied.
pub const MAX_DEPTH: usize = 64;

/// A copy is at most so many times what a bundle may keep: files with holes take more room in it.
const MOST_TIMES: u64 = 4;

/// A copy may always be so large, in bytes.
const MOST_ALWAYS: u64 = 256 << 20;

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
        for class in Class::ALL {
            made |= self.make_class(&at, (id, uid), class)?;
        }
        // What the app keeps in there is to be found again after a power cut.
        let directories = [&at, &self.places.data].into_iter().filter(|_| made);
        for directory in directories {
            self.disk.sync_directory(directory).tried("writing", directory)?;
        }
        Ok(at)
    }

    /// Makes the directory of a class, and opens it; answers whether there is anything new.
    fn make_class(
        &self,
        at: &Path,
        (id, uid): (&BundleId, u32),
        class: Class,
    ) -> Result<bool, Refusal> {
        let path = at.join(class.word());
        let there = disk::about(&path).tried("looking at", &path)?;
        let directory = there.is_some_and(|there| there.kind == Kind::Directory);
        let mine = directory && there.is_some_and(|there| self.disk.owns(there.uid, uid));
        if mine && self.vault.was_given(id, class) {
            return Ok(false);
        }
        let make = |owner| {
            let how = As { mode: 0o700, owner: Some(owner) };
            self.disk.make_directory(&path, how).tried("making the directory", &path)
        };
        let others = || {
            Refusal::Failed(format!(
                "{} is not of the user {uid} of {id}, who it should be of: erase it: `ensctl app remove {id}`",
                path.display()
            ))
        };
        let encrypts = self.disk.encrypts(&self.places.data);
        let has =
            if directory { self.disk.key_of(&path).tried("looking at", &path)? } else { None };
        let empty = directory && encrypts && disk::is_empty(&path).tried("looking into", &path)?;
        match there {
            None if !encrypts => make(uid).map(|()| true),
            Some(_) if !mine && !empty => Err(others()),
            Some(_) if has.is_none() && !empty => Ok(false),
            Some(_) if has.is_some() => {
                let opened = self.open_data(id, class, false)?;
                match (mine, opened) {
                    (false, _) => Err(others()),
                    (true, Some(key)) if Some(key) != has => Err(self.vault.lost(id, class)),
                    (true, _) => Ok(false),
                }
            }
            _ => {
                let Some(key) = self.open_data(id, class, true)? else {
                    // Nobody can have it before it is encrypted.
                    return if directory { Ok(false) } else { make(0).map(|()| true) };
                };
                if directory && !mine {
                    self.disk.remove_tree(&path).tried("removing", &path)?;
                }
                if !mine {
                    make(uid)?;
                }
                self.disk
                    .encrypt(&path, &key)
                    .and_then(|()| self.disk.sync_directory(&path))
                    .tried("encrypting", &path)?;
                Ok(true)
            }
        }
    }

    /// The kernel has the key of a class from now on, which it names; none while the device is locked.
    pub(super) fn open_data(
        &self,
        id: &BundleId,
        class: Class,
        may_make: bool,
    ) -> Result<Option<KeyName>, Refusal> {
        let Some(key) = self.vault.key(&*self.disk, id, class, may_make)? else { return Ok(None) };
        let data = &self.places.data;
        let name = self.disk.give(data, key.bytes()).tried("giving the kernel a key for", data)?;
        self.vault.given(id, class);
        Ok(Some(name))
    }

    /// The keys that the data of a bundle are encrypted with.
    fn keys_of(&self, at: &Path) -> Vec<KeyName> {
        let of = |class: Class| self.disk.key_of(&at.join(class.word())).ok().flatten();
        Class::ALL.into_iter().filter_map(of).collect()
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
        self.open_to_copy(id, &from)?;
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

    /// What is to be copied must be readable.
    fn open_to_copy(&self, id: &BundleId, from: &Path) -> Result<(), Refusal> {
        for class in Class::ALL {
            let path = from.join(class.word());
            let there = disk::about(&path).tried("looking at", &path)?.is_some();
            let encrypted = there && self.disk.key_of(&path).tried("looking at", &path)?.is_some();
            if encrypted && self.open_data(id, class, false)?.is_none() {
                return Err(Refusal::Refused(format!(
                    "the data of {id} can't be kept as they are while the device is locked: `ensctl lock unlock`"
                )));
            }
        }
        Ok(())
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
                    if let Some(key) = self.disk.key_of(&from)?.filter(|_| depth == MAX_DEPTH) {
                        self.disk.encrypt(&to, &key)?;
                    }
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
            Unfinished::Erase => self.erase(id, &at),
            Unfinished::Restore(number) => self.restore(&at, &self.saved(number)),
        };
        done.and_then(|()| self.disk.sync_all(&self.places.bundles))
            .tried("putting in order the data in", &at)
    }

    /// First the keys: what is cut afterwards is erased all the same.
    fn erase(&self, id: &BundleId, at: &Path) -> io::Result<()> {
        let keys = self.keys_of(at);
        self.vault.destroy(&*self.disk, id)?;
        self.disk.remove_tree(at)?;
        for key in keys {
            self.disk.take(&self.places.data, &key)?;
        }
        Ok(())
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
