//! Signals on the bus that start services: servicemgr as one more client of it, only while an armed
//! service waits for one.
//!
//! ```text
//! connect ─► greeting, Hello ─► per service: NameOwnerChanged and GetNameOwner of its senders, AddMatch
//!   ▲             ┌───────────────────────────────────────────────┘
//!   │             └─► signal ─► which services? ─► rest: RemoveMatch, until it is armed again
//!   └─ hung up on, or the bus began anew
//! ```
//!
//! A line of its own, so that whoever floods it delays no service of type `dbus`. PID 1 holds it: what
//! comes while servicemgr is replaced waits in it. The bus filters; here it is only found out
//! for whom a signal is. What is sent to us alone was not asked for, and is thrown away.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;

use model::service::SignalMatch;
use serde::{Deserialize, Serialize};

use super::line::{Item, Line};
use super::message::{self, GREETING, Heard, Kind, Method, Packet};
use super::owners::BUS;
use super::policy::DRIVER;
use crate::engine::Id;

/// Under which name PID 1 holds the line.
pub(in crate::daemon) const HELD: &str = "signals";

/// Calls that one servicemgr makes at most, as far as their numbers go.
const CALLS: u32 = 1 << 20;

/// Longest text of a signal that its service is told, in bytes; of a longer one it hears nothing.
const MAX_TOLD: usize = 1024;

/// What a service that was started by a signal is told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::daemon) struct Facts {
    sender: String,
    path: String,
    interface: String,
    member: String,
    arg0: Option<String>,
}

impl Facts {
    fn of(heard: &Heard) -> Self {
        let short = |text: &str| if text.len() > MAX_TOLD { "" } else { text }.to_owned();
        Self {
            sender: short(&heard.sender),
            path: short(&heard.path),
            interface: short(&heard.interface),
            member: short(&heard.member),
            arg0: heard.text().filter(|text| text.len() <= MAX_TOLD).map(str::to_owned),
        }
    }

    /// As variables for a process.
    pub(in crate::daemon) fn variables(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("SIGNAL_SENDER", Some(&self.sender)),
            ("SIGNAL_PATH", Some(&self.path)),
            ("SIGNAL_INTERFACE", Some(&self.interface)),
            ("SIGNAL_MEMBER", Some(&self.member)),
            ("SIGNAL_ARG0", self.arg0.as_ref()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?.clone()))).collect()
    }

    /// For people.
    pub(in crate::daemon) fn sentence(&self) -> String {
        let Self { sender, path, interface, member, .. } = self;
        format!("{interface}.{member} of {path}, sent by {sender}")
    }
}

/// Who owns the name of a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    /// The bus did not say it yet, and passes on no signal by this name before it does.
    Asked,
    /// This one, or nobody.
    Known(String),
}

/// What was asked and is to be answered.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Owner(String),
    Match(String),
}

/// Our connection for signals.
#[derive(Debug)]
pub(in crate::daemon) struct Signals {
    pub(super) line: Line,
    serial: u32,
    asked: BTreeMap<u32, Asked>,
    owners: BTreeMap<String, Owner>,
    watched: BTreeMap<Id, Vec<SignalMatch>>,
    /// There may be signals in the line which came for a servicemgr before us: as the bus has
    /// filtered them, they count whoever sent them.
    went_on: bool,
}

impl Signals {
    /// Begins to talk to a bus.
    ///
    /// # Errors
    /// As [`Line::send`].
    pub(in crate::daemon) fn begin(socket: OwnedFd) -> io::Result<Self> {
        let mut this = Self::on(socket, 0, false)?;
        this.line.send(Packet { bytes: GREETING.to_vec(), fd: None })?;
        this.ask("Hello", &())?;
        Ok(this)
    }

