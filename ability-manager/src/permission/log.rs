//! What the owner can read later about permissions: what was decided, and what was used. Pure, and bounded.
//!
//! It outlasts a boot: whoever keeps it looks at [`Log::changes`]. Of a bundle that is removed nothing is left.

use model::Name;
use model::bundle::BundleId;
use serde::{Deserialize, Serialize};

use super::record::{Record, What};
use super::uses::{How, Uses};

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    record: Record,
    uses: Uses,
    changes: u64,
}

impl Log {
    /// What was asked and decided.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What was used.
    #[must_use]
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Grows with every change.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn note(&mut self, at: u64, bundle: &BundleId, permission: &Name, what: What) {
        self.changes = self.changes.wrapping_add(1);
        self.record.add(at, bundle, permission, what);
    }

    pub(super) fn used(&mut self, at: u64, of: (&BundleId, &Name), permission: &Name, how: How) {
        self.changes = self.changes.wrapping_add(1);
        self.uses.add(at, of, permission, how);
    }

    pub(super) fn forget(&mut self, bundle: &BundleId) {
        self.changes = self.changes.wrapping_add(1);
        self.record.forget(bundle);
        self.uses.forget(bundle);
    }
}
