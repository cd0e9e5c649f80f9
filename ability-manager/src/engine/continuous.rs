//! What an instance goes on with off the screen for as long as it takes: sound, a way, a transfer.
//!
//! ```text
//! on the screen, or just after ─ begin(mode) ─► goes on ─ end, or its process ends ─► stands still as any other
//!                                                 └─ a transfer that moved nothing for STALL: cancelled ─┘
//! ```
//!
//! Invariants: nothing goes on that the manifest of its ability does not declare and the permission
//! [`PERMISSION`] does not allow; an instance has at most [`MAX_EACH`] at a time; a transfer goes on at most [`STALL`]
//! after it was begun or last moved something.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::bundle::BackgroundMode;
use serde::{Deserialize, Serialize};

use super::background::ASK_WITHIN;
use super::words::InstanceId;

/// Most tasks of one instance at a time: one for each mode, and one more.
pub const MAX_EACH: usize = 10;

/// A transfer that has moved nothing for so long moves nothing any more.
pub const STALL: Duration = Duration::from_secs(10 * 60);

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

/// Why progress is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotMoved {
    /// The instance has no such task.
    NoTask,
    /// The task is no transfer, and goes on without.
    NoTransfer,
    /// More is done than there is.
    TooMuch,
}

/// How far a transfer has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is done: bytes, files, whatever the app counts.
    pub done: u64,
    /// Of how much; 0 if nobody knows.
    pub total: u64,
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
    /// How far it has come, of a transfer that said so.
    pub progress: Option<Progress>,
    /// When it moved something last; first of all when it was begun.
    pub moved: Duration,
}

impl Task {
    /// When it is cancelled, if it moves nothing before.
    fn due(&self) -> Option<Duration> {
        (self.mode == BackgroundMode::DataTransfer).then(|| self.moved + STALL)
    }
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
        let (reason, progress) = (reason.to_owned(), None);
        let task = Task { instance, mode, reason, since: now, progress, moved: now };
        self.tasks.insert(self.last, task);
        Ok(self.last)
    }

    /// A transfer has come so far. What was said before is no progress.
    ///
    /// # Errors
    /// It is not taken.
    pub fn moved(
        &mut self,
        now: Duration,
        instance: InstanceId,
        task: u32,
        progress: Progress,
    ) -> Result<(), NotMoved> {
        let task = self.tasks.get_mut(&task).filter(|task| task.instance == instance);
        let task = task.ok_or(NotMoved::NoTask)?;
        if task.mode != BackgroundMode::DataTransfer {
            return Err(NotMoved::NoTransfer);
        }
        if progress.total != 0 && progress.done > progress.total {
            return Err(NotMoved::TooMuch);
        }
        let before = task.progress.replace(progress).unwrap_or_default();
        if progress.done != before.done {
            task.moved = now;
        }
        Ok(())
    }

    /// When to look next.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.tasks.values().filter_map(Task::due).min()
    }

    /// Those that move nothing any more, by their numbers: they are cancelled.
    pub fn expire(&mut self, now: Duration) -> Vec<(u32, Task)> {
        let late = |_: &u32, task: &mut Task| task.due().is_some_and(|due| due <= now);
        self.tasks.extract_if(.., late).collect()
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
