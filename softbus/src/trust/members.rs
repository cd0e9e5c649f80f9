//! Who is in the group, and as what: what the entries that count come to.
//!
//! ```text
//! Add ──► life begins ──┬─ a Remove of it or a later one: out
//!                       └─ the latest life: a member; its name and label: what was said last, by anybody who may
//! ```
//!
//! Invariant: names differ. The device that came first has the plain one.

use std::collections::{BTreeMap, BTreeSet};

use super::card::{Card, Form, Label, Level, Name};
use super::entry::{Author, Entry, What};
use super::judge::Judged;
use super::log::Log;
use crate::DeviceId;

/// Devices of a group.
pub const MAX_DEVICES: usize = 1000;

/// A device of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub id: DeviceId,
    /// What it is called: unlike any other.
    pub name: Name,
    /// What it was called.
    pub given: Name,
    /// What kind it is.
    pub form: Form,
    /// What it may do.
    pub level: Level,
    /// What it may store.
    pub label: Label,
    /// Who added it.
    pub by: DeviceId,
    pub(super) life: u32,
    /// It was lowered in this life.
    pub(super) lowered: bool,
}

impl Member {
    pub(super) const fn author(&self) -> Author {
        Author { device: self.id, life: self.life }
    }
}

/// The devices of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    devices: BTreeMap<DeviceId, Member>,
    /// Lives that are over.
    removed: BTreeSet<Author>,
    /// The latest life of each device that ever was in the group.
    lives: BTreeMap<DeviceId, u32>,
}

/// When something was said: the latest counts.
type At = (u64, u64, Author, super::EntryId);

/// What the entries say of one device.
#[derive(Default)]
struct Said {
    /// The latest of what was said.
    name: Option<(At, Name)>,
    label: Option<(At, Label)>,
    lives: BTreeMap<u32, Life>,
    over: u32,
}

/// One life of a device.
struct Life {
    since: At,
    by: DeviceId,
    card: Card,
    /// When lowered, what it is since.
    lowered: Option<(At, Level)>,
}

impl Members {
    /// The device, if it is in the group.
    #[must_use]
    pub fn get(&self, id: &DeviceId) -> Option<&Member> {
        self.devices.get(id)
    }

    /// Whether a device may have a session: the member that it is.
    #[must_use]
    pub fn admits(&self, id: &DeviceId) -> Option<&Member> {
        self.get(id)
    }

    /// The device of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Member> {
        self.iter().find(|member| member.name.as_str() == name)
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.devices.values()
    }

    /// Their ids.
    pub fn ids(&self) -> impl Iterator<Item = DeviceId> {
        self.devices.keys().copied()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether nobody is in the group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// How many lives in the group are over: each makes the group's secret stale.
    #[must_use]
    pub fn removals(&self) -> u64 {
        u64::try_from(self.removed.len()).unwrap_or(u64::MAX)
    }

    /// The next life of a device; none if there is none left.
    pub(super) fn next_life(&self, device: &DeviceId) -> Option<u32> {
        self.lives.get(device).copied().unwrap_or_default().checked_add(1)
    }

    /// The lives of a device that nobody ended.
    pub(super) fn lives(&self, device: &DeviceId) -> impl Iterator<Item = Author> {
        let last = self.lives.get(device).copied().unwrap_or_default();
        let device = *device;
        // Lives are begun one after the other: there are as many as entries at most.
        let all =
            (1..=last).rev().take(super::MAX_ENTRIES).map(move |life| Author { device, life });
        all.filter(|author| !self.removed.contains(author))
    }

    /// What a log comes to.
    pub(super) fn of(log: &Log) -> Self {
        let judged = Judged::of(log);
        let mut counting: Vec<&Entry> =
            log.entries().filter(|entry| judged.counts(entry)).collect();
        counting.sort_by_key(|entry| entry.order());
        let mut said: BTreeMap<DeviceId, Said> = BTreeMap::new();
        let mut members = Self::default();
        for entry in counting {
            hear(&mut said, entry, &mut members.removed);
        }
        members.lives = said.iter().map(|(id, said)| (*id, said.last())).collect();
        let mut devices: Vec<(At, Member)> =
            said.into_iter().filter_map(|(id, said)| said.member(id, &judged)).collect();
        devices.sort_by_key(|(since, _)| *since);
        let mut taken = BTreeSet::new();
        for (_, mut member) in devices {
            member.name = distinct(&member.given, &taken);
            taken.insert(member.name.clone());
            members.devices.insert(member.id, member);
        }
        members
    }
}

/// The name, or the next of it that nobody has.
fn distinct(given: &Name, taken: &BTreeSet<Name>) -> Name {
    if !taken.contains(given) {
        return given.clone();
    }
    let numbered = (2..=taken.len().saturating_add(1)).map(|number| given.numbered(number));
    // There is always one: as many names are tried as are taken, and they differ.
    numbered.into_iter().find(|name| !taken.contains(name)).unwrap_or_else(|| given.clone())
}

/// One entry that counts, after those before it.
fn hear(said: &mut BTreeMap<DeviceId, Said>, entry: &Entry, removed: &mut BTreeSet<Author>) {
    let at = entry.order();
    match entry.what() {
        What::Found { card, .. } => begin(said, entry.author(), entry, card),
        What::Add { who, card } => begin(said, *who, entry, card),
        What::Remove { who, .. } => {
            removed.insert(*who);
            let said = said.entry(who.device).or_default();
            said.over = said.over.max(who.life);
        }
        What::Name { device, name } => {
            said.entry(*device).or_default().name = Some((at, name.clone()));
        }
        What::Label { device, label } => {
            said.entry(*device).or_default().label = Some((at, *label));
        }
        What::Level { who, level, .. } => {
            let life = said.entry(who.device).or_default().lives.get_mut(&who.life);
            if let (Some(life), Level::Guest | Level::Member) = (life, level) {
                life.lowered = Some((at, *level));
            }
        }
        What::Unknown => {}
    }
}

fn begin(said: &mut BTreeMap<DeviceId, Said>, who: Author, entry: &Entry, card: &Card) {
    let (since, by) = (entry.order(), entry.author().device);
    let said = said.entry(who.device).or_default();
    said.name = Some((since, card.name.clone()));
    said.label = Some((since, card.label));
    let life = Life { since, by, card: card.clone(), lowered: None };
    // Added twice at the same time: the first, as an owner if either says so.
    said.lives.entry(who.life).or_insert(life);
}

impl Said {
    fn last(&self) -> u32 {
        self.lives.keys().last().copied().unwrap_or_default().max(self.over)
    }

    fn member(self, id: DeviceId, judged: &Judged) -> Option<(At, Member)> {
        let (life, Life { since, by, card, lowered }) = self.lives.into_iter().next_back()?;
        if life <= self.over {
            return None;
        }
        let level = match lowered {
            Some((_, level)) => level,
            None if judged.owners.contains(&Author { device: id, life }) => Level::Owner,
            None => card.level.min(Level::Member),
        };
        let given = self.name.map_or(card.name, |(_, name)| name);
        let label = self.label.map_or(card.label, |(_, label)| label);
        let lowered = lowered.is_some();
        let name = given.clone();
        Some((since, Member { id, name, given, form: card.form, level, label, by, life, lowered }))
    }
}
