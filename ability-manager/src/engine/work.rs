//! Work that can wait: when an ability of kind `work` runs.
//!
//! ```text
//! declared ─ settled ─► its time has come ─ what it needs is so, there is room ─► Run ─┬─ done: again after its interval
//!     ▲                     ▲                                                        ├─ failed, cut off: again, later each time
//!     └── interval, by how much its app is used                                      └─ 1 min 54 s: Finish, 2 min: Kill
//! ```
//!
//! Invariants: no ability runs before its time, but when its owner asks; none runs twice at a time, nor longer than [`RUN`];
//! whatever waits for time has a due time, and what waits for the device is looked at after [`LOOK_AGAIN`].

mod interval;
mod kept;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use model::bundle::{BundleId, MIN_EVERY, Need};
use serde::{Deserialize, Serialize};

use super::words::Target;

pub use interval::{FREQUENT, IN_USE, LATER_EACH_TIME, RARE, UNUSED};
use kept::Recalled;
pub use kept::{Kept, KeptWork};
pub use words::{Declared, Last, NotRun, Outcome, Step, WorkRow};

/// Longest run.
pub const RUN: Duration = Duration::from_secs(2 * 60);

/// Time before the end of a run at which the ability is told to end: enough to save.
pub const WARNING: Duration = Duration::from_secs(6);

/// Runs at a time: the device has other things to do.
pub const MAX_RUNS: usize = 2;

/// Most abilities of one bundle that run by themselves.
pub const MAX_EACH: usize = 10;

/// Time after an installation, or the start of the device, in which nothing runs: that comes first.
pub const SETTLE: Duration = Duration::from_secs(10);

/// Time after which the device is looked at again for work whose time has come and that lacks something: what changes in
/// between is not told by the kernel to us.
pub const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);

/// When something was, on the clock of this boot; or how long before its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum When {
    At(Duration),
    Before(Duration),
}

impl When {
    fn ago(self, now: Duration) -> Duration {
        match self {
            Self::At(at) => now.saturating_sub(at),
            Self::Before(before) => now.saturating_add(before),
        }
    }

    fn after(self, time: Duration) -> Duration {
        match self {
            Self::At(at) => at.saturating_add(time),
            Self::Before(before) => time.saturating_sub(before),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    since: Duration,
    /// In seconds since 1970.
    at: u64,
    /// When it is killed.
    end: Duration,
    /// Somebody asked: it needs nothing.
    asked: bool,
    told: bool,
    /// It lacked something.
    cut: bool,
    killed: bool,
}

impl Run {
    fn new(now: Duration, at: u64, asked: bool) -> Self {
        Self { since: now, at, end: now + RUN, asked, told: false, cut: false, killed: false }
    }
}

/// One ability.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Job {
    needs: Vec<Need>,
    every: Option<Duration>,
    page: bool,
    /// Since when it is known in this boot.
    seen: Duration,
    began: Option<When>,
    /// Runs that did not do what they were to do, since one did.
    failed: u32,
    done: bool,
    asked: bool,
    lacks: Vec<Need>,
    /// Its time has come, and the device is locked.
    locked: bool,
    run: Option<Run>,
    last: Option<Last>,
}

/// Work of all bundles.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Works {
    jobs: BTreeMap<Target, Job>,
    /// When an app was on the screen last, or came.
    used: BTreeMap<BundleId, When>,
    /// When the device was looked at for what work lacks, if something waits for that.
    looked: Option<Duration>,
    /// When it was last decided who runs; none: not since something has changed.
    stepped: Option<Duration>,
    /// What was kept of an earlier boot, until it is declared.
    recalled: BTreeMap<Target, Recalled>,
}

impl Job {
    fn new(now: Duration, declared: &Declared) -> Self {
        Self {
            needs: declared.needs.clone(),
            every: declared.every,
            page: declared.page,
            seen: now,
            began: None,
            failed: 0,
            done: false,
            asked: false,
            lacks: Vec::new(),
            locked: false,
            run: None,
            last: None,
        }
    }

