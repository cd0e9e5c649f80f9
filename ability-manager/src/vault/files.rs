//! The files of keys: read once, made durable, swapped, overwritten.
//!
//! ```text
//! new: write .new ─► sync ─► rename ─► sync directory
//! another: write .new ─► sync ─► exchange ─► sync directory ─► zeros over .new, which is the old one ─► removed
//! ```
//!
//! Invariant: what lies beside under `.new` is never what counts, so it may be overwritten whenever it is found.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::MutexGuard;
use std::time::Duration;

use zeroize::Zeroizing;

use super::attempts::Attempts;
use super::owner::{MAX_FILE, Owner};
use super::seal::{self, Key, Master};
use super::{DEVICE, Known, PRIVATE, Vault, tried};
use crate::store::Refusal;
use crate::store::disk::{self, As, Disk, beside};

impl Vault {
    /// What there is, read when somebody asks for the first time.
    pub(super) fn known(&self, disk: &dyn Disk) -> Result<MutexGuard<'_, Known>, Refusal> {
        let mut known = self.locked();
        if known.device.is_none() {
            self.load(disk, &mut known)?;
        }
        Ok(known)
    }

    fn load(&self, disk: &dyn Disk, known: &mut Known) -> Result<(), Refusal> {
        let looking = |why| tried("looking into", &self.keys, &why);
        let names = disk::names(&self.keys).map_err(looking)?;
        for name in names.iter().filter(|name| is_new(name)) {
            let path = self.keys.join(name);
            self.shred(disk, &path).map_err(|why| tried("removing", &path, &why))?;
        }
        let device = self.keys.join("device");
        let Some(text) = self.read(&device)? else {
            let keys = names.iter().any(|name| !is_new(name) && name != "attempts");
            return if keys { Err(self.gone("device")) } else { Ok(()) };
        };
        let key = text.strip_prefix(DEVICE).and_then(|rest| seal::read(rest.trim()));
        let key: Master = key.and_then(|key| Key::new(&key)).ok_or_else(|| self.gone("device"))?;
        let owner = self.read(&self.owner())?;
        let owner = owner.map(|text| Owner::parse(&text).ok_or_else(|| self.gone("owner")));
        let Some(owner) = owner.transpose()? else {
            // The power went after the first of the two was written.
            return self.make_owner(disk, known, key);
        };
        known.open = if owner.has_secret() {
            let kept = self.read(&self.unlocked)?;
            kept.and_then(|text| seal::read(text.trim())).and_then(|key| Key::new(&key))
        } else {
            Some(owner.open(&key, b"").ok_or_else(|| self.gone("owner"))?)
        };
        (known.owner, known.device) = (Some(owner), Some(key));
        Ok(())
    }

    fn gone(&self, name: &str) -> Refusal {
        Refusal::Failed(format!(
            "{} is gone or damaged, and with it what apps have stored: put back a copy, or move {} away and remove the apps",
            self.keys.join(name).display(),
            self.keys.display(),
        ))
    }

    /// A device that has no keys yet has them from now on.
    pub(super) fn begin(&self, disk: &dyn Disk, known: &mut Known) -> Result<(), Refusal> {
        if known.device.is_some() {
            return Ok(());
        }
        let keys = &self.keys;
        disk.make_directory(keys, As { mode: 0o700, owner: Some(0) })
            .map_err(|why| tried("making the directory", keys, &why))?;
        if let Some(above) = keys.parent() {
            disk.sync_directory(above).map_err(|why| tried("writing", above, &why))?;
        }
        let path = keys.join("device");
        let device = Master::random().map_err(|why| tried("making a key for", &path, &why))?;
        let digits = seal::print(device.bytes());
        self.make(disk, &path, &Zeroizing::new(format!("{DEVICE}\n{}\n", *digits)))?;
        self.make_owner(disk, known, device)
    }

    fn make_owner(
        &self,
        disk: &dyn Disk,
        known: &mut Known,
        device: Master,
    ) -> Result<(), Refusal> {
        let path = self.owner();
        let made = Master::random().and_then(|key| Ok((Owner::by_device(&key, &device)?, key)));
        let (owner, key) = made.map_err(|why| tried("making a key for", &path, &why))?;
        self.make(disk, &path, &owner.print())?;
        (known.open, known.owner, known.device) = (Some(key), Some(owner), Some(device));
        Ok(())
    }

    /// The text of a file, if it is there.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Zeroizing<String>>, Refusal> {
        match sys::regular::read(path, MAX_FILE, false) {
            Ok((_, bytes)) => {
                Ok(Some(Zeroizing::new(String::from_utf8(bytes).unwrap_or_default())))
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(tried("reading", path, &why)),
        }
    }

    /// Makes a file that was not there.
    pub(super) fn make(&self, disk: &dyn Disk, path: &Path, text: &str) -> Result<(), Refusal> {
        let new = beside(path, ".new");
        let made = self
            .write(disk, &new, text)
            .and_then(|()| disk.rename(&new, path))
            .and_then(|()| disk.sync_directory(&self.keys));
        made.map_err(|why| tried("writing", path, &why))
    }

    /// Another one takes the place of a file, of which nothing stays.
    pub(super) fn replace(&self, disk: &dyn Disk, path: &Path, text: &str) -> Result<(), Refusal> {
        let new = beside(path, ".new");
        let replaced = self
            .write(disk, &new, text)
            .and_then(|()| disk.exchange(&new, path))
            .and_then(|()| disk.sync_directory(&self.keys))
            .and_then(|()| self.shred(disk, &new));
        replaced.map_err(|why| tried("writing", path, &why))
    }

    fn write(&self, disk: &dyn Disk, new: &Path, text: &str) -> io::Result<()> {
        self.shred(disk, new)?;
        disk.write(new, PRIVATE, &mut |out| out.write_all(text.as_bytes()))?;
        disk.sync(new)
    }

    /// Zeros over a file, then it is removed.
    pub(super) fn shred(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        if disk::about(path)?.is_none() {
            return Ok(());
        }
        disk.overwrite(path)?;
        disk.remove(path)
    }

    /// The owner's key for the next ability-manager of this boot. In memory: no power cut to think of.
    pub(super) fn tell_next(&self, disk: &dyn Disk, key: &Master) -> Result<(), Refusal> {
        let digits = seal::print(key.bytes());
        let told = self.shred(disk, &self.unlocked).and_then(|()| {
            disk.write(&self.unlocked, PRIVATE, &mut |out| out.write_all(digits.as_bytes()))
        });
        told.map_err(|why| tried("writing", &self.unlocked, &why))
    }

    /// Tries so far.
    pub(super) fn attempts(&self, known: &mut Known, now: Duration) -> Result<Attempts, Refusal> {
        if let Some(attempts) = &known.attempts {
            return Ok(attempts.clone());
        }
        let text = self.read(&self.keys.join("attempts"))?;
        let attempts = text.map_or_else(Attempts::default, |text| Attempts::parse(&text, now));
        known.attempts = Some(attempts.clone());
        Ok(attempts)
    }

    /// Keeps them, before anything comes of it.
    pub(super) fn keep(
        &self,
        disk: &dyn Disk,
        known: &mut Known,
        attempts: Attempts,
        now: Duration,
    ) -> Result<(), Refusal> {
        let path = self.keys.join("attempts");
        self.make(disk, &path, &attempts.print(now))?;
        known.attempts = Some(attempts);
        Ok(())
    }
}

/// What was begun, or is done with.
fn is_new(name: &OsStr) -> bool {
    Path::new(name).extension() == Some(OsStr::new("new"))
}
