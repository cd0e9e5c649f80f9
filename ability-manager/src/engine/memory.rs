//! Who goes first when the device lacks memory.
//!
//! ```text
//! memory that is available, of all ── under 9.6 % Moderate ─ 8.4 % Low ─ 7.2 % Critical: all are told
//!                                  └─ under 6 % who has 400 and more goes, 4.8 % 300, 3.6 % 200, 2.4 % 100, 1.2 % all
//! ```
//!
//! The scale is that of `oom_score_adj`, so that the kernel, if it must choose before we do, chooses alike.
//!
//! Invariants: nobody goes while there is enough; at most [`MAX_VICTIMS`] bundles at a time; who has just begun
//! stays; who is used is worth at least as much as by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::abilities::State;

use super::Engine;
use super::instance::{Instance, Who};
use super::words::{InstanceId, Shortage, Target};

/// On the screen, or on its way there.
pub const FOREGROUND: i32 = 0;

/// Still seen.
pub const VISIBLE: i32 = 50;

/// It finishes something that it has time for.
pub const TRANSIENT: i32 = 100;

/// It goes on off the screen, and people notice when it does not: what they hear, where they are led.
pub const PERCEIVED: i32 = 200;

/// Used by what is on the screen.
pub const BOUND_IN_FRONT: i32 = 100;

/// Used by what is not.
pub const BOUND: i32 = 240;

/// Off the screen.
pub const BACKGROUND: i32 = 400;

/// A service that works for nobody who is connected.
pub const UNBOUND: i32 = 500;

/// Off the screen, and standing still.
pub const FROZEN: i32 = 600;

/// Nobody would miss it: a service that nobody uses, what ends anyway.
pub const EMPTY: i32 = 900;

/// Most bundles that go at a time: then it is looked again.
pub const MAX_VICTIMS: usize = 3;

/// Time after its start in which a process stays: ending it would only start it again.
pub const PROTECTED: Duration = Duration::from_secs(3);

/// Below this much of a thousandth of all memory, whoever has this priority and more goes. The figures of phones
/// with 8 GiB.
const TABLE: [(u64, i32); 5] = [(12, 0), (24, 100), (36, 200), (48, 300), (60, 400)];

/// Below this much of a thousandth of all memory, this is told.
const TOLD: [(u64, Shortage); 3] =
    [(72, Shortage::Critical), (84, Shortage::Low), (96, Shortage::Moderate)];

/// Memory of a device, in bytes: `MemAvailable` and `MemTotal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What can be had without ending anybody.
    pub available: u64,
    /// All.
    pub total: u64,
}

impl Memory {
    fn is_under(self, thousandths: u64) -> bool {
        u128::from(self.available) * 1000 < u128::from(self.total) * u128::from(thousandths)
    }

    /// How much is lacking, if something is.
    #[must_use]
    pub fn shortage(self) -> Option<Shortage> {
        TOLD.into_iter().find(|(under, _)| self.is_under(*under)).map(|(_, shortage)| shortage)
    }

    /// From which priority on instances go; none if there is enough.
    #[must_use]
    pub fn kills(self) -> Option<i32> {
        TABLE.into_iter().find(|(under, _)| self.is_under(*under)).map(|(_, priority)| priority)
    }
}

/// An instance that could go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub id: InstanceId,
    /// What it runs.
    pub target: Target,
    /// As [`Engine::priorities`] has it.
    pub priority: i32,
    /// Time since its process was there; none of one that is being started.
    pub age: Option<Duration>,
    /// Time since its state last changed.
    pub idle: Duration,
    /// Bytes that are free when it is gone.
    pub bytes: u64,
}

/// Who goes now: the least worth first, of those the one that nothing happened to for longest, until there is enough.
#[must_use]
pub fn victims(memory: Memory, mut all: Vec<Candidate>) -> Vec<InstanceId> {
    all.sort_by_key(|one| (std::cmp::Reverse((one.priority, one.idle)), one.id));
    let (mut memory, mut bundles, mut gone) = (memory, BTreeSet::new(), Vec::new());
    for one in all {
        if memory.kills().is_none_or(|from| one.priority < from) {
            break;
        }
        let young = one.age.is_none_or(|age| age < PROTECTED);
        let more = !bundles.contains(&one.target.bundle) && bundles.len() >= MAX_VICTIMS;
        if young || more {
            continue;
        }
        memory.available = memory.available.saturating_add(one.bytes);
        bundles.insert(one.target.bundle);
        gone.push(one.id);
    }
    gone
}

/// What an instance is worth by itself; the less, the more.
fn alone(instance: &Instance, next: bool, goes_on: Option<i32>) -> i32 {
    let worth = match instance.state {
        State::Foreground | State::Foregrounding => FOREGROUND,
        State::Loading if next => FOREGROUND,
        State::Backgrounding => VISIBLE,
        State::Terminating => return EMPTY,
        State::Inactive => EMPTY,
        State::Frozen => FROZEN,
        State::Active => UNBOUND,
        State::Loading | State::Background if instance.is_page() => BACKGROUND,
        State::Loading | State::Background => UNBOUND,
    };
    goes_on.map_or(worth, |goes_on| goes_on.min(worth))
}

impl Engine {
    /// What each instance is worth: its `oom_score_adj`. `going_on`: what those that go on off the screen are worth for that.
    #[must_use]
    pub fn priorities(&self, going_on: &BTreeMap<InstanceId, i32>) -> BTreeMap<InstanceId, i32> {
        let alone = |(id, instance): (&InstanceId, &Instance)| {
            (*id, alone(instance, self.next == Some(*id), going_on.get(id).copied()))
        };
        let mut worth: BTreeMap<InstanceId, i32> = self.instances.iter().map(alone).collect();
        // Whoever is used by a service that is used, and so on: each round makes somebody worth more, or is the last.
        loop {
            let raised = self.raised(&worth);
            if raised.is_empty() {
                return worth;
            }
            worth.extend(raised);
        }
    }

    fn raised(&self, worth: &BTreeMap<InstanceId, i32>) -> Vec<(InstanceId, i32)> {
        let by = |who: &Who| match who {
            Who::Root => BOUND_IN_FRONT,
            Who::Instance(who) if worth.get(who).is_some_and(|worth| *worth <= BOUND_IN_FRONT) => {
                BOUND_IN_FRONT
            }
            Who::Instance(_) => BOUND,
        };
        let one = |(id, instance): (&InstanceId, &Instance)| {
            let used = instance.links.values().map(|link| by(&link.who)).min()?;
            let ends = instance.state == State::Terminating;
            let now = worth.get(id).copied()?;
            (used < now && !ends).then_some((*id, used))
        };
        self.instances.iter().filter_map(one).collect()
    }

    /// Who could go, with what the daemon knows of each: bytes of its memory.
    #[must_use]
    pub fn candidates(
        &self,
        now: Duration,
        going_on: &BTreeMap<InstanceId, i32>,
        bytes: impl Fn(InstanceId) -> u64,
    ) -> Vec<Candidate> {
        let worth = self.priorities(going_on);
        let one = |(id, instance): (&InstanceId, &Instance)| Candidate {
            id: *id,
            target: instance.target.clone(),
            priority: worth.get(id).copied().unwrap_or(EMPTY),
            age: instance.launched.map(|launched| now.saturating_sub(launched)),
            idle: now.saturating_sub(instance.since),
            bytes: bytes(*id),
        };
        let ends = |instance: &Instance| instance.state == State::Terminating;
        self.instances.iter().filter(|(_, instance)| !ends(instance)).map(one).collect()
    }
}
