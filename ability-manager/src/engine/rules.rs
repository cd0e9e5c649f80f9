//! Who may start what, and how often.
//!
//! | who | what |
//! |---|---|
//! | root | all |
//! | an app | its own abilities, and those of others that are exported, with the permission they ask for |
//! | an app off the screen | the same by connecting; a start only within [`NEW_PROCESS`], or with `start-from-background` |
//!
//! Invariant: what is refused does not count as a call, and does nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use model::bundle::{AbilityKind, BundleId, Lifecycle};
use serde::{Deserialize, Serialize};

use super::limits::{MAX_CALLS, MAX_PAGE_STARTS, NEW_PROCESS, RESTART_INTERVAL, SECOND};
use super::refusal::Refusal;
use super::words::{Target, Traits};

/// What there is to know of an app that calls.
#[derive(Debug)]
pub(super) struct Asker<'a> {
    pub(super) bundle: &'a BundleId,
    /// One of its pages is on the screen, or comes to it.
    pub(super) in_front: bool,
    /// When the process of the calling instance was there.
    pub(super) launched: Option<Duration>,
    /// It has the permission that the ability asks for.
    pub(super) permitted: bool,
    /// It has `start-from-background`.
    pub(super) background: bool,
}

/// What was counted lately.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Rules {
    calls: BTreeMap<BundleId, VecDeque<Duration>>,
    pages: VecDeque<Duration>,
    restarts: BTreeMap<BundleId, Duration>,
}

impl Rules {
    /// Whether this may be started, or connected to, now. `None`: root asks.
    pub(super) fn admit(
        &mut self,
        now: Duration,
        asker: Option<&Asker<'_>>,
        target: &Target,
        traits: Traits,
        connect: bool,
    ) -> Result<(), Refusal> {
        match traits.kind {
            AbilityKind::Form if asker.is_some() => return Err(Refusal::IsForm),
            AbilityKind::Page | AbilityKind::Work | AbilityKind::Form if connect => {
                return Err(Refusal::NotAService);
            }
            AbilityKind::Page | AbilityKind::Service | AbilityKind::Work | AbilityKind::Form => {}
        }
        if (connect || traits.kind == AbilityKind::Form) && traits.lifecycle == Lifecycle::Process {
            return Err(Refusal::NotTold);
        }
        self.forget_old(now);
        let page = traits.kind == AbilityKind::Page;
        if page && self.pages.len() >= MAX_PAGE_STARTS {
            return Err(Refusal::TooManyStarts);
        }
        if let Some(asker) = asker {
            asker.may(now, target, traits, connect)?;
            let calls = self.calls.entry(asker.bundle.clone()).or_default();
            if calls.len() >= MAX_CALLS {
                return Err(Refusal::TooManyCalls);
            }
            calls.push_back(now);
        }
        if page {
            self.pages.push_back(now);
        }
        Ok(())
    }

    /// Whether a page of this bundle that crashed in front of people is started again; counted if so.
    pub(super) fn restarts(&mut self, now: Duration, bundle: &BundleId) -> bool {
        self.restarts.retain(|_, last| now < *last + RESTART_INTERVAL);
        let fresh = !self.restarts.contains_key(bundle);
        if fresh {
            self.restarts.insert(bundle.clone(), now);
        }
        fresh
    }

    fn forget_old(&mut self, now: Duration) {
        let drop_old = |times: &mut VecDeque<Duration>| {
            while times.front().is_some_and(|time| now >= *time + SECOND) {
                times.pop_front();
            }
        };
        drop_old(&mut self.pages);
        self.calls.retain(|_, times| {
            drop_old(times);
            !times.is_empty()
        });
    }
}

impl Asker<'_> {
    fn may(
        &self,
        now: Duration,
        target: &Target,
        traits: Traits,
        connect: bool,
    ) -> Result<(), Refusal> {
        let own = *self.bundle == target.bundle;
        if !own && !traits.exported {
            return Err(Refusal::NotExported);
        }
        if !own && !self.permitted {
            return Err(Refusal::NotPermitted);
        }
        if connect || self.may_start(now) { Ok(()) } else { Err(Refusal::FromBackground) }
    }

    /// It is on the screen, or new, or may wherever it is.
    pub(super) fn may_start(&self, now: Duration) -> bool {
        let new = self.launched.is_some_and(|launched| now <= launched + NEW_PROCESS);
        self.in_front || new || self.background
    }
}
