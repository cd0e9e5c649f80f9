//! What is shown of devices, and which one somebody means.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use api::devices::{Device, Error, Nearby};

use super::USUAL_PORT;
use super::facts;
use super::hub::Hub;
use crate::DeviceId;
use crate::engine::{Announcement, Path, Way};
use crate::profile::{MAX_NEEDS, Need, Profile};
use crate::session::{self, MAX_ADDRESSES};
use crate::trust::{Change, Member};

/// Fewest digits of an id that stand for it.
const MIN_DIGITS: usize = 4;

impl Hub {
    /// This device, then those of its group by name.
    pub(super) fn list(&self) -> Vec<Device> {
        let mut members: Vec<&Member> =
            self.group.iter().flat_map(|group| group.log.members().iter()).collect();
        members.sort_by(|a, b| (a.id != self.own, &a.name).cmp(&(b.id != self.own, &b.name)));
        if members.is_empty() {
            return vec![self.alone()];
        }
        members.into_iter().map(|member| self.row(member)).collect()
    }

    /// This device, in no group.
    fn alone(&self) -> Device {
        let form = facts::form();
        Device {
            name: facts::name().to_string(),
            id: self.own.to_string(),
            label: form.as_ref().map(|form| form.label().to_string()).unwrap_or_default(),
            form: form.map(String::from).unwrap_or_default(),
            state: "this".to_owned(),
            trouble: self.damaged.clone().unwrap_or_default(),
            ..Device::default()
        }
    }

    fn row(&self, member: &Member) -> Device {
        let (there, path) = (self.session.present(&member.id), self.path(&member.id));
        let state = match member.id == self.own {
            true => "this",
            false if there => "online",
            false => "offline",
        };
        let trouble = self.troubles.get(&member.id).filter(|_| state == "offline");
        let seen = if there {
            super::hub::now()
        } else {
            self.peers.get(&member.id).map_or(0, |known| known.seen)
        };
        let way = path.as_ref().map(|path| match &path.way {
            Way::Direct(address) => format!("direct {address}"),
            Way::Relay(url) => format!("relay {url}"),
        });
        Device {
            name: member.name.to_string(),
            id: member.id.to_string(),
            form: member.form.to_string(),
            level: member.level.to_string(),
            label: member.label.to_string(),
            state: state.to_owned(),
            seen: if state == "this" { 0 } else { seen },
            way: way.unwrap_or_default(),
            rtt: path
                .map_or(0, |path| u32::try_from(path.round_trip.as_micros()).unwrap_or(u32::MAX)),
            trouble: trouble.cloned().unwrap_or_default(),
        }
    }

    fn path(&self, id: &DeviceId) -> Option<Path> {
        self.links.get(&self.session.link(id)?)?.link.path()
    }

    /// Devices whose window is open, by name.
    pub(super) fn nearby(&self) -> Vec<Nearby> {
        let mut all = BTreeMap::new();
        for (announced, _) in self.near.values() {
            let Announcement::Pairing { name, form, id } = &announced.what else { continue };
            if *id == self.own {
                continue;
            }
            let addresses = announced.addresses.iter().map(ToString::to_string).collect();
            let (name, form) = (name.clone(), form.clone());
            all.insert((name.clone(), *id), Nearby { name, id: id.to_string(), form, addresses });
        }
        all.into_values().collect()
    }

    /// The device that is meant.
    pub(super) fn find(&self, device: &str) -> Result<DeviceId, Error> {
        let none = |why: &str| {
            Error::NotFound(format!("{why}: `ensctl device list` shows those of the group"))
        };
        let own = device == facts::name().as_str() || device.parse() == Ok(self.own);
        let Some(group) = &self.group else {
            return if own { Ok(self.own) } else { Err(super::group::in_none()) };
        };
        let members = group.log.members();
        if let Some(member) = members.named(device) {
            return Ok(member.id);
        }
        let digits = device.to_lowercase();
        let long =
            digits.len() >= MIN_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut all = members.ids().filter(|id| long && id.to_string().starts_with(&digits));
        match (all.next(), all.next()) {
            (Some(id), None) => Ok(id),
            (Some(_), Some(_)) => Err(none(&format!("several devices begin with {device}"))),
            _ => Err(none(&format!("no device of the group is called `{device}`"))),
        }
    }

    /// What a device is called.
    pub(super) fn name_of(&self, id: &DeviceId) -> String {
        self.member(id).map_or_else(|| id.short(), |member| member.name.to_string())
    }

    fn profile_of(&self, id: &DeviceId) -> Profile {
        if *id == self.own {
            return facts::profile();
        }
        self.peers.get(id).map(|known| known.profile.clone()).unwrap_or_default()
    }

