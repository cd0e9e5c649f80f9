//! The entries that a device holds.
//!
//! ```text
//! entry ──merge──► held already? ──no──► what it stands on held? ──yes──► room, signed? ──yes──► held
//!                      └ yes: nothing          └ no: waits in the page,           └ no: refused
//!                                                then left out: it comes again
//! peer's Seen ──since──► the entries it lacks, a page at a time, what others stand on first
//! ```
//!
//! Invariant: with an entry its author's entries before it are held, the entry that begins its author's life, and the one
//! up to which it lets another's count. Nothing is ever taken out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::card::Card;
use super::entry::{Author, Entry, EntryId, GroupId, Place, SecretKey, What};
use super::members::Members;
use crate::DeviceId;

/// Entries of a group: a thousand devices, each renamed and moved about a few times.
pub const MAX_ENTRIES: usize = 8192;

/// Entries of one author: so that one alone cannot fill the group.
pub const MAX_AUTHOR_ENTRIES: usize = 4096;

/// Authors in a [`Seen`]: what is beyond is sent again.
pub const MAX_SEEN: usize = 1200;

/// Bytes of a log as a file.
pub const MAX_FILE: usize = FILE.len() + 16 + MAX_ENTRIES * (2 + super::MAX_ENTRY);

/// The latest clock: far from what honest devices reach, and from where adding one would overflow.
const MAX_CLOCK: u64 = 1 << 48;

/// What the file begins with.
const FILE: &[u8] = b"ensemble trust 1\n";

/// Why something was not taken into the group, or not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// An entry of another group.
    #[error("an entry is of another group")]
    OtherGroup,
    /// The signature is not its author's.
    #[error("an entry is not signed by its author")]
    NotSigned,
    /// It does not follow the entry it says it follows, or founds a group that is not its.
    #[error("an entry does not fit where it says it stands")]
    Misplaced,
    /// No room for more entries of this author, or of the group.
    #[error(
        "the group holds as many entries as it can: another owner may go on, or found a new group"
    )]
    Full,
    /// The file of the log cannot be read.
    #[error("the file of the group is damaged")]
    Damaged,
    /// The device is in no group, or not in this one.
    #[error("this device is not in the group")]
    NotAMember,
    /// Who is spoken of is not in the group.
    #[error("that device is not in the group")]
    NoSuchMember,
    /// It is in the group already.
    #[error("that device is in the group already")]
    AlreadyMember,
    /// A device that is not an owner changes the group.
    #[error(
        "only an owner of the group may do that: `ensctl device level DEVICE owner`, on an owner, makes one"
    )]
    NotOwner,
    /// Nobody would be left to change the group.
    #[error(
        "no other device is an owner, and nobody could change the group: make one an owner first"
    )]
    LastOwner,
}

/// What a merge changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Entries that were new.
    pub added: usize,
    /// Entries left out because what they stand on was not there, or for lack of room: they come again.
    pub left: usize,
    /// Devices that are members now and were not.
    pub joined: Vec<DeviceId>,
    /// Devices that are not members any more.
    pub gone: Vec<DeviceId>,
}

/// Of each author, how many entries are held, and which: 64 bits of their hashes, joined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen(Vec<(Author, u32, u64)>);

impl Seen {
    /// Whether it is no longer than one that this version makes.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.0.len() <= MAX_SEEN
    }

    /// The longest.
    #[cfg(test)]
    pub(super) fn most() -> Self {
        let far = Author { device: DeviceId([0xff; 32]), life: u32::MAX };
        Self(vec![(far, 4096, u64::MAX); MAX_SEEN])
    }
}

/// The entries of a group that a device holds, and who is a member by them.
#[derive(Debug, Clone)]
pub struct Log {
    group: GroupId,
    held: BTreeMap<EntryId, Entry>,
    /// In the order of their chains.
    chains: BTreeMap<Author, BTreeSet<(u64, EntryId)>>,
    /// Lives that an entry begins, whether it counts or not.
    begun: BTreeSet<Author>,
    members: Members,
}

impl Log {
    /// A log without entries, for a group that is yet to be learned of.
    #[must_use]
    pub fn new(group: GroupId) -> Self {
        let (held, chains, begun) = Default::default();
        Self { group, held, chains, begun, members: Members::default() }
    }

