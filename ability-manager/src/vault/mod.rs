//! Keys of what apps store: who has them when, and where they lie.
//!
//! ```text
//! keys/device ──────────┬─ opens ─► ID.el1            from boot on
//!                       └─ opens ─┐
//! owner's secret (if any) ─ opens ┴► keys/owner ─ opens ─► ID.el2        from the first unlock on
//!
//! no secret ─ set ─► unlocked ─ lock, boot ─► locked ─ unlock ─► unlocked ─ remove ─► no secret
//! ```
//!
//! `ID.el1` and `ID.el2` are what the kernel encrypts directories with; they are made once, and are zeros before they
//! are removed. Only `owner` is ever written anew: swapped in one step with the old one, which is zeros then too.
//! While it is unlocked the owner's key is in a file in memory, so that the next ability-manager of this boot has it.
//!
//! Invariants: wherever the power goes, every key opens as before or as afterwards; no key is made twice while there
//! are data; a try to unlock counts before it is made. What the kernel has, and who runs, is others' to see to.

pub(crate) mod attempts;
mod files;
mod owner;
pub(crate) mod seal;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::bundle::BundleId;

use crate::store::Refusal;
use crate::store::disk::{self, As, Disk, beside};
use attempts::Attempts;
use owner::Owner;
use seal::{FileKey, Key, Master};

pub use owner::{MAX_SECRET, MIN_SECRET};

/// The first line of the file with the key of the device.
const DEVICE: &str = "ensemble device key 1";

/// The first line of the file with a key of an app.
const APP: &str = "ensemble app key 1";

/// Only root has anything here.
const PRIVATE: As = As { mode: 0o600, owner: None };

/// What is stored for whom to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// From boot on.
    El1,
    /// From the owner's first unlock on.
    El2,
}

impl Class {
    /// All.
    pub const ALL: [Self; 2] = [Self::El1, Self::El2];

    /// The name of its directory.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::El1 => "el1",
            Self::El2 => "el2",
        }
    }

    /// What it is, for people.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::El1 => "data in el1",
            Self::El2 => "data in el2",
        }
    }
}

/// Whether the device is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It has no secret.
    None,
    /// It has one, which was given since it booted.
    Open,
    /// It has one, which was not.
    Locked,
}

/// Where keys lie.
#[derive(Debug)]
pub struct Vault {
    keys: PathBuf,
    /// The owner's key, in memory.
    unlocked: PathBuf,
    known: Mutex<Known>,
}

/// What was read.
#[derive(Debug, Default)]
struct Known {
    device: Option<Master>,
    owner: Option<Owner>,
    /// The owner's key.
    open: Option<Master>,
    attempts: Option<Attempts>,
    /// Keys that the kernel was given, by us.
    given: BTreeSet<(BundleId, Class)>,
}

/// A secret that is to be looked at, beside all else: it takes long.
#[derive(Debug)]
pub struct Attempt {
    owner: Owner,
    device: Master,
}

impl Attempt {
    /// The owner's key, if this is the secret.
    #[must_use]
    pub fn open(&self, secret: &[u8]) -> Option<Opened> {
        self.owner.open(&self.device, secret).map(Opened)
    }
}

/// The owner's key.
#[derive(Debug)]
pub struct Opened(Master);

/// The owner's key, and what a secret has made of it, to be kept.
#[derive(Debug, Clone)]
pub struct Sealed(Owner, Master);

#[cfg(test)]
impl Sealed {
    /// As its file will be.
    pub(crate) fn print(&self) -> String {
        self.0.print()
    }
}

/// What it takes to seal the owner's key with another secret, beside all else: it takes long.
#[derive(Debug)]
pub struct Sealing {
    key: Master,
    device: Master,
}

impl Sealing {
    /// Seals it, with no secret if there is none.
    ///
    /// # Errors
    /// The secret is too short or too long.
    pub fn seal(&self, secret: Option<&[u8]>) -> Result<Sealed, Refusal> {
        let sealed = match secret {
            Some(secret) if secret.len() < MIN_SECRET => {
                return Err(Refusal::Invalid(format!("a secret has at least {MIN_SECRET} signs")));
            }
            Some(secret) if secret.len() > MAX_SECRET => {
                return Err(Refusal::Invalid(format!("a secret has at most {MAX_SECRET} bytes")));
            }
            Some(secret) => Owner::by_secret(&self.key, &self.device, secret),
            None => Owner::by_device(&self.key, &self.device),
        };
        sealed
            .map(|owner| Sealed(owner, self.key.clone()))
            .map_err(|why| Refusal::Failed(format!("sealing the owner's key: {why}")))
    }
}

