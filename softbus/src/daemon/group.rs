//! The group of this device: what its owner changes, what others have changed, and the end of it.
//!
//! ```text
//! none ── found, joined (pairing) ──► in a group ── left, removed, forgotten ──► none
//!                                      │ ▲
//!               owner's change, entries └─┘ kept on disk, told to all links, session and gate follow at once
//! ```
//!
//! Invariants: what this device signs is on its disk before anybody hears of it; a device that is not of the group any
//! more is told what says so, and then hung up on.

use std::collections::{BTreeMap, BTreeSet};

use api::devices::Error;

use super::files::Group;
use super::hub::Hub;
use crate::DeviceId;
use crate::session::{self, Bye, LinkId};
use crate::trust::{Change, Entry, Level, Member, Refused, Secret};

/// Most parameters for devices.
const MAX_PARAMETERS: usize = 256;

impl Hub {
    /// A device of the group.
    pub(super) fn member(&self, id: &DeviceId) -> Option<&Member> {
        self.group.as_ref()?.log.members().get(id)
    }

    /// The owner changes the group.
    pub(super) fn change(&mut self, change: &Change) -> Result<(), Error> {
        let group = self.group.as_ref().ok_or_else(in_none)?;
        let entries = group.log.author(&self.key, change).map_err(|why| refused(&why))?;
        let mut log = group.log.clone();
        log.merge(entries).map_err(|why| refused(&why))?;
        let group = Group { log, secret: group.secret.clone() };
        self.files.keep_group(Some(&group)).map_err(|e| kept(&e))?;
        self.group = Some(group);
        self.regroup();
        Ok(())
    }

    /// A peer told entries.
    pub(super) fn learn(&mut self, from: LinkId, entries: Vec<Entry>) {
        let Some(group) = &mut self.group else { return };
        let merged = group.log.merge(entries);
        match &merged {
            Ok(changed) if changed.added > 0 => {
                if let Err(e) = self.files.keep_group(Some(group)) {
                    // They come again.
                    super::say(4, &format!("keeping the group: {e}"));
                }
                self.regroup();
            }
            Ok(_) => {}
            Err(why) => super::say(4, &format!("a device told what is not of this group: {why}")),
        }
        self.tell_seen(from);
    }

    /// Everything follows the group as it is now.
    pub(super) fn regroup(&mut self) {
        let group = self.group.as_ref();
        if group.is_some_and(|group| group.log.members().get(&self.own).is_none()) {
            super::say(5, "this device is of its group no more");
            return self.forget_group();
        }
        self.renew_secret();
        let group = self.group.as_ref();
        let members = group.map(|group| group.log.members().clone());
        let secret = group.map(|group| group.secret.clone());
        self.gate.set(members.clone().zip(secret));
        // First what says that somebody is removed; then that is so.
        self.push_all();
        let ids: BTreeSet<DeviceId> = members.iter().flat_map(|members| members.ids()).collect();
        self.troubles.retain(|id, _| ids.contains(id));
        self.waiting.retain(|(id, _)| ids.contains(id));
        self.step(session::Event::Members(ids));
        self.meet_all();
        self.announce();
        self.tell_parameters();
    }

    /// A device that was removed knows the secret: an owner makes another.
    fn renew_secret(&mut self) {
        let Some(group) = &mut self.group else { return };
        let members = group.log.members();
        let owner = members.get(&self.own).is_some_and(|own| own.level == Level::Owner);
        let mut bytes = [0; 32];
        if !owner || !group.secret.is_stale(members) || sys::random::fill(&mut bytes).is_err() {
            return;
        }
        group.secret = Secret::new(members, bytes);
        if let Err(e) = self.files.keep_group(Some(group)) {
            super::say(4, &format!("keeping the group's secret: {e}"));
        }
        self.tell_secret();
    }

    /// A peer told its secret.
    pub(super) fn take_secret(&mut self, secret: &Secret) {
        let Some(group) = &mut self.group else { return };
        if !group.secret.take(secret, group.log.members()) {
            return;
        }
        if let Err(e) = self.files.keep_group(Some(group)) {
            super::say(4, &format!("keeping the group's secret: {e}"));
        }
        self.tell_secret();
        let Some(group) = &self.group else { return };
        self.gate.set(Some((group.log.members().clone(), group.secret.clone())));
        self.meet_all();
        self.announce();
    }

    /// This device leaves: the others are told, if they can be, and its group is forgotten.
    pub(super) fn leave(&mut self) -> Result<(), Error> {
        if self.group.is_some() {
            return self.change(&Change::Remove(self.own));
        }
        if self.damaged.is_none() {
            return Err(in_none());
        }
        self.files.keep_group(None).map_err(|e| kept(&e))?;
        self.damaged = None;
        Ok(())
    }

    /// The group is over for this device.
    fn forget_group(&mut self) {
        self.push_all();
        let all: Vec<LinkId> = self.links.keys().copied().collect();
        all.into_iter().for_each(|id| self.cut(id, Bye::Left));
        if let Err(e) = self.files.keep_group(None) {
            super::say(3, &format!("forgetting the group: {e}: `ensctl device leave` tries again"));
        }
        self.group = None;
        self.peers.clear();
        self.unsaved = true;
        self.save();
        self.regroup();
        let own = self.own;
        self.tell_changed(&own, "removed");
    }

    /// What servicemgr knows of devices: `device.NAME` and `devices.online`.
    pub(super) fn tell_parameters(&self) {
        let mut all = BTreeMap::new();
        let members = self.group.iter().flat_map(|group| group.log.members().iter());
        let mut online = 0_usize;
        for member in members.filter(|member| member.id != self.own) {
            let there = self.session.present(&member.id);
            online = online.saturating_add(usize::from(there));
            let name = parameter(member.name.as_str(), &member.id);
            let name = if all.contains_key(&name) {
                format!("{name}-{}", member.id.short())
            } else {
                name
            };
            if all.len() < MAX_PARAMETERS {
                all.insert(name, if there { "online" } else { "offline" }.to_owned());
            }
        }
        all.insert("devices.online".to_owned(), online.to_string());
        self.parameters.send_if_modified(|before| {
            let changed = *before != all;
            *before = all;
            changed
        });
    }
}

/// The parameter of a device of this name.
fn parameter(name: &str, id: &DeviceId) -> String {
    let plain = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_' || letter == '-'
    };
    let lower = name.to_lowercase();
    let word: String =
        lower.chars().map(|letter| if plain(letter) { letter } else { '-' }).take(64).collect();
    let word = word.trim_matches('-');
    if word.is_empty() { format!("device.{}", id.short()) } else { format!("device.{word}") }
}

pub(super) fn in_none() -> Error {
    Error::Refused(
        "this device is in no group: `ensctl device pair` or `accept` makes one".to_owned(),
    )
}

pub(super) fn refused(why: &Refused) -> Error {
    match why {
        Refused::NoSuchMember => Error::NotFound(why.to_string()),
        _ => Error::Refused(why.to_string()),
    }
}

fn kept(e: &std::io::Error) -> Error {
    Error::Failed(format!("keeping the group in /var/lib/softbus: {e}: nothing was changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_has_a_parameter() {
        let id = DeviceId([0xab; 32]);
        assert_eq!(parameter("tv", &id), "device.tv");
        assert_eq!(parameter("Anna's phone", &id), "device.anna-s-phone");
        assert_eq!(parameter("電話", &id), "device.ababababab");
    }
}
