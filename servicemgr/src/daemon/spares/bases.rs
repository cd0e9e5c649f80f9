//! Views that are made before it is known for whom: what those that list their files have in common.
//!
//! ```text
//! confined so ─ its base ─┬ shares most with a base that is known ─► that, with what both have
//!                         └ does not ─► a base of its own          (the one started least recently goes)
//! ```
//!
//! Invariant: at most [`MOST`] bases are known, and [`VIEWS`] views are kept of each.

use std::sync::Arc;

use sys::confine::Confine;
use sys::spawn::Ahead;

/// Most bases: apps have one, and few other services list their files.
const MOST: usize = 2;

/// Views that are kept of each: costs as of [`super::MOST`].
const VIEWS: usize = 2;

/// All of them, the one that was of use last first.
#[derive(Debug, Default)]
pub(super) struct Bases(Vec<Base>);

#[derive(Debug)]
struct Base {
    confine: Arc<Confine>,
    views: Vec<Ahead>,
    /// It did not work: not tried until something changes.
    vain: bool,
}

impl Base {
    fn lacks(&self) -> bool {
        !self.vain && self.views.len() < VIEWS
    }
}

impl Bases {
    /// Something confined so may start.
    pub(super) fn learn(&mut self, confine: &Confine) {
        let Some(new) = confine.base() else { return };
        let shared = |(at, base): (usize, &Base)| Some((at, base.confine.common(&new)?));
        let known = self.0.iter().enumerate().find_map(shared);
        let before = known.as_ref().map(|(at, _)| self.0.remove(*at));
        let confine = known.map_or(new, |(_, shared)| shared);
        let base = before.filter(|before| *before.confine == confine);
        let base = base.unwrap_or_else(|| Base {
            confine: Arc::new(confine),
            views: Vec::new(),
            vain: false,
        });
        self.0.insert(0, base);
        self.0.truncate(MOST);
    }

    /// Those for a start that is confined so, one after the other.
    pub(super) fn views(&mut self, confine: &Confine) -> impl Iterator<Item = Ahead> {
        let made = |base: &&mut Base| !base.views.is_empty() && confine.is_beyond(&base.confine);
        let base = self.0.iter_mut().find(made);
        std::iter::from_fn({
            let mut views = base.map(|base| &mut base.views);
            move || views.as_mut()?.pop()
        })
    }

    /// Lets go of what does not hold any more: something may have been mounted since.
    pub(super) fn check(&mut self) {
        for base in &mut self.0 {
            base.views.retain(Ahead::holds);
            base.vain = false;
        }
    }

    /// Forgets those that show something in this tree.
    pub(super) fn let_go(&mut self, tree: &[u8]) {
        self.0.retain(|base| !base.confine.has_of(tree));
    }

    /// Whether one is to be made.
    pub(super) fn lacks(&self) -> bool {
        self.0.iter().any(Base::lacks)
    }

    /// Makes one.
    pub(super) fn make(&mut self) {
        let Some(base) = self.0.iter_mut().find(|base| base.lacks()) else { return };
        let made = super::make(&base.confine);
        base.vain = made.is_none();
        base.views.extend(made);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use sys::confine::Mount;

    use super::*;

    fn app(trees: &[&str]) -> Confine {
        let c = |text: &str| CString::new(text).unwrap();
        let show = |tree: &&str| Mount::Show {
            path: c(tree),
            target: c(&format!("/run/ensemble/root{tree}")),
            attributes: 1,
        };
        let mut mounts = vec![Mount::Private, Mount::Root];
        mounts.extend(trees.iter().map(show));
        mounts.push(Mount::Pivot);
        Confine { namespaces: 0x0002_0000, mounts, ..Confine::default() }
    }

    fn shown(bases: &Bases) -> Vec<usize> {
        bases.0.iter().map(|base| base.confine.mounts.len() - 3).collect()
    }

    #[test]
    fn apps_have_one_base_whatever_is_their_own() {
        let mut bases = Bases::default();
        bases.learn(&app(&["/apps/one", "/etc/a", "/etc/b", "/usr"]));
        assert_eq!(shown(&bases), [3]);
        bases.learn(&app(&["/apps/two", "/etc/a", "/etc/c", "/usr"]));
        assert_eq!(shown(&bases), [2], "what both have");
        bases.learn(&app(&["/etc/a", "/usr"]));
        assert_eq!(shown(&bases), [2]);
    }

    #[test]
    fn what_shares_little_has_another_and_at_most_two_are_known() {
        let mut bases = Bases::default();
        for trees in [&["/etc/a", "/usr/a"], &["/etc/b", "/usr/b"], &["/etc/c", "/usr/c"]] {
            bases.learn(&app(trees));
        }
        bases.learn(&app(&["/etc/b", "/usr/b", "/x"]));
        let first = |base: &Base| base.confine.mounts.get(2).cloned();
        let of = |tree| app(&[tree]).mounts.get(2).cloned();
        let all: Vec<_> = bases.0.iter().map(first).collect();
        assert_eq!(all, [of("/etc/b"), of("/etc/c")]);
    }

    #[test]
    fn for_what_does_not_list_its_files_nothing_is_made() {
        let mut bases = Bases::default();
        bases.learn(&Confine::default());
        assert!(!bases.lacks() && bases.views(&app(&["/usr"])).next().is_none());
    }

    #[test]
    fn two_views_are_made_of_a_base_and_one_that_can_t_be_made_is_not_tried_again() {
        let mut bases = Bases::default();
        bases.learn(&app(&["/usr"]));
        (0..VIEWS).for_each(|_| bases.make());
        assert!(!bases.lacks(), "made, or not possible on this machine");
        let able = !bases.0.iter().any(|base| base.vain);
        assert!(bases.views(&app(&["/etc"])).next().is_none(), "it is for those beyond it");
        assert_eq!(bases.views(&app(&["/usr", "/apps/x"])).next().is_some(), able);
        assert_eq!(bases.lacks(), able);
        bases.check();
        assert!(bases.lacks());
    }
}
