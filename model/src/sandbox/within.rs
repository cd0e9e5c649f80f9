//! The smaller of two profiles: what both allow.
//!
//! For programs whose own profile may only take away from what the system gives them. Invariant: what
//! the result allows, both allow. Where the two cannot be met exactly, the result is smaller.

use std::collections::BTreeSet;

use super::{
    Access, Calls, Feature, Files, Forbid, Limits, Network, OF_ROOT, Proc, Profile, Tmp, View,
    calls, is_of_root,
};
use crate::gather;

/// Whether `path` is `tree` or lies in it; both absolute and in their shortest form.
#[must_use]
pub fn is_below(path: &str, tree: &str) -> bool {
    let rest = path.strip_prefix(tree);
    tree == "/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Profile {
    /// What both this and `ceiling` allow.
    ///
    /// A ceiling without a list of capabilities gives none of them, for what that means depends on the
    /// user; two without leave it so.
    #[must_use]
    pub fn within(&self, ceiling: &Self) -> Self {
        let capabilities = match (&self.capabilities, &ceiling.capabilities) {
            (None, None) => None,
            (Some(own), Some(most)) => Some(common(own, most)),
            _ => Some(Vec::new()),
        };
        let write_execute = match (self.write_execute, ceiling.write_execute) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (own, _) => own,
        };
        Self {
            requires: union(&self.requires, &ceiling.requires),
            optional: common(&self.optional, &ceiling.optional),
            capabilities,
            no_new_privileges: self.no_new_privileges || ceiling.no_new_privileges,
            write_execute,
            lock_personality: self.lock_personality || ceiling.lock_personality,
            keyring: self.keyring || ceiling.keyring,
            namespaces: union(&self.namespaces, &ceiling.namespaces),
            files: self.files.within(&ceiling.files),
            network: self.network.within(&ceiling.network),
            calls: self.calls.within(&ceiling.calls),
            limits: self.limits.within(&ceiling.limits),
            forbid: self.forbid.and(&ceiling.forbid),
        }
    }

    /// The same on a device whose kernel may lack `missing`. What restricts nothing needs nothing.
    #[must_use]
    pub fn tolerating(mut self, missing: &[Feature]) -> Self {
        if self.confines() {
            self.requires.retain(|feature| !feature.may_lack(missing));
            self.optional = union(&self.optional, missing);
        }
        self
    }
}

impl Files {
    fn within(&self, most: &Self) -> Self {
        let devices = either(&self.named_devices(), &most.named_devices(), common);
        let tmp = if self.tmp == Tmp::Private { Tmp::Private } else { most.tmp };
        let proc = if self.proc == Proc::Own { Proc::Own } else { most.proc };
        let view = if self.view == View::Listed { View::Listed } else { most.view };
        let root = self.root.clone().or_else(|| most.root.clone());
        let same = self.root == most.root;
        // Of two roots one path is two trees.
        let both = |own: &[String], most: &[String]| {
            let mut all = meet(own, most);
            all.retain(|tree| same || !reaches_root(tree));
            all
        };
        let read = either(&self.readable(), &most.readable(), both);
        // What may be written or executed may be read too, so both must allow that.
        let also_read = |list: Option<Vec<String>>| match (list, &read) {
            (Some(list), Some(read)) => Some(meet(&list, read)),
            (list, _) => list,
        };
        let write = also_read(either(&self.writable(), &most.writable(), both));
        let execute = also_read(either(&self.executable(), &most.executable(), both));
        Self { view, root, read, write, execute, tmp, proc, devices }
    }

    /// The trees it may read; `None`: all.
    fn readable(&self) -> Option<Vec<String>> {
        let lists = || [&self.read, &self.write, &self.execute].into_iter().flatten().flatten();
        let all: BTreeSet<String> = gather(lists().cloned());
        (self.view == View::Listed || self.read.is_some()).then(|| all.into_iter().collect())
    }

    /// The devices of a `/dev` of its own, which a view of listed trees has unless it shows the device's.
    fn named_devices(&self) -> Option<Vec<String>> {
        let own = || (self.view == View::Listed && !self.shows_dev()).then(Vec::new);
        self.devices.clone().or_else(own)
    }

    fn writable(&self) -> Option<Vec<String>> {
        self.of_view(&self.write)
    }