impl Vault {
    /// With keys in one directory, and in memory what is unlocked.
    #[must_use]
    pub fn new(keys: PathBuf, unlocked: PathBuf) -> Self {
        Self { keys, unlocked, known: Mutex::default() }
    }

    /// Whether the device is locked.
    ///
    /// # Errors
    /// The keys can't be read.
    pub fn lock(&self, disk: &dyn Disk) -> Result<Lock, Refusal> {
        let known = self.known(disk)?;
        Ok(match (&known.owner, &known.open) {
            (Some(owner), None) if owner.has_secret() => Lock::Locked,
            (Some(owner), Some(_)) if owner.has_secret() => Lock::Open,
            _ => Lock::None,
        })
    }

    /// How long nobody may try a secret.
    ///
    /// # Errors
    /// As [`Self::lock`].
    pub fn wait(&self, disk: &dyn Disk, now: Duration) -> Result<Option<Duration>, Refusal> {
        Ok(self.attempts(&mut *self.known(disk)?, now)?.wait(now))
    }

    /// The key of a bundle's data of a class, made if there is none and it may be; none while it is locked.
    ///
    /// # Errors
    /// It is lost or damaged, or can't be written.
    pub(crate) fn key(
        &self,
        disk: &dyn Disk,
        id: &BundleId,
        class: Class,
        may_make: bool,
    ) -> Result<Option<Box<FileKey>>, Refusal> {
        let mut known = self.known(disk)?;
        if may_make {
            self.begin(disk, &mut known)?;
        }
        let secret = known.owner.as_ref().is_some_and(Owner::has_secret);
        let with = match class {
            Class::El1 => known.device.as_ref(),
            Class::El2 if known.open.is_none() && secret => return Ok(None),
            Class::El2 => known.open.as_ref(),
        };
        let with = with.ok_or_else(|| self.lost(id, class))?;
        let path = self.file(id, class);
        let what = format!("{APP} {id} {}", class.word());
        let Some(text) = self.read(&path)? else {
            if !may_make {
                return Err(self.lost(id, class));
            }
            let key = FileKey::random().and_then(|key| Ok((key.seal(with, &what)?, key)));
            let (sealed, key) = key.map_err(|why| tried("making a key for", &path, &why))?;
            self.make(disk, &path, &format!("{APP}\n{}\n", *seal::print(&sealed)))?;
            return Ok(Some(Box::new(key)));
        };
        let sealed = text.strip_prefix(APP).and_then(|rest| seal::read(rest.trim()));
        let key = sealed.and_then(|sealed| Key::open(&sealed, with, &what));
        Ok(Some(Box::new(key.ok_or_else(|| self.lost(id, class))?)))
    }

    /// That a key is lost.
    #[must_use]
    pub fn lost(&self, id: &BundleId, class: Class) -> Refusal {
        Refusal::Failed(format!(
            "the key of the data of {id} in {} is lost ({}), and they with it: `ensctl app remove {id}` erases them",
            class.word(),
            self.file(id, class).display()
        ))
    }

    /// Whether the kernel was given this key, by this ability-manager.
    #[must_use]
    pub fn was_given(&self, id: &BundleId, class: Class) -> bool {
        self.locked().given.contains(&(id.clone(), class))
    }

    /// The kernel was given this key.
    pub fn given(&self, id: &BundleId, class: Class) {
        self.locked().given.insert((id.clone(), class));
    }

