//! Time that an app gets to finish something once it has left the screen.
//!
//! ```text
//! on the screen, or 5 s after ─ ask ─► granted ─ off the screen: time runs ─ 6 s left ─► Warn ─ none left ─► Over
//!                                      │     └── on the screen: it stands still
//!                                      └─ done
//! ```
//!
//! Invariants: an app has at most [`MAX_TASKS`] at a time, and [`DAY_QUOTA`] a day in all, in which what overlaps
//! counts once; each task that runs has a due time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::bundle::BundleId;
use serde::{Deserialize, Serialize};

use super::words::InstanceId;

/// Most tasks of one app at a time.
pub const MAX_TASKS: usize = 3;

/// Time off the screen after which nothing is granted any more: whoever leaves knows by then what is left to do.
pub const ASK_WITHIN: Duration = Duration::from_secs(5);

/// Longest grant.
pub const GRANT: Duration = Duration::from_secs(3 * 60);

/// Longest grant on a low battery.
pub const LOW_GRANT: Duration = Duration::from_secs(60);

/// Time of all grants of one app within [`DAY`].
pub const DAY_QUOTA: Duration = Duration::from_secs(10 * 60);

/// The time that the quota is for, from the first grant on.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Shortest grant: less is no time to finish anything.
pub const MIN_GRANT: Duration = Duration::from_secs(16);

/// Time before its end at which an app is warned.
pub const WARNING: Duration = Duration::from_secs(6);

/// A task that was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// Its number, by which the app says that it is done.
    pub task: u32,
    /// How long it may take off the screen.
    pub time: Duration,
}

/// Why a task is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotGranted {
    /// The app has left the screen too long ago.
    TooLate,
    /// It has too many tasks.
    TooMany,
    /// It has used the time of this day.
    Spent,
}

/// What has come of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This instance should finish this task: so much time is left.
    Warn(InstanceId, u32, Duration),
    /// Time is over: this instance is ended. All tasks of its app are over with it.
    Over(InstanceId),
}

/// A task, to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// Whose.
    pub instance: InstanceId,
    /// Its number.
    pub task: u32,
    /// What for, in the words of the app.
    pub reason: String,
    /// How long it may take off the screen from now on.
    pub left: Duration,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Task {
    instance: InstanceId,
    reason: String,
    left: Duration,
    warned: bool,
}

/// One app.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Account {
    away: bool,
    tasks: BTreeMap<u32, Task>,
    last: u32,
    /// Until when time was counted.
    counted: Duration,
    day: Duration,
    spent: Duration,
}

/// Tasks of all apps.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Background {
    apps: BTreeMap<BundleId, Account>,
}

impl Account {
    fn runs(&self) -> bool {
        self.away && !self.tasks.is_empty()
    }

    fn count(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.counted);
        if self.runs() {
            self.spent += passed;
            self.tasks.values_mut().for_each(|task| task.left = task.left.saturating_sub(passed));
        }
        self.counted = self.counted.max(now);
        if now >= self.day + DAY {
            (self.day, self.spent) = (now, Duration::ZERO);
        }
    }

    fn quota(&self) -> Duration {
        DAY_QUOTA.saturating_sub(self.spent)
    }

    /// When something must be said next.
    fn due(&self) -> Option<Duration> {
        let of = |task: &Task| {
            let left = task.left.min(self.quota());
            if task.warned { left } else { left.saturating_sub(WARNING) }
        };
        let soonest = self.tasks.values().map(of).min().filter(|_| self.away)?;
        Some(self.counted + soonest)
    }
}

impl Background {
    /// An instance wants time, `longest` at most. `away`: how long its app has been off the screen; none while it is
    /// there.
    ///
    /// # Errors
    /// It gets none.
    pub fn ask(
        &mut self,
        now: Duration,
        (bundle, instance, reason): (&BundleId, InstanceId, &str),
        away: Option<Duration>,
        longest: Duration,
    ) -> Result<Granted, NotGranted> {
        // What counts for nothing any more takes no memory.
        self.apps.retain(|_, app| !app.tasks.is_empty() || now < app.day + DAY);
        if away.is_some_and(|away| away > ASK_WITHIN) {
            return Err(NotGranted::TooLate);
        }
        let new = || Account { day: now, counted: now, ..Account::default() };
        let app = self.apps.entry(bundle.clone()).or_insert_with(new);
        app.count(now);
        app.away = away.is_some();
        if app.tasks.len() >= MAX_TASKS {
            return Err(NotGranted::TooMany);
        }
        let time = app.quota().min(longest);
        if time < MIN_GRANT {
            return Err(NotGranted::Spent);
        }
        app.last = app.last.wrapping_add(1);
        let (reason, left) = (reason.to_owned(), time);
        app.tasks.insert(app.last, Task { instance, reason, left, warned: false });
        Ok(Granted { task: app.last, time })
    }

    /// An app has done a task. Whether it had it.
    pub fn done(&mut self, now: Duration, bundle: &BundleId, task: u32) -> bool {
        let Some(app) = self.apps.get_mut(bundle) else { return false };
        app.count(now);
        app.tasks.remove(&task).is_some()
    }

    /// An app comes to the screen, or leaves it.
    pub fn moved(&mut self, now: Duration, bundle: &BundleId, away: bool) {
        if let Some(app) = self.apps.get_mut(bundle) {
            app.count(now);
            app.away = away;
        }
    }

    /// An instance runs no more. What its app has spent stays.
    pub fn ended(&mut self, now: Duration, instance: InstanceId) {
        for app in self.apps.values_mut() {
            app.count(now);
            app.tasks.retain(|_, task| task.instance != instance);
        }
    }

    /// Those that have time: they do not stand still then.
    #[must_use]
    pub fn with_time(&self) -> BTreeSet<InstanceId> {
        let tasks = self.apps.values().flat_map(|app| app.tasks.values());
        tasks.map(|task| task.instance).collect()
    }

    /// Every task.
    #[must_use]
    pub fn rows(&self, now: Duration) -> Vec<TaskRow> {
        let of = |app: &Account| {
            let (mut app, mut rows) = (app.clone(), Vec::new());
            app.count(now);
            let quota = app.quota();
            for (number, Task { instance, reason, left, .. }) in app.tasks {
                rows.push(TaskRow { instance, task: number, reason, left: left.min(quota) });
            }
            rows
        };
        self.apps.values().flat_map(of).collect()
    }

    /// When to look next.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.apps.values().filter_map(Account::due).min()
    }

    /// What time has brought.
    pub fn expire(&mut self, now: Duration) -> Vec<Outcome> {
        let mut all = Vec::new();
        for app in self.apps.values_mut() {
            app.count(now);
            let quota = app.quota();
            if !app.runs() {
                continue;
            }
            if app.tasks.values().any(|task| task.left.min(quota).is_zero()) {
                let holders: BTreeSet<_> = app.tasks.values().map(|task| task.instance).collect();
                all.extend(holders.into_iter().map(Outcome::Over));
                app.tasks.clear();
            }
            for (number, task) in &mut app.tasks {
                let left = task.left.min(quota);
                if left <= WARNING && !task.warned {
                    task.warned = true;
                    all.push(Outcome::Warn(task.instance, *number, left));
                }
            }
        }
        all
    }
}
