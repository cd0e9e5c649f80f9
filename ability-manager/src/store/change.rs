//! What changes what is installed: installation, removal, the way back, trust.
//!
//! ```text
//! instances have ended (the caller) ─► unmounted ─► data saved ─► content in place ─► generation swapped
//!                                                                                       │ what counts has changed
//!                                     garbage removed ◄── data put in order, and said ◄─┘
//! ```
//!
//! Invariants: before the swap nothing has changed, after it everything has, wherever it is cut; what is left to be
//! done is in the generation, and done before anything else is done with that bundle.

use std::sync::Arc;

use model::Name;
use model::bundle::{BundleId, DATA_SIZE, Version};

use super::disk::{As, beside};
use super::generation::{Admission, Generation};
use super::intake::{Intake, Prepared, admitted};
use super::layers::{below, may_become};
use super::refusal::Tried;
use super::{Base, Key, Refusal, Store};
use crate::permission::{Clock, Decisions, Effect, Flow, Wish};

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Of which bundle.
    pub id: BundleId,
    /// The version that was there before; none when none was.
    pub before: Option<Version>,
    /// What else there is to say: sentences without a full stop.
    pub notes: Vec<String>,
}

impl Store {
    /// What is needed to prepare an installation, beside everything else.
    #[must_use]
    pub fn intake(&self) -> Intake {
        let shipped = self.image.iter();
        let keys = &self.base.keys;
        let shipped = shipped.map(|(id, held)| (id.clone(), held.as_shipped(keys))).collect();
        let (base, generation) = (Arc::clone(&self.base), self.generation.clone());
        Intake { base, generation, shipped, here: self.held.clone() }
    }

    /// The version whose place it takes, as things are now: others may have been installed since it was
    /// prepared. Its instances are to end before [`Self::commit`].
    #[must_use]
    pub fn replaces(&self, prepared: &Prepared) -> Option<Version> {
        let held = self.get(&prepared.offer.id)?;
        (held.digest != prepared.offer.digest).then_some(held.manifest.version)
    }

    /// Installs what was prepared. Instances of what it replaces have ended. `at`: seconds since 1970.
    ///
    /// # Errors
    /// It may not be installed any more, or could not be written; nothing has changed then.
    pub fn commit(&mut self, prepared: Prepared, at: u64) -> Result<Changed, Refusal> {
        let Prepared { copy, offer, signatures, wish, vouched, sealed, manifest } = prepared;
        let id = &offer.id;
        self.settle(id)?;
        let shipped = self.image.get(id).map(|held| held.as_shipped(&self.base.keys));
        let (admission, key) = admitted(
            &self.base,
            (&self.generation, shipped.as_ref()),
            &offer,
            wish,
            vouched.as_ref(),
        )?;
        below(&manifest, &self.held)?;
        may_become(id, Some((manifest.kind, manifest.version)), &self.held)?;
        let before = self.get(id).map(|held| held.manifest.version);
        let mut changed = Changed { id: id.clone(), before, notes: Vec::new() };
        let mut next = self.generation.clone();
        if wish.trust && !self.base.keys.contains(&key) {
            next.trust(&key, at).map_err(Refusal::Refused)?;
        }
        if admission == Admission::There && self.get(id).is_some() {
            changed.notes.push("exactly this is installed already".to_owned());
            if next != self.generation {
                self.put(next)?;
            }
            return Ok(changed);
        }
        let user = self.generation.user(id).map(|user| user.uid);
        if user.is_none() && self.base.has_data(id)? {
            return Err(Refusal::Refused(format!(
                "there are data of {id} of which nobody knows whose they are: erase them: `ensctl app remove {id}`"
            )));
        }
        self.unmount(id)?;
        let saved = match (admission, user) {
            (Admission::Over(_), Some(uid)) => {
                let place = &self.base.places.bundles;
                let number = self.base.next_saved(&self.generation).tried("looking into", place)?;
                let size = self.get(id).map_or(DATA_SIZE, |held| held.manifest.data.size);
                self.base.save_data(id, (number, uid), size)?
            }
            _ => None,
        };
        self.base.place(&copy.path, &offer.digest, &signatures)?;
        drop(copy);
        // Where its file was lost, what is installed does not change.
        if admission != Admission::There {
            next.install(&offer, shipped.as_ref(), &key, at, saved).map_err(Refusal::Refused)?;
            next.came_from(id, vouched.map(|vouched| vouched.store));
        }
        self.put(next)?;
        if !sealed {
            let why = "its files are checked when it is mounted, not at each read: the file system has no fs-verity";
            changed.notes.push(why.to_owned());
        }
        let unknown = |name: &Name| self.base.library.find(name).is_none();
        for asked in manifest.permissions.iter().filter(|asked| unknown(&asked.permission)) {
            let name = &asked.permission;
            changed
                .notes
                .push(format!("this device knows no permission `{name}`, so it does not have it"));
        }
        self.refresh();
        Ok(changed)
    }

