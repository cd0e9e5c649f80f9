//! What works between this device and another, looked at step by step.

use api::devices::{Check, Nearby};

use super::gate::NOT_OURS;
use super::hub::Hub;
use crate::DeviceId;
use crate::engine::Way;
use crate::session::control;

/// Clocks that are apart by more than this are told of: nothing here minds, people and programs may.
const CLOCKS: u64 = 60;

fn check(what: &str, verdict: &str, found: impl Into<String>, remedy: &str) -> Check {
    Check {
        what: what.to_owned(),
        verdict: verdict.to_owned(),
        found: found.into(),
        remedy: remedy.to_owned(),
    }
}

impl Hub {
    /// Which device of the group is to be looked at, if one is.
    pub(super) fn to_examine(&self, device: &str) -> Option<DeviceId> {
        self.find(device).ok().filter(|id| *id != self.own)
    }

    /// Everything, in the order in which it is needed. An empty name: of this device alone.
    pub(super) fn examine(&self, device: &str) -> Vec<Check> {
        let mut all = vec![self.key_check(), self.network(), self.multicast()];
        match self.to_examine(device) {
            Some(peer) => {
                all.extend([self.group_check(), self.address(&peer)]);
                all.extend(self.link_checks(&peer));
            }
            None if device.is_empty() || self.find(device).is_ok() => {
                all.extend([self.group_check(), self.others()]);
                all.extend(self.added_check());
            }
            None => all.push(self.window(device)),
        }
        all
    }

    /// Whether a device that is not of the group can be paired with.
    fn window(&self, device: &str) -> Check {
        let is = |one: &&Nearby| one.name == device || one.id.starts_with(&device.to_lowercase());
        match self.nearby().iter().find(is) {
            Some(near) => {
                let found =
                    format!("{} waits to be paired, at {}", near.name, near.addresses.join(", "));
                check("window", "ok", found, "`ensctl device pair` does it")
            }
            None => {
                let found =
                    "it is not of the group, and no device near of that name waits to be paired";
                check(
                    "window",
                    "failed",
                    found,
                    "`ensctl device accept` there, then `ensctl device pair` here",
                )
            }
        }
    }

    fn key_check(&self) -> Check {
        check("key", "ok", format!("this device is {}", self.own.short()), "")
    }

    fn network(&self) -> Check {
        let shown: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        if shown.is_empty() {
            let remedy =
                "connect it to a network; `ensctl service status network` tells how that is";
            return check("network", "failed", "this device has no address", remedy);
        }
        check("network", "ok", format!("this device is reached at {}", shown.join(", ")), "")
    }

    fn multicast(&self) -> Check {
        if let Some(why) = &self.deaf {
            let remedy =
                "devices find each other by address all the same: `ensctl device add ADDRESS`";
            return check(
                "multicast",
                "failed",
                format!("announcing and listening do not work: {why}"),
                remedy,
            );
        }
        match self.near.len() {
            0 => {
                let remedy = "if others are near, the network keeps multicast from them: `ensctl device add ADDRESS`";
                check("multicast", "warning", "nobody near announces anything", remedy)
            }
            n => check("multicast", "ok", format!("{n} announcements are heard"), ""),
        }
    }

    fn group_check(&self) -> Check {
        if let Some(why) = &self.damaged {
            return check("trust", "failed", why.clone(), "`ensctl device leave`, then pair again");
        }
        let Some(group) = &self.group else {
            return check(
                "trust",
                "failed",
                "this device is in no group",
                "`ensctl device pair` or `ensctl device accept`",
            );
        };
        let members = group.log.members();
        check(
            "trust",
            "ok",
            format!("its group has {} devices, by {} entries", members.len(), group.log.len()),
            "",
        )
    }

    /// Who is not here, in one line.
    fn others(&self) -> Check {
        let away: Vec<String> = self
            .list()
            .into_iter()
            .filter(|one| one.state == "offline")
            .map(|one| one.name)
            .collect();
        if away.is_empty() {
            return check("devices", "ok", "nobody is missing", "");
        }
        check(
            "devices",
            "warning",
            format!("{} not here", away.join(", ")),
            "`ensctl device doctor DEVICE` looks why",
        )
    }

    /// Where else devices are looked for.
    fn added_check(&self) -> Option<Check> {
        let shown: Vec<String> = self.added.iter().map(ToString::to_string).collect();
        let found = format!("devices are looked for at {} too", shown.join(", "));
        (!shown.is_empty()).then(|| check("added", "ok", found, ""))
    }

    fn address(&self, peer: &DeviceId) -> Check {
        let all = self.session.addresses(peer);
        let shown: Vec<String> = all.iter().map(ToString::to_string).collect();
        let announced = self.near.values().any(|(_, near)| near == &Some(*peer));
        match (all.is_empty(), announced) {
            (true, _) => {
                let remedy = "switch it on and connect it to the same network, or `ensctl device add ADDRESS`";
                check(
                    "address",
                    "failed",
                    "it does not announce itself here, and no address of it is known",
                    remedy,
                )
            }
            (false, true) => {
                check("address", "ok", format!("it announces itself: {}", shown.join(", ")), "")
            }
            (false, false) if self.session.present(peer) => check(
                "address",
                "ok",
                format!("it does not announce itself here; known: {}", shown.join(", ")),
                "",
            ),
            (false, false) => {
                let remedy = "if it is on, its network keeps multicast from this one: `ensctl device add ADDRESS`";
                let found =
                    format!("it does not announce itself here; looked for at {}", shown.join(", "));
                check("address", "warning", found, remedy)
            }
        }
    }

    fn link_checks(&self, peer: &DeviceId) -> Vec<Check> {
        let here = self.session.link(peer).and_then(|link| self.links.get(&link));
        let Some((here, hello)) = here.and_then(|here| Some((here, here.hello.as_ref()?))) else {
            let why =
                self.troubles.get(peer).cloned().unwrap_or_else(|| "nobody answers".to_owned());
            let remedy = if why.contains(NOT_OURS) {
                "one of both was removed: `ensctl device leave` there or here, then pair again"
            } else {
                "see whether it is on and its softbus runs: `ensctl device list` there"
            };
            return vec![check("link", "failed", why, remedy)];
        };
        let way = here.link.path().map_or_else(
            || "looking for a way".to_owned(),
            |path| {
                let way = match path.way {
                    Way::Direct(address) => format!("direct to {address}"),
                    Way::Relay(url) => format!("over the relay {url}"),
                };
                format!("{way}, {:.1} ms", path.round_trip.as_secs_f64() * 1000.0)
            },
        );
        let apart = hello.time.abs_diff(here.greeted);
        let clock = if apart <= CLOCKS {
            check("clock", "ok", "both clocks say the same", "")
        } else {
            let remedy = "nothing of the bus minds; `ensctl time` of the one that is wrong";
            check("clock", "warning", format!("the clocks are {apart} s apart"), remedy)
        };
        let version = control::version(hello).unwrap_or_default();
        vec![
            check("link", "ok", way, ""),
            check("trust both ways", "ok", "each has proved its key to the other", ""),
            check("version", "ok", format!("both speak version {version}"), ""),
            clock,
        ]
    }
}
