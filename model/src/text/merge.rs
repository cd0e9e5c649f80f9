//! Layers of a device, merged type by type. Every value keeps the place that wrote it.
//!
//! ```text
//! depth 2   base            merged first
//! depth 1   screen  wifi    siblings: what both set must be the same ...
//! depth 0   phone           ... unless the nearer layer settles it
//! ```
//!
//! Single values: the nearer layer wins. Lists: the union, far layers first. Tables in lists: by
//! their key. `[services] disable` takes away what farther layers enable. A file's depth is its
//! longest way from the device, so a layer that two siblings share lies below both.
//!
//! A service and its drop-ins are layers too, one over the other: see [`service`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::check::Check;
use super::decode::{At, Choice, Named};
use super::device::{AGENT, CONSOLE};
use super::layers::Layer;
use super::near::did_you_mean;
use super::raw;
use super::report::{Place, Problem};

/// Merging of one layer into another.
#[derive(Debug, Default)]
pub(crate) struct Merging {
    /// Whether both lie at the same depth.
    siblings: bool,
    /// An empty list takes away what farther layers have.
    empties: bool,
    /// Values that siblings set differently, by key, until a nearer layer sets them.
    conflicts: BTreeMap<String, (Place, Place)>,
    /// `disable` of what nothing enables.
    idle: Vec<Problem>,
}

/// Values that merge.
trait Merge: Sized {
    /// `over` is the nearer layer, or the later sibling.
    fn merge(&mut self, over: Self, key: &str, m: &mut Merging);
}

/// Items of a list that are one thing when their names are the same.
trait Item: PartialEq {
    fn name(&self) -> Cow<'_, str>;
}

/// Merges layers. Notes each key that siblings set differently.
pub(crate) fn merge(layers: Vec<Layer>, c: &mut Check) -> raw::Device {
    let mut by_depth: BTreeMap<usize, Vec<raw::Device>> = BTreeMap::new();
    for layer in layers {
        by_depth.entry(layer.depth).or_default().push(layer.raw);
    }
    let mut merged = raw::Device::default();
    let mut m = Merging::default();
    for (_, siblings) in by_depth.into_iter().rev() {
        let mut among = Merging { siblings: true, ..Merging::default() };
        let mut group = raw::Device::default();
        for layer in siblings {
            group.merge(layer, "", &mut among);
        }
        merged.merge(group, "", &mut m);
        m.conflicts.extend(among.conflicts);
    }
    let problems = m.conflicts.into_iter().map(|(key, (one, other))| {
        Problem::new(other, format!("two inherited layers set `{key}` differently"))
            .label("one value here")
            .also(one, "another here")
            .help(format!("set `{key}` in the device itself, or in one layer only"))
    });
    c.problems.extend(problems);
    c.problems.extend(m.idle);
    merged
}

impl Merging {
    fn conflict(&mut self, key: String, one: &Place, other: &Place) {
        self.conflicts.entry(key).or_insert_with(|| (one.clone(), other.clone()));
    }

    fn settle(&mut self, key: &str) {
        if !self.siblings {
            self.conflicts.remove(key);
        }
    }
}

impl<T: PartialEq> Merge for Option<At<T>> {
    fn merge(&mut self, over: Self, key: &str, m: &mut Merging) {
        let Some(over) = over else { return };
        match self {
            Some(one) if m.siblings && *one != over => {
                m.conflict(key.to_owned(), &one.place, &over.place);
            }
            _ => {
                m.settle(key);
                *self = Some(over);
            }
        }
    }
}

impl<T: Item> Merge for Option<Vec<At<T>>> {
    fn merge(&mut self, over: Self, key: &str, m: &mut Merging) {
        let Some(over) = over else { return };
        let list = self.get_or_insert_default();
        if m.empties && over.is_empty() {
            list.clear();
        }
        // Only what was there before: duplicates within one layer are for the check.
        let names = list.iter().enumerate().map(|(at, item)| (item.name().into_owned(), at));
        let far: BTreeMap<String, usize> = crate::gather(names.rev());
        for item in over {
            let path = format!("{key}.{}", item.name());
            match far.get(&*item.name()).and_then(|at| list.get_mut(*at)) {
                Some(one) if m.siblings && *one != item => {
                    m.conflict(path, &one.place, &item.place);
                }
                Some(one) => {
                    m.settle(&path);
                    *one = item;
                }
                None => list.push(item),
            }
        }
    }
}

impl Item for String {
    fn name(&self) -> Cow<'_, str> {
        self.into()
    }
}

impl<T: crate::word::Word> Item for Choice<T> {
    fn name(&self) -> Cow<'_, str> {
        self.0.word().into()
    }
}

impl Item for raw::File {
    fn name(&self) -> Cow<'_, str> {
        text(&self.path).into()
    }
}

impl Item for raw::User {
    fn name(&self) -> Cow<'_, str> {
        text(&self.name).into()
    }
}

impl Item for raw::Store {
    fn name(&self) -> Cow<'_, str> {
        text(&self.name).into()
    }
}

/// A text as the name of its table.
fn text(at: &Option<At<String>>) -> &str {
    at.as_ref().map_or("", |at| at.as_str())
}

