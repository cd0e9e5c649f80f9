//! Users: those of Debian's base, and those a device adds.

use super::check::{Check, values};
use super::decode::At;
use super::report::Problem;
use super::value;
use super::{near, raw, units};
use crate::device::User;
use crate::service::OWN_IDS;

/// Users of Debian's base-passwd.
pub(crate) const DEBIAN_USERS: [(&str, u32); 18] = [
    ("root", 0),
    ("daemon", 1),
    ("bin", 2),
    ("sys", 3),
    ("sync", 4),
    ("games", 5),
    ("man", 6),
    ("lp", 7),
    ("mail", 8),
    ("news", 9),
    ("uucp", 10),
    ("proxy", 13),
    ("www-data", 33),
    ("backup", 34),
    ("list", 38),
    ("irc", 39),
    ("_apt", 42),
    ("nobody", 65534),
];

/// Groups of Debian's base-passwd.
const DEBIAN_GROUPS: [(&str, u32); 38] = [
    ("root", 0),
    ("daemon", 1),
    ("bin", 2),
    ("sys", 3),
    ("adm", 4),
    ("tty", 5),
    ("disk", 6),
    ("lp", 7),
    ("mail", 8),
    ("news", 9),
    ("uucp", 10),
    ("man", 12),
    ("proxy", 13),
    ("kmem", 15),
    ("dialout", 20),
    ("fax", 21),
    ("voice", 22),
    ("cdrom", 24),
    ("floppy", 25),
    ("tape", 26),
    ("sudo", 27),
    ("audio", 29),
    ("dip", 30),
    ("www-data", 33),
    ("backup", 34),
    ("operator", 37),
    ("list", 38),
    ("irc", 39),
    ("src", 40),
    ("shadow", 42),
    ("utmp", 43),
    ("video", 44),
    ("sasl", 45),
    ("plugdev", 46),
    ("staff", 50),
    ("games", 60),
    ("users", 100),
    ("nogroup", 65534),
];

/// Checks the users of a device.
pub(crate) fn check(raw: Option<&Vec<At<raw::User>>>, c: &mut Check) -> Vec<User> {
    let list = raw.map(Vec::as_slice).unwrap_or_default();
    let names = list.iter().filter_map(|u| u.name.as_ref());
    c.unique(names.clone().map(|n| (n.as_str(), &n.place)), |n| {
        format!("two users are called `{n}`")
    });
    let ids = list.iter().filter_map(|u| u.uid.as_ref());
    c.unique(ids.map(|n| (n.value, &n.place)), |n| format!("two users have the number {n}"));
    for name in names.clone() {
        taken_name(name, c);
    }
    for user in list {
        let taken = user.uid.as_ref().is_some_and(|id| taken_number(id, "user", &DEBIAN_USERS, c));
        // The number of a user is that of its own group too, unless that has one.
        let number = user.uid.as_ref().filter(|_| !taken);
        if let Some(gid) = user.gid.as_ref().or(number) {
            taken_number(gid, "group", &DEBIAN_GROUPS, c);
        }
    }
    let own: Vec<&str> = names.map(|n| n.as_str()).collect();
    for at in list.iter().flat_map(|u| u.groups.iter().flatten()) {
        unknown_group(at, &own, c);
    }
    let mut users: Vec<User> = list.iter().filter_map(|u| user(u, c)).collect();
    users.sort_by(|a, b| a.name.cmp(&b.name));
    users
}

fn taken_name(at: &At<String>, c: &mut Check) {
    for (what, names) in [("user", DEBIAN_USERS.as_slice()), ("group", DEBIAN_GROUPS.as_slice())] {
        if names.iter().any(|(name, _)| *name == at.as_str()) {
            let message = format!("Debian has a {what} called `{}` already", at.value);
            c.add(Problem::new(at.place.clone(), message));
            return;
        }
    }
}

fn taken_number(at: &At<i64>, what: &str, taken: &[(&str, u32)], c: &mut Check) -> bool {
    if u32::try_from(at.value).is_ok_and(|id| OWN_IDS.contains(&id)) {
        let (first, last) = (OWN_IDS.start(), OWN_IDS.end());
        let message = format!("{first} to {last} are for services with a user of their own");
        let help = "101 to 999 are free for services, people's numbers begin at 1000";
        c.add(Problem::new(at.place.clone(), message).help(help));
        return true;
    }
    let holder = taken.iter().find(|(_, id)| i64::from(*id) == at.value);
    if let Some((name, _)) = holder {
        let message = format!("{} is the number of Debian's {what} `{name}`", at.value);
        let help = "101 to 999 are free for services, people's numbers begin at 1000";
        c.add(Problem::new(at.place.clone(), message).help(help));
    }
    holder.is_some()
}

/// Packages may bring groups, so this is no error.
fn unknown_group(at: &At<String>, own: &[&str], c: &mut Check) {
    let known = || DEBIAN_GROUPS.iter().map(|(name, _)| *name).chain(own.iter().copied());
    if !known().any(|group| group == at.as_str()) {
        let message = format!("no group is called `{}`, unless a package brings it", at.value);
        let help = near::did_you_mean(at, known());
        c.add(Problem::warning(at.place.clone(), message).maybe_help(help));
    }
}

fn user(raw: &raw::User, c: &mut Check) -> Option<User> {
    let path = |c: &mut Check, at: Option<&At<String>>, default: &str| {
        c.one(at, value::image_path).unwrap_or(default.to_owned())
    };
    let name = c.one(raw.name.as_ref(), value::user_name);
    let uid = c.number(raw.uid.as_ref(), units::uid);
    let gid = c.number(raw.gid.as_ref(), units::uid);
    let home = path(c, raw.home.as_ref(), "/nonexistent");
    let shell = path(c, raw.shell.as_ref(), "/usr/sbin/nologin");
    let groups = values(c.list(raw.groups.as_ref(), value::user_name));
    let uid = uid?;
    Some(User { name: name?, uid, gid: gid.unwrap_or(uid), home, shell, groups })
}
