//! Devices that trigger a service, and whose going ends it.
//!
//! ```text
//! add    → a device no start of the service has seen: it is triggered, now or when it is off again
//! remove → none left, and the service is bound to it: it is stopped
//! ```
//!
//! Which devices a start has seen is in the state log. Messages that the kernel could not keep are
//! made up for by a look at `/sys`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use api::pid1::ToPid1;
use model::service::{DeviceMatch, Service};
use sys::uevent::Uevents;

use super::super::{Daemon, TURN};
use super::{Due, Source, glob};
use crate::engine::{Event, Id, State};

/// Under which name PID 1 holds the socket of the kernel's messages.
pub(super) const HELD: &str = "uevents";

const SYS: &str = "/sys";

/// What is known of devices.
#[derive(Debug, Default)]
pub(super) struct Devices {
    uevents: Option<Uevents>,
    /// The kernel would not tell us; that was said.
    refused: bool,
    /// Services that ask for devices.
    users: BTreeSet<Id>,
    /// Number of the last message before a service looked at what is there: older ones are no news.
    looked: BTreeMap<Id, u64>,
}

/// A message of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    came: bool,
    gone: bool,
    subsystem: String,
    name: String,
    /// What it was called before, if it was renamed.
    old: Option<String>,
    /// Its number.
    number: u64,
}

impl Message {
    fn parse(lines: &[String]) -> Option<Self> {
        let value = |key: &str| {
            let pair =
                |line: &'_ String| line.split_once('=').map(|(k, v)| (k == key, v.to_owned()));
            lines.iter().filter_map(pair).find_map(|(is, value)| is.then_some(value))
        };
        let last = |path: String| path.rsplit('/').next().map(str::to_owned);
        let action = value("ACTION")?;
        Some(Self {
            came: matches!(action.as_str(), "add" | "move"),
            gone: action == "remove",
            subsystem: value("SUBSYSTEM")?,
            name: value("DEVPATH").and_then(last)?,
            old: value("DEVPATH_OLD").and_then(last),
            number: value("SEQNUM").and_then(|n| n.parse().ok()).unwrap_or(u64::MAX),
        })
    }
}

/// Whether a device is meant.
fn meant(wanted: &DeviceMatch, subsystem: &str, name: &str) -> bool {
    let any = wanted.name.is_empty();
    wanted.subsystem == subsystem && (any || glob::fits(&wanted.name, name))
}

/// The devices of `wanted` that are there, as `SUBSYSTEM/NAME`.
fn there(sys: &Path, wanted: &DeviceMatch) -> BTreeSet<String> {
    let subsystem = &wanted.subsystem;
    let class = sys.join("class").join(subsystem);
    let bus = sys.join("bus").join(subsystem).join("devices");
    let entries = [class, bus].map(fs::read_dir).into_iter().flatten().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let names = names.filter(|name| meant(wanted, subsystem, name));
    model::gather(names.map(|name| format!("{subsystem}/{name}")))
}

