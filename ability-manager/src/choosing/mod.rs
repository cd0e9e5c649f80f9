//! Several abilities can do what is wanted: somebody chooses, and what was chosen for good is the default from then on.
//!
//! ```text
//! several ─┬─ a default is among them ─► that one
//!          └─ none is: a choice waits ─┬─ chosen ─► that one, and from now on if so wished
//!                                      ├─ none of them, or 60 s ─► refused
//!                                      └─ who asked has ended ─► nothing
//! ```
//!
//! Pure. Invariants: what is chosen was among the candidates; an app has one choice open at most, so that none covers
//! the screen with them; a default decides only between candidates, so what is removed, or answers no more, decides nothing.

mod defaults;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::bundle::BundleId;
use model::want::Want;

use crate::engine::{InstanceId, Target};

pub use defaults::{Chosen, Defaults, MAX_DEFAULTS, Shape};

/// How long a choice waits: whoever did not choose until then does not look, and the app has been waiting for long.
pub const CHOICE_TIMEOUT: Duration = Duration::from_secs(60);

/// Most choices that wait at a time.
pub const MAX_CHOICES: usize = 16;

/// Most abilities that one choice is between: more is no choice but a list to read.
pub const MAX_CANDIDATES: usize = 64;

/// A choice that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Who asks.
    pub instance: InstanceId,
    /// Its bundle.
    pub bundle: BundleId,
    /// What it wants.
    pub want: Arc<Want>,
    /// Which can do it, in the order in which they are shown.
    pub candidates: Vec<Target>,
    /// Until when it waits.
    pub until: Duration,
}

/// Why there is no choice, or it is not made so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// This app asks already.
    AsksAlready,
    /// Too many wait.
    TooMany,
    /// No such choice waits.
    NoChoice,
    /// It has fewer candidates.
    NoCandidate(usize),
}

/// Choices that wait.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    open: BTreeMap<u32, Choice>,
    last: u32,
}

impl Choices {
    /// An app's want waits for a choice, until a time after `now`. Its number.
    ///
    /// # Errors
    /// [`Wrong::AsksAlready`], [`Wrong::TooMany`].
    pub fn ask(
        &mut self,
        now: Duration,
        (instance, bundle): (InstanceId, &BundleId),
        want: Arc<Want>,
        mut candidates: Vec<Target>,
    ) -> Result<u32, Wrong> {
        if self.open.values().any(|choice| choice.bundle == *bundle) {
            return Err(Wrong::AsksAlready);
        }
        if self.open.len() >= MAX_CHOICES {
            return Err(Wrong::TooMany);
        }
        candidates.truncate(MAX_CANDIDATES);
        let (bundle, until) = (bundle.clone(), now + CHOICE_TIMEOUT);
        self.last = self.last.wrapping_add(1).max(1);
        self.open.insert(self.last, Choice { instance, bundle, want, candidates, until });
        Ok(self.last)
    }

    /// Somebody chose: the candidate with this number, from 1 on, or none of them (0).
    ///
    /// # Errors
    /// [`Wrong::NoChoice`], [`Wrong::NoCandidate`]; it waits on then.
    pub fn choose(
        &mut self,
        choice: u32,
        candidate: u32,
    ) -> Result<(Choice, Option<Target>), Wrong> {
        let open = self.open.get(&choice).ok_or(Wrong::NoChoice)?;
        let place = usize::try_from(candidate).unwrap_or(usize::MAX).checked_sub(1);
        let chosen = place.map(|place| open.candidates.get(place).cloned());
        if chosen == Some(None) {
            return Err(Wrong::NoCandidate(open.candidates.len()));
        }
        let open = self.open.remove(&choice).ok_or(Wrong::NoChoice)?;
        Ok((open, chosen.flatten()))
    }

    /// Those that nobody made in time.
    pub fn expire(&mut self, now: Duration) -> Vec<u32> {
        self.remove(|choice| choice.until <= now)
    }

    /// Those of instances that are no more.
    pub fn retain(&mut self, is_there: impl Fn(InstanceId) -> bool) -> Vec<u32> {
        self.remove(|choice| !is_there(choice.instance))
    }

    fn remove(&mut self, which: impl Fn(&Choice) -> bool) -> Vec<u32> {
        self.open.extract_if(.., |_, choice| which(choice)).map(|(number, _)| number).collect()
    }

    /// When to look for those that nobody makes.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.open.values().map(|choice| choice.until).min()
    }

    /// All that wait, the first asked first.
    pub fn open(&self) -> impl Iterator<Item = (u32, &Choice)> {
        self.open.iter().map(|(number, choice)| (*number, choice))
    }
}
