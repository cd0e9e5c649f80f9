//! The devices that one device inherits, found and read.
//!
//! ```text
//! phone ─► screen ─► base        depth of base is 2: its longest way from the device
//!   └────────────────► base
//! ```
//!
//! Each file is read once. A device that comes back to itself is a cycle, named in full.

use std::collections::BTreeMap;

use super::decode::At;
use super::near::did_you_mean;
use super::path::{join, parent, stem};
use super::raw;
use super::report::Problem;
use super::source::Loader;

/// Most devices that one device may inherit, all told.
pub const MAX_LAYERS: usize = 64;

/// All that `path` inherits, farthest first, itself last; and whether nothing was left out.
pub(crate) fn inherited(loader: &mut Loader<'_>, path: &str) -> (Vec<Layer>, bool) {
    let (found, way, done) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut layers = Layers { loader, found, way, done, whole: true };
    layers.visit(path);
    layers.measure();
    (layers.found, layers.whole)
}

struct Layers<'l, 's> {
    loader: &'l mut Loader<'s>,
    found: Vec<Layer>,
    /// Files on the way down, with their numbers, and those that are done.
    way: Vec<String>,
    done: BTreeMap<String, Option<usize>>,
    whole: bool,
}

/// One of the files.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) path: String,
    pub(crate) raw: raw::Device,
    /// Longest way from the device, whose own is 0.
    pub(crate) depth: usize,
    parents: Vec<usize>,
}

impl Layers<'_, '_> {
    fn visit(&mut self, path: &str) -> Option<usize> {
        if let Some(known) = self.done.get(path) {
            return *known;
        }
        let (_, raw) = self.loader.read::<raw::Device>(path);
        self.whole &= raw.is_some();
        let index = raw.map(|raw| {
            self.loader.check.format(raw.version.as_ref());
            self.way.push(path.to_owned());
            let mut parents = Vec::new();
            for called in raw.inherit.iter().flatten() {
                parents.extend(self.follow(path, called));
            }
            self.way.pop();
            self.found.push(Layer { path: path.to_owned(), raw, depth: 0, parents });
            self.found.len() - 1
        });
        self.done.insert(path.to_owned(), index);
        index
    }

    fn follow(&mut self, from: &str, called: &At<String>) -> Option<usize> {
        let problem = |message: String| Problem::new(called.place.clone(), message);
        let path = match self.loader.find_device(from, called) {
            Ok(path) => path,
            Err(help) => {
                let message = format!("no device is called `{}`", called.value);
                self.loader.check.add(problem(message).help(help));
                self.whole = false;
                return None;
            }
        };
        if let Some(at) = self.way.iter().position(|p| *p == path) {
            let mut names: Vec<&str> = self.way.iter().skip(at).map(|p| stem(p)).collect();
            names.push(stem(&path));
            let message = format!("devices inherit each other: {}", names.join(" → "));
            self.loader.check.add(problem(message).help("take one of these out of its `inherit`"));
            self.whole = false;
            return None;
        }
        if self.way.len() + self.found.len() >= MAX_LAYERS && !self.done.contains_key(&path) {
            let message = format!("more than {MAX_LAYERS} devices are inherited");
            self.loader.check.add(problem(message));
            self.whole = false;
            return None;
        }
        self.visit(&path)
    }

    /// Finds each layer's depth.
    fn measure(&mut self) {
        // A layer comes after those it inherits: backwards, every depth is final when it is read.
        for at in (0..self.found.len()).rev() {
            let Some(layer) = self.found.get(at) else { continue };
            let (below, parents) = (layer.depth + 1, layer.parents.clone());
            for parent in parents {
                if let Some(layer) = self.found.get_mut(parent) {
                    layer.depth = layer.depth.max(below);
                }
            }
        }
    }
}

impl Loader<'_> {
    /// The file of a device that is called by name or by path in the file `from`.
    pub(crate) fn find_device(&self, from: &str, called: &str) -> Result<String, String> {
        let here = parent(from);
        if called.contains('/') || called.ends_with(".toml") {
            let path = join(here, called);
            return if self.source.is_file(&path) { Ok(path) } else { Err(no_file(&path)) };
        }
        let mut places = vec![here.to_owned()];
        places.extend(self.source.library().map(|l| join(&l, "devices")));
        let found = places.iter().map(|d| join(d, &format!("{called}.toml")));
        if let Some(path) = found.into_iter().find(|p| self.source.is_file(p)) {
            return Ok(path);
        }
        let known: Vec<String> = places.iter().flat_map(|d| self.names_in(d)).collect();
        let own = stem(from);
        let known = known.iter().map(String::as_str).filter(|k| *k != own);
        let help = did_you_mean(called, known).unwrap_or_else(|| {
            let places: Vec<&str> =
                places.iter().map(|p| if p.is_empty() { "." } else { p.as_str() }).collect();
            format!("there is no {called}.toml in {}", places.join(" or "))
        });
        Err(help)
    }
}

fn no_file(path: &str) -> String {
    format!("there is no file `{path}`")
}
