//! A profile with what permissions add to it.
//!
//! ```text
//!                    list is not there   ─► stays so: nothing is restricted
//! Profile + adds ─┬─ list is there       ─► both, joined
//!                 ├─ empty network       ─► the permission's, if it gives the device's
//!                 └─ forbidden, denied   ─► Forbidden: nothing of the permission counts
//! ```
//!
//! Invariants: what the profile allows, the result allows; what the profile forbids, the result forbids;
//! neither the order of permissions nor how often one is given matters. Two things change hands, for
//! the language can't say them apart: in a tree that a permission lets it write nothing is executed
//! any more, and a program that leaves its empty network has the ports of the permission, no longer
//! those of a network in which nobody is.

use std::fmt;

use super::within::{names, union};
use super::{Access, Calls, Files, Network, Profile, View, calls, is_below, is_of_root};
use crate::Name;
use crate::permission::Permission;
use crate::service::Service;
use crate::word::Word;

/// A permission needs what the profile forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// The permission.
    pub permission: Name,
    /// What it needs, as a phrase: "the device `video0`".
    pub needs: String,
    /// Key of the rule that is against it: `forbid.files`.
    pub key: &'static str,
    /// The value in that rule, as it was written: `/dev`.
    pub value: String,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { permission, needs, key, value } = self;
        write!(f, "the permission `{permission}` needs {needs}, and `{key}` is against it")?;
        if value == "true" { Ok(()) } else { write!(f, " with `{value}`") }
    }
}

impl std::error::Error for Forbidden {}

impl Profile {
    /// This profile with what all of `permissions` add. A profile without a list of capabilities keeps
    /// none: for programs of another user than root see [`Service::widened`].
    ///
    /// # Errors
    /// The first permission, by name, that needs what the profile forbids: without it the others may
    /// be given.
    pub fn widened(&self, permissions: &[&Permission]) -> Result<Self, Forbidden> {
        let mut sorted = permissions.to_vec();
        sorted.sort_by(|one, other| one.name.cmp(&other.name));
        let mut wider = self.clone();
        for (number, permission) in sorted.iter().enumerate() {
            let earlier = sorted.get(..number).unwrap_or_default();
            Against { profile: &wider, earlier, permission }.check()?;
            wider = wider.with(&permission.adds);
        }
        Ok(wider)
    }

    fn with(&self, adds: &Self) -> Self {
        let executable = self.write_execute == Some(false) && adds.write_execute == Some(true);
        Self {
            capabilities: joined(&self.capabilities, &adds.capabilities),
            write_execute: if executable { Some(true) } else { self.write_execute },
            files: self.files.with(&adds.files),
            network: self.network.with(&adds.network),
            calls: Calls {
                allow: joined(&self.calls.allow, &adds.calls.allow),
                ..self.calls.clone()
            },
            ..self.clone()
        }
    }
}

impl Service {
    /// Its profile with what all of `permissions` add. Run by another user than root it has no
    /// capabilities but those that a list gives it.
    ///
    /// # Errors
    /// As [`Profile::widened`].
    pub fn widened(&self, permissions: &[&Permission]) -> Result<Profile, Forbidden> {
        let wanted = permissions.iter().any(|permission| permission.adds.capabilities.is_some());
        if self.user.is_none() || self.sandbox.capabilities.is_some() || !wanted {
            return self.sandbox.widened(permissions);
        }
        Profile { capabilities: Some(Vec::new()), ..(*self.sandbox).clone() }.widened(permissions)
    }
}

impl Files {
    fn with(&self, adds: &Self) -> Self {
        let listed = self.view == View::Listed;
        // In a listed view, no list is an empty one.
        let list = |own: &Option<Vec<String>>, more: &Option<Vec<String>>| match own {
            None if listed => more.clone(),
            own => joined(own, more),
        };
        let mut read = list(&self.read, &adds.read);
        if let Some(read) = &mut read {
            // A list that is not there does not say that what is written may be read too.
            let open = [(&self.write, &adds.write), (&self.execute, &adds.execute)];
            let open = open.into_iter().filter(|(own, _)| own.is_none() && !listed);
            let more: Vec<String> = open.filter_map(|(_, more)| more.clone()).flatten().collect();
            *read = union(read, &more);
        }
        let own_dev = listed && !self.shows_dev();
        let devices = match &self.devices {
            None if own_dev => adds.devices.clone(),
            own => joined(own, &adds.devices),
        };
        Self {
            read,
            write: list(&self.write, &adds.write),
            execute: list(&self.execute, &adds.execute),
            devices,
            ..self.clone()
        }
    }

    /// Whether the device's `/dev` is in a list.
    pub(super) fn shows_dev(&self) -> bool {
        let mut lists = [&self.read, &self.write, &self.execute].into_iter().flatten().flatten();
        lists.any(|tree| is_below("/dev", tree))
    }
}

impl Network {
    /// Ports belong to the network that they are of: a permission that does not give the device's has none.
    fn with(&self, adds: &Self) -> Self {
        let families = joined(&self.families, &adds.families);
        if adds.access == Access::None {
            return Self { families, ..self.clone() };
        }
        let (connect, listen, datagrams) = match self.access {
            Access::None => (adds.connect.clone(), adds.listen.clone(), adds.datagrams()),
            Access::Host => (
                either(&self.connect, &adds.connect),
                either(&self.listen, &adds.listen),
                self.datagrams() || adds.datagrams(),
            ),
        };
        let udp = datagrams && (connect.is_some() || listen.is_some());
        Self { access: Access::Host, families, connect, listen, udp }
    }
}

