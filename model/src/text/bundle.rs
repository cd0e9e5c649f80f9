//! Bundles: from what was written to [`Manifest`], and back to text.
//!
//! ```text
//! DIR/bundle.toml ─ load ─► Manifest + Source ─ write ─► text in the bundle ─ parse ─► the same Manifest
//!   (host: with [source], permissions looked up)           (canonical)        (device: nothing looked up)
//! ```
//!
//! Invariants: what [`write()`] wrote [`parse()`] reads as the same; what is parsed out of a bundle has no
//! `[source]`, and is no longer than [`MAX_MANIFEST`].

mod ability;
mod layers;
mod origin;
mod quiet;
mod skill;
#[cfg(test)]
mod tests;
mod words;
mod write;

use super::Nowhere;
use super::check::{Check, choice, values};
use super::decode::At;
use super::path::{join, parent};
use super::permission::{Asked as Permissions, legal};
use super::raw;
use super::report::{Place, Problem, Report};
use super::source::{Loader, Source as Files};
use super::value;
use crate::bundle::{
    API, Asked, BundleKind, Data, MAX_ABILITIES, MAX_MANIFEST, Manifest, Requires,
};
use crate::device::FormFactor;
use crate::permission::{Grant, Level, MAX_ASKED};
use crate::want::MAX_LIST;
use crate::word::Word;

pub use origin::{Crate, MAX_EXCLUDED, Origin, Packages, Source, SourceKind};
pub(super) use words::in_locales;
pub use write::write;

/// What the file of a bundle is called.
pub const FILE: &str = "bundle.toml";

/// A bundle as its maker has it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it is.
    pub manifest: Manifest,
    /// Where its files come from.
    pub source: Source,
    /// What is most likely not meant.
    pub warnings: Report,
}

/// Reads the `bundle.toml` of a maker. Its permissions are looked up as far as there are any.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(files: &dyn Files, path: &str) -> Result<Loaded, Report> {
    let mut loader = Loader::new(files);
    let loaded = read(path, &mut loader);
    match (loaded, loader.failed()) {
        (Some((manifest, source)), None) => {
            Ok(Loaded { manifest, source, warnings: loader.report() })
        }
        (_, failed) => Err(failed.unwrap_or_else(|| loader.report())),
    }
}

/// The same among other files; what is wrong is noted.
pub(crate) fn read(path: &str, loader: &mut Loader<'_>) -> Option<(Manifest, Source)> {
    let (file, raw) = loader.read::<raw::Bundle>(path);
    raw.and_then(|raw| written(&raw, path, file, loader))
}

/// Checks a bundle by itself.
pub(crate) fn check_file(loader: &mut Loader<'_>, path: &str, text: String) {
    let file = loader.add(path, text);
    let raw = loader.decode::<raw::Bundle>(file);
    raw.and_then(|raw| written(&raw, path, file, loader));
}

/// Reads the manifest that is in a bundle. `name` is what reports call it.
///
/// # Errors
/// Everything that is wrong with it; what needs a newer [`API`] gets told that first.
pub fn parse(name: &str, text: &str) -> Result<Manifest, Report> {
    let mut loader = Loader::new(&Nowhere);
    if text.len() > MAX_MANIFEST {
        let at = Place::new(loader.add(name, String::new()), 0..0);
        loader.check.add(too_long(at));
        return Err(loader.report());
    }
    let file = loader.add(name, text.to_owned());
    let raw = loader.decode::<raw::Bundle>(file);
    let begins = Place::new(file, 0..0);
    if let Some(at) = raw.as_ref().and_then(newer) {
        // The keys of a later version are unknown here: only this is worth saying.
        loader.check = Check::default();
        loader.check.number(Some(at), api);
        return Err(loader.report());
    }
    if let Some(source) = raw.as_ref().and_then(|raw| raw.source.as_ref()) {
        let problem = Problem::new(source.place.clone(), "no [source] in a bundle");
        let help = "it tells a builder where files come from: `ens bundle build` leaves it out";
        loader.check.add(problem.help(help));
    }
    let manifest = raw.and_then(|raw| check(&raw, &begins, &mut loader.check));
    match (manifest, loader.failed()) {
        (Some(manifest), None) => Ok(manifest),
        (_, failed) => Err(failed.unwrap_or_else(|| loader.report())),
    }
}

