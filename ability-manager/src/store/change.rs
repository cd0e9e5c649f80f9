//! What changes what is installed: trust and decisions here, installation, removal and the way back in [`steps`](super::steps).
//!
//! ```text
//! next generation written beside ─► synced ─► renamed over it ─► directory synced: it counts
//! ```
//!
//! Invariants: before the swap nothing has changed, after it everything has, wherever it is cut; what is left to be
//! done is in the generation, and done before anything else is done with that bundle.

use std::sync::{Arc, PoisonError};

use model::Name;
use model::bundle::{BundleId, Version};

use super::disk::{As, beside};
use super::generation::Generation;
use super::intake::Intake;
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
        self.settled(id)
    }

    /// What was left to be done for a bundle is done.
    pub(super) fn settled(&mut self, id: &BundleId) -> Result<(), Refusal> {
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
    pub(super) fn place(
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
        let _alone = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
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
