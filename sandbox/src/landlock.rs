//! The rights on files and ports that a profile leaves, as Landlock takes them.
//!
//! | list | handled | what a tree of it gives |
//! |---|---|---|
//! | `read` | reading | reading |
//! | `write` | writing, making, removing, renaming, ioctls of devices | all of that, no devices made |
//! | `execute` | executing | reading, executing |
//!
//! Rights only add up: what is forbidden below an allowed tree, [`crate::mounts`] hides. A process under
//! rules about files can't mount, so it can't bring that back: for that one right is handled, and everything
//! has it.
//!
//! A device that is never written is only read: that a mount is read-only does not keep anybody from writing
//! to what a device node stands for.
//!
//! Scopes: in a listed view only what the profile names is there, so also no abstract sockets of others
//! and no processes to signal. In the whole view they are as they are.

use std::collections::BTreeMap;

use model::sandbox::{Network, Paths, Profile, Ruleset, is_below};

use crate::refused::Refused;
use crate::trees::{DEVICES, TMP, Trees, has_devices};

/// Most ports in one list.
pub(crate) const MAX_PORTS: usize = 1024;

// `LANDLOCK_ACCESS_FS_…` of linux/landlock.h.
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const MAKE_FIFO: u64 = 1 << 10;
const MAKE_BLOCK: u64 = 1 << 11;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// `LANDLOCK_ACCESS_NET_BIND_TCP`, `…_CONNECT_TCP`.
const BIND: u64 = 1;
const CONNECT: u64 = 2;

/// `LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL`.
const SCOPES: u64 = 3;

const READING: u64 = READ_FILE | READ_DIR;

const WRITING: u64 = WRITE_FILE
    | REMOVE_DIR
    | REMOVE_FILE
    | MAKE_DIR
    | MAKE_REG
    | MAKE_SOCK
    | MAKE_FIFO
    | MAKE_SYM
    | REFER
    | TRUNCATE;

/// What a device gives that may be used.
const DEVICE: u64 = READING | WRITE_FILE | IOCTL_DEV;

/// Each version of Landlock with what it brought: rights on files, on ports, scopes. Renaming between
/// directories (version 2) is never allowed where it is not known, so it needs no version.
const HISTORY: [(u32, u64, u64, u64); 5] = [
    (1, (1 << 13) - 1, 0, 0),
    (3, TRUNCATE, 0, 0),
    (4, 0, BIND | CONNECT, 0),
    (5, IOCTL_DEV, 0, 0),
    (6, 0, 0, SCOPES),
];

/// The ruleset of a profile, if it needs one.
///
/// # Errors
/// Too many ports.
pub(crate) fn ruleset(profile: &Profile, trees: &Trees) -> Result<Option<Ruleset>, Refused> {
    let mut rights = Rights { handled: handled(trees), by_tree: BTreeMap::new() };
    rights.trees(trees);
    let forbids = !trees.hidden.is_empty() || !trees.unwritten.is_empty();
    if forbids && rights.handled & MAKE_BLOCK == 0 {
        rights.handled |= MAKE_BLOCK;
        rights.add("/", MAKE_BLOCK);
    }
    // Unless this is given, Landlock refuses to move or link from one directory into another, whatever
    // else it is asked to look at.
    if rights.handled != 0 && rights.handled & REFER == 0 {
        rights.handled |= REFER;
        rights.add("/", REFER);
    }
    let (ports, allowed_ports) = ports(&profile.network)?;
    let ruleset = Ruleset {
        files: rights.handled,
        ports,
        scopes: if trees.listed { SCOPES } else { 0 },
        paths: rights.paths(),
        allowed_ports,
        no_links: trees.root.is_some(),
    };
    Ok((ruleset != Ruleset::default()).then_some(ruleset))
}

/// The versions of Landlock that a ruleset needs: the lowest, and every one that adds something it uses.
pub(crate) fn versions(ruleset: &Ruleset) -> impl Iterator<Item = u32> {
    let used = |(version, files, ports, scopes)| {
        let some = ruleset.files & files | ruleset.ports & ports | ruleset.scopes & scopes;
        (some != 0).then_some(version)
    };
    HISTORY.into_iter().filter_map(used)
}

