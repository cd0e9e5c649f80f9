//! What is installed, as data, and the rules of what may come after what. Pure.
//!
//! ```text
//! nothing ─install─► v1 ─install─► v2, before it v1 ─rollback─► v1
//!    ▲  ▲             │             │
//!    │  └── remove ───┴─────────────┤
//!    └── data erased ◄─ data kept ◄─┘ keep-data: the user and the key stay known
//! ```
//!
//! A change is a new generation, which takes the place of the old one as a whole. What it can't do by itself,
//! because data are moved or erased, it names as [`Unfinished`]: that is done after it, again if need be,
//! and the next generation names it no more.
//!
//! Invariants: no user is ever given to two bundles, nor twice; what took the place of a version is signed
//! by the same key; data of a bundle are never handed to one of another key.

mod rules;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use bundle::Digest;
use model::Name;
use model::bundle::{APP_IDS, BundleId, Version};

use super::key::Key;
use crate::permission::Decisions;

pub use rules::{Admission, Offer, Shipped};
pub use text::MAX_FILE;

/// Most bundles that are installed: more than anybody has looked at.
pub const MAX_BUNDLES: usize = 1000;

/// Most bundles with a user: those installed, those of the image, and those whose data were kept.
pub const MAX_USERS: usize = 4000;

/// Most keys that the owner trusts.
pub const MAX_KEYS: usize = 256;

/// What is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The next user that is given.
    pub(super) next: u32,
    /// What came after the image.
    pub(super) bundles: BTreeMap<BundleId, Installed>,
    /// Whose data are here: of what is installed, of the image, or kept.
    pub(super) users: BTreeMap<BundleId, User>,
    /// Keys that the owner trusts, and since when, in seconds since 1970.
    pub(super) keys: BTreeMap<Key, u64>,
    /// What the owner decided.
    pub(super) decisions: Decisions,
    /// Stores that bundles came from.
    pub(super) from: BTreeMap<BundleId, Name>,
    /// What is left to be done.
    pub(super) unfinished: BTreeMap<BundleId, Unfinished>,
    /// Lines of a later version of Ensemble, which are kept for it.
    pub(super) foreign: Vec<String>,
}

/// A bundle that came after the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Which version.
    pub version: Version,
    /// Of its content.
    pub digest: Digest,
    /// Bytes of its content.
    pub size: u64,
    /// When it was installed, in seconds since 1970.
    pub at: u64,
    /// The version before.
    pub previous: Option<Previous>,
}

/// A version that can be gone back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// Which version.
    pub version: Version,
    /// Of its content; none of the image's own.
    pub digest: Option<Digest>,
    /// Bytes of its content.
    pub size: u64,
    /// The number of its data as they were when it was updated; none where it had none.
    pub saved: Option<u64>,
}

/// The user of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// The key that must have signed whatever gets its data; none of what the image brought without an update.
    pub key: Option<Key>,
}

/// What is to be done to data of a bundle before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// They are to be erased.
    Erase,
    /// Those with this number are to take their place.
    Restore(u64),
}

impl Default for Generation {
    fn default() -> Self {
        Self {
            next: *APP_IDS.start(),
            bundles: BTreeMap::new(),
            users: BTreeMap::new(),
            keys: BTreeMap::new(),
            decisions: Decisions::default(),
            from: BTreeMap::new(),
            unfinished: BTreeMap::new(),
            foreign: Vec::new(),
        }
    }
}

impl Generation {
    /// A bundle that came after the image.
    #[must_use]
    pub fn bundle(&self, id: &BundleId) -> Option<&Installed> {
        self.bundles.get(id)
    }

    /// All that came after the image, in order of their ids.
    pub fn bundles(&self) -> impl Iterator<Item = (&BundleId, &Installed)> {
        self.bundles.iter()
    }

    /// The store that a bundle came from, if it did.
    #[must_use]
    pub fn store(&self, id: &BundleId) -> Option<&Name> {
        self.from.get(id)
    }

    /// A bundle that is installed came from this store, or from none.
    pub fn came_from(&mut self, id: &BundleId, store: Option<Name>) {
        match store {
            Some(store) => self.from.insert(id.clone(), store),
            None => self.from.remove(id),
        };
    }

    /// The user of a bundle, if it has one.
    #[must_use]
    pub fn user(&self, id: &BundleId) -> Option<&User> {
        self.users.get(id)
    }

    /// Keys that the owner trusts, and since when, in seconds since 1970.
    #[must_use]
    pub fn keys(&self) -> &BTreeMap<Key, u64> {
        &self.keys
    }

    /// What the owner decided.
    #[must_use]
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// What is left to be done, by bundle.
    #[must_use]
    pub fn unfinished(&self) -> &BTreeMap<BundleId, Unfinished> {
        &self.unfinished
    }

    /// Contents that are named: all others are garbage.
    #[must_use]
    pub fn contents(&self) -> BTreeSet<Digest> {
        let before = |bundle: &Installed| bundle.previous.as_ref().and_then(|p| p.digest);
        let all = self.bundles.values();
        all.flat_map(|bundle| [Some(bundle.digest), before(bundle)]).flatten().collect()
    }

    /// Saved data that are named: all others are garbage.
    #[must_use]
    pub fn saved(&self) -> BTreeSet<u64> {
        let before = self.bundles.values().filter_map(|bundle| bundle.previous.as_ref());
        let restored = self.unfinished.values().filter_map(|left| match left {
            Unfinished::Restore(saved) => Some(*saved),
            Unfinished::Erase => None,
        });
        before.filter_map(|previous| previous.saved).chain(restored).collect()
    }

    /// The bytes of the file.
    #[must_use]
    pub fn print(&self) -> String {
        text::print(self)
    }

    /// Reads the bytes of the file, and says what is wrong with them: a damaged line loses only itself.
    /// `highest`: the highest user that is known from elsewhere to have been given.
    #[must_use]
    pub fn parse(bytes: &[u8], highest: Option<u32>) -> (Self, Vec<String>) {
        text::parse(bytes, highest)
    }
}
