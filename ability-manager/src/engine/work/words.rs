//! The words between work and the daemon.

use std::time::Duration;

use model::bundle::Need;
use serde::{Deserialize, Serialize};

use crate::engine::Target;

/// An ability of kind `work`, as it is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Which.
    pub target: Target,
    /// What must be so.
    pub needs: Vec<Need>,
    /// Again after this; none: once.
    pub every: Option<Duration>,
    /// Its app has a page: how much that is used counts.
    pub page: bool,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Start it.
    Run(Target),
    /// Tell it to end: its time is nearly over, or what it needs is not so any more.
    Finish(Target),
    /// End it.
    Kill(Target),
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it was to do.
    Well,
    /// It was ended, and that was not its doing: it is tried again as if it had not failed.
    Cut,
    /// It did not.
    Failed,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// When it began, in seconds since 1970.
    pub at: u64,
    /// How long it took.
    pub took: Duration,
    /// It did what it was to do.
    pub well: bool,
    /// How it ended: `done`, `status 1`.
    pub how: String,
}

/// Why work is not begun at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRun {
    /// No such ability is installed.
    Unknown,
    /// It runs.
    Runs,
}

/// An ability, to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkRow {
    /// Which.
    pub target: Target,
    /// What must be so.
    pub needs: Vec<Need>,
    /// What of it was not so when it was looked at last.
    pub lacks: Vec<Need>,
    /// Its time has come, and the device is locked.
    pub locked: bool,
    /// Since when it runs.
    pub running: Option<Duration>,
    /// When it may run next; none: when somebody asks, or when its app is used again.
    pub next: Option<Duration>,
    /// How it ended last.
    pub last: Option<Last>,
}
