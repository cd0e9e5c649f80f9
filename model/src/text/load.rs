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

use super::apps::{self, Apps};
use super::check::Check;
use super::decode::At;
use super::near::did_you_mean;
use super::path::{file_name, join, parent, stem};
use super::report::{Place, Problem, Report, Text};
use super::services::Services;
use super::source::{Loader, Source};
use super::{case, device, layers, merge, raw, service};
use crate::case::{Case, MAX_COPIES, Member};
use crate::ready::Ready;
use crate::{Device, Name, Plan};

/// Names and where they were written.
pub(crate) type Names = Vec<At<String>>;

/// A device, ready to build.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The device.
    pub device: Device,
    /// Its services, linked.
    pub plan: Plan,
    /// Texts of its services and templates, by their path below [`crate::plan::SERVICES_PATH`].
    pub services: Vec<(String, String)>,
    /// Texts of the profiles beside them, by their path below [`crate::sandbox::PROFILES_PATH`].
    pub profiles: Vec<(String, String)>,
    /// Texts of the permissions beside them, by their path below [`crate::permission::PERMISSIONS_PATH`].
    pub permissions: Vec<(String, String)>,
    /// What whoever builds it has ready for starts that nobody foresees; nothing yet.
    pub ready: Ready,
    /// Its apps.
    pub apps: Apps,
    /// What is most likely not meant.
    pub warnings: Report,
    /// Every file that was read, in that order.
    pub files: Vec<String>,
    packages: Names,
    modules: Names,
    placed: Names,
    texts: Vec<Text>,
}

/// A case with the devices it runs on.
#[derive(Debug, Clone)]
pub struct LoadedCase {
    /// The case.
    pub case: Case,
    /// Its devices in their order, each with the case's files and services added; not empty.
    pub loaded: Vec<Loaded>,
    /// What is most likely not meant.
    pub warnings: Report,
}