/// Where more than this [`API`] is asked for.
fn newer(raw: &raw::Bundle) -> Option<&At<i64>> {
    raw.requires.as_ref()?.api.as_ref().filter(|at| at.value > i64::from(API))
}

fn too_long(at: Place) -> Problem {
    let message = format!("the manifest has more than {} KiB", MAX_MANIFEST >> 10);
    Problem::new(at, message)
}

/// What a maker wrote, with what only the host can tell.
fn written(
    raw: &raw::Bundle,
    path: &str,
    file: usize,
    loader: &mut Loader<'_>,
) -> Option<(Manifest, Source)> {
    let begins = Place::new(file, 0..0);
    let manifest = check(raw, &begins, &mut loader.check);
    let source = origin::check(raw, parent(path), &begins, &mut loader.check);
    let manifest = manifest?;
    if loader.failed().is_none() && write(&manifest).len() > MAX_MANIFEST {
        loader.check.add(too_long(begins));
    }
    ability::unlikely(raw, &mut loader.check);
    permissions(raw, &manifest, path, loader);
    Some((manifest, source))
}

/// Looks up the permissions that are named, beside the bundle and in the library.
fn permissions(raw: &raw::Bundle, manifest: &Manifest, path: &str, loader: &mut Loader<'_>) {
    let here = parent(path);
    let mut directories = vec![join(here, "../../permissions"), join(here, "../permissions")];
    directories.extend(loader.source.library().map(|library| join(&library, "permissions")));
    if directories.iter().all(|directory| loader.names_in(directory).is_empty()) {
        return;
    }
    let mut known = Permissions::new(directories);
    for asked in raw.permission.iter().flatten() {
        let Some(name) = asked.name.as_ref().filter(|at| legal(at).is_ok()) else { continue };
        let Some(found) = known.find(name, loader) else { continue };
        let permission = found.permission;
        let listed = || manifest.acl.iter().any(|listed| listed.as_str() == name.value);
        if permission.level > manifest.level && !listed() {
            loader.check.add(above(name, permission.level, raw, manifest));
        }
        if permission.grant == Grant::User && asked.reason.is_none() {
            let message = format!("nothing is said about why it needs `{}`", name.value);
            let problem = Problem::new(asked.place.clone(), message);
            let help = "the owner is asked, and told the reason: reason = \"To …\"";
            loader.check.add(problem.help(help));
        }
    }
    for ability in raw.ability.iter().flatten() {
        if let Some(name) = ability.permission.as_ref().filter(|at| legal(at).is_ok()) {
            known.find(name, loader);
        }
    }
}

fn above(name: &At<String>, level: Level, raw: &raw::Bundle, manifest: &Manifest) -> Problem {
    let message = format!("`{}` is for bundles of level `{}`", name.value, level.word());
    let problem = Problem::new(name.place.clone(), message);
    let problem = match &raw.level {
        Some(at) => problem.also(at.place.clone(), "this one's level"),
        None => problem.label(format!("this one's is `{}`", manifest.level.word())),
    };
    problem.help(format!(
        "level = \"{}\": devices then want a key that is trusted so far",
        level.word()
    ))
}

