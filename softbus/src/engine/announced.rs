//! What devices announce of themselves, as text of a multicast record, and which of it is kept. Pure.
//!
//! ```text
//! a group's device:   t=<32 hex digits>             a new one each hour; only members know whose it is
//! one that pairs:     n=<name> f=<form> i=<64 hex>   while its window is open, no longer
//! ```
//!
//! Both under a name that is drawn by lot for each announcement. Invariant: strangers fill [`MAX_STRANGERS`] places and no
//! more, however many there are, and never one of those kept for devices that the gate expects.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::limits::MAX_ADDRESSES;
use crate::DeviceId;

/// Announced devices of strangers that are kept.
pub const MAX_STRANGERS: usize = 512;

/// Announced devices of ours that are kept: a group has at most 1 000.
pub const MAX_EXPECTED: usize = 1024;

/// Announcements with the same tag, or with the same first address: who replays one does not fill the table.
const MAX_ALIKE: usize = 4;

/// News in one second, once the table's worth of them has come at once.
const NEWS_PER_SECOND: u64 = 32;

/// Bytes of a name.
pub const MAX_NAME: usize = 64;

/// Bytes of a form ("phone").
pub const MAX_FORM: usize = 16;

/// Bytes of a tag.
pub const TAG: usize = 16;

/// What a device says of itself to everybody near.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Announcement {
    /// A device of some group; who knows the group's secret knows which.
    Member([u8; TAG]),
    /// A device whose owner waits for another to be paired with it.
    Pairing {
        /// What its owner calls it, as it says; 1 to [`MAX_NAME`] bytes, no control characters.
        name: String,
        /// What it is, as it says; up to [`MAX_FORM`] small letters, digits and hyphens.
        form: String,
        /// Its key, unproved.
        id: DeviceId,
    },
}

/// An announcement that was heard. Nothing in it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The name drawn by lot: the same one until the device announces anew.
    pub instance: String,
    /// What it says.
    pub what: Announcement,
    /// Where it says it is; at most [`MAX_ADDRESSES`].
    pub addresses: Vec<SocketAddr>,
}

impl Announcement {
    /// The record's properties.
    #[must_use]
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Member(tag) => vec![("t", hex(tag))],
            Self::Pairing { name, form, id } => {
                vec![("n", name.clone()), ("f", form.clone()), ("i", id.to_string())]
            }
        }
    }

    /// Reads them; none when a rule is broken.
    pub fn read<'a>(property: impl Fn(&str) -> Option<&'a [u8]>) -> Option<Self> {
        let text = |key| property(key).and_then(|bytes| std::str::from_utf8(bytes).ok());
        if let Some(tag) = text("t") {
            return unhex(tag).map(Self::Member);
        }
        let (name, form, id) = (text("n")?, text("f")?, text("i")?.parse().ok()?);
        let pairing = Self::Pairing { name: name.to_owned(), form: form.to_owned(), id };
        pairing.is_sound().then_some(pairing)
    }

    /// Does it keep the rules?
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let Self::Pairing { name, form, .. } = self else { return true };
        let small =
            |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
        (1..=MAX_NAME).contains(&name.len())
            && !name.chars().any(char::is_control)
            && form.len() <= MAX_FORM
            && form.bytes().all(small)
    }
}

fn hex(tag: &[u8; TAG]) -> String {
    tag.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; TAG]> {
    if text.len() != 2 * TAG || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

/// What has to be told of an announcement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It is new, or has changed.
    Told,
    /// Nothing new.
    Known,
    /// Too many: as if it had never been heard.
    Refused,
}

/// The announcements of one kind: those expected, or those of strangers.
#[derive(Debug)]
struct Shelf {
    kept: BTreeMap<String, Announced>,
    places: usize,
    /// News that may be told at once, in thousandths.
    budget: u64,
    filled: Duration,
}

impl Shelf {
    fn new(places: usize) -> Self {
        let budget = u64::try_from(places).unwrap_or(0).saturating_mul(1000);
        Self { kept: BTreeMap::new(), places, budget, filled: Duration::ZERO }
    }

    fn put(&mut self, announced: Announced, now: Duration) -> News {
        if self.kept.get(&announced.instance) == Some(&announced) {
            return News::Known;
        }
        let new = !self.kept.contains_key(&announced.instance);
        if new && (self.kept.len() >= self.places || self.alike(&announced) >= MAX_ALIKE) {
            return News::Refused;
        }
        if !self.spend(now) {
            return News::Refused;
        }
        self.kept.insert(announced.instance.clone(), announced);
        News::Told
    }

    fn alike(&self, one: &Announced) -> usize {
        let address = |announced: &Announced| announced.addresses.first().map(SocketAddr::ip);
        let alike = |other: &&Announced| {
            let same_tag = matches!(one.what, Announcement::Member(_)) && other.what == one.what;
            same_tag || address(other).is_some_and(|ip: IpAddr| address(one) == Some(ip))
        };
        self.kept.values().filter(alike).count()
    }

    fn spend(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.filled).as_millis();
        let full = u64::try_from(self.places).unwrap_or(0).saturating_mul(1000);
        let earned = u64::try_from(passed).unwrap_or(u64::MAX).saturating_mul(NEWS_PER_SECOND);
        self.budget = self.budget.saturating_add(earned).min(full);
        self.filled = now;
        match self.budget.checked_sub(1000) {
            Some(rest) => self.budget = rest,
            None => return false,
        }
        true
    }
}

/// Everything that is announced near, as far as it is kept.
#[derive(Debug)]
pub(super) struct Table {
    expected: Shelf,
    strangers: Shelf,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { expected: Shelf::new(MAX_EXPECTED), strangers: Shelf::new(MAX_STRANGERS) }
    }

    /// An announcement was heard at `now`; `expected` by the gate or not.
    pub(super) fn heard(
        &mut self,
        mut announced: Announced,
        expected: bool,
        now: Duration,
    ) -> News {
        announced.addresses.sort_unstable();
        announced.addresses.dedup();
        announced.addresses.truncate(MAX_ADDRESSES);
        let (shelf, other) = if expected {
            (&mut self.expected, &mut self.strangers)
        } else {
            (&mut self.strangers, &mut self.expected)
        };
        other.kept.remove(&announced.instance);
        shelf.put(announced, now)
    }

    /// It is there no more; what was kept of it.
    pub(super) fn gone(&mut self, instance: &str) -> Option<Announced> {
        self.expected.kept.remove(instance).or_else(|| self.strangers.kept.remove(instance))
    }

    /// Everything of strangers is forgotten: what was told and is gone now.
    pub(super) fn forget_strangers(&mut self) -> Vec<Announced> {
        std::mem::take(&mut self.strangers.kept).into_values().collect()
    }
}

#[cfg(test)]
#[path = "announced_tests.rs"]
mod tests;
