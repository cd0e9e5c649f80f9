//! How the files of a bundle lie, upon what, and what it may beyond its level.

use super::super::check::{Check, choice, values};
use super::super::permission::legal;
use super::super::raw;
use super::super::report::{Place, Problem};
use super::words;
use crate::Name;
use crate::bundle::{BundleId, BundleKind, Layout, Runtime, Version};
use crate::permission::MAX_ASKED;

/// The layout; a runtime has no other than that of a root directory, and nothing that is for apps.
pub(super) fn layout(raw: &raw::Bundle, kind: BundleKind, c: &mut Check) -> Layout {
    if kind == BundleKind::App {
        return choice(raw.layout.as_ref(), Layout::App);
    }
    let mut wrong = |place: Option<Place>, message: &str| {
        if let Some(place) = place {
            c.add(Problem::new(place, message));
        }
    };
    let app = raw.layout.as_ref().filter(|at| at.value.0 == Layout::App);
    wrong(app.map(|at| at.place.clone()), "a runtime lies as a root directory does: leave it out");
    let ability = raw.ability.as_ref().and_then(|list| list.first());
    wrong(
        ability.map(|at| at.place.clone()),
        "a runtime has no abilities: apps that lie upon it have",
    );
    let asked = raw.permission.as_ref().and_then(|list| list.first());
    wrong(asked.map(|at| at.place.clone()), "a runtime asks for nothing: apps that lie upon it do");
    Layout::Root
}

/// What lies below.
pub(super) fn runtime(raw: &raw::Bundle, kind: BundleKind, c: &mut Check) -> Option<Runtime> {
    let raw = raw.runtime.as_ref()?;
    let at = raw.bundle.as_ref();
    if let Some(at) = at.filter(|_| kind == BundleKind::Runtime) {
        let problem = Problem::new(at.place.clone(), "nothing lies below a runtime");
        c.add(problem.help("build it with all it needs"));
    }
    let bundle: Option<BundleId> = c.one(at, words::id);
    let version = c.one(raw.version.as_ref(), words::version).unwrap_or(Version(0, 0, 0));
    (kind == BundleKind::App).then_some(Runtime { bundle: bundle?, version })
}

/// Permissions above its level, each of which it asks for.
pub(super) fn acl(raw: &raw::Bundle, c: &mut Check) -> Vec<Name> {
    let list = raw.acl.as_ref();
    if let Some(at) = list.and_then(|list| list.get(MAX_ASKED)) {
        c.add(Problem::new(at.place.clone(), format!("more than {MAX_ASKED} permissions")));
    }
    let asked = |name: &str| {
        let mut names = raw.permission.iter().flatten().filter_map(|asked| asked.name.as_ref());
        names.any(|at| at.value == name)
    };
    for at in list.into_iter().flatten().filter(|at| !asked(&at.value)) {
        let problem = Problem::new(at.place.clone(), format!("it does not ask for `{}`", at.value));
        c.add(problem.help("add a [[permission]] with that name, or leave it out here"));
    }
    let mut acl = values(c.list(list, legal));
    acl.sort_unstable();
    acl.dedup();
    acl
}
