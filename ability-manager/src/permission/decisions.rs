//! What the owner decided about permissions of bundles, to be kept. Pure.
//!
//! ```text
//! nobody decided ─allow─► granted ◄─allow─┬────────┐
//!        │  ▲                │ deny       │        │
//!       deny reset (of any)  ▼            │        │
//!        └───────────────► denied ─deny─► fixed ───┘    fixed: the app can't have it asked again
//! ```
//!
//! What counts for this time only is not kept: see [`super::Flow`]. Invariants: nothing is granted that was
//! not decided so; there are never more than [`MAX_DECISIONS`].

use std::collections::BTreeMap;
use std::fmt;

use model::Name;
use model::bundle::BundleId;
use model::word::Word;
use serde::{Deserialize, Serialize};

/// Most decisions that are kept, so that the file of what is installed does not grow without end.
pub const MAX_DECISIONS: usize = 4096;

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It may.
    Granted,
    /// It may not; the app may have the owner asked once more.
    Denied,
    /// It may not, and the owner is not asked again.
    Fixed,
}

impl Word for Verdict {
    const WHAT: &'static str = "verdict";
    const WORDS: &'static [(&'static str, Self)] =
        &[("granted", Self::Granted), ("denied", Self::Denied), ("fixed", Self::Fixed)];
}

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was decided.
    pub verdict: Verdict,
    /// By which user of the device.
    pub by: u32,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// There are [`MAX_DECISIONS`] already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{MAX_DECISIONS} decisions are kept already: forget some: `ensctl permission list`, \
             `ensctl permission reset ID`"
        )
    }
}

/// All decisions, by bundle and permission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    all: BTreeMap<BundleId, BTreeMap<Name, Decision>>,
}

impl Decisions {
    /// The last decision about this.
    #[must_use]
    pub fn get(&self, bundle: &BundleId, permission: &Name) -> Option<Decision> {
        self.all.get(bundle)?.get(permission).copied()
    }

    /// All, in order of bundle and permission.
    pub fn iter(&self) -> impl Iterator<Item = (&BundleId, &Name, Decision)> {
        self.all.iter().flat_map(|(bundle, made)| {
            made.iter().map(move |(permission, decision)| (bundle, permission, *decision))
        })
    }

    /// A decision takes the place of the last one about the same.
    ///
    /// # Errors
    /// [`Full`]: nothing is changed.
    pub fn set(
        &mut self,
        bundle: &BundleId,
        permission: &Name,
        decision: Decision,
    ) -> Result<(), Full> {
        let count: usize = self.all.values().map(BTreeMap::len).sum();
        if count >= MAX_DECISIONS && self.get(bundle, permission).is_none() {
            return Err(Full);
        }
        self.all.entry(bundle.clone()).or_default().insert(permission.clone(), decision);
        Ok(())
    }

    /// Forgets what was decided about one.
    pub fn reset(&mut self, bundle: &BundleId, permission: &Name) {
        if let Some(made) = self.all.get_mut(bundle) {
            made.remove(permission);
        }
        self.all.retain(|_, made| !made.is_empty());
    }

    /// Forgets all about a bundle.
    pub fn forget(&mut self, bundle: &BundleId) {
        self.all.remove(bundle);
    }
}
