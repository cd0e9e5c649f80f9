//! Cards: what abilities of kind `form` show on somebody else's screen.
//!
//! ```text
//! add ─► to be filled ─ the app: update ─► filled ─┬─ its time has come ─► to be filled
//!                                                 └─ the app has news: update ─► filled
//! to be filled ─ it can't be ─► says why ─ the device is unlocked ─► to be filled
//! remove, the bundle is removed ─► gone
//! ```
//!
//! Pure: a card is words, which whoever has the screen draws. Invariants: a card is not filled sooner than [`MIN_REFRESH`]
//! after the last time by itself, nor more than [`MAX_REFRESHES`] times a day; what an app puts on one is bounded, and how
//! often; all lists are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use model::bundle::{BundleId, CardSize, MIN_REFRESH};
use serde::{Deserialize, Serialize};

use crate::engine::Target;

#[cfg(test)]
mod tests;

/// Most cards of a device.
pub const MAX_CARDS: usize = 512;

/// Most cards that one host (a client of the control socket) adds.
pub const MAX_CARDS_EACH: usize = 256;

/// Most times a day that a card is filled by itself.
pub const MAX_REFRESHES: u32 = 50;

/// The time that they are counted in.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Most bytes of what is on a card: words, and the names of them.
pub const MAX_DATA: usize = 16 << 10;

/// Most updates of cards by one app in [`SECOND`]: people can't read faster.
pub const MAX_UPDATES: usize = 10;

/// The time that they are counted in.
pub const SECOND: Duration = Duration::from_secs(1);

/// Most cards that are filled at a time, so that a screen full of them is no flood after a boot.
pub const AT_ONCE: usize = 8;

/// What is on a card: words by their names.
pub type Data = BTreeMap<String, String>;

/// One card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// What fills it.
    pub target: Target,
    /// How much room it has.
    pub size: CardSize,
    /// Filled anew after this; none: when the app has news.
    pub every: Option<Duration>,
    /// Who added it, for as long as that is there.
    pub host: Option<u64>,
    /// When it was to be filled last.
    pub asked: Option<Duration>,
    /// How often by itself since `day`.
    pub refreshes: u32,
    day: Duration,
    /// When it was filled last.
    pub updated: Option<Duration>,
    /// Why it could not be filled the last time.
    pub why: Option<String>,
    /// What is on it.
    #[serde(skip)]
    pub data: Data,
}

/// Why something can't be done with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotDone {
    /// There is no such card, or it is another app's.
    NoCard,
    /// There are too many.
    TooMany,
    /// Its host has too many.
    TooManyEach,
    /// So much does not fit on it.
    TooLong(usize),
    /// The app updates too often.
    TooOften,
}

/// All cards.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cards {
    all: BTreeMap<u32, Card>,
    last: u32,
    /// Nothing is filled by itself before.
    rests: Duration,
    /// Those that are to be filled once more.
    #[serde(skip)]
    again: BTreeSet<u32>,
    #[serde(skip)]
    updates: BTreeMap<BundleId, VecDeque<Duration>>,
}

impl Card {
    /// When it is to be filled by itself.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        let every = self.every?.max(MIN_REFRESH);
        let next = self.asked.map_or(Duration::ZERO, |asked| asked + every);
        Some(if self.refreshes < MAX_REFRESHES { next } else { next.max(self.day + DAY) })
    }

    fn count(&mut self, now: Duration) {
        if now >= self.day + DAY {
            (self.day, self.refreshes) = (now, 0);
        }
        self.refreshes += 1;
        self.asked = Some(now);
    }
}

impl Cards {
    /// One more, which is to be filled now. Its number.
    ///
    /// # Errors
    /// [`NotDone::TooMany`], [`NotDone::TooManyEach`].
    pub fn add(
        &mut self,
        now: Duration,
        target: Target,
        size: CardSize,
        every: Option<Duration>,
        host: u64,
    ) -> Result<u32, NotDone> {
        if self.all.len() >= MAX_CARDS {
            return Err(NotDone::TooMany);
        }
        if self.all.values().filter(|card| card.host == Some(host)).count() >= MAX_CARDS_EACH {
            return Err(NotDone::TooManyEach);
        }
        let mut number = self.last;
        loop {
            number = number.wrapping_add(1).max(1);
            if !self.all.contains_key(&number) {
                break;
            }
        }
        self.last = number;
        let mut card = Card {
            target,
            size,
            every,
            host: Some(host),
            asked: None,
            refreshes: 0,
            day: now,
            updated: None,
            why: None,
            data: Data::new(),
        };
        card.count(now);
        self.all.insert(number, card);
        Ok(number)
    }

