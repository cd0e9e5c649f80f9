//! Files that belong together: a device with the devices it inherits and the services it starts, a
//! case with its device.
//!
//! ```text
//! device ─ inherit ─► layers ─ merge ─► Device ─ enable ─► services ─ requires, wants, after ─► Plan
//! ```
//!
//! All that is wrong is collected on the way; only a file that can't be read or parsed ends it
//! early, after every layer was looked at.

use std::collections::BTreeMap;
use std::io;

use super::check::Check;
use super::decode::{self, At, Table};
use super::merge;
use super::near::did_you_mean;
use super::path::{file_name, join, parent, stem};
use super::report::{Place, Problem, Report, Text};
use super::{case, device, raw, service};
use crate::case::Case;
use crate::plan::LinkError;
use crate::{Device, Name, Plan};

/// Largest TOML file, in bytes.
pub const MAX_FILE: usize = 1 << 20;

/// Most devices that one device may inherit, all told.
pub const MAX_LAYERS: usize = 64;

/// Where files come from: a disk, or a test's map.
pub trait Source {
    /// The text of a file.
    ///
    /// # Errors
    /// Why it can't be read; shown to people.
    fn read(&self, path: &str) -> io::Result<String>;

    /// The names in a directory, in any order. For hints, and for a case's services.
    ///
    /// # Errors
    /// Why it can't be read; counts as empty.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;

    /// Whether there is a file (not a directory).
    fn is_file(&self, path: &str) -> bool;

    /// The directory with the `devices` and `services` that ship, for names that are not found
    /// beside the file that mentions them.
    fn library(&self) -> Option<String> {
        None
    }
}

/// Names and where they were written.
pub(crate) type Names = Vec<At<String>>;

/// A device, ready to build.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The device.
    pub device: Device,
    /// Its services, linked.
    pub plan: Plan,
    /// What is most likely not meant.
    pub warnings: Report,
    /// Every file that was read, in that order.
    pub files: Vec<String>,
    packages: Names,
    texts: Vec<Text>,
}

/// A case with the device it runs on.
#[derive(Debug, Clone)]
pub struct LoadedCase {
    /// The case.
    pub case: Case,
    /// Its device, with the case's files and services added.
    pub loaded: Loaded,
}

/// What a case adds to its device.
#[derive(Debug, Default)]
struct Extra {
    directory: Option<String>,
    enable: Vec<At<Name>>,
}

impl Loaded {
    /// Looks up every package of the device among those there are.
    ///
    /// # Errors
    /// One problem for each that is not there.
    pub fn check_packages<'n>(
        &self,
        known: impl Fn(&str) -> bool,
        all: impl IntoIterator<Item = &'n str> + Clone,
    ) -> Result<(), Report> {
        let unknown = self.packages.iter().filter(|at| !known(at));
        let problems = unknown.map(|at| {
            let suite = &self.device.packages.suite;
            let message = format!("no package is called `{}` in {suite}", at.value);
            Problem::new(at.place.clone(), message).maybe_help(did_you_mean(at, all.clone()))
        });
        let problems: Vec<_> = problems.collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(Report::new(self.texts.clone(), problems))
    }
}

/// Everything read so far, and what is wrong with it.
pub(crate) struct Loader<'s> {
    source: &'s dyn Source,
    texts: Vec<Text>,
    pub(crate) check: Check,
}

impl<'s> Loader<'s> {
    pub(crate) fn new(source: &'s dyn Source) -> Self {
        Self { source, texts: Vec::new(), check: Check::default() }
    }

    /// Adds a file, whose text is known.
    pub(crate) fn add(&mut self, path: &str, text: String) -> usize {
        self.texts.push(Text { path: path.to_owned(), text });
        self.texts.len() - 1
    }