/// What is left of a ruleset on a kernel with this version; nothing if that is nothing.
pub(crate) fn known(ruleset: &Ruleset, version: u32) -> Option<Ruleset> {
    let there = || HISTORY.iter().filter(|(since, ..)| *since <= version);
    let refer = if version >= 2 { REFER } else { 0 };
    let files = ruleset.files & there().fold(refer, |all, (_, files, ..)| all | files);
    let ports = ruleset.ports & there().fold(0, |all, (_, _, ports, _)| all | ports);
    let scopes = ruleset.scopes & there().fold(0, |all, (.., scopes)| all | scopes);
    let path = |paths: &Paths| Paths { rights: paths.rights & files, trees: paths.trees.clone() };
    let paths = ruleset.paths.iter().map(path).filter(|paths| paths.rights != 0).collect();
    let port = |(port, rights): &(u16, u64)| (*port, rights & ports);
    let allowed_ports = ruleset.allowed_ports.iter().map(port).filter(|(_, rights)| *rights != 0);
    let allowed_ports = allowed_ports.collect();
    let left = Ruleset { files, ports, scopes, paths, allowed_ports, no_links: ruleset.no_links };
    (files | ports | scopes != 0).then_some(left)
}

fn handled(trees: &Trees) -> u64 {
    let mut all = 0;
    for (list, rights) in [
        (&trees.read, READING),
        (&trees.write, WRITING | MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV),
        (&trees.execute, EXECUTE),
    ] {
        all |= if list.is_some() { rights } else { 0 };
    }
    all
}

struct Rights {
    handled: u64,
    by_tree: BTreeMap<String, u64>,
}

impl Rights {
    fn add(&mut self, tree: &str, rights: u64) {
        let rights = rights & self.handled;
        if rights != 0 {
            *self.by_tree.entry(tree.to_owned()).or_default() |= rights;
        }
    }

    fn trees(&mut self, trees: &Trees) {
        let lists =
            [(&trees.read, READING), (&trees.write, READING | WRITING), (&trees.execute, EXECUTE)];
        for (list, rights) in lists {
            for tree in list.iter().flatten() {
                let device = if has_devices(tree) { IOCTL_DEV } else { 0 };
                self.add(tree, rights | device);
            }
        }
        for tree in TMP.iter().filter(|_| trees.tmp) {
            self.add(tree, READING | WRITING);
        }
        if trees.proc {
            self.add("/proc", READING);
        }
        for device in DEVICES {
            self.add(device, DEVICE);
        }
        if let Some(devices) = &trees.devices {
            let unless = |place: &str, rights| {
                let unwritten = trees.unwritten.iter().any(|tree| is_below(place, tree));
                if unwritten { READING } else { rights }
            };
            self.add("/dev", READING);
            self.add("/dev/shm", unless("/dev/shm", READING | WRITING));
            for device in devices {
                let device = format!("/dev/{device}");
                self.add(&device, unless(&device, DEVICE));
            }
        }
    }

    fn paths(self) -> Vec<Paths> {
        let mut by_rights: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (tree, rights) in self.by_tree {
            by_rights.entry(rights).or_default().push(tree);
        }
        by_rights.into_iter().map(|(rights, trees)| Paths { rights, trees }).collect()
    }
}

/// Ports that are handled, and those that are allowed.
type Ports = (u64, Vec<(u16, u64)>);

fn ports(network: &Network) -> Result<Ports, Refused> {
    let mut handled = 0;
    let mut allowed: BTreeMap<u16, u64> = BTreeMap::new();
    for (list, right) in [(&network.connect, CONNECT), (&network.listen, BIND)] {
        let Some(list) = list else { continue };
        if list.len() > MAX_PORTS {
            return Err(Refused::TooMany { what: "ports in one list", most: MAX_PORTS });
        }
        handled |= right;
        for port in list {
            *allowed.entry(*port).or_default() |= right;
        }
    }
    Ok((handled, allowed.into_iter().collect()))
}

#[cfg(test)]
mod tests;