    /// When its time comes; none: not by itself.
    fn ready(&self, used: Option<When>, now: Duration) -> Option<Duration> {
        if self.run.is_some() {
            return None;
        }
        if self.asked {
            return Some(Duration::ZERO);
        }
        if self.every.is_none() && self.done {
            return None;
        }
        let settled = self.seen + SETTLE;
        let Some(began) = self.began else { return Some(settled) };
        let often = interval::of_use(self.page, used.map(|used| used.ago(now)))?;
        let every = self.every.unwrap_or(MIN_EVERY).max(MIN_EVERY).max(often);
        let every = if self.failed == 0 { every } else { interval::after(self.failed, every) };
        Some(began.after(every).max(settled))
    }

    fn is_ready(&self, used: Option<When>, now: Duration) -> bool {
        self.ready(used, now).is_some_and(|ready| ready <= now)
    }

    /// When its run is to be ended next.
    fn due(&self) -> Option<Duration> {
        let run = self.run.filter(|run| !run.killed)?;
        Some(if run.told { run.end } else { run.end.saturating_sub(WARNING) })
    }
}

impl Works {
    /// This is installed now.
    pub fn declare(&mut self, now: Duration, all: &[Declared]) {
        let mut count: BTreeMap<&BundleId, usize> = BTreeMap::new();
        let mut jobs = BTreeMap::new();
        for declared in all {
            let of_bundle = count.entry(&declared.target.bundle).or_default();
            *of_bundle += 1;
            if *of_bundle > MAX_EACH {
                continue;
            }
            let before = self.jobs.remove(&declared.target);
            let recalled = self.recalled.remove(&declared.target);
            let mut job = before.unwrap_or_else(|| Job::new(now, declared));
            if let Some(recalled) = recalled {
                recalled.into_job(&mut job);
            }
            (job.needs, job.every) = (declared.needs.clone(), declared.every);
            job.page = declared.page;
            self.used.entry(declared.target.bundle.clone()).or_insert(When::At(now));
            jobs.insert(declared.target.clone(), job);
        }
        (self.jobs, self.stepped) = (jobs, None);
        self.recalled.clear();
        self.used.retain(|bundle, _| count.contains_key(bundle));
    }

    /// An app is on the screen. Whether that was not known for long: it is worth keeping.
    pub fn used(&mut self, now: Duration, bundle: &BundleId) -> bool {
        let Some(used) = self.used.get_mut(bundle) else { return false };
        let long = used.ago(now) >= IN_USE / 2;
        (*used, self.stepped) = (When::At(now), None);
        long
    }

    /// The device is not as it was.
    pub fn changed(&mut self) {
        self.stepped = None;
    }

    /// Whether anything is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether the device must be looked at before the next [`Works::step`].
    #[must_use]
    pub fn waits_for_the_device(&self, now: Duration) -> bool {
        let waits = |(target, job): (&Target, &Job)| {
            let ready = job.is_ready(self.used.get(&target.bundle).copied(), now);
            !job.needs.is_empty() && (ready || job.run.is_some())
        };
        self.jobs.iter().any(waits)
    }

    /// Somebody wants it to run now, whatever it needs.
    ///
    /// # Errors
    /// It does not.
    pub fn ask(&mut self, target: &Target) -> Result<(), NotRun> {
        let job = self.jobs.get_mut(target).ok_or(NotRun::Unknown)?;
        if job.run.is_some() {
            return Err(NotRun::Runs);
        }
        (job.asked, self.stepped) = (true, None);
        Ok(())
    }

    /// It runs, started by somebody else.
    pub fn began(&mut self, now: Duration, today: u64, target: &Target) {
        if let Some(job) = self.jobs.get_mut(target).filter(|job| job.run.is_none()) {
            job.run = Some(Run::new(now, today, true));
            (job.asked, self.stepped) = (false, None);
        }
    }

    /// Those that run.
    #[must_use]
    pub fn running(&self) -> Vec<Target> {
        let runs = |(_, job): &(&Target, &Job)| job.run.is_some();
        self.jobs.iter().filter(runs).map(|(target, _)| target.clone()).collect()
    }

    /// A run has ended.
    pub fn ended(&mut self, now: Duration, target: &Target, outcome: Outcome, how: &str) {
        let Some(job) = self.jobs.get_mut(target) else { return };
        let Some(run) = job.run.take() else { return };
        let well = outcome == Outcome::Well && !run.told;
        job.failed = match outcome {
            _ if well => 0,
            // It was not its doing.
            Outcome::Cut => job.failed,
            _ if run.cut => job.failed,
            Outcome::Well | Outcome::Failed => job.failed.saturating_add(1),
        };
        job.done |= well;
        job.began = Some(When::At(run.since));
        let (took, how) = (now.saturating_sub(run.since), how.to_owned());
        job.last = Some(Last { at: run.at, took, well, how });
        self.stepped = None;
    }