/// Merges tables field by field; a field left out does not compile.
macro_rules! by_field {
    ($($table:ident { $($field:ident),* })*) => { $(
        impl Merge for raw::$table {
            fn merge(&mut self, over: Self, key: &str, m: &mut Merging) {
                let Self { $($field),* } = over;
                $( self.$field.merge($field, &join(key, stringify!($field)), m); )*
            }
        }

        impl Merge for Option<raw::$table> {
            fn merge(&mut self, over: Self, key: &str, m: &mut Merging) {
                let Some(over) = over else { return };
                self.get_or_insert_default().merge(over, key, m);
            }
        }
    )* };
}

mod sandbox;
mod service;

pub(crate) use sandbox::inherit;
pub(crate) use service::overlay;

by_field! {
    Packages { suite, mirror, install }
    Storage { boot, root, state, compression }
    Screen { width, height, density, shape }
    InputKinds { kinds }
    Debug { agent, console }
    Tolerated { optional }
    Apps { install, trust, stores }
    Device {
        version, inherit, os_version, release, target, form_factor, hostname, locale, timezone,
        kernel, packages, services, parameters, file, user, storage, screen, input, debug,
        sandbox, apps
    }
}

fn join(table: &str, field: &str) -> String {
    let field = field.replace('_', "-");
    if table.is_empty() { field } else { format!("{table}.{field}") }
}

/// Parameters, one by one.
impl Merge for Option<Named> {
    fn merge(&mut self, over: Self, key: &str, m: &mut Merging) {
        let Some(Named(over)) = over else { return };
        let Named(all) = self.get_or_insert_default();
        // Only what was there before: duplicates within one layer are for the check.
        let far: BTreeMap<String, usize> =
            all.iter().enumerate().map(|(at, (name, _))| (name.value.clone(), at)).collect();
        for (name, value) in over {
            let path = join(key, &name);
            match far.get(name.as_str()).and_then(|at| all.get_mut(*at)) {
                Some((_, one)) if m.siblings && *one != value => {
                    m.conflict(path, &one.place, &value.place);
                }
                Some(one) => {
                    m.settle(&path);
                    *one = (name, value);
                }
                None => all.push((name, value)),
            }
        }
    }
}

/// The package and the path say the same thing: the nearer layer's word counts, whichever it is.
impl Merge for Option<raw::Kernel> {
    fn merge(&mut self, over: Self, key: &str, m: &mut Merging) {
        let Some(over) = over else { return };
        let one = self.get_or_insert_default();
        let source =
            |k: &raw::Kernel| k.package.as_ref().or(k.path.as_ref()).map(|s| s.place.clone());
        if let Some(place) = source(&over) {
            let key = format!("{key}.package");
            match source(one) {
                Some(other) if m.siblings => {
                    if one.package.is_some() != over.package.is_some() {
                        m.conflict(key, &other, &place);
                    }
                }
                _ => {
                    m.settle(&key);
                    m.settle("kernel.path");
                    one.package = None;
                    one.path = None;
                }
            }
        }
        let raw::Kernel { package, path, modules, cmdline } = over;
        one.package.merge(package, &join(key, "package"), m);
        one.path.merge(path, &join(key, "path"), m);
        one.modules.merge(modules, &join(key, "modules"), m);
        one.cmdline.merge(cmdline, &join(key, "cmdline"), m);
    }
}

/// `disable` takes away from farther layers; siblings must not contradict each other.
impl Merge for Option<raw::Services> {
    fn merge(&mut self, over: Self, key: &str, m: &mut Merging) {
        let Some(over) = over else { return };
        let one = self.get_or_insert_default();
        let raw::Services { enable, disable, templates } = over;
        if !m.siblings {
            let started = one.enable.as_deref().unwrap_or_default();
            let off = disable.iter().flatten().filter(|name| !started.contains(name));
            m.idle.extend(off.map(|name| idle(name, started)));
        }
        against(&mut one.enable, disable.as_deref().unwrap_or_default(), key, m);
        against(&mut one.disable, enable.as_deref().unwrap_or_default(), key, m);
        one.enable.merge(enable, key, m);
        one.disable.merge(disable, key, m);
        one.templates.merge(templates, key, m);
    }
}

fn idle(name: &At<String>, started: &[At<String>]) -> Problem {
    let message = format!("no inherited device starts `{}`", name.value);
    let parts = [(AGENT, "agent"), (CONSOLE, "console")];
    let debug = parts.iter().find(|(service, _)| *service == name.as_str());
    let help = debug.map(|(_, key)| format!("write [debug] {key} = false instead"));
    let near = || did_you_mean(name, started.iter().map(|s| s.as_str()));
    Problem::warning(name.place.clone(), message).maybe_help(help.or_else(near))
}

/// Takes from `list` what a nearer layer wants otherwise; a sibling that does is a conflict.
fn against(list: &mut Option<Vec<At<String>>>, other: &[At<String>], key: &str, m: &mut Merging) {
    let Some(list) = list else { return };
    for name in other {
        let path = format!("{key}.{}", name.value);
        match list.iter().find(|n| *n == name) {
            Some(one) if m.siblings => m.conflict(path, &one.place, &name.place),
            _ => m.settle(&path),
        }
    }
    if !m.siblings {
        list.retain(|n| !other.contains(n));
    }
}