/// What is wrong is noted; nothing comes of it when an id, a version or a name is missing.
fn check(raw: &raw::Bundle, begins: &Place, c: &mut Check) -> Option<Manifest> {
    let abilities = raw.ability.as_deref().unwrap_or_default();
    let kind = choice(raw.kind.as_ref(), BundleKind::App);
    if kind == BundleKind::App {
        count(abilities, begins, c);
    }
    let layout = layers::layout(raw, kind, c);
    let runtime = layers::runtime(raw, kind, c);
    let names = abilities.iter().filter_map(|ability| ability.name.as_ref());
    c.unique(names.map(|at| (at.as_str(), &at.place)), |name| {
        format!("two abilities are called `{name}`")
    });
    let id = c.one(raw.id.as_ref(), words::id);
    let version = c.one(raw.version.as_ref(), words::version);
    let name = words::said(raw.name.as_ref(), raw.names.as_ref(), "a name", c);
    let about = words::about(raw.about.as_ref(), raw.abouts.as_ref(), c);
    let requires = raw.requires.as_ref().map(|raw| requires(raw, c)).unwrap_or_default();
    let permissions = asked(raw, c);
    let acl = layers::acl(raw, c);
    let abilities = abilities.iter().filter_map(|raw| ability::check(raw, c)).collect();
    let data = raw.data.as_ref().map(|raw| data(raw, c)).unwrap_or_default();
    let icon = c.one(raw.icon.as_ref(), words::inner_path);
    let directory = raw.resources.as_ref().and_then(|raw| raw.directory.as_ref());
    let resources = c.one(directory, words::inner_path);
    let level = choice(raw.level.as_ref(), Level::Normal);
    let (id, version) = (id?, version?);
    Some(Manifest {
        id,
        version,
        name,
        about,
        kind,
        layout,
        runtime,
        requires,
        level,
        acl,
        permissions,
        abilities,
        data,
        icon,
        resources,
    })
}

fn count(abilities: &[At<raw::Ability>], begins: &Place, c: &mut Check) {
    if abilities.is_empty() {
        let problem = Problem::new(begins.clone(), "a bundle without abilities can do nothing");
        c.add(problem.help("add an [[ability]] with a name and a program"));
    }
    if let Some(at) = abilities.get(MAX_ABILITIES) {
        let message = format!("more than {MAX_ABILITIES} abilities");
        c.add(Problem::new(at.place.clone(), message));
    }
}

fn requires(raw: &raw::Requires, c: &mut Check) -> Requires {
    let files = raw.files.as_deref().unwrap_or_default();
    if let Some(at) = files.get(MAX_LIST) {
        c.add(Problem::new(at.place.clone(), format!("more than {MAX_LIST} files")));
    }
    let mut form_factors: Vec<FormFactor> = Vec::new();
    for at in raw.form_factors.iter().flatten() {
        if !form_factors.contains(&at.value.0) {
            form_factors.push(at.value.0);
        }
    }
    Requires {
        api: c.number(raw.api.as_ref(), api).unwrap_or(0),
        architectures: values(c.list(raw.architectures.as_ref(), words::architecture)),
        form_factors,
        files: values(c.list(raw.files.as_ref(), value::image_path)),
    }
}

fn api(number: i64) -> value::Checked<u32> {
    match u32::try_from(number).ok().filter(|api| (1..=API).contains(api)) {
        Some(api) => Ok(api),
        None if number > i64::from(API) => value::bad(
            format!("it needs version {number} of what apps count on, and this is version {API}"),
            "update the device or the program that says so",
        ),
        None => value::bad(format!("there is no version {number}"), format!("1 to {API}")),
    }
}

fn data(raw: &raw::Data, c: &mut Check) -> Data {
    c.one(raw.size.as_ref(), words::data_size).map_or_else(Data::default, |size| Data { size })
}

fn asked(raw: &raw::Bundle, c: &mut Check) -> Vec<Asked> {
    let list = raw.permission.as_deref().unwrap_or_default();
    if let Some(at) = list.get(MAX_ASKED) {
        c.add(Problem::new(at.place.clone(), format!("more than {MAX_ASKED} permissions")));
    }
    let names = list.iter().filter_map(|asked| asked.name.as_ref());
    c.unique(names.map(|at| (at.as_str(), &at.place)), |name| {
        format!("it asks for `{name}` twice")
    });
    let mut all: Vec<Asked> = Vec::new();
    for raw in list {
        let reason = words::said(raw.reason.as_ref(), raw.reasons.as_ref(), "a reason", c);
        let permission = c.one(raw.name.as_ref(), legal);
        all.extend(permission.map(|permission| Asked { permission, reason }));
    }
    all.sort_by(|a, b| a.permission.cmp(&b.permission));
    all
}