    /// Removes a bundle, with its data unless they are kept. Its instances have ended.
    ///
    /// # Errors
    /// It can't be removed; nothing has changed then. Or its data can't be erased now: that is tried again.
    pub fn remove(&mut self, id: &BundleId, keep_data: bool) -> Result<Changed, Refusal> {
        self.settle(id)?;
        let shipped = self.image.get(id);
        let ships = shipped.is_some();
        // What came with the device counts again.
        let after = shipped.filter(|_| self.generation.bundle(id).is_some());
        let after = after.map(|held| (held.manifest.kind, held.manifest.version));
        if self.held.contains_key(id) {
            may_become(id, after, &self.held)?;
        }
        let mut next = self.generation.clone();
        let known = self.generation.user(id).is_some();
        if !known && !ships && !keep_data && self.base.has_data(id)? {
            next.erase(id);
        } else {
            next.remove(id, ships, keep_data).map_err(Refusal::Refused)?;
        }
        next.came_from(id, None);
        let before = self.get(id).map(|held| held.manifest.version);
        self.unmount(id)?;
        self.put(next)?;
        let done = self.settle(id);
        self.refresh();
        done?;
        let mut notes = Vec::new();
        if let Some(held) = self.get(id) {
            let version = held.manifest.version;
            notes.push(format!("{id} {version}, which came with the device, counts again"));
        }
        Ok(Changed { id: id.clone(), before, notes })
    }

    /// Back to the version before, with its data as they were. Instances have ended.
    ///
    /// # Errors
    /// There is none, or it is damaged; nothing has changed then.
    pub fn rollback(&mut self, id: &BundleId, at: u64) -> Result<Changed, Refusal> {
        self.settle(id)?;
        if self.generation.bundle(id).is_none() && !self.image.contains_key(id) {
            return Err(Refusal::NotFound(format!(
                "{id} is not installed: `ensctl app list` shows what is"
            )));
        }
        let mut next = self.generation.clone();
        let previous = next.rollback(id, at).map_err(Refusal::Refused)?;
        next.came_from(id, None);
        let manifest = self.before(id, previous.digest.as_ref())?;
        below(&manifest, &self.held)?;
        may_become(id, Some((manifest.kind, manifest.version)), &self.held)?;
        let before = self.get(id).map(|held| held.manifest.version);
        self.unmount(id)?;
        self.put(next)?;
        let done = self.settle(id);
        self.refresh();
        done?;
        Ok(Changed { id: id.clone(), before, notes: Vec::new() })
    }