    /// What a device is and has.
    pub(super) fn info(&self, device: &str) -> Result<HashMap<String, String>, Error> {
        let id = if device.is_empty() { self.own } else { self.find(device)? };
        let row = self.member(&id).map_or_else(|| self.alone(), |member| self.row(member));
        let profile = self.profile_of(&id);
        let mut info: HashMap<String, String> =
            profile.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let addresses =
            if id == self.own { self.addresses.clone() } else { self.session.addresses(&id) };
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let rows = [
            ("name", row.name),
            ("id", row.id),
            ("form", row.form),
            ("level", row.level),
            ("label", row.label),
            ("state", row.state),
            ("way", row.way),
            ("trouble", row.trouble),
            ("addresses", addresses.join(" ")),
            ("seen", if row.seen == 0 { String::new() } else { row.seen.to_string() }),
            ("rtt", if row.rtt == 0 { String::new() } else { row.rtt.to_string() }),
        ];
        let rows = rows.into_iter().map(|(name, value)| (name.to_owned(), value));
        info.extend(rows.filter(|(_, value)| !value.is_empty()));
        if let Some(group) = &self.group {
            info.insert("group".to_owned(), group.log.group().to_string());
        }
        Ok(info)
    }

    /// Devices that are here and have all of this, the best one first.
    pub(super) fn pick(&self, needs: &[String]) -> Result<Vec<Device>, Error> {
        if needs.len() > MAX_NEEDS {
            return Err(Error::Invalid(format!(
                "at most {MAX_NEEDS} needs are looked for at once"
            )));
        }
        let needs: Result<Vec<Need>, String> = needs.iter().map(|need| Need::read(need)).collect();
        let needs = needs.map_err(Error::Invalid)?;
        let here = self.list().into_iter().filter(|device| device.state != "offline");
        let with =
            here.filter_map(|device| Some((self.profile_of(&device.id.parse().ok()?), device)));
        let mut fit: Vec<(Profile, Device)> =
            with.filter(|(profile, _)| profile.has(&needs)).collect();
        fit.sort_by_cached_key(|(profile, device)| (profile.rank(), device.name.clone()));
        Ok(fit.into_iter().map(|(_, device)| device).collect())
    }

    /// Remembers an address where any device may be.
    pub(super) fn add_address(&mut self, address: &str) -> Result<(), Error> {
        let address = read(address)?;
        if self.added.len() >= MAX_ADDRESSES {
            let why = format!(
                "{MAX_ADDRESSES} addresses were added already: `ensctl device forget` takes one out"
            );
            return Err(Error::Refused(why));
        }
        let mut added = self.added.clone();
        added.retain(|one| *one != address);
        added.push(address);
        self.keep_added(added)
    }

    /// Forgets an address that was added.
    pub(super) fn forget_address(&mut self, address: &str) -> Result<(), Error> {
        let address = read(address)?;
        let mut added = self.added.clone();
        added.retain(|one| *one != address);
        if added.len() == self.added.len() {
            return Err(Error::NotFound(format!(
                "{address} was not added: `ensctl device doctor` shows those that were"
            )));
        }
        self.keep_added(added)
    }

    fn keep_added(&mut self, added: Vec<SocketAddr>) -> Result<(), Error> {
        let failed = |e| Error::Failed(format!("remembering the address: {e}"));
        self.files.keep_added(&added).map_err(failed)?;
        self.added.clone_from(&added);
        self.step(session::Event::Added(added));
        Ok(())
    }

    /// Clients hear what the owner changed.
    pub(super) fn tell_change(&self, change: &Change) {
        let (id, state) = match change {
            Change::Remove(id) => (id, "removed"),
            Change::Add { device, .. }
            | Change::Name { device, .. }
            | Change::Level { device, .. }
            | Change::Label { device, .. }
                if *device == self.own =>
            {
                (device, "this")
            }
            Change::Add { device, .. }
            | Change::Name { device, .. }
            | Change::Level { device, .. }
            | Change::Label { device, .. } => {
                (device, if self.session.present(device) { "online" } else { "offline" })
            }
        };
        self.tell_changed(id, state);
    }
}

/// An address, with the usual port where none is said.
fn read(text: &str) -> Result<SocketAddr, Error> {
    let bare = |_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, USUAL_PORT));
    let invalid = |_| {
        Error::Invalid(format!(
            "`{text}` is no address: write 192.168.1.20 or 192.168.1.20:28181; the other device's `ensctl device info` shows its"
        ))
    };
    text.parse::<SocketAddr>().or_else(bare).map_err(invalid)
}