    /// One less.
    pub fn remove(&mut self, number: u32) -> Option<Card> {
        self.all.remove(&number)
    }

    /// All of a bundle that is no more.
    pub fn forget(&mut self, bundle: &BundleId) -> Vec<u32> {
        let of = self.all.extract_if(.., |_, card| card.target.bundle == *bundle);
        of.map(|(number, _)| number).collect()
    }

    /// A host is there no more: what it added stays, and is nobody's.
    pub fn leave(&mut self, host: u64) {
        self.all
            .values_mut()
            .filter(|card| card.host == Some(host))
            .for_each(|card| card.host = None);
    }

    /// Those that are to be filled now by themselves, with what fills them and their sizes.
    pub fn expire(&mut self, now: Duration) -> Vec<(u32, Target, CardSize)> {
        if now < self.rests {
            return Vec::new();
        }
        let again = std::mem::take(&mut self.again);
        let due = |(number, card): &(&u32, &mut Card)| {
            again.contains(*number) || card.next().is_some_and(|next| next <= now)
        };
        let mut all = Vec::new();
        for (number, card) in self.all.iter_mut().filter(due) {
            if all.len() >= AT_ONCE {
                self.again.extend(again.contains(number).then_some(*number));
                continue;
            }
            card.count(now);
            all.push((*number, card.target.clone(), card.size));
        }
        if !all.is_empty() {
            self.rests = now + SECOND;
        }
        all
    }

    /// When something is to be filled.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let again = (!self.again.is_empty()).then_some(Duration::ZERO);
        let next = self.all.values().filter_map(Card::next).chain(again).min()?;
        Some(next.max(self.rests))
    }

    /// The device was unlocked: what could not be filled may be by now.
    pub fn unlocked(&mut self) {
        let failed = self.all.iter().filter(|(_, card)| card.why.is_some());
        self.again = failed.map(|(number, _)| *number).collect();
    }

    /// An app has filled a card, or has news for it.
    ///
    /// # Errors
    /// [`NotDone::NoCard`], [`NotDone::TooLong`], [`NotDone::TooOften`].
    pub fn update(
        &mut self,
        now: Duration,
        bundle: &BundleId,
        number: u32,
        data: Data,
    ) -> Result<(), NotDone> {
        let card = self.all.get_mut(&number).filter(|card| card.target.bundle == *bundle);
        let card = card.ok_or(NotDone::NoCard)?;
        let length = data.iter().map(|(name, text)| name.len() + text.len()).sum();
        if length > MAX_DATA {
            return Err(NotDone::TooLong(length));
        }
        self.updates.retain(|_, times| {
            times.retain(|time| now < *time + SECOND);
            !times.is_empty()
        });
        let times = self.updates.entry(bundle.clone()).or_default();
        if times.len() >= MAX_UPDATES {
            return Err(NotDone::TooOften);
        }
        times.push_back(now);
        (card.data, card.updated, card.why) = (data, Some(now), None);
        Ok(())
    }

    /// A card could not be filled. Whether it is there.
    pub fn failed(&mut self, number: u32, why: String) -> bool {
        let Some(card) = self.all.get_mut(&number) else { return false };
        card.why = Some(why);
        true
    }

    /// What was on a card before.
    pub fn recall(&mut self, number: u32, data: Data) {
        if let Some(card) = self.all.get_mut(&number) {
            card.data = data;
        }
    }

    /// The device was started anew: hosts are others, and times count from zero.
    pub fn rebooted(&mut self) {
        self.rests = Duration::ZERO;
        for card in self.all.values_mut() {
            (card.host, card.asked, card.updated) = (None, None, None);
            (card.day, card.refreshes) = (Duration::ZERO, 0);
        }
    }

    /// One.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Card> {
        self.all.get(&number)
    }

    /// All, in the order of their numbers.
    pub fn all(&self) -> impl Iterator<Item = (u32, &Card)> {
        self.all.iter().map(|(number, card)| (*number, card))
    }
}
