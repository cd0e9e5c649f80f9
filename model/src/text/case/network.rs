//! The devices of a case and what lies between them: from what was written to [`Member`]s and [`Link`]s.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::Name;
use crate::case::{self, Change, Link, MAX_DELAY, MAX_DEVICES, Member};
use crate::text::check::Check;
use crate::text::decode::At;
use crate::text::near::did_you_mean;
use crate::text::report::{Place, Problem};
use crate::text::value::{Bad, Checked};
use crate::text::{raw, units};

/// The device of a case that names none.
const DEFAULT: &str = "headless";

/// The devices of a case.
#[derive(Debug)]
pub(super) struct Devices {
    pub(super) members: Vec<Member>,
    pub(super) together: bool,
}

/// One device when only one is written; the name of its file becomes its own when it is loaded.
pub(super) fn devices(raw: Option<&raw::Devices>, c: &mut Check) -> Devices {
    let list = match raw {
        None => return alone(DEFAULT),
        Some(raw::Devices::One(device)) => return alone(device),
        Some(raw::Devices::Several(list)) => list,
    };
    if list.is_empty() {
        c.add(Problem::new(Place::default(), "a case has at least one [[device]]"));
    }
    if list.len() > MAX_DEVICES
        && let Some(first) = list.get(MAX_DEVICES)
    {
        let message = format!("{} devices; at most {MAX_DEVICES} share a network", list.len());
        c.add(Problem::new(first.place.clone(), message));
    }
    let named = list.iter().filter_map(|raw| Some((raw.name.as_ref()?, raw)));
    let named: Vec<_> = named.collect();
    c.unique(named.iter().map(|(at, _)| (at.value.as_str(), &at.place)), |name| {
        format!("two devices are called `{name}`")
    });
    let members = named.iter().map(|(at, raw)| Member {
        name: c.one(Some(at), name).unwrap_or_default(),
        device: raw.device.as_ref().map_or(DEFAULT.to_owned(), |at| at.value.clone()),
        fixed: raw.device.is_some(),
    });
    Devices { members: members.collect(), together: true }
}

fn alone(device: &str) -> Devices {
    let member = Member { name: device.to_owned(), device: device.to_owned(), fixed: false };
    Devices { members: vec![member], together: false }
}

impl Devices {
    /// The number of the device that a step calls so.
    pub(super) fn number(&self, at: &At<String>, c: &mut Check) -> Option<usize> {
        if !self.is_together(&at.place, c) {
            return None;
        }
        let found = self.members.iter().position(|member| member.name == at.value);
        if found.is_none() {
            let names: BTreeSet<&str> = self.members.iter().map(|m| m.name.as_str()).collect();
            let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
            let help = did_you_mean(at, names.iter().copied())
                .unwrap_or_else(|| format!("one of: {}", names.join(", ")));
            let message = format!("no [[device]] is called `{}`", at.value);
            c.add(Problem::new(at.place.clone(), message).help(help));
        }
        found
    }

    fn is_together(&self, place: &Place, c: &mut Check) -> bool {
        if !self.together {
            let problem = Problem::new(place.clone(), "this case has one device and no network");
            c.add(problem.help("write a table [[device]] with a name for each of several devices"));
        }
        self.together
    }
}

/// A change of links.
pub(super) fn link(raw: &At<raw::Link>, devices: &Devices, c: &mut Check) -> Option<Link> {
    if !devices.is_together(&raw.place, c) {
        return None;
    }
    let names = raw.between.as_ref().map_or(&[][..], |at| at.value.as_slice());
    let numbers: Vec<_> = names.iter().map(|at| devices.number(at, c)).collect();
    let between = match (raw.between.as_ref(), numbers.as_slice()) {
        (None, _) => (None, None),
        (_, [one]) => (Some((*one)?), None),
        (_, [one, other]) if one != other || one.is_none() => (Some((*one)?), Some((*other)?)),
        (Some(at), _) => {
            let problem = Problem::new(at.place.clone(), "a link is between two devices");
            c.add(problem.help("two names, or one for all of its links"));
            return None;
        }
    };
    let loss = c.one(raw.loss.as_ref(), |t| units::share(t, "of 100 frames, like \"10%\""));
    let changes = [
        raw.cut.as_ref().map(|at| Change::Cut(at.value)),
        loss.map(Change::Loss),
        c.one(raw.delay.as_ref(), delay).map(Change::Delay),
    ];
    let changes: Vec<Change> = changes.into_iter().flatten().collect();
    if raw.cut.is_none() && raw.loss.is_none() && raw.delay.is_none() {
        let problem = Problem::new(raw.place.clone(), "this changes nothing of the link");
        c.add(
            problem.help("add `cut = true`, `cut = false`, `loss = \"10%\"` or `delay = \"50ms\"`"),
        );
        return None;
    }
    Some(Link { between, changes })
}

/// Another address in the devices' own network.
pub(super) fn address(at: &At<String>, devices: &Devices, c: &mut Check) -> Option<Ipv4Addr> {
    devices.is_together(&at.place, c).then(|| c.one(Some(at), address_in_network)).flatten()
}

fn address_in_network(text: &str) -> Checked<Ipv4Addr> {
    let [a, b, d, _] = case::address(0).octets();
    let address = text.parse::<Ipv4Addr>().ok();
    address
        .filter(|address| address.octets().starts_with(&[a, b, d]))
        .filter(|address| (1..=254).contains(&address.octets()[3]))
        .ok_or_else(|| Bad {
            message: format!("`{text}` is not an address in the devices' network"),
            help: Some("10.77.0.1 to 10.77.0.254".to_owned()),
        })
}

fn delay(text: &str) -> Checked<std::time::Duration> {
    units::duration(text).and_then(|time| match time {
        time if time <= MAX_DELAY => Ok(time),
        _ => Err(Bad {
            message: format!("`{text}` is too long for a link"),
            help: Some("at most 10s".to_owned()),
        }),
    })
}

/// A name that is part of a host's.
fn name(text: &str) -> Checked<String> {
    let name = Name::try_from(text).ok().filter(|_| !text.contains('@'));
    name.map(|name| name.to_string()).ok_or_else(|| Bad {
        message: format!("`{text}` can't be the name of a device"),
        help: Some("1 to 64 of a-z, 0-9 and `-`, a letter first".to_owned()),
    })
}
