//! What of work outlasts a boot, on the clock of people: that of a boot begins anew with each.
//!
//! Invariant: what was kept with a clock that has gone back since makes nothing run sooner.

use std::collections::BTreeMap;
use std::time::Duration;

use model::bundle::BundleId;
use serde::{Deserialize, Serialize};

use super::{Job, Last, When, Works};
use crate::engine::Target;

/// What outlasts a boot. Times are in seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// When each app was used last.
    pub used: BTreeMap<BundleId, u64>,
    /// Each ability.
    pub works: BTreeMap<Target, KeptWork>,
}

/// What outlasts a boot of one ability.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptWork {
    /// When it began last.
    pub began: Option<u64>,
    /// Runs that failed since one did not.
    pub failed: u32,
    /// It did what it was to do, once.
    pub done: bool,
    /// How it ended last.
    pub last: Option<Last>,
}

/// One ability that is not declared yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Recalled {
    began: Option<When>,
    failed: u32,
    done: bool,
    last: Option<Last>,
}

impl Recalled {
    pub(super) fn into_job(self, job: &mut Job) {
        let Self { began, failed, done, last } = self;
        (job.began, job.failed, job.done, job.last) = (began, failed, done, last);
    }
}

impl When {
    /// A time of people, as of this boot.
    fn of(at: u64, now: Duration, today: u64) -> Self {
        let ago = Duration::from_secs(today.saturating_sub(at));
        match ago.checked_sub(now) {
            Some(before) => Self::Before(before),
            None => Self::At(now.saturating_sub(ago)),
        }
    }

    /// The other way round.
    fn said(self, now: Duration, today: u64) -> u64 {
        today.saturating_sub(self.ago(now).as_secs())
    }
}

impl Works {
    /// What is to be kept. A run that is under way counts as one that began: it is not begun again at once.
    #[must_use]
    pub fn keep(&self, now: Duration, today: u64) -> Kept {
        let used = self.used.iter().map(|(id, used)| (id.clone(), used.said(now, today)));
        let work = |job: &Job| {
            let began = job.run.map(|run| When::At(run.since)).or(job.began);
            KeptWork {
                began: began.map(|began| began.said(now, today)),
                failed: job.failed,
                done: job.done,
                last: job.last.clone(),
            }
        };
        let works = self.jobs.iter().map(|(target, job)| (target.clone(), work(job)));
        Kept { used: used.collect(), works: works.collect() }
    }

    /// With what was kept in an earlier boot. What is installed is to be declared next.
    #[must_use]
    pub fn recall(kept: Kept, now: Duration, today: u64) -> Self {
        let of = |at| When::of(at, now, today);
        let work = |(target, KeptWork { began, failed, done, last })| {
            (target, Recalled { began: began.map(of), failed, done, last })
        };
        Self {
            used: kept.used.into_iter().map(|(id, at)| (id, of(at))).collect(),
            recalled: kept.works.into_iter().map(work).collect(),
            ..Self::default()
        }
    }
}