/// What a case adds to its device.
#[derive(Debug, Default)]
struct Extra {
    directory: Option<String>,
    enable: Vec<At<Name>>,
    /// Services and templates that are there and do not start at boot.
    others: Vec<At<Name>>,
    /// File of each service that is a copy.
    copies: BTreeMap<Name, Name>,
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
        let suite = &self.device.packages.suite;
        let message = |name: &str| format!("no package is called `{name}` in {suite}");
        self.look_up(&self.packages, known, all, message)
    }

    /// Looks up every module that the device names among those of its kernel, whose name is `kernel`.
    ///
    /// # Errors
    /// One problem for each that is not there.
    pub fn check_modules<'n>(
        &self,
        kernel: &str,
        known: impl Fn(&str) -> bool,
        all: impl IntoIterator<Item = &'n str> + Clone,
    ) -> Result<(), Report> {
        let message = |name: &str| format!("the kernel {kernel} has no module `{name}`");
        self.look_up(&self.modules, known, all, message)
    }

    /// A report that the file at `path` cannot be in the image, and why not; for what shows only
    /// when the image is put together.
    #[must_use]
    pub fn refused_file(&self, path: &str, why: &str) -> Report {
        let written = self.placed.iter().find(|at| at.value == path);
        let place = written.map_or(Place::new(0, 0..0), |at| at.place.clone());
        let message = format!("`{path}` cannot be in the image: {why}");
        Report::new(self.texts.clone(), vec![Problem::new(place, message)])
    }

    /// A report that the app in the directory `name` cannot be in the image, and why not.
    #[must_use]
    pub fn refused_app(&self, name: &Name, why: &str) -> Report {
        let written = self.apps.places.iter().find(|at| at.value == name.as_str());
        let place = written.map_or(Place::new(0, 0..0), |at| at.place.clone());
        let message = format!("the app `{name}` cannot be in the image: {why}");
        Report::new(self.texts.clone(), vec![Problem::new(place, message)])
    }

    fn look_up<'n>(
        &self,
        names: &Names,
        known: impl Fn(&str) -> bool,
        all: impl IntoIterator<Item = &'n str> + Clone,
        message: impl Fn(&str) -> String,
    ) -> Result<(), Report> {
        let unknown = names.iter().filter(|at| !known(at));
        let problems = unknown.map(|at| {
            Problem::new(at.place.clone(), message(at)).maybe_help(did_you_mean(at, all.clone()))
        });
        let problems: Vec<_> = problems.collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(Report::new(self.texts.clone(), problems))
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
    let (layers, whole) = layers::inherited(loader, &join("", path));
    let files: Vec<String> = layers.iter().rev().map(|layer| layer.path.clone()).collect();
    let directories = service_directories(loader.source, &files, extra);
    let abilities: Vec<String> = directories.iter().map(|d| join(d, "../abilities")).collect();
    let raw = merge::merge(layers, &mut loader.check);
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
    let device::Written { mut device, mut enabled, templates, packages, modules, files: placed } =
        written;
    enabled.extend(extra.enable.iter().cloned());
    device.services.extend(extra.enable.iter().map(|at| at.value.clone()));
    device.services.sort();
    device.services.dedup();
    let apps = apps::load(raw.apps.as_ref(), &device, &abilities, loader);
    let mut services = Services::new(loader, directories, extra.copies.clone());
    enabled.extend(templates);
    enabled.extend(extra.others.iter().cloned());
    services.gather(enabled);
    services.check_users(&device);
    services.check_exceptions(&device);
    let text = format!("{} {}", device.hostname, device.version);
    let mut plan = services.link(&text, &device.services, &place);
    plan.iter_mut().for_each(|plan| plan.tolerate(&device.optional));
    let [service_texts, profiles, permissions] = services.into_texts();
    match (plan, loader.failed()) {
        (Some(plan), None) => Ok(Loaded {
            device,
            plan,
            services: service_texts,
            profiles,
            permissions,
            ready: Ready::default(),
            apps,
            warnings: loader.report(),
            files: loader.texts.iter().map(|t| t.path.clone()).collect(),
            packages,
            modules,
            placed,
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
fn service_directories(source: &dyn Source, files: &[String], extra: &Extra) -> Vec<String> {
    let mut all: Vec<String> = extra.directory.iter().cloned().collect();
    for file in files {
        let here = parent(file);
        all.push(join(here, "services"));
        all.push(join(here, "../services"));
    }
    all.extend(source.library().map(|l| join(&l, "services")));
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|directory| seen.insert(directory.clone()));
    all
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
    for member in case.devices.iter_mut().filter(|member| !member.fixed) {
        if let Some(device) = device {
            device.clone_into(&mut member.device);
        }
    }
    let place = Place::new(file, 0..0);
    let directory = join(folder, "services");
    let own = own_services(&loader.names_in(&directory), &directory, &place, &mut check);
    let (enable, mut others) = match &raw.enable {
        Some(_) => (check.list(raw.enable.as_ref(), service::one_service), own),
        None => own.into_iter().partition(|at| !at.value.is_template()),
    };
    loader.check = check;
    let (enable, copies) = copied(raw.copy.as_ref(), enable, &mut loader.check);
    let copied = |at: &At<Name>| copies.values().any(|of| *of == at.value);
    others.retain(|at| !copied(at) && enable.iter().all(|on| on.value != at.value));
    let extra = Extra { directory: Some(directory), enable, others, copies };
    let mut loaded = Vec::new();
    for (number, member) in case.devices.iter().enumerate() {
        let at = written(raw.device.as_ref(), number).unwrap_or(&place);
        loaded.push(member_of(&mut loader, &path, &case, (member, at), &extra)?);
    }
    if let (false, [member], [one]) = (case.together, &mut case.devices[..], &loaded[..]) {
        one.device.name.as_str().clone_into(&mut member.name);
    }
    match loader.failed() {
        Some(report) => Err(report),
        None => Ok(LoadedCase { case, loaded, warnings: loader.report() }),
    }
}

/// Where a device of a case is named.
fn written(raw: Option<&raw::Devices>, number: usize) -> Option<&Place> {
    match raw? {
        raw::Devices::One(at) => Some(&at.place),
        raw::Devices::Several(list) => {
            let raw = list.get(number)?;
            Some(raw.device.as_ref().map_or(&raw.place, |at| &at.place))
        }
    }
}

/// Loads one device of the case in `path` with what the case adds.
fn member_of(
    loader: &mut Loader<'_>,
    path: &str,
    case: &Case,
    (member, at): (&Member, &Place),
    extra: &Extra,
) -> Result<Loaded, Report> {
    let device = match loader.find_device(path, &member.device) {
        Ok(device) => device,
        Err(help) => {
            let message = format!("no device is called `{}`", member.device);
            loader.check.add(Problem::new(at.clone(), message).help(help));
            return Err(loader.report());
        }
    };
    let mut loaded = load(loader, &device, extra)?;
    if !loaded.device.debug.agent {
        let message = format!("the device `{}` has no debug agent to run steps", member.device);
        loader
            .check
            .add(Problem::new(at.clone(), message).help("write [debug] agent = true in it"));
        return Err(loader.report());
    }
    loaded.device.files.retain(|f| case.files.iter().all(|own| own.path != f.path));
    loaded.device.files.extend(case.files.iter().cloned());
    loaded.device.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(loaded)
}

/// What is enabled with copies in the place of what they are copies of, and their files.
fn copied(
    list: Option<&Vec<At<raw::Copy>>>,
    mut enable: Vec<At<Name>>,
    c: &mut Check,
) -> (Vec<At<Name>>, BTreeMap<Name, Name>) {
    let mut copies = BTreeMap::new();
    for raw in list.into_iter().flatten() {
        let of = c.one(raw.service.as_ref(), service::one_service);
        let count = c.range(raw.count.as_ref(), "the number of copies", 1, MAX_COPIES);
        let (Some(of), Some(count)) = (of, count) else { continue };
        enable.retain(|at| at.value != of);
        for number in 1..=count {
            match service::one_service(&format!("{of}-{number}")) {
                Ok(name) => {
                    enable.push(At { value: name.clone(), place: raw.place.clone() });
                    copies.insert(name, of.clone());
                }
                Err(bad) => {
                    c.add(Problem::new(raw.place.clone(), bad.message).maybe_help(bad.help));
                    break;
                }
            }
        }
    }
    (enable, copies)
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
