//! The rules: what may be installed over what, who gets which user, what goes.

use bundle::Digest;
use model::bundle::{APP_IDS, BundleId, Version};

use super::{Generation, Installed, MAX_BUNDLES, MAX_KEYS, MAX_USERS, Previous, Unfinished, User};
use crate::store::key::Key;

/// A bundle that somebody wants installed, after everything about itself was found to be well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: BundleId,
    /// Which version.
    pub version: Version,
    /// Of its content.
    pub digest: Digest,
    /// Bytes of its content.
    pub size: u64,
    /// Keys that have signed it.
    pub signers: Vec<Key>,
}

/// The bundle of that id that the image brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipped {
    /// Which version.
    pub version: Version,
    /// Bytes of its content.
    pub size: u64,
    /// Keys one of which must have signed an update.
    pub keys: Vec<Key>,
}

/// What an installation would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Exactly this is installed.
    There,
    /// Nothing of that id is here.
    First,
    /// It takes the place of this version.
    Over(Version),
}

type Refused = String;

impl Generation {
    /// Whether a bundle may be installed, and as what. `shipped`: what the image brought of that id.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn admit(
        &self,
        offer: &Offer,
        shipped: Option<&Shipped>,
        downgrade: bool,
    ) -> Result<Admission, Refused> {
        let id = &offer.id;
        self.signed_as_before(offer, shipped)?;
        let here = self.bundles.get(id);
        let version = here.map(|here| here.version).or(shipped.map(|shipped| shipped.version));
        let Some(version) = version else {
            if self.bundles.len() >= MAX_BUNDLES {
                return Err(format!(
                    "{MAX_BUNDLES} bundles are installed already: remove one: `ensctl app list`, `ensctl app remove ID`"
                ));
            }
            self.room_for_a_user(id)?;
            return Ok(Admission::First);
        };
        if here.is_some_and(|here| here.digest == offer.digest && here.version == offer.version) {
            return Ok(Admission::There);
        }
        if version == offer.version {
            return Err(format!(
                "{id} {version} is here with another content: a changed bundle needs a higher version"
            ));
        }
        if offer.version < version && !downgrade {
            return Err(format!(
                "{id} {version} is here, which is newer than {}: an older version may bring back mistakes \
                 that were mended; with --downgrade it takes its place all the same",
                offer.version
            ));
        }
        if here.is_none() {
            self.room_for_a_user(id)?;
        }
        Ok(Admission::Over(version))
    }

    /// Whether the key of what is here, or of whose data are here, has signed it.
    fn signed_as_before(&self, offer: &Offer, shipped: Option<&Shipped>) -> Result<(), Refused> {
        let id = &offer.id;
        match self.users.get(id).and_then(|user| user.key.as_ref()) {
            Some(key) if offer.signers.contains(key) => Ok(()),
            Some(key) if self.bundles.contains_key(id) => Err(format!(
                "the {id} that is here is of the key {key}, and this one is not signed with it: an update \
                 must be by the same maker; to have it all the same: `ensctl app remove {id}`, which erases its data"
            )),
            Some(key) => Err(format!(
                "data of {id} were kept, of the key {key}, and this one is not signed with it; to have it \
                 all the same erase them: `ensctl app remove {id}`"
            )),
            None => match shipped {
                Some(shipped) if !shipped.keys.iter().any(|key| offer.signers.contains(key)) => {
                    Err(format!(
                        "{id} came with the device, and this one is not signed with a key of its makers, so it \
                         can't take its place"
                    ))
                }
                None if self.users.contains_key(id) => Err(format!(
                    "data of the {id} that was part of the device are here, and this one is another: to have \
                     it all the same erase them: `ensctl app remove {id}`"
                )),
                _ => Ok(()),
            },
        }
    }

    fn room_for_a_user(&self, id: &BundleId) -> Result<(), Refused> {
        if self.users.contains_key(id) {
            return Ok(());
        }
        if self.users.len() >= MAX_USERS {
            return Err(format!(
                "{MAX_USERS} bundles have data here: erase some that were kept: `ensctl app remove ID`"
            ));
        }
        if !APP_IDS.contains(&self.next) {
            let all = APP_IDS.count();
            return Err(format!(
                "all {all} users of bundles were given, and none is ever given twice: the device must be reset"
            ));
        }
        Ok(())
    }

    /// The user of a bundle; a new one if it has none. `key`: what its data belong to.
    ///
    /// # Errors
    /// There is none left; nothing is changed.
    pub fn take_user(&mut self, id: &BundleId, key: Option<&Key>) -> Result<u32, Refused> {
        self.room_for_a_user(id)?;
        let next = self.next;
        let user = self.users.entry(id.clone()).or_insert_with(|| User { uid: next, key: None });
        if user.uid == next {
            self.next = next.saturating_add(1);
        }
        if let Some(key) = key {
            user.key = Some(key.clone());
        }
        Ok(user.uid)
    }

    /// Installs what was admitted. `key`: which of its keys it is of from now on; `saved`: the number of the
    /// data of the version before, if it had some.
    ///
    /// # Errors
    /// No user is left; nothing is changed.
    pub fn install(
        &mut self,
        offer: &Offer,
        shipped: Option<&Shipped>,
        key: &Key,
        at: u64,
        saved: Option<u64>,
    ) -> Result<u32, Refused> {
        let uid = self.take_user(&offer.id, Some(key))?;
        let of_image = shipped.map(|shipped| (shipped.version, None::<Digest>, shipped.size));
        let before = self.bundles.get(&offer.id);
        let before = before.map(|old| (old.version, Some(old.digest), old.size)).or(of_image);
        let previous =
            before.map(|(version, digest, size)| Previous { version, digest, size, saved });
        let (version, digest, size) = (offer.version, offer.digest, offer.size);
        self.bundles.insert(offer.id.clone(), Installed { version, digest, size, at, previous });
        Ok(uid)
    }

    /// Back to the version before. What is left to be done with its data is in the new generation.
    ///
    /// # Errors
    /// There is none.
    pub fn rollback(&mut self, id: &BundleId, at: u64) -> Result<Previous, Refused> {
        let here = self.bundles.get(id);
        let Some(previous) = here.and_then(|here| here.previous.clone()) else {
            return Err(format!("there is no version of {id} to go back to"));
        };
        match previous.digest {
            Some(digest) => {
                let Previous { version, size, .. } = previous;
                let back = Installed { version, digest, size, at, previous: None };
                self.bundles.insert(id.clone(), back);
            }
            None => self.back_to_the_image(id),
        }
        // Where the version before had no data, the older program begins anew rather than with what it can't read.
        let left = previous.saved.map_or(Unfinished::Erase, Unfinished::Restore);
        self.unfinished.insert(id.clone(), left);
        Ok(previous)
    }

    /// The bundle of the image counts again: its update goes, and its data are those of the image's.
    pub fn back_to_the_image(&mut self, id: &BundleId) {
        self.bundles.remove(id);
        if let Some(user) = self.users.get_mut(id) {
            user.key = None;
        }
    }

    /// Removes a bundle, or the data that were kept of one, and what was decided about it. `ships`: the image
    /// has it, and keeps it.
    ///
    /// # Errors
    /// There is nothing to remove.
    pub fn remove(&mut self, id: &BundleId, ships: bool, keep_data: bool) -> Result<(), Refused> {
        let here = self.bundles.contains_key(id);
        if ships && !here {
            return Err(format!("{id} is part of the device and can't be removed"));
        }
        if !here && !self.users.contains_key(id) {
            return Err(format!("{id} is not installed: `ensctl app list` shows what is"));
        }
        if !here && keep_data {
            return Err(format!(
                "{id} is not installed, only its data are here: without --keep-data they are erased"
            ));
        }
        self.decisions.forget(id);
        self.bundles.remove(id);
        if ships {
            self.back_to_the_image(id);
        }
        if !keep_data {
            self.unfinished.insert(id.clone(), Unfinished::Erase);
            if !ships {
                self.users.remove(id);
            }
        }
        Ok(())
    }

    /// Data of which nothing is known any more are to be erased.
    pub fn erase(&mut self, id: &BundleId) {
        self.unfinished.insert(id.clone(), Unfinished::Erase);
    }

    /// What was left to be done for a bundle is done.
    pub fn finish(&mut self, id: &BundleId) {
        self.unfinished.remove(id);
    }

    /// The owner trusts a key.
    ///
    /// # Errors
    /// Too many are trusted.
    pub fn trust(&mut self, key: &Key, at: u64) -> Result<(), Refused> {
        if self.keys.len() >= MAX_KEYS && !self.keys.contains_key(key) {
            return Err(format!(
                "{MAX_KEYS} keys are trusted already: take one away: `ensctl app keys`, `ensctl app trust --remove KEY`"
            ));
        }
        self.keys.entry(key.clone()).or_insert(at);
        Ok(())
    }

    /// The owner trusts a key no more. What is installed stays; it can't be updated.
    ///
    /// # Errors
    /// It was not trusted.
    pub fn distrust(&mut self, key: &Key) -> Result<Vec<BundleId>, Refused> {
        if self.keys.remove(key).is_none() {
            return Err(format!("the owner does not trust the key {key}, so nothing changes"));
        }
        let of = |id: &&BundleId| self.users.get(*id).is_some_and(|u| u.key.as_ref() == Some(key));
        Ok(self.bundles.keys().filter(of).cloned().collect())
    }
}
