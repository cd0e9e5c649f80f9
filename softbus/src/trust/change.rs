//! What an owner wants changed, and the entries that say it.
//!
//! ```text
//! Add    → Add of the next life             Level to owner → Level; of one that was lowered: Remove, Add of the next life
//! Remove → Remove of each life, up to the    Level lower    → Level, up to the last entry known
//!          last entry known                 Name, Label    → the same
//! ```
//!
//! Invariant: what is written counts where it is written: nothing is signed that the judge would not let count.

use super::card::{Card, Label, Level, Name};
use super::entry::{Author, Entry, SecretKey, What};
use super::log::{Log, Refused};
use super::members::{MAX_DEVICES, Member};
use crate::DeviceId;

/// What is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A device comes in.
    Add {
        /// Which.
        device: DeviceId,
        /// What it is.
        card: Card,
    },
    /// A device goes; itself, it leaves.
    Remove(DeviceId),
    /// A device is called otherwise.
    Name {
        /// Which.
        device: DeviceId,
        /// Its name.
        name: Name,
    },
    /// A device may do more, or less.
    Level {
        /// Which.
        device: DeviceId,
        /// Its level.
        level: Level,
    },
    /// A device may store more, or less.
    Label {
        /// Which.
        device: DeviceId,
        /// Its label.
        label: Label,
    },
}

impl Log {
    /// Signs what says this change, for [`Log::merge`], the disk and the others. Nothing is taken in yet: what was signed
    /// and is not stored would be signed once more.
    ///
    /// # Errors
    /// This device may not say it, or it is of a device that is not there.
    pub fn author(&self, key: &SecretKey, change: &Change) -> Result<Vec<Entry>, Refused> {
        let me = self.members().get(&key.id()).ok_or(Refused::NotAMember)?;
        let own = match change {
            Change::Name { device, .. } | Change::Remove(device) => *device == me.id,
            _ => false,
        };
        if !own && me.level != Level::Owner {
            return Err(Refused::NotOwner);
        }
        let whats = self.whats(me, change)?;
        let mut place = self.next(me.author()).ok_or(Refused::Full)?;
        let mut entries = Vec::new();
        for what in whats {
            let entry = Entry::sign(key, self.group(), place, &what).ok_or(Refused::Full)?;
            place.number = place.number.saturating_add(1);
            place.clock = place.clock.saturating_add(1);
            place.before = Some(entry.id());
            entries.push(entry);
        }
        Ok(entries)
    }

    fn whats(&self, me: &Member, change: &Change) -> Result<Vec<What>, Refused> {
        let member = |device: &DeviceId| self.members().get(device).ok_or(Refused::NoSuchMember);
        Ok(match change {
            Change::Add { device, card } => {
                if self.members().get(device).is_some() {
                    return Err(Refused::AlreadyMember);
                }
                if self.members().len() >= MAX_DEVICES {
                    return Err(Refused::Full);
                }
                vec![self.add(*device, card.clone())?]
            }
            Change::Remove(device) => {
                self.leaves_an_owner(member(device)?)?;
                if *device == me.id {
                    vec![self.removal(me.author())]
                } else {
                    self.removals(device)
                }
            }
            Change::Name { device, name } => {
                member(device)?;
                vec![What::Name { device: *device, name: name.clone() }]
            }
            Change::Label { device, label } => {
                member(device)?;
                vec![What::Label { device: *device, label: *label }]
            }
            Change::Level { device, level } => self.level(member(device)?, *level)?,
        })
    }

    fn add(&self, device: DeviceId, card: Card) -> Result<What, Refused> {
        let life = self.members().next_life(&device).ok_or(Refused::Full)?;
        Ok(What::Add { who: Author { device, life }, card })
    }

    fn removal(&self, who: Author) -> What {
        What::Remove { who, last: self.chain(who).last().map(Entry::id) }
    }

    /// All lives that nobody ended: whatever of them is unknown here is void with them.
    fn removals(&self, device: &DeviceId) -> Vec<What> {
        self.members().lives(device).map(|who| self.removal(who)).collect()
    }

    fn level(&self, member: &Member, level: Level) -> Result<Vec<What>, Refused> {
        if member.level == level {
            return Ok(Vec::new());
        }
        if level == Level::Owner && member.lowered {
            let Member { given, form, label, .. } = member.clone();
            let mut whats = self.removals(&member.id);
            whats.push(self.add(member.id, Card { name: given, form, level, label })?);
            return Ok(whats);
        }
        if level != Level::Owner {
            self.leaves_an_owner(member)?;
        }
        let who = member.author();
        Ok(vec![What::Level { who, level, last: self.chain(who).last().map(Entry::id) }])
    }

    /// Whether others can still change the group without this one; alone, nobody needs to.
    fn leaves_an_owner(&self, member: &Member) -> Result<(), Refused> {
        let mut others = self.members().iter().filter(|other| other.id != member.id).peekable();
        if member.level != Level::Owner
            || others.peek().is_none()
            || others.any(|other| other.level == Level::Owner)
        {
            return Ok(());
        }
        Err(Refused::LastOwner)
    }
}
