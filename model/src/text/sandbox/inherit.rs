//! The profiles that one inherits, found by name and joined.
//!
//! ```text
//! inherit = ["a", "b"]        own over b over a; each of them over what it inherits
//! ```
//!
//! Lists are unions, so a profile that comes in by two ways counts once; only for single values the
//! order in `inherit` matters: the later wins. Each file is read once. A profile that comes back to
//! itself is a cycle, named in full. Invariant: what can't be found is an error, for a profile without
//! what it inherits would allow more than was meant.

use std::collections::BTreeMap;

use super::super::decode::At;
use super::super::near::did_you_mean;
use super::super::path::{join, stem};
use super::super::report::{Place, Problem};
use super::super::service::MAX_TEXT;
use super::super::source::Loader;
use super::super::{merge, raw, value};
use super::MAX_INHERITED;
use crate::Name;

/// Where profiles are looked for, and those found so far.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    /// The nearest first.
    directories: Vec<String>,
    /// Each with all that it inherits; `None` when something is wrong with it.
    found: BTreeMap<String, Option<raw::Sandbox>>,
    /// The profiles on the way down.
    way: Vec<String>,
    texts: Vec<(String, String)>,
}

impl Inherited {
    pub(crate) fn new(directories: Vec<String>) -> Self {
        Self { directories, ..Self::default() }
    }

    /// These, and no others.
    pub(crate) fn of(found: BTreeMap<String, raw::Sandbox>) -> Self {
        let found = found.into_iter().map(|(name, raw)| (name, Some(raw))).collect();
        Self { found, ..Self::default() }
    }

    /// Name and text of each file that was read, sorted.
    pub(crate) fn into_texts(mut self) -> Vec<(String, String)> {
        self.texts.sort();
        self.texts
    }

    /// Every profile that can be inherited.
    pub(crate) fn names(&self, loader: &Loader<'_>) -> Vec<String> {
        let mut names: Vec<String> =
            self.directories.iter().flat_map(|directory| loader.names_in(directory)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Reads every profile that can be inherited. What is wrong with those that nothing inherits is not
    /// noted: it is told where they are used.
    pub(crate) fn read_all(&mut self, loader: &mut Loader<'_>) {
        for name in self.names(loader) {
            if !self.found.contains_key(&name)
                && let Ok(path) = self.find(&name, loader)
                && let Ok(text) = loader.source.read(&path)
                && text.len() <= MAX_TEXT
            {
                self.texts.push((format!("{name}.toml"), text));
            }
        }
    }

    /// Joins to a service what it inherits.
    pub(crate) fn join_service(&mut self, raw: &mut raw::Service, loader: &mut Loader<'_>) {
        if let Some(own) = raw.sandbox.take() {
            raw.sandbox = Some(self.join(own, loader));
        }
    }

    /// Joins to `own` what it inherits. What can't be is noted as an error.
    pub(crate) fn join(&mut self, own: raw::Sandbox, loader: &mut Loader<'_>) -> raw::Sandbox {
        let mut joined = raw::Sandbox::default();
        for name in own.inherit.iter().flatten() {
            if let Some(inherited) = self.profile(name, loader) {
                joined = merge::inherit(joined, inherited);
            }
        }
        let mut joined = merge::inherit(joined, own.clone());
        joined.inherit = own.inherit;
        joined
    }

    /// The profile that is called `name`.
    pub(crate) fn profile(
        &mut self,
        name: &At<String>,
        loader: &mut Loader<'_>,
    ) -> Option<raw::Sandbox> {
        let refused = |message: String| Problem::new(name.place.clone(), message);
        if let Some(at) = self.way.iter().position(|on| *on == name.value) {
            let way: Vec<&str> = self.way.iter().skip(at).map(String::as_str).collect();
            let message =
                format!("profiles inherit each other: {} → {}", way.join(" → "), name.value);
            loader.check.add(refused(message).help("take one of these out of its `inherit`"));
            return None;
        }
        if let Some(known) = self.found.get(&name.value) {
            return known.clone();
        }
        let path = match self.find(&name.value, loader) {
            Ok(path) => path,
            Err(help) => {
                let message = format!("no profile is called `{}`", name.value);
                loader.check.add(refused(message).help(help));
                self.found.insert(name.value.clone(), None);
                return None;
            }
        };
        if self.found.len() + self.way.len() >= MAX_INHERITED {
            let message = format!("more than {MAX_INHERITED} profiles are inherited");
            loader.check.add(refused(message));
            return None;
        }
        let (file, raw) = loader.read::<raw::Profile>(&path);
        let rules = raw.and_then(|raw| self.file(file, &name.value, raw, loader));
        self.found.insert(name.value.clone(), rules.clone());
        rules
    }

    /// A profile whose file was read, the number `file`, all that it inherits joined to it.
    pub(crate) fn file(
        &mut self,
        file: usize,
        name: &str,
        raw: raw::Profile,
        loader: &mut Loader<'_>,
    ) -> Option<raw::Sandbox> {
        let text = loader.texts.get(file).map(|text| text.text.clone()).unwrap_or_default();
        if text.len() > MAX_TEXT {
            let message = format!("the file of a profile has at most {} KiB", MAX_TEXT >> 10);
            loader.check.add(Problem::new(Place::new(file, 0..0), message));
            return None;
        }
        self.texts.push((format!("{name}.toml"), text));
        loader.check.format(raw.version.as_ref());
        loader.check.one(raw.about.as_ref(), value::about);
        self.way.push(name.to_owned());
        let rules = self.join(raw.into(), loader);
        self.way.pop();
        Some(rules)
    }

    /// The file of the profile that is called `name`, or what else could have been meant.
    fn find(&self, name: &str, loader: &Loader<'_>) -> Result<String, String> {
        legal(name)?;
        let mut paths = self.directories.iter().map(|d| join(d, &format!("{name}.toml")));
        if let Some(path) = paths.find(|path| loader.source.is_file(path)) {
            return Ok(path);
        }
        let known = self.names(loader);
        let known = known.iter().map(String::as_str);
        Err(did_you_mean(name, known).unwrap_or_else(|| match self.directories.as_slice() {
            [] => "profiles are not looked for here".to_owned(),
            all => format!("there is no {name}.toml in {}", all.join(" or ")),
        }))
    }
}

/// The name of a profile from the path of its file.
pub(crate) fn name_of(path: &str, place: &Place, loader: &mut Loader<'_>) -> Option<String> {
    let stem = stem(path);
    if let Err(why) = legal(stem) {
        let message = format!("`{stem}` can't be the name of a profile, so neither of its file");
        loader.check.add(Problem::new(place.clone(), message).help(why));
        return None;
    }
    Some(stem.to_owned())
}

fn legal(name: &str) -> Result<(), String> {
    match Name::try_from(name) {
        Ok(_) if !name.contains('@') => Ok(()),
        _ => Err("a name is 1 to 64 of a-z, 0-9 and -, and starts with a letter".to_owned()),
    }
}
