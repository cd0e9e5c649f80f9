//! The device is locked and unlocked: what the kernel has of keys.
//!
//! ```text
//! unlocked ─ lock: the owner's key is forgotten ─► the kernel loses all keys of el2 ─► locked
//! locked ─ a try, counted ─► secret looked at (long, beside all else) ─► unlock: the kernel has them again
//! ```
//!
//! Who must not run while it is locked has ended before: that is the caller's to see to.

use std::collections::BTreeSet;
use std::time::Duration;

use model::bundle::BundleId;

use super::refusal::Tried;
use super::{Refusal, Store, disk};
use crate::vault::{Attempt, Class, Lock, Opened, Sealed, Sealing};

/// How the data of a class are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// There are none yet, and will be encrypted.
    Nothing,
    /// Encrypted, and can be read now.
    Encrypted,
    /// Encrypted, and nobody can read them now.
    Locked,
    /// Plain: the file system encrypts nothing.
    Impossible,
    /// Plain: they were there before the file system did.
    Older,
}

impl Protection {
    /// For people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Nothing => "encrypted as soon as there are any",
            Self::Encrypted => "encrypted",
            Self::Locked => "encrypted, and locked until the device is unlocked",
            Self::Impossible => "not encrypted: the file system they are on can't",
            Self::Older => {
                "not encrypted: they are from before the device could; removing the app and installing it anew encrypts what it stores then"
            }
        }
    }
}

impl Store {
    /// Whether the device is locked.
    ///
    /// # Errors
    /// The keys can't be read.
    pub fn lock_state(&self) -> Result<Lock, Refusal> {
        self.base.vault.lock(&*self.base.disk)
    }

    /// Whether what apps store is encrypted.
    #[must_use]
    pub fn encrypts(&self) -> bool {
        self.base.disk.encrypts(&self.base.places.data)
    }

    /// How long nobody may try a secret.
    ///
    /// # Errors
    /// As [`Self::lock_state`].
    pub fn lock_wait(&self, now: Duration) -> Result<Option<Duration>, Refusal> {
        self.base.vault.wait(&*self.base.disk, now)
    }

    /// Somebody tries a secret, which counts as wrong until [`Self::right`].
    ///
    /// # Errors
    /// There is none to try, or it is too early.
    pub fn attempt(&self, now: Duration) -> Result<Attempt, Refusal> {
        self.base.vault.attempt(&*self.base.disk, now)
    }

    /// The secret was right.
    ///
    /// # Errors
    /// That can't be kept.
    pub fn right(&self, now: Duration) -> Result<(), Refusal> {
        self.base.vault.right(&*self.base.disk, now)
    }

    /// What it takes to set another secret, or none.
    ///
    /// # Errors
    /// The device is locked.
    pub fn sealing(&self) -> Result<Sealing, Refusal> {
        self.base.vault.sealing(&*self.base.disk)
    }

    /// Another secret counts from now on, or none.
    ///
    /// # Errors
    /// It can't be written; the one of before counts then.
    pub fn set_secret(&self, sealed: Sealed) -> Result<(), Refusal> {
        self.base.vault.set(&*self.base.disk, sealed)
    }

    /// Unlocks: what apps have in `el2` can be read from now on.
    ///
    /// # Errors
    /// It could not be kept; it is locked as before then.
    pub fn unlock(&self, opened: Opened) -> Result<(), Refusal> {
        let base = &self.base;
        base.vault.unlock(&*base.disk, opened)?;
        if self.encrypts() {
            // Those that run already have it at once, others when they are started.
            for id in base.vault.having(Class::El2)? {
                if let Err(why) = base.open_data(&id, Class::El2, false) {
                    log::warn!("{why}");
                }
            }
        }
        Ok(())
    }

    /// Locks; answers how many bundles have files open, which they keep until they close them.
    ///
    /// # Errors
    /// The device has no secret, or a key could not be taken from the kernel: it is locked all the same then.
    pub fn lock(&self) -> Result<usize, Refusal> {
        let base = &self.base;
        base.vault.forget(&*base.disk)?;
        let saved = base.places.bundles.join("saved");
        let mut keys = BTreeSet::new();
        for place in [&base.places.data, &saved] {
            for name in disk::names(place).tried("looking into", place)? {
                let el2 = place.join(name).join(Class::El2.word());
                keys.extend(base.disk.key_of(&el2).ok().flatten());
            }
        }
        let data = &base.places.data;
        let mut busy = 0;
        for key in keys {
            let still =
                base.disk.take(data, &key).tried("taking a key from the kernel for", data)?;
            busy += usize::from(still);
        }
        Ok(busy)
    }

    /// How the data of a bundle are kept.
    #[must_use]
    pub fn protection(&self, id: &BundleId) -> [(Class, Protection); 2] {
        let base = &self.base;
        let encrypts = self.encrypts();
        let locked = matches!(self.lock_state(), Ok(Lock::Locked) | Err(_));
        Class::ALL.map(|class| {
            let path = base.data(id).join(class.word());
            let empty = || disk::is_empty(&path).unwrap_or(false);
            let is = match base.disk.key_of(&path) {
                _ if !encrypts => Protection::Impossible,
                Ok(Some(_)) if class == Class::El2 && locked => Protection::Locked,
                Ok(Some(_)) => Protection::Encrypted,
                _ if empty() => Protection::Nothing,
                _ if matches!(disk::about(&path), Ok(None)) => Protection::Nothing,
                _ => Protection::Older,
            };
            (class, is)
        })
    }
}
