//! The lists of files of a profile as they count: checked, without what is forbidden, without what
//! another entry gives already.
//!
//! In a listed view all three lists are there, if empty: only what they name is in it.

use std::collections::BTreeSet;

use model::sandbox::{Files, Proc, Profile, Tmp, View, is_below, is_of_root};

use crate::refused::Refused;

/// Most trees in one list.
pub(crate) const MAX_TREES: usize = 256;

/// Most devices.
pub(crate) const MAX_DEVICES: usize = 64;

/// Longest path: the kernel's `PATH_MAX` with its zero byte.
pub(crate) const MAX_PATH: usize = 4095;

/// Where private temporary files are.
pub(crate) const TMP: [&str; 2] = ["/tmp", "/var/tmp"];

/// Links at the root that lead into `/usr`.
pub(crate) const INTO_USR: [&str; 4] = ["/bin", "/lib", "/lib64", "/sbin"];

/// The same, and those that only some roots have.
const OF_USR: [&str; 6] = ["/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"];

/// What a `/proc` of its own does not show: it is of the whole device, and no program needs it. Some of it
/// root may read without any capability.
pub(crate) const OF_DEVICE: [&str; 13] = [
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/locks",
    "/proc/modules",
    "/proc/slabinfo",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/proc/vmallocinfo",
];

/// Devices that everybody may use.
pub(crate) const DEVICES: [&str; 6] =
    ["/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"];

/// Directories below `/dev` that hold files, not devices.
const NOT_DEVICES: [&str; 2] = ["/dev/shm", "/dev/mqueue"];

/// The lists as they count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trees {
    /// Only what is named is there.
    pub listed: bool,
    /// Where programs, libraries and their settings are taken from, if not from the device.
    pub root: Option<String>,
    /// May be read. Trees of the other lists are in it too.
    pub read: Option<Vec<String>>,
    /// May be written, and not executed.
    pub write: Option<Vec<String>>,
    /// May be executed.
    pub execute: Option<Vec<String>>,
    /// Are not there.
    pub hidden: Vec<String>,
    /// Are not written, whatever is around them.
    pub unwritten: Vec<String>,
    /// Devices in a `/dev` of its own.
    pub devices: Option<Vec<String>>,
    /// `/tmp` of its own.
    pub tmp: bool,
    /// `/proc` of its own.
    pub proc: bool,
}

impl Trees {
    pub(crate) fn of(profile: &Profile) -> Result<Self, Refused> {
        let (files, forbid) = (&profile.files, &profile.forbid);
        check(files, &[&forbid.files, &forbid.write])?;
        let listed = files.view == View::Listed;
        let list = |list: &Option<Vec<String>>| {
            let list = list.as_ref().map(|all| {
                let beside = if files.root.is_some() { beside_usr(all) } else { &[] };
                let beside = beside.iter().map(|tree| (*tree).to_owned());
                without(&all.iter().cloned().chain(beside).collect::<Vec<_>>(), &forbid.files)
            });
            list.or_else(|| listed.then(Vec::new))
        };
        let (mut write, execute) = (list(&files.write), list(&files.execute));
        let mut read = list(&files.read);
        if let Some(read) = &mut read {
            read.extend(write.iter().chain(&execute).flatten().cloned());
        }
        if let Some(write) = &mut write {
            *write = without(write, &forbid.write);
        }
        let own_devices = || (listed && !names_dev(read.as_deref())).then(Vec::new);
        let all = Self {
            listed,
            root: files.root.clone(),
            devices: files.devices.clone().or_else(own_devices),
            read: read.map(outermost),
            write: write.map(outermost),
            execute: execute.map(outermost),
            hidden: outermost(forbid.files.clone()),
            unwritten: outermost(without(&forbid.write, &forbid.files)),
            tmp: files.tmp == Tmp::Private,
            proc: files.proc == Proc::Own,
        };
        all.agree()?;
        Ok(all)
    }