    /// Trusts a key from now on, or no more; answers with sentences about what that concerns.
    ///
    /// # Errors
    /// Nothing changes.
    pub fn trust(&mut self, key: &Key, trusted: bool, at: u64) -> Result<Vec<String>, Refusal> {
        let mut next = self.generation.clone();
        if self.base.keys.contains(key) {
            let why = format!("the key {key} came with the device, which trusts it always");
            return if trusted { Ok(vec![why]) } else { Err(Refusal::Refused(why)) };
        }
        let concerned = if trusted {
            next.trust(key, at).map_err(Refusal::Refused)?;
            Vec::new()
        } else {
            next.distrust(key).map_err(Refusal::NotFound)?
        };
        self.put(next)?;
        let stays = |id: &BundleId| {
            format!(
                "{id}, which is of this key, stays and can't be updated: `ensctl app remove {id}`"
            )
        };
        Ok(concerned.iter().map(stays).collect())
    }

    /// The owner, who is user `by`, decides about a permission: kept first, then in force.
    ///
    /// # Errors
    /// It is not the owner's to decide, or can't be kept; nothing has changed then.
    pub fn decide(
        &mut self,
        flow: &mut Flow,
        clock: Clock,
        (id, permission): (&BundleId, &Name),
        wish: Wish,
        by: u32,
    ) -> Result<Vec<Effect>, Refusal> {
        let held = self.require(id)?;
        let of = (self.generation.decisions(), id, held.declared.as_slice());
        let mut next = flow.clone();
        let decided = next.decide(clock, of, permission, wish, by);
        let decided = decided.map_err(|why| Refusal::Refused(why.to_string()))?;
        self.keep(decided.decisions)?;
        *flow = next;
        Ok(decided.effects)
    }

    fn keep(&mut self, decisions: Decisions) -> Result<(), Refusal> {
        if decisions == *self.generation.decisions() {
            return Ok(());
        }
        let mut next = self.generation.clone();
        next.decisions = decisions;
        self.put(next)
    }

    /// Does what an earlier change left to be done for a bundle.
    pub(super) fn settle(&mut self, id: &BundleId) -> Result<(), Refusal> {
        let Some(left) = self.generation.unfinished().get(id).copied() else {
            return Ok(());
        };
        self.base.finish_data(id, left)?;
        let mut next = self.generation.clone();
        next.finish(id);
        self.put(next)
    }

    /// Makes a generation count.
    pub(super) fn put(&mut self, next: Generation) -> Result<(), Refusal> {
        self.base.swap(&next)?;
        self.generation = next;
        Ok(())
    }
}

impl Base {
    /// Puts a prepared content where generations look for it.
    fn place(
        &self,
        copy: &std::path::Path,
        digest: &bundle::Digest,
        signatures: &[u8],
    ) -> Result<(), Refusal> {
        let signature = self.signature(digest);
        let new = As { mode: 0o400, owner: None };
        self.disk.remove(&signature).tried("removing", &signature)?;
        self.disk
            .write(&signature, new, &mut |out| out.write_all(signatures))
            .and_then(|()| self.disk.sync(&signature))
            .tried("writing", &signature)?;
        let content = self.content(digest);
        self.disk.rename(copy, &content).tried("renaming to", &content)?;
        let bundles = &self.places.bundles;
        self.disk.sync_directory(bundles).tried("writing", bundles)
    }

    /// The file of what is installed becomes another one.
    fn swap(&self, next: &Generation) -> Result<(), Refusal> {
        let file = self.installed();
        let new = beside(&file, ".new");
        let text = next.print();
        let how = As { mode: 0o600, owner: None };
        let written = self
            .disk
            .remove(&new)
            .and_then(|()| self.disk.write(&new, how, &mut |out| out.write_all(text.as_bytes())))
            .and_then(|()| self.disk.sync(&new));
        if let Err(why) = written {
            // It would only take room on a disk that may have none.
            let _gone = self.disk.remove(&new);
            return Err(Refusal::tried("writing", &new, &why));
        }
        self.disk.rename(&new, &file).tried("renaming to", &file)?;
        let bundles = &self.places.bundles;
        self.disk.sync_directory(bundles).tried("writing", bundles)
    }
}