    fn host(&self) -> device::Host<'_> {
        device::Host { texts: &self.texts, source: self.source }
    }

    /// Reads a file that must be there; the number is valid even when nothing could be read.
    fn read<T: Table>(&mut self, path: &str) -> (usize, Option<T>) {
        let why = match self.source.read(path) {
            Ok(text) if text.len() > MAX_FILE => {
                format!("`{path}` is larger than a megabyte: not one of our files")
            }
            Ok(text) => {
                let file = self.add(path, text);
                return (file, self.decode(file));
            }
            Err(why) => format!("can't read `{path}`: {why}"),
        };
        let file = self.add(path, String::new());
        self.check.add(Problem::new(Place::new(file, 0..0), why));
        (file, None)
    }

    pub(crate) fn decode<T: Table>(&mut self, file: usize) -> Option<T> {
        let text = self.texts.get(file)?;
        decode::file(file, &text.text, &mut self.check.problems)
    }

    /// What was found wrong so far, if that stops everything.
    pub(crate) fn failed(&self) -> Option<Report> {
        let report = self.report();
        report.has_errors().then_some(report)
    }

    pub(crate) fn report(&self) -> Report {
        Report::new(self.texts.clone(), self.check.problems.clone())
    }

    fn names_in(&self, directory: &str) -> Vec<String> {
        let names = self.source.list(directory).unwrap_or_default();
        let toml = names.iter().filter_map(|n| n.strip_suffix(".toml"));
        let mut names: Vec<String> = toml.map(str::to_owned).collect();
        names.sort();
        names
    }

    /// The file of a device that is called by name or by path in the file `from`.
    fn find_device(&self, from: &str, called: &str) -> Result<String, String> {
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

/// The devices that one inherits, farthest first, itself last.
struct Layers<'l, 's> {
    loader: &'l mut Loader<'s>,
    found: Vec<Layer>,
    /// Files on the way down, with their numbers, and those that are done.
    way: Vec<String>,
    done: BTreeMap<String, Option<usize>>,
    whole: bool,
}

struct Layer {
    path: String,
    raw: raw::Device,
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
            self.found.push(Layer { path: path.to_owned(), raw, parents });
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
                return None;
            }
        };
        if let Some(at) = self.way.iter().position(|p| *p == path) {
            let mut names: Vec<&str> = self.way.iter().skip(at).map(|p| stem(p)).collect();
            names.push(stem(&path));
            let message = format!("devices inherit each other: {}", names.join(" → "));
            self.loader.check.add(problem(message).help("take one of these out of its `inherit`"));
            return None;
        }
        if self.way.len() + self.found.len() >= MAX_LAYERS && !self.done.contains_key(&path) {
            let message = format!("more than {MAX_LAYERS} devices are inherited");
            self.loader.check.add(problem(message));
            return None;
        }
        self.visit(&path)
    }

    /// Longest way from the device, for each layer.
    fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.found.len()];
        for (at, layer) in self.found.iter().enumerate().rev() {
            let below = depths.get(at).copied().unwrap_or(0) + 1;
            for parent in &layer.parents {
                if let Some(depth) = depths.get_mut(*parent) {
                    *depth = below.max(*depth);
                }
            }
        }
        depths
    }
}

/// Loads a device: all it inherits, all services it starts.
///
/// # Errors
/// Everything that is wrong with any of its files.
pub fn load_device(source: &dyn Source, path: &str) -> Result<Loaded, Report> {
    let mut loader = Loader::new(source);
    load(&mut loader, path, &Extra::default())
}

fn load(loader: &mut Loader<'_>, path: &str, extra: &Extra) -> Result<Loaded, Report> {
    let first = loader.texts.len();
    let mut layers =
        Layers { loader, found: Vec::new(), way: Vec::new(), done: BTreeMap::new(), whole: true };
    layers.visit(&join("", path));
    let depths = layers.depths();
    let (found, whole) = (layers.found, layers.whole);
    let directories = service_directories(loader.source, &found, extra);
    let (raw, conflicts) =
        merge::merge(depths.into_iter().zip(found.into_iter().map(|l| l.raw)).collect());
    loader.check.problems.extend(conflicts);
    let name = name_of(path, first, &mut loader.check);
    if !whole {
        return Err(loader.report());
    }
    let Some(name) = name else { return Err(loader.report()) };
    let place = Place::new(first, 0..0);
    let mut check = std::mem::take(&mut loader.check);
    let context = device::Context { name, place: place.clone(), host: loader.host() };
    let written = device::check(&raw, &context, &mut check);
    loader.check = check;
    let device::Written { mut device, mut enabled, packages } = written;
    enabled.extend(extra.enable.iter().cloned());
    device.services.extend(extra.enable.iter().map(|at| at.value.clone()));
    device.services.sort();
    device.services.dedup();
    let mut services = Services::new(loader, directories);
    services.gather(enabled);
    services.check_users(&device);
    let text = format!("{} {}", device.hostname, device.version);
    let plan = services.link(&text, &device.services, &place);
    match (plan, loader.failed()) {
        (Some(plan), None) => Ok(Loaded {
            device,
            plan,
            warnings: loader.report(),
            files: loader.texts.iter().map(|t| t.path.clone()).collect(),
            packages,
            texts: loader.texts.clone(),
        }),
        (_, failed) => Err(failed.unwrap_or_else(|| loader.report())),
    }
}

