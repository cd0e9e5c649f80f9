//! What was asked and decided about permissions lately, for the owner to read. Pure, and bounded.

use std::collections::VecDeque;

use model::Name;
use model::bundle::BundleId;
use serde::{Deserialize, Serialize};

/// Most entries that are kept: some weeks of a device in use.
pub const MAX_ENTRIES: usize = 512;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The app wants the owner to be asked.
    Asked,
    /// The owner did not answer in time.
    Unanswered,
    /// The owner allowed it.
    Allowed,
    /// The owner allowed it for this time.
    AllowedThisTime,
    /// The owner denied it.
    Denied,
    /// What was decided was forgotten.
    Reset,
    /// This time is over.
    Over,
}

impl What {
    /// As people read it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked for",
            Self::Unanswered => "not answered",
            Self::Allowed => "allowed",
            Self::AllowedThisTime => "allowed this time",
            Self::Denied => "denied",
            Self::Reset => "reset",
            Self::Over => "over",
        }
    }
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in seconds since 1970.
    pub at: u64,
    /// Which bundle.
    pub bundle: BundleId,
    /// Which permission.
    pub permission: Name,
    /// What happened.
    pub what: What,
}

/// The last entries, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    entries: VecDeque<Entry>,
}

impl Record {
    pub(super) fn add(&mut self, at: u64, bundle: &BundleId, permission: &Name, what: What) {
        if self.entries.len() >= MAX_ENTRIES {
            self.entries.pop_front();
        }
        let (bundle, permission) = (bundle.clone(), permission.clone());
        self.entries.push_back(Entry { at, bundle, permission, what });
    }

    /// Forgets all about a bundle.
    pub(super) fn forget(&mut self, bundle: &BundleId) {
        self.entries.retain(|entry| entry.bundle != *bundle);
    }

    /// All that is kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }
}
