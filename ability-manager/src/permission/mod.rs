//! Who may what: permissions of apps, asked for, decided, taken back. Pure: time is an argument.
//!
//! ```text
//! of a permission that the manifest asks for:
//!   level of the bundle too low, or the device does not know it ─► refused, whatever anybody decides
//!   grant = "system"                                            ─► granted
//!   grant = "user": default ─ app asks ─► pending ─┬─ allow ─► granted
//!                      ▲                           ├─ this-time ─► until it left the front or ended
//!                      └─ 60 s, nothing kept ──────┤
//!                                                  └─ deny ─► denied ─ asked again, deny ─► fixed: settings only
//! of one that it does not ask for: undeclared
//! ```
//!
//! What is decided counts for processes that are started from then on; what is taken away is said as
//! [`Effect::Lost`], and whoever carries that out ends what was started with it.
//!
//! Invariants: every request gets one answer; a question is pending once for each bundle and permission;
//! nothing counts for good that is not in [`Decisions`], which the caller has on the disk before.

mod decisions;
mod flow;
mod log;
mod pairs;
mod pending;
mod record;
#[cfg(test)]
mod tests;
mod uses;

use model::Name;
use model::bundle::BundleId;
use model::permission::{Grant, Level, Permission};
use model::word::Word;
use serde::{Deserialize, Serialize};

pub use decisions::{Decision, Decisions, Full, MAX_DECISIONS, Verdict};
pub use flow::{Clock, Decided, Flow, Standing, State};
pub use log::Log;
pub use pending::{ANSWER_TIME, MAX_PENDING, MAX_PENDING_OF_ONE, MAX_WAITING, Question};
pub use record::{Entry, MAX_ENTRIES, Record, What};
pub use uses::{How, MAX_USES, Use, Uses};

/// A permission that a bundle asks for, as far as this device knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Which.
    pub permission: Name,
    /// Who decides; nobody can where the device does not know the permission, or the bundle may not
    /// have it at all.
    pub grant: Option<Grant>,
}

impl Declared {
    /// What a bundle of this level can have of what it asks for. `known`: the permission of that name on this device.
    #[must_use]
    pub fn new(permission: Name, level: Level, known: Option<&Permission>) -> Self {
        let grant = known.filter(|known| known.level <= level).map(|known| known.grant);
        Self { permission, grant }
    }
}

/// What the owner wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It may, from now on.
    Allow,
    /// It may until it left the front, or ended.
    ThisTime,
    /// It may not.
    Deny,
    /// Nobody decided.
    Reset,
}

impl Word for Wish {
    const WHAT: &'static str = "decision";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("allow", Self::Allow),
        ("this-time", Self::ThisTime),
        ("deny", Self::Deny),
        ("reset", Self::Reset),
    ];
}

/// What an app is told about a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reply {
    /// It has it.
    Granted,
    /// It has it from the next start of the instance on.
    Restart,
    /// It does not have it; the owner can be asked.
    Refused,
    /// It does not have it, and only the owner can change that, unasked.
    Settings,
    /// Its manifest does not ask for it.
    Undeclared,
}

impl Reply {
    /// The word on the bus.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Restart => "restart",
            Self::Refused => "refused",
            Self::Settings => "settings",
            Self::Undeclared => "undeclared",
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A request has its answer, in the order of what it asked for.
    Answer {
        /// Of [`Flow::ask`].
        request: u64,
        /// One for each name.
        replies: Vec<(Name, Reply)>,
    },
    /// The owner is to be asked.
    Ask {
        /// For this bundle.
        bundle: BundleId,
        /// About this permission.
        permission: Name,
    },
    /// Nobody need be asked any more: it was answered, or nobody waits.
    Asked {
        /// For this bundle.
        bundle: BundleId,
        /// About this permission.
        permission: Name,
    },
    /// The bundle may not have it any more: instances that were started with it are to end.
    Lost {
        /// Which bundle.
        bundle: BundleId,
        /// Which permission.
        permission: Name,
    },
}

/// Why something is not done. One sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}
