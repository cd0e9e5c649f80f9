//! What an instance goes on with off the screen for as long as it takes: sound, a way, a transfer.
//!
//! ```text
//! on the screen, or just after ─ begin(mode) ─► goes on ─ end, or its process ends ─► stands still as any other
//! ```
//!
//! Invariants: nothing goes on that the manifest of its ability does not declare and the permission
//! [`PERMISSION`] does not allow; an instance has at most [`MAX_EACH`] at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::bundle::BackgroundMode;
use serde::{Deserialize, Serialize};

use super::background::ASK_WITHIN;
use super::words::InstanceId;

/// Most tasks of one instance at a time: one for each mode, and one more.
pub const MAX_EACH: usize = 10;

/// The permission to have one.
pub const PERMISSION: &str = "keep-background";

/// Why nothing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBegun {
    /// Its manifest does not say that it does this.
    NotDeclared,
    /// It does not have the permission.
    NotPermitted,
    /// Its app has left the screen too long ago.
    TooLate,
    /// It has too many.
    TooMany,
}

/// Who wants to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking<'a> {
    /// Which instance.
    pub instance: InstanceId,
    /// What its ability declares.
    pub declared: &'a [BackgroundMode],
    /// It has [`PERMISSION`].
    pub permitted: bool,
    /// How long its app has been off the screen; none while it is there.
    pub away: Option<Duration>,
}

/// A task, to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Whose.
    pub instance: InstanceId,
    /// What it does.
    pub mode: BackgroundMode,
    /// What for, in the words of the app.
    pub reason: String,
    /// Since when.
    pub since: Duration,
}

/// Tasks of all instances.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Continuous {
    tasks: BTreeMap<u32, Task>,
    last: u32,
}

impl Continuous {
    /// An instance goes on from now on, under this number.
    ///
    /// # Errors
    /// It does not.
    pub fn begin(
        &mut self,
        now: Duration,
        asking: Asking<'_>,
        mode: BackgroundMode,
        reason: &str,
    ) -> Result<u32, NotBegun> {
        let Asking { instance, declared, permitted, away } = asking;
        if !declared.contains(&mode) {
            return Err(NotBegun::NotDeclared);
        }
        if !permitted {
            return Err(NotBegun::NotPermitted);
        }
        // Who goes on already may do so with something else: it was seen.
        if away.is_some_and(|away| away > ASK_WITHIN) && !self.going_on().contains(&instance) {
            return Err(NotBegun::TooLate);
        }
        if self.tasks.values().filter(|task| task.instance == instance).count() >= MAX_EACH {
            return Err(NotBegun::TooMany);
        }
        self.last = self.last.checked_add(1).unwrap_or(1);
        self.tasks
            .insert(self.last, Task { instance, mode, reason: reason.to_owned(), since: now });
        Ok(self.last)
    }

    /// An instance has done a task. Whether it had it.
    pub fn done(&mut self, instance: InstanceId, task: u32) -> bool {
        let its = self.tasks.get(&task).is_some_and(|task| task.instance == instance);
        its && self.tasks.remove(&task).is_some()
    }

    /// An instance runs no more.
    pub fn ended(&mut self, instance: InstanceId) {
        self.tasks.retain(|_, task| task.instance != instance);
    }

    /// Those that go on.
    #[must_use]
    pub fn going_on(&self) -> BTreeSet<InstanceId> {
        self.tasks.values().map(|task| task.instance).collect()
    }

    /// Every task, by its number.
    #[must_use]
    pub fn tasks(&self) -> &BTreeMap<u32, Task> {
        &self.tasks
    }
}
