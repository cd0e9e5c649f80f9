//! Stories of groups: who says what, who hears of it when, and who is a member then.

mod bounds;
mod model;
mod properties;
mod stories;

use super::entry::Place;
use super::*;
use crate::DeviceId;

/// A device with its key and what it knows of the group.
#[derive(Clone)]
pub(super) struct Device {
    pub(super) key: SecretKey,
    pub(super) log: Log,
}

pub(super) fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32])
}

pub(super) fn id(number: u8) -> DeviceId {
    key(number).id()
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(super) fn card(text: &str, level: Level) -> Card {
    Card { level, ..Card::joins(name(text), Form::new("phone").unwrap()) }
}

/// Device 1 founds a group.
pub(super) fn founder() -> Device {
    let log = Log::found(&key(1), card("one", Level::Owner), [7; 16]).unwrap();
    Device { key: key(1), log }
}

impl Device {
    /// Says something, and takes it in.
    pub(super) fn says(&mut self, change: &Change) -> Vec<Entry> {
        let entries = self.log.author(&self.key, change).unwrap();
        self.log.merge(entries.clone()).unwrap();
        entries
    }

    /// Adds another, which then knows the group.
    pub(super) fn adds(&mut self, number: u8, level: Level) -> Device {
        let text = ["", "one", "two", "three", "four", "five"]
            .get(usize::from(number))
            .copied()
            .unwrap_or("more");
        self.says(&Change::Add { device: id(number), card: card(text, level) });
        Device { key: key(number), log: self.log.clone() }
    }

    /// Tells another all that it lacks.
    pub(super) fn tells(&self, other: &mut Device) {
        while let entries = self.log.since(&other.log.seen(), 4000)
            && !entries.is_empty()
        {
            let changed = other.log.merge(entries).unwrap();
            assert!(changed.added > 0, "every page brings something");
        }
    }

    /// Who is a member, as it sees it.
    pub(super) fn members(&self) -> Vec<String> {
        let mut all: Vec<_> = self
            .log
            .members()
            .iter()
            .map(|member| format!("{} {}", member.name, member.level))
            .collect();
        all.sort();
        all
    }

    pub(super) fn has(&self, number: u8) -> bool {
        self.log.members().admits(&id(number)).is_some()
    }

    /// What a device can sign that does not care what it may, after `before`, in a life it claims.
    pub(super) fn forges(
        &self,
        life: u32,
        before: Option<&Entry>,
        clock: u64,
        what: &What,
    ) -> Entry {
        let author = Author { device: self.key.id(), life };
        let number = before.map_or(1, |entry| entry.number() + 1);
        let place = Place { author, number, before: before.map(Entry::id), clock };
        Entry::sign(&self.key, self.log.group(), place, what).unwrap()
    }

    /// The last entry of a device in a life.
    pub(super) fn last(&self, number: u8, life: u32) -> Option<&Entry> {
        self.log.chain(Author { device: id(number), life }).last()
    }
}

/// Both tell each other all.
pub(super) fn meet(one: &mut Device, other: &mut Device) {
    one.tells(other);
    other.tells(one);
    assert_eq!(one.log.members(), other.log.members());
    assert_eq!(one.log.seen(), other.log.seen());
}