    /// Goes on where a servicemgr before us was: none of `rules` is watched any more.
    ///
    /// # Errors
    /// As [`Line::send`].
    pub(in crate::daemon) fn go_on<'a>(
        socket: OwnedFd,
        generation: u32,
        rules: impl Iterator<Item = &'a SignalMatch>,
    ) -> io::Result<Self> {
        let mut this = Self::on(socket, (generation % 4095).saturating_mul(CALLS), true)?;
        let mut senders = BTreeSet::new();
        for wanted in rules {
            this.ask("RemoveMatch", &(rule(wanted),))?;
            senders.insert(&wanted.sender);
        }
        for name in senders {
            this.ask("RemoveMatch", &(rule_of_owner(name),))?;
        }
        Ok(this)
    }

    fn on(socket: OwnedFd, serial: u32, went_on: bool) -> io::Result<Self> {
        Ok(Self {
            line: Line::new(socket)?,
            serial,
            asked: BTreeMap::new(),
            owners: BTreeMap::new(),
            watched: BTreeMap::new(),
            went_on,
        })
    }

    /// Watches for the signals of a service, unless that is done already.
    ///
    /// # Errors
    /// As [`Line::send`].
    pub(in crate::daemon) fn watch(&mut self, id: Id, wanted: &[SignalMatch]) -> io::Result<()> {
        if self.watched.contains_key(&id) {
            return Ok(());
        }
        for one in wanted {
            self.follow_owner(&one.sender)?;
            let rule = rule(one);
            let serial = self.ask("AddMatch", &(&rule,))?;
            self.asked.insert(serial, Asked::Match(rule));
        }
        self.watched.insert(id, wanted.to_vec());
        Ok(())
    }

    /// Its signals wake us no more.
    ///
    /// # Errors
    /// As [`Line::send`].
    pub(in crate::daemon) fn rest(&mut self, id: Id) -> io::Result<()> {
        for one in self.watched.remove(&id).into_iter().flatten() {
            self.ask("RemoveMatch", &(rule(&one),))?;
        }
        Ok(())
    }

    fn follow_owner(&mut self, name: &str) -> io::Result<()> {
        if name.is_empty() || name == DRIVER || self.owners.contains_key(name) {
            return Ok(());
        }
        self.ask("AddMatch", &(rule_of_owner(name),))?;
        let serial = self.ask("GetNameOwner", &(name,))?;
        self.asked.insert(serial, Asked::Owner(name.to_owned()));
        self.owners.insert(name.to_owned(), Owner::Asked);
        Ok(())
    }

    fn ask<B>(&mut self, member: &str, body: &B) -> io::Result<u32>
    where
        B: Serialize + zbus::wire::DynamicType,
    {
        self.serial = self.serial.checked_add(1).unwrap_or(1);
        let call = message::call(self.serial, Method { member, ..BUS }, body);
        self.line.send(call.ok_or(io::ErrorKind::InvalidInput)?)?;
        Ok(self.serial)
    }

    /// What came next, if anything did: for whom it is, perhaps for nobody, and what they are told. It
    /// stays until [`Signals::done`].
    ///
    /// # Errors
    /// The bus is gone, or speaks something else.
    pub(in crate::daemon) fn next(&mut self) -> io::Result<Option<(Vec<Id>, Facts)>> {
        self.line.flush()?;
        let Some(item) = self.line.next()? else { return Ok(None) };
        Ok(Some(self.hear(&item).unwrap_or_default()))
    }

    /// Takes away what [`Signals::next`] gave.
    ///
    /// # Errors
    /// The bus is gone.
    pub(in crate::daemon) fn done(&mut self) -> io::Result<()> {
        self.line.done()
    }

    /// For whom something is that the bus said, and what they are told.
    fn hear(&mut self, item: &Item) -> Option<(Vec<Id>, Facts)> {
        let Item::Message(heard) = item else { return None };
        let by_bus = heard.sender == DRIVER;
        match heard.kind {
            Kind::Done if by_bus => {
                if let Some(Asked::Owner(name)) = self.asked.remove(&heard.answers) {
                    let (owner,) = heard.body::<(String,)>()?;
                    self.owners.insert(name, Owner::Known(owner));
                }
                None
            }
            Kind::Refused if by_bus => {
                match self.asked.remove(&heard.answers)? {
                    Asked::Owner(name) => {
                        self.owners.insert(name, Owner::Known(String::new()));
                    }
                    Asked::Match(rule) => {
                        log::warn!("the system bus tells us no signals of {rule}: {}", heard.error);
                    }
                }
                None
            }
            Kind::Signal if heard.destination.is_empty() => {
                self.hear_of_owner(heard);
                let fits = |one: &SignalMatch| self.fits(one, heard);
                let ids = self.watched.iter().filter(|(_, wanted)| wanted.iter().any(fits));
                let ids: Vec<Id> = ids.map(|(id, _)| *id).collect();
                (!ids.is_empty()).then(|| (ids, Facts::of(heard)))
            }
            _ => None,
        }
    }

    fn hear_of_owner(&mut self, heard: &Heard) {
        if heard.sender == DRIVER
            && heard.member == "NameOwnerChanged"
            && let Some((name, _, owner)) = heard.body::<(String, String, String)>()
            && let Some(known) = self.owners.get_mut(&name)
        {
            *known = Owner::Known(owner);
        }
    }

    fn fits(&self, wanted: &SignalMatch, heard: &Heard) -> bool {
        let any_or = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        let sender = match self.owners.get(&wanted.sender) {
            Some(Owner::Known(owner)) => *owner == heard.sender,
            Some(Owner::Asked) => self.went_on,
            None => any_or(&wanted.sender, &heard.sender),
        };
        sender
            && wanted.interface == heard.interface
            && any_or(&wanted.member, &heard.member)
            && any_or(&wanted.path, &heard.path)
            && wanted.arg0.as_ref().is_none_or(|text| heard.text() == Some(text))
    }
}

/// What tells when the owner of a name changes.
fn rule_of_owner(name: &str) -> String {
    format!("type='signal',sender='{DRIVER}',member='NameOwnerChanged',arg0='{name}'")
}

/// As the bus takes it.
fn rule(wanted: &SignalMatch) -> String {
    let mut rule = "type='signal'".to_owned();
    let keys = [
        ("sender", Some(wanted.sender.as_str()).filter(|text| !text.is_empty())),
        ("path", Some(wanted.path.as_str()).filter(|text| !text.is_empty())),
        ("interface", Some(wanted.interface.as_str())),
        ("member", Some(wanted.member.as_str()).filter(|text| !text.is_empty())),
        ("arg0", wanted.arg0.as_deref()),
    ];
    for (key, value) in keys {
        if let Some(value) = value {
            // Within quotes nothing is special but their end.
            rule += &format!(",{key}='{}'", value.replace('\'', "'\\''"));
        }
    }
    rule
}
