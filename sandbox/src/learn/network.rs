//! Rules about the network: whose, families, ports of TCP.

use std::collections::{BTreeMap, BTreeSet};

use model::sandbox::{Access, Family};

use super::observed::{Observed, Times};
use super::{BEFORE, Given, Learned, Line, times};

/// Families with their number (`linux/socket.h`) and their word.
const FAMILIES: [(i32, Family, &str); 7] = [
    (1, Family::Unix, "unix"),
    (2, Family::Inet, "inet"),
    (10, Family::Inet6, "inet6"),
    (16, Family::Netlink, "netlink"),
    (17, Family::Packet, "packet"),
    (31, Family::Bluetooth, "bluetooth"),
    (40, Family::Vsock, "vsock"),
];

/// `SOCK_STREAM` with 0 or `IPPROTO_TCP`; `SOCK_DGRAM` with 0, ICMP, UDP or ICMPv6.
const TCP: [(i32, i32); 2] = [(1, 0), (1, 6)];
const UDP: [(i32, i32); 4] = [(2, 0), (2, 1), (2, 17), (2, 58)];

/// Most ports in one list.
const MAX_PORTS: usize = 256;

/// Adds the rules about the network.
pub(super) fn learn(observed: &Observed, given: &Given, learned: &mut Learned) {
    let older = given.older.as_ref().map(|older| &older.network);
    let mut families: BTreeMap<&'static str, (Family, String)> = BTreeMap::new();
    for family in older.iter().flat_map(|older| older.families.iter().flatten()) {
        families.insert(word(*family), (*family, BEFORE.to_owned()));
    }
    let mut nameless = false;
    for ((number, ..), seen) in &observed.sockets {
        match FAMILIES.iter().find(|(known, ..)| known == number) {
            Some((_, family, word)) => {
                families.insert(word, (*family, times(*seen)));
            }
            None => {
                nameless = true;
                learned.note(format!(
                    "a socket of family {number} ({}), for which profiles have no word: families are not restricted",
                    times(*seen)
                ));
            }
        }
    }
    let outside = nameless
        || observed.abstracts.count > 0
        || families.values().any(|(family, _)| *family != Family::Unix);
    access(outside, observed, given, learned);
    if !nameless {
        families_rule(families, given, learned);
    }
    if learned.profile.network.access == Access::Host {
        ports(observed, given, learned);
    }
}

fn word(family: Family) -> &'static str {
    FAMILIES.iter().find(|(_, known, _)| *known == family).map_or("unix", |(.., word)| word)
}

fn access(outside: bool, observed: &Observed, given: &Given, learned: &mut Learned) {
    let inherited = &given.inherited;
    match (outside, inherited.network.access) {
        (true, _) if inherited.forbid.network => {
            learned.note("it uses the network, which is forbidden to all that inherit this".into());
        }
        (true, Access::None) => {
            learned.profile.network.access = Access::Host;
            learned.one("network", "access", "\"host\"", "it makes sockets to others");
        }
        (false, Access::Host) => {
            learned.profile.network.access = Access::None;
            learned.one("network", "access", "\"none\"", "it reaches nobody over the network");
        }
        _ => {}
    }
    if observed.abstracts.count > 0 {
        let listed = given.inherited.files.view == model::sandbox::View::Listed;
        let why =
            if listed { "others' are not reached in a listed view" } else { "any can be reached" };
        learned.note(format!("UNIX sockets without a file ({}): {why}", times(observed.abstracts)));
    }
}

fn families_rule(
    families: BTreeMap<&'static str, (Family, String)>,
    given: &Given,
    learned: &mut Learned,
) {
    let has = given.inherited.network.families.clone();
    let forbidden = &given.inherited.forbid.families;
    let known = has.clone().unwrap_or_default();
    let mut lines = Vec::new();
    let mut all = known.clone();
    for (word, (family, why)) in families {
        if forbidden.contains(&family) {
            learned.note(format!(
                "sockets of the family \"{word}\" ({why}) are forbidden to all that inherit this"
            ));
        } else if !known.contains(&family) {
            all.push(family);
            lines.push(Line { value: word.to_owned(), why });
        }
    }
    learned.profile.network.families = Some(super::sorted(all));
    if has.is_none() || !lines.is_empty() {
        let why = if lines.is_empty() { "it makes no sockets" } else { "" };
        learned.texts("network", "families", lines, why);
    }
}

