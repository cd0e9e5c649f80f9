//! Users: those of Debian's base, and those a device adds.

use super::check::{Check, values};
use super::decode::At;
use super::report::Problem;
use super::value::{self, Bad};
use super::{near, raw, units};
use crate::device::User;

/// Users of Debian's base-passwd; each has a group of the same name unless listed here otherwise.
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
pub(crate) const DEBIAN_GROUPS: [&str; 38] = [
    "root", "daemon", "bin", "sys", "adm", "tty", "disk", "lp", "mail", "news", "uucp", "man",
    "proxy", "kmem", "dialout", "fax", "voice", "cdrom", "floppy", "tape", "sudo", "audio", "dip",
    "www-data", "backup", "operator", "list", "irc", "src", "shadow", "utmp", "video", "sasl",
    "plugdev", "staff", "games", "users", "nogroup",
];

/// Checks the users of a device.
pub(crate) fn check(raw: Option<&Vec<At<raw::User>>>, c: &mut Check) -> Vec<User> {
    let list = raw.map(Vec::as_slice).unwrap_or_default();
    let names = list.iter().filter_map(|u| u.name.as_ref());
    c.unique(names.clone().map(|n| (n.as_str(), &n.place)), |n| {
        format!("two users are called `{n}`")
    });
    let ids = list.iter().filter_map(|u| u.uid.as_ref());
    c.unique(ids.clone().map(|n| (n.value, &n.place)), |n| {
        format!("two users have the number {n}")
    });
    for at in names.clone().filter(|n| DEBIAN_USERS.iter().any(|(d, _)| *d == n.as_str())) {
        c.add(Problem::new(at.place.clone(), format!("Debian has a user `{}` already", at.value)));
    }
    for at in ids {
        if let Some((name, _)) = DEBIAN_USERS.iter().find(|(_, id)| i64::from(*id) == at.value) {
            let message = format!("{} is the number of Debian's user `{name}`", at.value);
            c.add(Problem::new(at.place.clone(), message).help("people's numbers begin at 1000"));
        }
    }
    let own: Vec<&str> = names.map(|n| n.as_str()).collect();
    let mut users: Vec<User> = list.iter().filter_map(|u| user(u, &own, c)).collect();
    users.sort_by(|a, b| a.name.cmp(&b.name));
    users
}

fn user(raw: &raw::User, own: &[&str], c: &mut Check) -> Option<User> {
    let group = |text: &str| {
        let known = || DEBIAN_GROUPS.iter().chain(own).copied();
        if known().any(|g| g == text) {
            return Ok(text.to_owned());
        }
        let help = near::did_you_mean(text, known());
        Err(Bad {
            message: format!("no group is called `{text}`"),
            help: help
                .or_else(|| Some("a group of Debian's base, or another user's own".to_owned())),
        })
    };
    let path = |c: &mut Check, at: Option<&At<String>>, default: &str| {
        c.one(at, value::image_path).unwrap_or(default.to_owned())
    };
    let name = c.one(raw.name.as_ref(), value::user_name);
    let uid = c.number(raw.uid.as_ref(), units::uid);
    let gid = c.number(raw.gid.as_ref(), units::uid);
    let home = path(c, raw.home.as_ref(), "/nonexistent");
    let shell = path(c, raw.shell.as_ref(), "/usr/sbin/nologin");
    let groups = values(c.list(raw.groups.as_ref(), group));
    let uid = uid?;
    Some(User { name: name?, uid, gid: gid.unwrap_or(uid), home, shell, groups })
}