/// Number of the kernel's last message.
fn last_number() -> u64 {
    let text = fs::read_to_string(Path::new(SYS).join("kernel/uevent_seqnum")).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

fn all(service: &Service, which: impl Fn(&DeviceMatch) -> bool) -> BTreeSet<String> {
    let wanted = service.activation.devices.iter().filter(|d| which(d));
    model::gather(wanted.flat_map(|d| there(Path::new(SYS), d)))
}

impl Daemon {
    /// Goes on with the kernel's messages that were held.
    pub(super) fn take_held_devices(&mut self, fd: std::os::fd::OwnedFd) {
        self.hear_kernel(Uevents::held(fd));
    }

    fn hear_kernel(&mut self, uevents: Uevents) {
        if let Err(e) = self.activate.watch(Source::Devices, uevents.as_fd()) {
            log::error!("could not watch for devices: {e}");
        }
        self.activate.devices.uevents = Some(uevents);
    }

    fn listen_to_kernel(&mut self) {
        if self.activate.devices.uevents.is_some() || self.activate.devices.refused {
            return;
        }
        match Uevents::open() {
            Ok(uevents) => {
                self.tell(&ToPid1::Hold(HELD.to_owned()), Some(uevents.as_fd()));
                self.hear_kernel(uevents);
            }
            Err(e) => {
                self.activate.devices.refused = true;
                log::warn!(
                    "the kernel tells us of no devices: {e}: only those count that are there"
                );
            }
        }
    }

    pub(super) fn watch_devices(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        if service.activation.devices.is_empty() {
            return;
        }
        self.activate.devices.users.insert(id);
        self.listen_to_kernel();
        if self.has_new_device(id) {
            self.activate.due.push_back(Due::Trigger(id));
        }
    }

    /// Whether one is there that no start of the service has seen.
    fn has_new_device(&self, id: Id) -> bool {
        let (Some(service), Some(part)) = (self.plan.services.get(id), self.parts.get(id)) else {
            return false;
        };
        all(service, |_| true).iter().any(|device| !part.devices.contains(device))
    }

    /// A start sees all devices that are there.
    pub(super) fn follow_devices(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        if service.activation.devices.is_empty() {
            return;
        }
        if self.activate.devices.users.insert(id) {
            self.listen_to_kernel();
        }
        let Some(service) = self.plan.services.get(id) else { return };
        if self.engine.state(id) == State::Starting {
            self.activate.devices.looked.insert(id, last_number());
        }
        if self.engine.state(id) == State::Starting
            && let Some(part) = self.parts.get_mut(id)
        {
            part.devices = all(service, |_| true);
        }
    }

    /// After the servicemgr before us: what has gone meanwhile is not known any more.
    pub(super) fn compare_devices(&mut self) {
        for id in self.activate.devices.users.clone() {
            let Some(service) = self.plan.services.get(id) else { continue };
            let there = all(service, |_| true);
            if let Some(part) = self.parts.get_mut(id) {
                part.devices.retain(|device| there.contains(device));
            }
            self.unbind(id, "its device has gone");
        }
    }

    /// Takes messages of the kernel, a bounded number.
    pub(super) fn hear_devices(&mut self) {
        for _ in 0..TURN {
            let Some(uevents) = &self.activate.devices.uevents else { return };
            match uevents.next() {
                Ok(None) => return,
                Ok(Some(lines)) => {
                    if let Some(message) = Message::parse(&lines) {
                        self.device_changed(&message);
                    }
                }
                Err(e) => {
                    log::warn!("messages about devices were lost ({e}): looking at all of them");
                    self.compare_devices();
                    self.trigger_for_devices(|_| true);
                    return;
                }
            }
        }
    }

    fn device_changed(&mut self, message: &Message) {
        let Message { subsystem, name, old, .. } = message;
        let names: Vec<&String> = old.iter().chain([name]).collect();
        let concerns = |service: &Service| {
            let devices = &service.activation.devices;
            names.iter().any(|name| devices.iter().any(|d| meant(d, subsystem, name)))
        };
        for id in self.activate.devices.users.clone() {
            let old_news =
                self.activate.devices.looked.get(&id).is_some_and(|n| message.number <= *n);
            if old_news && message.came || !self.plan.services.get(id).is_some_and(concerns) {
                continue;
            }
            let known = self.parts.get_mut(id).is_some_and(|part| {
                names.iter().filter(|n| part.devices.remove(&format!("{subsystem}/{n}"))).count()
                    > 0
            });
            if known {
                // The next servicemgr must not think that this one was seen.
                self.write_unit(id);
                self.record();
            }
            if message.gone || old.is_some() {
                let gone = old.as_ref().unwrap_or(name);
                self.unbind(id, &format!("device {gone} has gone"));
            }
        }
        if message.came {
            self.trigger_for_devices(concerns);
        }
    }

    fn trigger_for_devices(&mut self, concerns: impl Fn(&Service) -> bool) {
        for id in self.activate.devices.users.clone() {
            let concerned = self.plan.services.get(id).is_some_and(&concerns);
            if concerned && self.waits_armed(id) && self.has_new_device(id) {
                self.trigger(id);
            }
        }
    }

    /// Ends a service that is bound to devices, when none is left.
    fn unbind(&mut self, id: Id, why: &str) {
        let Some(service) = self.plan.services.get(id) else { return };
        let bound = service.activation.devices.iter().any(|d| d.bind);
        if bound && !self.is_off(id) && all(service, |d| d.bind).is_empty() {
            self.feed(Event::Unbound(id, why.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(subsystem: &str, name: &str) -> DeviceMatch {
        DeviceMatch { subsystem: subsystem.into(), name: name.into(), bind: false }
    }

    fn lines(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_message_names_a_device_as_the_kernel_does() {
        let text = "ACTION=add DEVPATH=/devices/pci0/usb1/tty/ttyUSB0 SUBSYSTEM=tty SEQNUM=7";
        let message = Message::parse(&lines(text)).unwrap();
        assert!(message.came && !message.gone);
        assert_eq!((message.subsystem.as_str(), message.name.as_str()), ("tty", "ttyUSB0"));
        let text =
            "ACTION=move DEVPATH_OLD=/devices/net/eth0 DEVPATH=/devices/net/lan SUBSYSTEM=net";
        let message = Message::parse(&lines(text)).unwrap();
        assert_eq!((message.name.as_str(), message.old.as_deref()), ("lan", Some("eth0")));
        assert_eq!(Message::parse(&lines("ACTION=add SUBSYSTEM=tty")), None);
    }

    #[test]
    fn what_is_there_is_found_by_class_and_by_bus() {
        let sys = tempfile::tempdir().unwrap();
        for path in ["class/tty/ttyUSB0", "class/tty/ttyS0", "bus/usb/devices/1-1"] {
            fs::create_dir_all(sys.path().join(path)).unwrap();
        }
        let names =
            |s: &str, n: &str| there(sys.path(), &wanted(s, n)).into_iter().collect::<Vec<_>>();
        assert_eq!(names("tty", "ttyUSB*"), ["tty/ttyUSB0"]);
        assert_eq!(names("tty", ""), ["tty/ttyS0", "tty/ttyUSB0"]);
        assert_eq!(names("usb", "1-?"), ["usb/1-1"]);
        assert_eq!(names("block", ""), Vec::<String>::new());
    }
}