fn name_of(path: &str, file: usize, c: &mut Check) -> Option<Name> {
    let stem = stem(path);
    let name = Name::try_from(stem).ok();
    if name.is_none() {
        let message = format!("`{stem}` can't be the name of a device, so neither of its file");
        let help = crate::BadName.to_string();
        c.add(Problem::new(Place::new(file, 0..0), message).help(help));
    }
    name
}

/// Where services are looked for: a case's own, then beside each layer, the nearest first.
fn service_directories(source: &dyn Source, layers: &[Layer], extra: &Extra) -> Vec<String> {
    let mut all: Vec<String> = extra.directory.iter().cloned().collect();
    for layer in layers.iter().rev() {
        let here = parent(&layer.path);
        all.push(join(here, "services"));
        all.push(join(here, "../services"));
    }
    all.extend(source.library().map(|l| join(&l, "services")));
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|directory| seen.insert(directory.clone()));
    all
}

/// The services of a plan while they are gathered.
pub(crate) struct Services<'l, 's> {
    loader: &'l mut Loader<'s>,
    directories: Vec<String>,
    found: BTreeMap<Name, Option<service::Written>>,
}

impl<'l, 's> Services<'l, 's> {
    pub(crate) fn new(loader: &'l mut Loader<'s>, directories: Vec<String>) -> Self {
        Self { loader, directories, found: BTreeMap::new() }
    }

    /// Takes one that was read already.
    pub(crate) fn take(&mut self, written: service::Written) {
        self.found.insert(written.service.name.clone(), Some(written));
    }

    /// Reads every service that is named, and those they name.
    pub(crate) fn gather(&mut self, mut wanted: Vec<At<Name>>) {
        while let Some(name) = wanted.pop() {
            if self.found.contains_key(&name.value) {
                continue;
            }
            let file = format!("{}.toml", name.value);
            let paths = self.directories.iter().map(|d| join(d, &file));
            let path = paths.into_iter().find(|p| self.loader.source.is_file(p));
            let Some(path) = path else {
                self.unknown(&name);
                continue;
            };
            let (_, raw) = self.loader.read::<raw::Service>(&path);
            let written =
                raw.map(|raw| service::check(name.value.clone(), &raw, &mut self.loader.check));
            wanted.extend(written.iter().flat_map(|w| w.edges.iter().cloned()));
            self.found.insert(name.value, written);
        }
    }

    fn unknown(&mut self, name: &At<Name>) {
        let known: Vec<String> =
            self.directories.iter().flat_map(|d| self.loader.names_in(d)).collect();
        let help = did_you_mean(name.value.as_str(), known.iter().map(String::as_str));
        let help = help.unwrap_or_else(|| {
            format!("there is no {}.toml in {}", name.value, self.directories.join(" or "))
        });
        let message = format!("no service is called `{}`", name.value);
        self.loader.check.add(Problem::new(name.place.clone(), message).help(help));
    }

    fn check_users(&mut self, device: &Device) {
        let known = || {
            let debian = device::DEBIAN_USERS.iter().map(|(name, _)| *name);
            debian.chain(device.users.iter().map(|u| u.name.as_str()))
        };
        let users = self.found.values().flatten().filter_map(|w| w.user.as_ref());
        for at in users.filter(|at| !known().any(|k| k == at.as_str())) {
            let message = format!("the device has no user `{}`", at.value);
            let help = did_you_mean(at, known())
                .unwrap_or_else(|| "add a [[user]] with a name and a uid to the device".to_owned());
            self.loader.check.add(Problem::new(at.place.clone(), message).help(help));
        }
    }