fn ports(observed: &Observed, given: &Given, learned: &mut Learned) {
    let inherited = &given.inherited.network;
    let older = given.older.as_ref().map(|older| &older.network);
    let sockets = || observed.sockets.iter().filter(|((family, ..), _)| matches!(family, 2 | 10));
    let listed = inherited.connect.is_some() || inherited.listen.is_some();
    let other = sockets()
        .find(|((_, kind, protocol), _)| {
            !TCP.contains(&(*kind, *protocol)) && !UDP.contains(&(*kind, *protocol))
        })
        .map(|((_, kind, protocol), seen)| {
            format!("a socket of type {kind} with protocol {protocol} ({})", times(*seen))
        });
    if let Some(other) = other {
        let why =
            if listed { "is refused with them" } else { "would be refused, so there are none" };
        return learned.note(format!("{other}, which with lists of ports {why}"));
    }
    let internet = learned.profile.network.families.as_ref().is_none_or(|families| {
        families.iter().any(|family| matches!(family, Family::Inet | Family::Inet6))
    });
    if !internet {
        return;
    }
    let before = |list: Option<&Vec<u16>>| -> BTreeSet<u16> {
        list.into_iter().flatten().copied().collect()
    };
    let connect = before(older.and_then(|older| older.connect.as_ref()));
    let lines = lines(&observed.connects, connect, inherited.connect.as_deref(), learned);
    put(lines, "connect", inherited.connect.is_some(), learned);
    let listen = before(older.and_then(|older| older.listen.as_ref()));
    match observed.binds.get(&0) {
        Some(seen) => learned.note(format!(
            "it listens on a port that the kernel chooses ({}), which no list can name",
            times(*seen)
        )),
        None => {
            let all = self::lines(&observed.binds, listen, inherited.listen.as_deref(), learned);
            put(all, "listen", inherited.listen.is_some(), learned);
        }
    }
    let datagrams = sockets().find(|((_, kind, protocol), _)| UDP.contains(&(*kind, *protocol)));
    let before = older.is_some_and(|older| older.udp);
    if (datagrams.is_some() || before) && !inherited.udp {
        learned.profile.network.udp = true;
        let why = datagrams.map_or_else(|| BEFORE.to_owned(), |(_, seen)| times(*seen));
        learned.one("network", "udp", "true", why);
    }
}

/// The ports that the inherited list lacks.
fn lines(
    seen: &BTreeMap<u16, Times>,
    before: BTreeSet<u16>,
    has: Option<&[u16]>,
    learned: &mut Learned,
) -> Vec<Line> {
    let has = has.unwrap_or_default();
    let mut all: BTreeMap<u16, String> =
        before.into_iter().map(|port| (port, BEFORE.to_owned())).collect();
    all.extend(seen.iter().map(|(port, seen)| (*port, times(*seen))));
    all.retain(|port, _| *port != 0 && !has.contains(port));
    let room = MAX_PORTS.saturating_sub(has.len());
    if all.len() > room {
        learned.note(format!("{} ports are too many for one list", all.len() - room));
    }
    let all = all.into_iter().take(room);
    all.map(|(port, why)| Line { value: port.to_string(), why }).collect()
}

fn put(lines: Vec<Line>, key: &'static str, inherited: bool, learned: &mut Learned) {
    if inherited && lines.is_empty() {
        return;
    }
    let network = &mut learned.profile.network;
    let list = if key == "connect" { &mut network.connect } else { &mut network.listen };
    let list = list.get_or_insert_default();
    list.extend(lines.iter().filter_map(|line| line.value.parse::<u16>().ok()));
    list.sort_unstable();
    let why = if lines.is_empty() { "no port of TCP" } else { "" };
    learned.numbers("network", key, lines, why);
}
