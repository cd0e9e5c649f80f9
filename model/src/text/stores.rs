//! The stores of apps that a device comes with: what each is called, where it is, whose word counts.
//!
//! ```text
//! [apps] stores ─ name, url ─► checked ─┬─► Store
//!                 root ─► text, from a Source that knows what a root is ─┘
//! ```

use serde::Serialize;

use super::decode::At;
use super::files::beside;
use super::raw;
use super::report::Problem;
use super::source::Loader;
use super::value::{self, Bad, Checked, bad};
use crate::store::{MAX_PLACE, MAX_STORES};
use crate::{BadName, Name};

/// How places are written.
const PLACES: &str =
    "https://HOST/DIRECTORY, http://HOST/DIRECTORY, or file:///DIRECTORY for one of the device";

/// A store that a device comes with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Store {
    /// What it is called on the device.
    pub name: Name,
    /// Where it is: a URL of the web, or an absolute path on the device.
    pub place: String,
    /// Text of its first root.
    pub root: String,
}

/// Reads the stores of a device, sorted by name.
pub(super) fn load(raw: Option<&Vec<At<raw::Store>>>, loader: &mut Loader<'_>) -> Vec<Store> {
    let list = raw.map(Vec::as_slice).unwrap_or_default();
    if let Some(at) = list.get(MAX_STORES) {
        let message = format!("more than {MAX_STORES} stores");
        loader.check.add(Problem::new(at.place.clone(), message));
    }
    let names = list.iter().filter_map(|store| store.name.as_ref());
    let names = names.map(|name| (name.as_str(), &name.place));
    loader.check.unique(names, |name| format!("two stores are called `{name}`"));
    let mut all: Vec<Store> = list.iter().filter_map(|store| one(store, loader)).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn one(raw: &raw::Store, loader: &mut Loader<'_>) -> Option<Store> {
    let name = loader.check.one(raw.name.as_ref(), name);
    let place = loader.check.one(raw.url.as_ref(), place);
    let root = raw.root.as_ref().and_then(|at| root(at, loader));
    Some(Store { name: name?, place: place?, root: root? })
}

fn name(text: &str) -> Checked<Name> {
    let wrong = |why: BadName| Bad {
        message: format!("`{text}` can't be the name of a store"),
        help: Some(why.to_string()),
    };
    Name::try_from(text).map_err(wrong)
}

/// A URL as the device asks it: files are below it.
fn place(text: &str) -> Checked<String> {
    let wrong = || bad(format!("`{text}` is no place of a store"), PLACES);
    let legal = |b: u8| b.is_ascii_graphic() && !b"?#%\"<>\\^`{|}".contains(&b);
    if text.len() > MAX_PLACE || !text.bytes().all(legal) {
        return wrong();
    }
    let plain = text.trim_end_matches('/');
    if let Some(path) = plain.strip_prefix("file://") {
        return value::image_path(path).or_else(|_| wrong());
    }
    let rest = ["https://", "http://"].into_iter().find_map(|scheme| plain.strip_prefix(scheme));
    match rest.and_then(|rest| rest.split('/').next()) {
        Some(host) if !host.is_empty() && !host.starts_with(':') => Ok(plain.to_owned()),
        _ => wrong(),
    }
}

/// The text of the first root, whose path is from the file that names it.
fn root(at: &At<String>, loader: &mut Loader<'_>) -> Option<String> {
    let mut check = std::mem::take(&mut loader.check);
    let path = beside(at, loader.host(), &mut check);
    loader.check = check;
    if !loader.source.is_file(&path) {
        return None;
    }
    let refused = |why| {
        let message = format!("`{path}` is no root of a store: {why}");
        Problem::new(at.place.clone(), message)
            .help("metadata/1.root.json of the store, as `ens store init` made it")
    };
    let text = loader.source.store_root(&path).map_err(refused);
    text.map_err(|problem| loader.check.add(problem)).ok()
}
