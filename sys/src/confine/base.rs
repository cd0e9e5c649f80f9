//! What confinements have in common, so that it can be made before it is known for whom.
//!
//! ```text
//! an app:   private, root, /etc/…, /tmp, /proc, /dev, /usr, its program, its data ─► pivot, read-only
//! its base: private, root, /etc/…, /tmp, /proc, /dev, /usr ───────────────────────► pivot
//! its own:                                                  its program, its data ─► read-only
//! ```
//!
//! Only views that list what is there have a base. Invariant: a base with what is [`Own`] is the same view as
//! the steps in their order. That holds because what is its own are only trees that are shown, and each lies
//! neither above nor below any other place: such steps can be taken in any order. What does not fit so has no
//! base, and is made at the start.

use std::ffi::CStr;

use super::{Confine, Mount, Ruleset, SCRATCH};

/// `CLONE_NEWNS`.
const NEW_MOUNTS: u64 = 0x0002_0000;

/// Namespaces that a base has: those of mounts, and of messages between processes.
const OF_BASE: u64 = NEW_MOUNTS | 0x0800_0000;

/// `MOUNT_ATTR_RDONLY`.
const READ_ONLY: u64 = 1;

/// Where what belongs to the system lies: it is there for everybody who is shown it.
const OF_SYSTEM: [&[u8]; 6] = [b"/usr", b"/etc", b"/bin", b"/sbin", b"/lib", b"/lib64"];

/// Most trees that a start adds to a base: one that needs more makes all itself.
pub(crate) const MOST_OWN: usize = 16;

/// What a confinement has beyond a base: numbers of its own steps and rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Own {
    /// Trees that are shown, at most [`MOST_OWN`].
    pub(crate) mounts: Vec<u32>,
    /// Landlock's rules; `None` if those of the base are of no use, so all are its own.
    pub(crate) rules: Option<Vec<u32>>,
}

impl Confine {
    /// What of it is of the system, and so likely to be the same for others; `None` if nothing can be made
    /// without knowing all of it.
    #[must_use]
    pub fn base(&self) -> Option<Self> {
        // Which devices there are is known only at the start.
        let devices = self.mounts.iter().any(|mount| match mount {
            Mount::Dev(_, names) => names.iter().any(|name| name.to_bytes().contains(&b'*')),
            mount => matches!(mount, Mount::Owner(_)),
        });
        let ends = [self.mounts.iter().find(|m| **m == Mount::Root), self.mounts.last()];
        if ends != [Some(&Mount::Root), Some(&Mount::Pivot)]
            || devices
            || self.namespaces & NEW_MOUNTS == 0
        {
            return None;
        }
        let own: Vec<&[u8]> =
            self.mounts.iter().filter(|m| !of_system(m)).filter_map(shown).collect();
        let is_own = |path: &CStr| own.iter().any(|outer| below(path.to_bytes(), outer));
        let kept = |mount: &&Mount| shown(mount).is_none_or(|place| !own.contains(&place));
        let base = Self {
            namespaces: self.namespaces & OF_BASE,
            mounts: self.steps()?.iter().filter(kept).chain([&Mount::Open]).cloned().collect(),
            ruleset: self.ruleset.as_ref().map(|all| Ruleset {
                paths: all.paths.iter().filter(|(path, _)| !is_own(path)).cloned().collect(),
                allowed_ports: Vec::new(),
                ..all.clone()
            }),
            ..Self::default()
        };
        self.beyond(&base).map(|_| base)
    }

    /// A base for both, of two that are bases; `None` if they differ in more than in what is shown, or share
    /// less than half of what one of them shows.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<Self> {
        let both = |mount: &&Mount| shown(mount).is_none() || other.mounts.contains(mount);
        let mounts: Vec<Mount> = self.mounts.iter().filter(both).cloned().collect();
        let ruleset = match (&self.ruleset, &other.ruleset) {
            (None, None) => None,
            (Some(one), Some(two)) => {
                let paths = one.paths.iter().filter(|path| two.paths.contains(path));
                Some(Ruleset { paths: paths.cloned().collect(), ..one.clone() })
            }
            _ => return None,
        };
        let base = Self { mounts, ruleset, ..self.clone() };
        let shows = |of: &Self| of.mounts.iter().filter_map(shown).count();
        let enough = 2 * shows(&base) >= shows(self).max(shows(other));
        let ruled = base.ruleset.is_some();
        let serves = |one: &Self| one.beyond(&base).is_some_and(|own| own.rules.is_some() == ruled);
        (enough && serves(self) && serves(other)).then_some(base)
    }

    /// Whether what was made for `base` can be used for this, with what is its own added.
    #[must_use]
    pub fn is_beyond(&self, base: &Self) -> bool {
        self.beyond(base).is_some()
    }

    /// What this has beyond `base`; `None` if it does not have all of that, or if something of it and something
    /// of its own concern each other.
    pub(crate) fn beyond(&self, base: &Self) -> Option<Own> {
        if (self.namespaces ^ base.namespaces) & OF_BASE != 0 || !base.is_open() {
            return None;
        }
        let mounts = others(self.steps()?, base.steps()?)?;
        let step = |number: &u32| self.mounts.get(usize::try_from(*number).ok()?);
        let places = mounts.iter().map(|number| step(number).and_then(shown));
        let places: Vec<&[u8]> = places.collect::<Option<_>>()?;
        if places.len() > MOST_OWN || !apart(&places, &base.mounts) {
            return None;
        }
        let rules = self.ruleset.as_ref().zip(base.ruleset.as_ref());
        let rules = rules.and_then(|(all, made)| more(all, made, &places));
        Some(Own { mounts, rules })
    }

    /// Whether it shows something that lies in this tree, or has a rule for it: what was made of it keeps hold of
    /// that. Who shows the tree as a whole has hold of nothing in it.
    #[must_use]
    pub fn has_of(&self, tree: &[u8]) -> bool {
        let tree = tree.strip_suffix(b"/").unwrap_or(tree);
        let inside = |path: &CStr| path.to_bytes() != tree && below(path.to_bytes(), tree);
        let shows = |mount: &Mount| matches!(mount, Mount::Show { path, .. } if inside(path));
        let rules = self.ruleset.iter().flat_map(|all| &all.paths);
        self.mounts.iter().any(shows) || rules.map(|(path, _)| path).any(|path| inside(path))
    }

    /// Whether its root is still to be written, as that of a base.
    pub(crate) fn is_open(&self) -> bool {
        self.mounts.last() == Some(&Mount::Open)
    }

    /// What is done before it changes to its new root; `None` if it has none.
    fn steps(&self) -> Option<&[Mount]> {
        let (last, steps) = self.mounts.split_last()?;
        matches!(last, Mount::Pivot | Mount::Open).then_some(steps)
    }
}