    /// Links them; `None` when that can't be done, with the reasons noted.
    pub(crate) fn link(&mut self, device: &str, enabled: &[Name], place: &Place) -> Option<Plan> {
        let services = self.found.values().flatten().map(|w| w.service.clone()).collect();
        let errors = match Plan::link(device, services, enabled) {
            Ok(plan) => return Some(plan),
            Err(errors) => errors,
        };
        for error in errors {
            let problem = match &error {
                // Noted where it was looked for.
                LinkError::Unknown { .. } => continue,
                LinkError::Cycle(names) => self.cycle(&error, names, place),
                LinkError::Twice(_) | LinkError::TooMany(_) => {
                    Problem::new(place.clone(), error.to_string())
                }
            };
            self.loader.check.add(problem);
        }
        None
    }

    fn cycle(&self, error: &LinkError, names: &[Name], place: &Place) -> Problem {
        let next = names.iter().cycle().skip(1);
        let edges: Vec<(Place, String)> = names
            .iter()
            .zip(next)
            .filter_map(|(of, to)| {
                let written = self.found.get(of)?.as_ref()?;
                let edge = written.edges.iter().find(|e| e.value == *to)?;
                Some((edge.place.clone(), format!("`{of}` waits for `{to}`")))
            })
            .collect();
        let Some(((first, label), rest)) = edges.split_first() else {
            return Problem::new(place.clone(), error.to_string());
        };
        let problem = Problem::new(first.clone(), error.to_string()).label(label);
        let problem = rest.iter().fold(problem, |p, (at, label)| p.also(at.clone(), label));
        problem.help("take one of these out; a service can be ready before another is")
    }
}

/// Loads a case, by its folder or its `case.toml`, with its device.
///
/// # Errors
/// Everything that is wrong with any of its files.
pub fn load_case(source: &dyn Source, path: &str) -> Result<LoadedCase, Report> {
    load_case_on(source, path, None)
}

/// Like [`load_case`], on another device than the case names: a name, or an absolute path.
///
/// # Errors
/// As [`load_case`].
pub fn load_case_on(
    source: &dyn Source,
    path: &str,
    device: Option<&str>,
) -> Result<LoadedCase, Report> {
    let path = if path.ends_with(".toml") { join("", path) } else { join(path, "case.toml") };
    let folder = parent(&path);
    let mut loader = Loader::new(source);
    let (file, raw) = loader.read::<raw::Case>(&path);
    let Some(raw) = raw else { return Err(loader.report()) };
    let mut check = std::mem::take(&mut loader.check);
    let text = loader.texts.get(file).map_or("", |t| t.text.as_str());
    let name = if folder.is_empty() { "case" } else { file_name(folder) };
    let mut case = case::check(name, &raw, text, loader.host(), &mut check);
    if let Some(device) = device {
        device.clone_into(&mut case.device);
    }
    let place = Place::new(file, 0..0);
    let directory = join(folder, "services");
    let enable = match &raw.enable {
        Some(_) => check.list(raw.enable.as_ref(), super::value::service_name),
        None => own_services(&loader.names_in(&directory), &directory, &place, &mut check),
    };
    loader.check = check;
    let at = raw.device.as_ref().map_or(&place, |at| &at.place);
    let device = match find_case_device(&loader, &path, &case.device) {
        Ok(device) => device,
        Err(help) => {
            let message = format!("no device is called `{}`", case.device);
            loader.check.add(Problem::new(at.clone(), message).help(help));
            return Err(loader.report());
        }
    };
    let extra = Extra { directory: Some(directory), enable };
    let mut loaded = load(&mut loader, &device, &extra)?;
    if !loaded.device.debug.agent {
        let message = format!("the device `{}` has no debug agent to run steps", case.device);
        loader
            .check
            .add(Problem::new(at.clone(), message).help("write [debug] agent = true in it"));
        return Err(loader.report());
    }
    loaded.device.files.retain(|f| case.files.iter().all(|own| own.path != f.path));
    loaded.device.files.extend(case.files.iter().cloned());
    loaded.device.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(LoadedCase { case, loaded })
}

/// A case's device: one that ships, or a path from the case.
fn find_case_device(loader: &Loader<'_>, path: &str, called: &str) -> Result<String, String> {
    loader.find_device(path, called)
}

fn own_services(names: &[String], directory: &str, place: &Place, c: &mut Check) -> Vec<At<Name>> {
    let mut all = Vec::new();
    for name in names {
        let path = join(directory, &format!("{name}.toml"));
        let value = service::name_of(&path, place, c);
        all.extend(value.map(|value| At { value, place: place.clone() }));
    }
    all
}