    fn executable(&self) -> Option<Vec<String>> {
        self.of_view(&self.execute)
    }

    /// A list in a view of listed trees is there even if nothing is in it.
    fn of_view(&self, list: &Option<Vec<String>>) -> Option<Vec<String>> {
        list.clone().or_else(|| (self.view == View::Listed).then(Vec::new))
    }
}

impl Network {
    fn within(&self, most: &Self) -> Self {
        let access = if self.access == Access::None { Access::None } else { most.access };
        Self {
            access,
            families: either(&self.families, &most.families, common),
            connect: either(&self.connect, &most.connect, common),
            listen: either(&self.listen, &most.listen, common),
            udp: self.datagrams() && most.datagrams(),
        }
    }

    /// Whether UDP is allowed.
    pub(super) fn datagrams(&self) -> bool {
        self.udp || (self.connect.is_none() && self.listen.is_none())
    }
}

impl Limits {
    /// Of each the smaller.
    fn within(&self, most: &Self) -> Self {
        fn less<T: Ord>(own: Option<T>, most: Option<T>) -> Option<T> {
            own.into_iter().chain(most).min()
        }
        Self {
            memory: less(self.memory, most.memory),
            cpu: less(self.cpu, most.cpu),
            pids: less(self.pids, most.pids),
            open_files: less(self.open_files, most.open_files),
            core: less(self.core, most.core),
            signals: less(self.signals, most.signals),
            locked_memory: less(self.locked_memory, most.locked_memory),
            file_size: less(self.file_size, most.file_size),
            stack: less(self.stack, most.stack),
            storage: less(self.storage, most.storage),
            storage_files: less(self.storage_files, most.storage_files),
        }
    }
}

impl Calls {
    fn within(&self, most: &Self) -> Self {
        let named = |own: &[String], most: &[String]| {
            if own == most {
                return own.to_vec();
            }
            let most = names(most);
            names(own).intersection(&most).map(|name| (*name).to_owned()).collect()
        };
        Self {
            allow: either(&self.allow, &most.allow, named),
            deny: union(&self.deny, &most.deny),
            kill: union(&self.kill, &most.kill),
        }
    }
}

impl Forbid {
    /// What one of both forbids.
    fn and(&self, other: &Self) -> Self {
        Self {
            files: union(&self.files, &other.files),
            write: union(&self.write, &other.write),
            calls: union(&self.calls, &other.calls),
            capabilities: union(&self.capabilities, &other.capabilities),
            families: union(&self.families, &other.families),
            network: self.network || other.network,
            write_execute: self.write_execute || other.write_execute,
            new_privileges: self.new_privileges || other.new_privileges,
        }
    }
}

/// Every call that a list names, by itself or in a group.
pub(super) fn names(list: &[String]) -> BTreeSet<&'static str> {
    let members = |name: &String| match calls::group(name) {
        Some(group) => group.members(),
        None => calls::call(name).map(|call| call.name).into_iter().collect(),
    };
    gather(list.iter().flat_map(members))
}

/// Whether something of it would be of a root.
fn reaches_root(tree: &str) -> bool {
    is_of_root(tree) || OF_ROOT.iter().any(|inner| is_below(inner, tree))
}

/// Trees that lie in both.
fn meet(own: &[String], most: &[String]) -> Vec<String> {
    let inner = |tree: &String, others: &[String]| others.iter().any(|other| is_below(tree, other));
    let all = own.iter().filter(|tree| inner(tree, most));
    let all = all.chain(most.iter().filter(|tree| inner(tree, own)));
    gather::<BTreeSet<_>, _>(all.cloned()).into_iter().collect()
}

/// Of two lists that restrict if they are there.
fn either<T: Clone>(
    own: &Option<Vec<T>>,
    most: &Option<Vec<T>>,
    both: impl Fn(&[T], &[T]) -> Vec<T>,
) -> Option<Vec<T>> {
    match (own, most) {
        (Some(own), Some(most)) => Some(both(own, most)),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

fn common<T: Clone + Ord>(own: &[T], most: &[T]) -> Vec<T> {
    own.iter().filter(|item| most.contains(item)).cloned().collect()
}

pub(super) fn union<T: Clone + Ord>(own: &[T], other: &[T]) -> Vec<T> {
    gather::<BTreeSet<_>, _>(own.iter().chain(other).cloned()).into_iter().collect()
}