    /// What waits until the device is unlocked.
    #[must_use]
    pub fn waits_for_the_owner(&self) -> Option<&Target> {
        self.jobs.iter().find(|(_, job)| job.locked).map(|(target, _)| target)
    }

    /// What is to be done now. `so`: what is so of the device, if it was looked at; `today`: seconds since 1970; `locked`: whether
    /// it may not run before the device is unlocked.
    pub fn step(
        &mut self,
        now: Duration,
        today: u64,
        so: &[Need],
        locked: impl Fn(&Target) -> bool,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        for (target, job) in &mut self.jobs {
            end(now, target, job, so, &mut steps);
        }
        let running = self.jobs.values().filter(|job| job.run.is_some()).count();
        let mut room = MAX_RUNS.saturating_sub(running);
        let mut waits = false;
        let mut ready = self.ready(now);
        // Who waits for longest comes first.
        ready.sort();
        for (_, target) in ready {
            let Some(job) = self.jobs.get_mut(&target) else { continue };
            job.lacks = job.needs.iter().copied().filter(|need| !so.contains(need)).collect();
            if !job.asked && !job.lacks.is_empty() {
                waits = true;
                continue;
            }
            if room == 0 && !job.asked {
                continue;
            }
            job.locked = !job.asked && locked(&target);
            if job.locked {
                continue;
            }
            room = room.saturating_sub(1);
            let asked = std::mem::take(&mut job.asked);
            job.run = Some(Run::new(now, today, asked));
            job.lacks.clear();
            steps.push(Step::Run(target));
        }
        (self.looked, self.stepped) = (waits.then_some(now), Some(now));
        steps
    }

    fn ready(&self, now: Duration) -> Vec<(Duration, Target)> {
        let ready = |(target, job): (&Target, &Job)| {
            let ready = job.ready(self.used.get(&target.bundle).copied(), now)?;
            (ready <= now).then(|| (ready, target.clone()))
        };
        self.jobs.iter().filter_map(ready).collect()
    }

    /// When to take the next step, if nothing else happens before.
    #[must_use]
    pub fn due(&self, now: Duration) -> Option<Duration> {
        if self.jobs.is_empty() {
            return None;
        }
        let Some(stepped) = self.stepped else { return Some(now) };
        let of = |(target, job): (&Target, &Job)| {
            let ready = job.ready(self.used.get(&target.bundle).copied(), now);
            // What was ready then waits for the device, which is looked at again, or for the end of a run.
            job.due().or(ready.filter(|ready| *ready > stepped))
        };
        let looked = self.looked.map(|looked| looked + LOOK_AGAIN);
        self.jobs.iter().filter_map(of).chain(looked).min()
    }

    /// Every ability.
    #[must_use]
    pub fn rows(&self, now: Duration) -> Vec<WorkRow> {
        let row = |(target, job): (&Target, &Job)| WorkRow {
            target: target.clone(),
            needs: job.needs.clone(),
            lacks: job.lacks.clone(),
            locked: job.locked,
            running: job.run.map(|run| run.since),
            next: job.ready(self.used.get(&target.bundle).copied(), now),
            last: job.last.clone(),
        };
        self.jobs.iter().map(row).collect()
    }
}

/// Ends a run whose time is over, or that lacks something.
fn end(now: Duration, target: &Target, job: &mut Job, so: &[Need], steps: &mut Vec<Step>) {
    let Some(run) = &mut job.run else { return };
    let lacks = !run.asked && job.needs.iter().any(|need| !so.contains(need));
    let late = now >= run.end.saturating_sub(WARNING);
    if !run.told && (late || lacks) {
        (run.told, run.cut) = (true, !late);
        run.end = run.end.min(now + WARNING);
        steps.push(Step::Finish(target.clone()));
    } else if now >= run.end && !run.killed {
        run.killed = true;
        steps.push(Step::Kill(target.clone()));
    }
}