/// One permission beside a profile, and beside others whose lists the profile may lack.
struct Against<'a> {
    profile: &'a Profile,
    earlier: &'a [&'a Permission],
    permission: &'a Permission,
}

impl Against<'_> {
    fn check(&self) -> Result<(), Forbidden> {
        let (adds, forbid) = (&self.permission.adds, &self.profile.forbid);
        self.trees()?;
        self.written_and_executed()?;
        let (network, wx) = (adds.network.access == Access::Host, adds.write_execute == Some(true));
        let single = [
            (network && forbid.network, "the network of the device", "forbid.network"),
            (wx && forbid.write_execute, "memory to write and execute", "forbid.write-execute"),
        ];
        if let Some((_, needs, key)) = single.into_iter().find(|(against, ..)| *against) {
            return Err(self.forbidden(needs, key, "true"));
        }
        let mut capabilities = adds.capabilities.iter().flatten();
        if let Some(name) = capabilities.find(|name| forbid.capabilities.contains(name)) {
            let needs = format!("the capability {name}");
            return Err(self.forbidden(&needs, "forbid.capabilities", name));
        }
        let mut families = adds.network.families.iter().flatten();
        if let Some(family) = families.find(|family| forbid.families.contains(family)) {
            let name = family.word();
            let needs = format!("sockets of the family \"{name}\"");
            return Err(self.forbidden(&needs, "forbid.families", name));
        }
        self.calls()
    }

    fn trees(&self) -> Result<(), Forbidden> {
        let (files, forbid) = (&self.permission.adds.files, &self.profile.forbid);
        let lists = [("read", &files.read), ("write", &files.write), ("execute", &files.execute)];
        for (what, list) in lists {
            for tree in list.iter().flatten() {
                let needs = format!("to {what} `{tree}`");
                self.outside(&needs, tree, "forbid.files", &forbid.files)?;
                if what == "write" {
                    self.outside(&needs, tree, "forbid.write", &forbid.write)?;
                    let root = self.profile.files.root.as_ref().filter(|_| is_of_root(tree));
                    root.map_or(Ok(()), |root| Err(self.forbidden(&needs, "files.root", root)))?;
                }
            }
        }
        for device in files.devices.iter().flatten() {
            let needs = format!("the device `{device}`");
            self.outside(&needs, &format!("/dev/{device}"), "forbid.files", &forbid.files)?;
        }
        Ok(())
    }

    fn outside(
        &self,
        needs: &str,
        path: &str,
        key: &'static str,
        trees: &[String],
    ) -> Result<(), Forbidden> {
        let around = trees.iter().find(|tree| is_below(path, tree));
        around.map_or(Ok(()), |tree| Err(self.forbidden(needs, key, tree)))
    }

    /// What can be written is not executed: neither list may take from the other.
    fn written_and_executed(&self) -> Result<(), Forbidden> {
        let (adds, own) = (&self.permission.adds.files, &self.profile.files);
        let of = |list: fn(&Files) -> &Option<Vec<String>>| {
            let earlier = self.earlier.iter().map(move |one| list(&one.adds.files));
            [list(own), list(adds)].into_iter().chain(earlier).flatten().flatten()
        };
        let meets = |path: &str, list| {
            of(list).find(|tree| is_below(path, tree) || is_below(tree, path)).cloned()
        };
        for tree in adds.write.iter().flatten() {
            if let Some(executed) = meets(tree, |files| &files.execute) {
                let needs = format!("to write `{tree}`");
                return Err(self.forbidden(&needs, "files.execute", &executed));
            }
        }
        for tree in adds.execute.iter().flatten() {
            if let Some(written) = meets(tree, |files| &files.write) {
                let needs = format!("to execute `{tree}`");
                return Err(self.forbidden(&needs, "files.write", &written));
            }
        }
        Ok(())
    }

    /// A group of which something is left is given without the rest.
    fn calls(&self) -> Result<(), Forbidden> {
        let own = &self.profile.calls;
        let refused = [
            ("forbid.calls", &self.profile.forbid.calls),
            ("calls.deny", &own.deny),
            ("calls.kill", &own.kill),
        ];
        for wanted in self.permission.adds.calls.allow.iter().flatten() {
            let mut left = names(std::slice::from_ref(wanted));
            let mut last = None;
            for (key, value) in
                refused.iter().flat_map(|(key, list)| list.iter().map(|v| (*key, v)))
            {
                let taken = names(std::slice::from_ref(value));
                if !left.is_disjoint(&taken) {
                    left.retain(|name| !taken.contains(name));
                    last = Some((key, value));
                }
            }
            if let Some((key, value)) = last.filter(|_| left.is_empty()) {
                let what = if calls::known(wanted) { "the system call" } else { "the calls" };
                return Err(self.forbidden(&format!("{what} `{wanted}`"), key, value));
            }
        }
        Ok(())
    }

    fn forbidden(&self, needs: &str, key: &'static str, value: &str) -> Forbidden {
        let (needs, value) = (needs.to_owned(), value.to_owned());
        Forbidden { permission: self.permission.name.clone(), needs, key, value }
    }
}

/// A list with what a permission adds; one that is not there restricts nothing.
fn joined<T: Clone + Ord>(own: &Option<Vec<T>>, more: &Option<Vec<T>>) -> Option<Vec<T>> {
    own.as_ref().map(|own| union(own, more.as_deref().unwrap_or_default()))
}

/// What either of two lists allows; one that is not there allows everything.
fn either<T: Clone + Ord>(own: &Option<Vec<T>>, other: &Option<Vec<T>>) -> Option<Vec<T>> {
    Some(union(own.as_ref()?, other.as_ref()?))
}
