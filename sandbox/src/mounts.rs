//! The mounts that a profile needs, in order: a directory before what lies in it.
//!
//! ```text
//! whole:   private ► all read-only ► writable trees, own /tmp /dev /proc, unwritable trees ► hidden trees
//! listed:  private ► empty root ► trees, own /tmp /dev /proc, unwritable trees ► hidden trees ► pivot
//! ```
//!
//! Of a root of its own the trees are those in it. Its `/etc` is put together: what is in that of the root, and
//! what is the device's to tell.

use std::collections::BTreeMap;

use model::sandbox::{ETC_OF_DEVICE, Mount, Show, is_below, is_of_root};

use crate::trees::{INTO_USR, OF_DEVICE, TMP, Trees, has_devices};

/// Where settings of a root and facts of the device lie side by side.
const ETC: &str = "/etc";

/// Bytes that a private directory for temporary files may hold.
pub(crate) const TMP_SIZE: u64 = 64 << 20;

/// The steps; none if the profile needs no mounts.
pub(crate) fn mounts(trees: &Trees) -> Vec<Mount> {
    let mut steps = if trees.listed { listed(trees) } else { whole(trees) };
    for (path, mount) in own(trees) {
        steps.insert(path, mount);
    }
    let mut all = Vec::new();
    if trees.listed {
        all.extend([Mount::Private, Mount::Root]);
    } else if restricts_writing(trees) {
        all.extend([Mount::Private, Mount::ReadOnly]);
    } else if !steps.is_empty() || !trees.unwritten.is_empty() || !trees.hidden.is_empty() {
        all.push(Mount::Private);
    }
    all.extend(steps.into_values());
    all.extend(
        trees
            .unwritten
            .iter()
            .filter(|tree| unwritable(tree, trees))
            .cloned()
            .map(Mount::Unwritable),
    );
    all.extend(trees.hidden.iter().cloned().map(Mount::Hide));
    if trees.listed {
        all.push(Mount::Pivot);
    }
    all
}

/// Everything but the writable trees becomes read-only.
fn restricts_writing(trees: &Trees) -> bool {
    trees.write.as_ref().is_some_and(|list| !list.iter().any(|tree| tree == "/"))
}

/// Directories of its own, by place.
fn own(trees: &Trees) -> impl Iterator<Item = (String, Mount)> {
    let tmp = TMP.iter().filter(|_| trees.tmp);
    let tmp = tmp.map(|place| ((*place).to_owned(), Mount::Tmp((*place).to_owned(), TMP_SIZE)));
    let proc = trees.proc.then(|| ("/proc".to_owned(), Mount::Proc));
    let dev = trees.devices.clone().map(|devices| ("/dev".to_owned(), Mount::Dev(devices)));
    let hide = |path: &&str| ((*path).to_owned(), Mount::Hide((*path).to_owned()));
    let hidden = OF_DEVICE.iter().filter(|_| trees.proc).map(hide);
    tmp.chain(proc).chain(hidden).chain(dev)
}

/// Whether something else is mounted over this tree in the whole view.
fn covered(tree: &str, trees: &Trees) -> bool {
    own(trees).any(|(place, _)| is_below(tree, &place))
}

/// In the whole view; where devices are, they are used whether or not the directory can be written.
fn whole(trees: &Trees) -> BTreeMap<String, Mount> {
    let write = trees.write.iter().flatten().filter(|_| restricts_writing(trees));
    write
        .filter(|tree| !has_devices(tree) && !covered(tree, trees))
        .map(|tree| (tree.clone(), Mount::Writable(tree.clone())))
        .collect()
}

/// Whether a tree needs a step to be unwritable.
fn unwritable(tree: &str, trees: &Trees) -> bool {
    let write = || trees.write.iter().flatten();
    if trees.listed {
        return write().any(|outer| is_below(tree, outer) || is_below(outer, tree));
    }
    if covered(tree, trees) {
        return false;
    }
    !restricts_writing(trees) || write().any(|outer| is_below(tree, outer))
}

/// In the listed view. What lies in a tree that is shown with the same or more needs no step.
fn listed(trees: &Trees) -> BTreeMap<String, Mount> {
    let lists =
        [(&trees.execute, Show::Execute), (&trees.write, Show::Write), (&trees.read, Show::Read)];
    let mut shown: BTreeMap<String, Show> = BTreeMap::new();
    for (list, how) in lists {
        for tree in list.iter().flatten() {
            let inside = |(outer, other): (&String, &Show)| {
                is_below(tree, outer) && (how == Show::Read || *other == how)
            };
            if !shown.iter().any(inside) {
                shown.insert(tree.clone(), how);
            }
        }
    }
    if let Some(how) = of_usr(&shown) {
        for link in INTO_USR {
            shown.entry(link.to_owned()).or_insert(how);
        }
    }
    let Some(root) = &trees.root else {
        return shown
            .into_iter()
            .map(|(tree, how)| (tree.clone(), Mount::Show(tree, how)))
            .collect();
    };
    if let Some(how) = shown.get(ETC).copied() {
        for name in ETC_OF_DEVICE {
            shown.entry(format!("{ETC}/{name}")).or_insert(how);
        }
    }
    let step = |(tree, how): (String, Show)| {
        let place = tree.clone();
        let step = match tree.as_str() {
            ETC => Mount::Entries(root.clone(), tree, how, ETC_OF_DEVICE.map(str::to_owned).into()),
            _ if is_of_root(&tree) => Mount::Inside(root.clone(), tree, how),
            _ => Mount::Show(tree, how),
        };
        (place, step)
    };
    shown.into_iter().map(step).collect()
}

/// How `/usr`, or something in it, is shown.
fn of_usr(shown: &BTreeMap<String, Show>) -> Option<Show> {
    let mut all = shown.iter().filter(|(tree, _)| is_below(tree, "/usr")).map(|(_, how)| *how);
    let first = all.next()?;
    Some(if first == Show::Execute || all.any(|how| how == Show::Execute) {
        Show::Execute
    } else {
        Show::Read
    })
}

#[cfg(test)]
mod tests;