    fn agree(&self) -> Result<(), Refused> {
        let write = || self.write.iter().flatten();
        for execute in self.execute.iter().flatten() {
            if let Some(write) = write().find(|write| is_below(execute, write)) {
                let (execute, write) = (execute.clone(), write.clone());
                return Err(Refused::Writable { execute, write });
            }
        }
        if self.root.is_some() && !self.listed {
            return Err(Refused::WholeRoot);
        }
        if let Some(tree) = write().find(|tree| self.root.is_some() && is_of_root(tree)) {
            return Err(Refused::WrittenRoot(tree.clone()));
        }
        if self.hidden.iter().any(|tree| tree == "/") {
            return Err(Refused::Nothing);
        }
        if self.listed && self.read.iter().flatten().any(|tree| tree == "/") {
            return Err(Refused::Everything);
        }
        Ok(())
    }
}

/// What a list names beside `/usr`: a root may have directories where the device has links into `/usr`.
fn beside_usr(list: &[String]) -> &'static [&'static str] {
    if list.iter().any(|tree| tree == "/usr") { &OF_USR } else { &[] }
}

/// Whether the device's `/dev` is in a list, as a whole.
fn names_dev(list: Option<&[String]>) -> bool {
    list.is_some_and(|list| list.iter().any(|tree| is_below("/dev", tree)))
}

/// Whether devices are at this place.
pub(crate) fn has_devices(path: &str) -> bool {
    is_below(path, "/dev") && !NOT_DEVICES.iter().any(|place| is_below(path, place))
}

/// The trees that lie in none of `forbidden`.
fn without(trees: &[String], forbidden: &[String]) -> Vec<String> {
    let gone = |tree: &String| forbidden.iter().any(|forbidden| is_below(tree, forbidden));
    trees.iter().filter(|tree| !gone(tree)).cloned().collect()
}

/// The trees that lie in no other of them, sorted.
fn outermost(trees: Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    // A tree sorts before what lies in it, but not always directly before.
    for tree in trees.into_iter().collect::<BTreeSet<_>>() {
        if !all.iter().any(|outer| is_below(&tree, outer)) {
            all.push(tree);
        }
    }
    all
}

fn check(files: &Files, forbidden: &[&Vec<String>]) -> Result<(), Refused> {
    if let Some(root) = files.root.as_ref().filter(|root| !is_path(root) || *root == "/") {
        return Err(Refused::Path(root.clone()));
    }
    let lists = [&files.read, &files.write, &files.execute].into_iter().flatten();
    for list in lists.chain(forbidden.iter().copied()) {
        if list.len() > MAX_TREES {
            return Err(Refused::TooMany { what: "trees in one list", most: MAX_TREES });
        }
        if let Some(wrong) = list.iter().find(|path| !is_path(path)) {
            return Err(Refused::Path(wrong.clone()));
        }
    }
    let devices = files.devices.as_deref().unwrap_or_default();
    if devices.len() > MAX_DEVICES {
        return Err(Refused::TooMany { what: "devices", most: MAX_DEVICES });
    }
    let wrong = devices.iter().find(|name| !is_path(&format!("/{name}")) || name.is_empty());
    wrong.map_or(Ok(()), |name| Err(Refused::Device(name.clone())))
}

/// Absolute and in its shortest form.
fn is_path(path: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    path.len() <= MAX_PATH
        && path.strip_prefix('/').is_some_and(|rest| rest.is_empty() || rest.split('/').all(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_in_their_shortest_form() {
        for path in ["/", "/a", "/a/b.c", "/a/..b"] {
            assert!(is_path(path), "{path}");
        }
        for path in ["", "a", "/a/", "//a", "/a//b", "/a/./b", "/a/..", "/a\0b"] {
            assert!(!is_path(path), "{path}");
        }
        assert!(!is_path(&format!("/{}", "a".repeat(MAX_PATH))));
    }

    #[test]
    fn a_tree_in_another_says_nothing_new() {
        let trees = ["/a", "/a-b", "/a/b", "/a/b/c", "/b"].map(String::from).to_vec();
        assert_eq!(outermost(trees), ["/a", "/a-b", "/b"]);
    }

    #[test]
    fn files_below_dev_are_no_devices() {
        assert!(has_devices("/dev") && has_devices("/dev/fb0"));
        assert!(!has_devices("/dev/shm/x") && !has_devices("/device"));
    }
}