    /// Bundles that have a key of a class.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn having(&self, class: Class) -> Result<Vec<BundleId>, Refusal> {
        let names =
            disk::names(&self.keys).map_err(|why| tried("looking into", &self.keys, &why))?;
        let id = |name: &OsStr| {
            let stem = name.to_str()?.strip_suffix(class.word())?.strip_suffix('.')?;
            BundleId::try_from(stem).ok()
        };
        Ok(names.iter().filter_map(|name| id(name)).collect())
    }

    /// The keys of a bundle are no more. Can be done again from wherever it was cut.
    ///
    /// # Errors
    /// They can't be overwritten or removed.
    pub fn destroy(&self, disk: &dyn Disk, id: &BundleId) -> io::Result<()> {
        let mut gone = false;
        for class in Class::ALL {
            let path = self.file(id, class);
            for path in [beside(&path, ".new"), path] {
                if disk::about(&path)?.is_some() {
                    self.shred(disk, &path)?;
                    gone = true;
                }
            }
        }
        self.locked().given.retain(|(of, _)| of != id);
        if gone { disk.sync_directory(&self.keys) } else { Ok(()) }
    }

    /// Somebody tries a secret: it counts as wrong until [`Self::right`].
    ///
    /// # Errors
    /// There is none to try, or it is too early, or that can't be kept.
    pub fn attempt(&self, disk: &dyn Disk, now: Duration) -> Result<Attempt, Refusal> {
        let mut known = self.known(disk)?;
        let (Some(device), Some(owner)) = (known.device.clone(), known.owner.clone()) else {
            return Err(no_secret());
        };
        if !owner.has_secret() {
            return Err(no_secret());
        }
        let mut attempts = self.attempts(&mut known, now)?;
        attempts.begin(now).map_err(|left| {
            let seconds = attempts::seconds(left);
            Refusal::Refused(format!("too many wrong secrets: try again in {seconds} s"))
        })?;
        self.keep(disk, &mut known, attempts, now)?;
        Ok(Attempt { owner, device })
    }

    /// The secret was right.
    ///
    /// # Errors
    /// That can't be kept.
    pub fn right(&self, disk: &dyn Disk, now: Duration) -> Result<(), Refusal> {
        self.keep(disk, &mut *self.known(disk)?, Attempts::default(), now)
    }

    /// Unlocks.
    ///
    /// # Errors
    /// The next ability-manager could not be told; it is as before then.
    pub fn unlock(&self, disk: &dyn Disk, opened: Opened) -> Result<(), Refusal> {
        let mut known = self.known(disk)?;
        self.tell_next(disk, &opened.0)?;
        known.open = Some(opened.0);
        Ok(())
    }

    /// Locks: the owner's key is nowhere any more. Answers whether there is anything to lock.
    ///
    /// # Errors
    /// There is no secret to unlock it with, or it could not be forgotten.
    pub fn forget(&self, disk: &dyn Disk) -> Result<(), Refusal> {
        let mut known = self.known(disk)?;
        if !known.owner.as_ref().is_some_and(Owner::has_secret) {
            return Err(Refusal::Refused(
                "the device has no secret to unlock it with: `ensctl lock set` sets one".to_owned(),
            ));
        }
        known.open = None;
        known.given.retain(|(_, class)| *class != Class::El2);
        self.shred(disk, &self.unlocked).map_err(|why| tried("removing", &self.unlocked, &why))
    }

    /// What it takes to set another secret, or none.
    ///
    /// # Errors
    /// The device is locked, or the keys can't be written.
    pub fn sealing(&self, disk: &dyn Disk) -> Result<Sealing, Refusal> {
        let mut known = self.known(disk)?;
        self.begin(disk, &mut known)?;
        match (&known.device, &known.open) {
            (Some(device), Some(key)) => Ok(Sealing { key: key.clone(), device: device.clone() }),
            _ => Err(Refusal::Refused("the device is locked: `ensctl lock unlock`".to_owned())),
        }
    }

    /// Another secret counts, or none; the device stays unlocked, if it was not locked meanwhile.
    ///
    /// # Errors
    /// It can't be written; the one of before counts then.
    pub fn set(&self, disk: &dyn Disk, sealed: Sealed) -> Result<(), Refusal> {
        let mut known = self.known(disk)?;
        let Sealed(owner, key) = sealed;
        if owner.has_secret() && known.open.is_some() {
            self.tell_next(disk, &key)?;
        }
        self.replace(disk, &self.owner(), &owner.print())?;
        let has_secret = owner.has_secret();
        known.owner = Some(owner);
        if !has_secret {
            known.open = Some(key);
            let gone = self.shred(disk, &self.unlocked);
            gone.map_err(|why| tried("removing", &self.unlocked, &why))?;
        }
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, id: &BundleId, class: Class) -> PathBuf {
        self.keys.join(format!("{id}.{}", class.word()))
    }

    fn owner(&self) -> PathBuf {
        self.keys.join("owner")
    }
}

fn no_secret() -> Refusal {
    Refusal::Refused("the device has no secret, so it is never locked".to_owned())
}

fn tried(what: &str, path: &Path, why: &io::Error) -> Refusal {
    Refusal::tried(what, path, why)
}
