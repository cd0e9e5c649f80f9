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

/// Announcements with the same tag, and of strangers those with the same first address: who replays one does not fill
/// the table.
const MAX_ALIKE: usize = 4;

/// News in one second, once the table's worth of them has come at once.
const NEWS_PER_SECOND: u64 = 32;

/// News about which the gate is asked in one second, once two tables' worth has come at once: it compares each with every
/// member.
const ASKED_PER_SECOND: u64 = 256;

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

impl Announced {
    /// With its addresses in order, each once, no more than may be.
    pub(super) fn new(instance: &str, what: Announcement, mut addresses: Vec<SocketAddr>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(MAX_ADDRESSES);
        Self { instance: instance.to_owned(), what, addresses }
    }
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

/// So many at once, and so many a second from then on.
#[derive(Debug)]
struct Bucket {
    /// Thousandths.
    left: u64,
    full: u64,
    a_second: u64,
    filled: Duration,
}

impl Bucket {
    fn new(at_once: usize, a_second: u64) -> Self {
        let full = u64::try_from(at_once).unwrap_or(0).saturating_mul(1000);
        Self { left: full, full, a_second, filled: Duration::ZERO }
    }

    fn take(&mut self, now: Duration) -> bool {
        let passed = u64::try_from(now.saturating_sub(self.filled).as_millis()).unwrap_or(u64::MAX);
        let earned = passed.saturating_mul(self.a_second);
        self.left = self.left.saturating_add(earned).min(self.full);
        self.filled = now;
        let left = self.left.checked_sub(1000);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

/// The announcements of one kind: those expected, or those of strangers.
#[derive(Debug)]
struct Shelf {
    kept: BTreeMap<String, Announced>,
    places: usize,
    news: Bucket,
    /// One address may have so many and no more. Not for ours: a bridge has the same address on many devices.
    by_address: bool,
}

impl Shelf {
    fn new(places: usize, by_address: bool) -> Self {
        let news = Bucket::new(places, NEWS_PER_SECOND);
        Self { kept: BTreeMap::new(), places, news, by_address }
    }

    fn put(&mut self, announced: Announced, now: Duration) -> News {
        let new = !self.kept.contains_key(&announced.instance);
        if new && (self.kept.len() >= self.places || self.alike(&announced) >= MAX_ALIKE) {
            return News::Refused;
        }
        if !self.news.take(now) {
            return News::Refused;
        }
        self.kept.insert(announced.instance.clone(), announced);
        News::Told
    }

    fn alike(&self, one: &Announced) -> usize {
        let address = |announced: &Announced| announced.addresses.first().map(SocketAddr::ip);
        let alike = |other: &&Announced| {
            let same_tag = matches!(one.what, Announcement::Member(_)) && other.what == one.what;
            let same_place = |ip: IpAddr| self.by_address && address(one) == Some(ip);
            same_tag || address(other).is_some_and(same_place)
        };
        self.kept.values().filter(alike).count()
    }
}

/// Everything that is announced near, as far as it is kept.
#[derive(Debug)]
pub(super) struct Table {
    expected: Shelf,
    strangers: Shelf,
    asked: Bucket,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            expected: Shelf::new(MAX_EXPECTED, false),
            strangers: Shelf::new(MAX_STRANGERS, true),
            asked: Bucket::new(MAX_EXPECTED + MAX_STRANGERS, ASKED_PER_SECOND),
        }
    }

    /// An announcement was heard at `now`. `expected` says whether the gate expects it: work for the gate, so it is asked
    /// only about news, and about so many.
    pub(super) fn heard(
        &mut self,
        announced: &Announced,
        expected: impl FnOnce(&Announced) -> bool,
        now: Duration,
    ) -> News {
        let kept = |shelf: &Shelf| shelf.kept.get(&announced.instance) == Some(announced);
        if kept(&self.expected) || kept(&self.strangers) {
            return News::Known;
        }
        if !self.asked.take(now) {
            return News::Refused;
        }
        let (shelf, other) = if expected(announced) {
            (&mut self.expected, &mut self.strangers)
        } else {
            (&mut self.strangers, &mut self.expected)
        };
        other.kept.remove(&announced.instance);
        shelf.put(announced.clone(), now)
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