/// Numbers of those of `all` that are not in `some`; `None` if `some` is not in it in this order.
fn others<T: PartialEq>(all: &[T], some: &[T]) -> Option<Vec<u32>> {
    let mut rest = some.iter().peekable();
    let other = |(number, one): (u32, &T)| match rest.next_if(|next| *next == one) {
        Some(_) => None,
        None => Some(number),
    };
    let others = (0_u32..).zip(all).filter_map(other).collect();
    rest.peek().is_none().then_some(others)
}

/// Whether none of these places lies above or below another, or a place of these steps.
fn apart(places: &[&[u8]], steps: &[Mount]) -> bool {
    let of_steps = || steps.iter().filter_map(place);
    places.iter().enumerate().all(|(number, one)| {
        let mut others = places.iter().skip(number + 1).copied().chain(of_steps());
        others.all(|other| !touch(one, other))
    })
}

/// Rules that a ruleset has beyond another, made where these places were not yet.
fn more(all: &Ruleset, made: &Ruleset, places: &[&[u8]]) -> Option<Vec<u32>> {
    let kinds = |of: &Ruleset| (of.files, of.ports, of.scopes, of.no_links);
    let ports = made.allowed_ports.iter().all(|port| all.allowed_ports.contains(port));
    // The root is the same for both.
    let paths = made.paths.iter().map(|(path, _)| path.to_bytes()).filter(|path| *path != b"/");
    let apart = paths.into_iter().all(|path| !places.iter().any(|place| touch(path, place)));
    if kinds(all) != kinds(made) || !ports || !apart {
        return None;
    }
    others(&all.paths, &made.paths)
}

/// Where a tree of the device is shown, as seen from inside. Those of another root are never added by a start: for
/// all that are confined so, they are the same.
fn shown(mount: &Mount) -> Option<&[u8]> {
    match mount {
        Mount::Show { target, .. } => Some(seen_from_inside(target)),
        _ => None,
    }
}

/// Whether a tree that is shown belongs to the system.
fn of_system(mount: &Mount) -> bool {
    let Mount::Show { target, attributes, .. } = mount else { return true };
    let place = seen_from_inside(target);
    attributes & READ_ONLY != 0 && OF_SYSTEM.iter().any(|outer| below(place, outer))
}

/// Where a step does something, as seen from inside.
fn place(mount: &Mount) -> Option<&[u8]> {
    match mount {
        Mount::Show { target, .. }
        | Mount::Inside { target, .. }
        | Mount::Entries { target, .. } => Some(seen_from_inside(target)),
        Mount::Writable(path)
        | Mount::Unwritable(path)
        | Mount::Hide(path)
        | Mount::Tmp(path, _)
        | Mount::Proc(path)
        | Mount::Dev(path, _) => Some(seen_from_inside(path)),
        Mount::Private
        | Mount::ReadOnly
        | Mount::Root
        | Mount::Owner(_)
        | Mount::Pivot
        | Mount::Open => None,
    }
}

fn touch(one: &[u8], other: &[u8]) -> bool {
    below(one, other) || below(other, one)
}

/// Whether it lies in `outer`, or is it.
pub(crate) fn below(path: &[u8], outer: &[u8]) -> bool {
    let outer = outer.strip_suffix(b"/").unwrap_or(outer);
    let rest = path.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// A place in the new root as the program sees it.
pub(crate) fn seen_from_inside(place: &CStr) -> &[u8] {
    let bytes = place.to_bytes();
    bytes.strip_prefix(SCRATCH.to_bytes()).unwrap_or(bytes)
}

#[cfg(test)]
mod tests;