    /// A new group with this device in it, and its first entry. `nonce` is random.
    ///
    /// # Errors
    /// Never, with a card that was checked.
    pub fn found(key: &SecretKey, card: Card, nonce: [u8; 16]) -> Result<Self, Refused> {
        let mut log = Self::new(GroupId::of(&key.id(), &nonce));
        let author = Author { device: key.id(), life: 1 };
        let place = Place { author, number: 1, before: None, clock: 1 };
        let found = Entry::sign(key, log.group, place, &What::Found { nonce, card })
            .ok_or(Refused::Misplaced)?;
        log.merge(vec![found])?;
        Ok(log)
    }

    /// Which group.
    #[must_use]
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// Who is in the group.
    #[must_use]
    pub const fn members(&self) -> &Members {
        &self.members
    }

    /// How many entries are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.held.values()
    }

    pub(super) fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.held.get(&id)
    }

    /// An author's entries, each after those before it.
    pub(super) fn chain(&self, author: Author) -> impl Iterator<Item = &Entry> {
        let ids = self.chains.get(&author).into_iter().flatten();
        ids.filter_map(|(_, id)| self.held.get(id))
    }

    /// Where the next entry of an author goes.
    pub(super) fn next(&self, author: Author) -> Option<Place> {
        let last = self.chain(author).last();
        let number = last.map_or(0, Entry::number).checked_add(1)?;
        let clock = self.held.values().map(Entry::clock).max().unwrap_or_default();
        let clock = clock.saturating_add(1).min(MAX_CLOCK);
        Some(Place { author, number, before: last.map(Entry::id), clock })
    }

    /// Takes entries in, whatever their order; what is held already is passed over.
    ///
    /// # Errors
    /// One of them is not what it says. Those found good before it stay.
    pub fn merge(&mut self, entries: Vec<Entry>) -> Result<Changed, Refused> {
        let mut waiting = entries;
        waiting.sort_by_key(Entry::order);
        let mut changed = Changed::default();
        let mut outcome = Ok(());
        loop {
            let before = waiting.len();
            waiting.retain(|entry| {
                outcome.is_ok() && !self.take(entry, &mut changed.added, &mut outcome)
            });
            if outcome.is_err() || waiting.len() == before || waiting.is_empty() {
                break;
            }
        }
        changed.left = waiting.len();
        if changed.added > 0 {
            let members = Members::of(self);
            changed.joined = members.ids().filter(|id| self.members.get(id).is_none()).collect();
            changed.gone = self.members.ids().filter(|id| members.get(id).is_none()).collect();
            self.members = members;
        }
        outcome.map(|()| changed)
    }

    /// Whether the entry is done with.
    fn take(
        &mut self,
        entry: &Entry,
        added: &mut usize,
        outcome: &mut Result<(), Refused>,
    ) -> bool {
        if self.held.contains_key(&entry.id()) {
            return true;
        }
        if !self.has_what_it_needs(entry) || !self.has_room(entry.author()) {
            return false;
        }
        *outcome = self.fits(entry);
        if outcome.is_ok() {
            self.hold(entry.clone());
            *added = added.saturating_add(1);
        }
        true
    }

    fn has_what_it_needs(&self, entry: &Entry) -> bool {
        let begun =
            matches!(entry.what(), What::Found { .. }) || self.begun.contains(&entry.author());
        let stands_on = [entry.before(), entry.what().needs()];
        // Entries of another group need nothing: they are refused.
        entry.group() != self.group
            || begun && stands_on.iter().flatten().all(|id| self.held.contains_key(id))
    }

    fn has_room(&self, author: Author) -> bool {
        let own = self.chains.get(&author).map_or(0, BTreeSet::len);
        own < MAX_AUTHOR_ENTRIES && self.held.len() < MAX_ENTRIES
    }

    /// Whether it is right where it stands; what it needs is held.
    fn fits(&self, entry: &Entry) -> Result<(), Refused> {
        if entry.group() != self.group {
            return Err(Refused::OtherGroup);
        }
        let author = entry.author();
        if let Some(before) = entry.before().and_then(|id| self.held.get(&id)) {
            let follows =
                before.author() == author && before.number().checked_add(1) == Some(entry.number());
            let later = entry.clock() > before.clock() || entry.clock() == MAX_CLOCK;
            if !follows || !later {
                return Err(Refused::Misplaced);
            }
        }
        if let What::Found { nonce, .. } = entry.what() {
            let founds = GroupId::of(&author.device, nonce) == self.group;
            if !founds || author.life != 1 || entry.number() != 1 {
                return Err(Refused::Misplaced);
            }
        }
        if let What::Remove { who, last: Some(last) } | What::Level { who, last: Some(last), .. } =
            entry.what()
            && self.held.get(last).is_none_or(|last| last.author() != *who)
        {
            return Err(Refused::Misplaced);
        }
        if entry.clock() > MAX_CLOCK {
            return Err(Refused::Misplaced);
        }
        if entry.is_signed() { Ok(()) } else { Err(Refused::NotSigned) }
    }

    fn hold(&mut self, entry: Entry) {
        match entry.what() {
            What::Found { .. } => _ = self.begun.insert(entry.author()),
            What::Add { who, .. } => _ = self.begun.insert(*who),
            _ => {}
        }
        self.chains.entry(entry.author()).or_default().insert((entry.number(), entry.id()));
        self.held.insert(entry.id(), entry);
    }

    /// What is held, for a peer to see what this device lacks.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let authors = self.chains.keys().take(MAX_SEEN);
        Seen(authors.map(|author| self.mark(*author, usize::MAX)).collect())
    }

    /// The first entries of an author, so many: how many there are, and their digest.
    fn mark(&self, author: Author, first: usize) -> (Author, u32, u64) {
        let marks = self.chain(author).take(first).map(|entry| digest(entry.id()));
        let (count, joined) = marks
            .fold((0_u32, 0), |(count, joined), mark| (count.saturating_add(1), joined ^ mark));
        (author, count, joined)
    }

    /// Entries that a peer who has seen this lacks: at most so many bytes of them, what others stand on first. When both
    /// hold the same there are none; a peer to whom a page brought nothing has no room for it, and is not asked again.
    #[must_use]
    pub fn since(&self, seen: &Seen, bytes: usize) -> Vec<Entry> {
        let theirs: BTreeMap<_, _> =
            seen.0.iter().map(|(author, count, joined)| (*author, (*count, *joined))).collect();
        let mut lacking: Vec<&Entry> = Vec::new();
        for author in self.chains.keys() {
            let (count, joined) = theirs.get(author).copied().unwrap_or_default();
            let first = usize::try_from(count).unwrap_or(usize::MAX);
            let held = self.chains.get(author).map_or(0, BTreeSet::len);
            if held < first {
                // Theirs is longer: when they have sent it, it is seen whether it is the same.
                continue;
            }
            // The same so far: the rest. Otherwise one of us holds a branch that the other does not.
            let same = self.mark(*author, first) == (*author, count, joined);
            lacking.extend(self.chain(*author).skip(if same { first } else { 0 }));
        }
        lacking.sort_by_key(|entry| entry.order());
        let mut room = bytes;
        let fits = |entry: &&&Entry| {
            let left = room.checked_sub(entry.as_bytes().len().saturating_add(2));
            room = left.unwrap_or_default();
            left.is_some()
        };
        lacking.iter().take_while(fits).map(|entry| (*entry).clone()).collect()
    }

    /// All entries, what others stand on first.
    #[must_use]
    pub fn all(&self) -> Vec<Entry> {
        self.since(&Seen::default(), usize::MAX)
    }

    /// As a file has it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [FILE, &self.group.0].concat();
        for entry in self.all() {
            let length = u16::try_from(entry.as_bytes().len()).unwrap_or_default();
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(entry.as_bytes());
        }
        bytes
    }

    /// Reads a file. Signatures are checked again: the disk is not trusted more than a peer.
    ///
    /// # Errors
    /// It is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        let rest = bytes.strip_prefix(FILE).ok_or(Refused::Damaged)?;
        let (group, mut rest) = rest.split_first_chunk::<16>().ok_or(Refused::Damaged)?;
        let mut log = Self::new(GroupId(*group));
        let mut entries = Vec::new();
        while let Some((length, tail)) = rest.split_first_chunk::<2>() {
            let (entry, tail) = tail
                .split_at_checked(usize::from(u16::from_le_bytes(*length)))
                .ok_or(Refused::Damaged)?;
            entries.push(Entry::from_bytes(entry).map_err(|_| Refused::Damaged)?);
            rest = tail;
        }
        let changed = log.merge(entries)?;
        if changed.left > 0 || !rest.is_empty() {
            return Err(Refused::Damaged);
        }
        Ok(log)
    }
}

/// What a hash gives to a [`Seen`].
fn digest(id: EntryId) -> u64 {
    id.0.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
