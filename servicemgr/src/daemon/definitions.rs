//! The definitions of services as they are now: those of the image, and what people changed on the
//! device.
//!
//! ```text
//! /usr/lib/ensemble/plan                      linked by the image builder; alone on most devices
//! /usr/lib/ensemble/services/NAME.toml        what it was made of, with NAME.d/*.toml over it
//! /etc/ensemble/services/NAME.toml            a new service, or instead of the shipped one
//! /etc/ensemble/services/NAME.d/*.toml        drop-ins over either, in order of their names
//! /etc/ensemble/services.toml                 enable = [..], disable = [..]
//! /usr/lib/ensemble/sandbox/NAME.toml         profiles that all of these may inherit
//! /etc/ensemble/sandbox/NAME.toml             more of them, by other names
//! ```
//!
//! Where nothing was changed, nothing but the plan is read. A broken file is told and changes
//! nothing: its service stays as shipped. Services that wait for each other cannot run; all others
//! do.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use model::service::{PLACEHOLDER, Service};
use model::{Name, Plan, gather, text};
use serde::Deserialize;

use super::Settings;
use crate::engine::Id;

/// Longest plan that is read, in bytes.
const MAX_PLAN: u64 = 64 << 20;

/// Longest file with a definition, in bytes.
const MAX_FILE: u64 = 64 << 10;

/// Most files that are looked at in one directory.
const MAX_FILES: usize = 4096;

/// All services, ready to run.
#[derive(Debug)]
pub(super) struct Definitions {
    /// The services, linked.
    pub(super) plan: Plan,
    /// Changes with anything in the plan.
    pub(super) fingerprint: u32,
    /// Services that cannot run, and why.
    pub(super) forbidden: Vec<(Id, String)>,
    /// What is wrong with the files, for people.
    pub(super) problems: Vec<String>,
}

/// What people changed on the device, as it lies there.
#[derive(Debug, Default)]
struct Own {
    /// Whole definitions, by name.
    files: BTreeMap<Name, PathBuf>,
    /// Drop-ins by name, in order.
    dropins: BTreeMap<Name, Vec<PathBuf>>,
    problems: Vec<String>,
}

/// `/etc/ensemble/services.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choices {
    /// Services that start at boot, beside those of the image.
    #[serde(default)]
    pub(super) enable: BTreeSet<Name>,
    /// Services of the image that do not.
    #[serde(default)]
    pub(super) disable: BTreeSet<Name>,
}

impl Definitions {
    /// Reads all of them.
    ///
    /// # Errors
    /// There is no plan, or it is not one. Whatever else is wrong is among the problems.
    pub(super) fn read(settings: &Settings) -> Result<Self, Box<dyn Error>> {
        let bytes = read_plan(&settings.plan)?;
        let plan = Plan::decode(&bytes)?;
        let mut own = Own::read(&settings.own);
        let choices = Choices::read(&settings.choices()).unwrap_or_else(|e| {
            own.problems.push(e);
            Choices::default()
        });
        if own.is_empty() && choices == Choices::default() {
            let fingerprint = crc32c::crc32c(&bytes);
            return Ok(Self { plan, fingerprint, forbidden: Vec::new(), problems: own.problems });
        }
        Ok(own.over(plan, &choices, settings))
    }
}

impl Definitions {
    /// Whether the image has this service start at boot.
    pub(super) fn shipped_on(settings: &Settings, name: &Name) -> bool {
        let plan = read_plan(&settings.plan).and_then(|bytes| Ok(Plan::decode(&bytes)?));
        plan.is_ok_and(|plan| {
            let id = plan.ids().get(name).copied();
            id.is_some_and(|id| plan.enabled.contains(&id))
        })
    }
}

fn read_plan(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let about = |e: &dyn std::fmt::Display| format!("plan {}: {e}", path.display());
    let size = fs::metadata(path).map_err(|e| about(&e))?.len();
    if size > MAX_PLAN {
        return Err(about(&"too long; build the image again").into());
    }
    Ok(fs::read(path).map_err(|e| about(&e))?)
}

impl Own {
    /// What lies in `directory`; nothing when it is not there.
    fn read(directory: &Path) -> Self {
        let mut own = Self::default();
        for path in listed(directory, &mut own.problems) {
            let (Some(stem), Some(extension)) = (path.file_stem(), path.extension()) else {
                continue;
            };
            // What editors and package tools leave beside a file is nobody's business.
            let hidden = stem.as_encoded_bytes().starts_with(b".");
            if hidden || !(extension == "toml" || extension == "d") {
                continue;
            }
            let Some(name) = stem.to_str().and_then(|stem| Name::try_from(stem).ok()) else {
                own.problems.push(format!("{}: not the name of a service", path.display()));
                continue;
            };
            if extension == "toml" {
                own.files.insert(name, path);
            } else if extension == "d" {
                let mut files = listed(&path, &mut own.problems);
                files.retain(|file| file.extension().is_some_and(|e| e == "toml"));
                if !files.is_empty() {
                    own.dropins.insert(name, files);
                }
            }
        }
        own
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.dropins.is_empty()
    }

    /// The services of `plan` with these changes.
    fn over(mut self, plan: Plan, choices: &Choices, settings: &Settings) -> Definitions {
        let on = plan.enabled.iter();
        let on = on.filter_map(|id| plan.services.get(usize::try_from(*id).ok()?));
        let on: BTreeSet<Name> = gather(on.map(|s| s.name.clone()));
        let Plan { services, templates, device, compiled, optional, .. } = plan;
        let by_name = |list: Vec<Service>| -> BTreeMap<Name, Service> {
            gather(list.into_iter().map(|s| (s.name.clone(), s)))
        };
        let (mut services, mut templates) = (by_name(services), by_name(templates));
        let names: BTreeSet<Name> = gather(self.files.keys().chain(self.dropins.keys()).cloned());
        for name in names {
            match self.define(&name, settings) {
                Ok(service) if name.is_template() => drop(templates.insert(name, service)),
                Ok(service) => drop(services.insert(name, service)),
                Err(why) => self.problems.push(why),
            }
        }
        let mut enabled: Vec<Name> = on.difference(&choices.disable).cloned().collect();
        for name in &choices.enable {
            if !services.contains_key(name) {
                match instance(name, &templates) {
                    Some(made) => drop(services.insert(name.clone(), made)),
                    None => {
                        self.problems.push(format!("enable: no service is called `{name}`"));
                        continue;
                    }
                }
            }
            enabled.push(name.clone());
        }
        let services = services.into_values().chain(templates.into_values()).collect();
        let (mut plan, forbidden) = Plan::link_leniently(device, services, &enabled);
        plan.compiled = compiled;
        plan.tolerate(&optional);
        let ids = plan.ids();
        let forbidden = forbidden.into_iter();
        let forbidden = gather(
            forbidden.filter_map(|(name, why)| Some((Id::try_from(*ids.get(&name)?).ok()?, why))),
        );
        let fingerprint = crc32c::crc32c(&plan.encode());
        Definitions { plan, fingerprint, forbidden, problems: self.problems }
    }

    /// One service from its files.
    fn define(&self, name: &Name, settings: &Settings) -> Result<Service, String> {
        defined(name, &self.texts(name, settings)?, settings).map(|defined| defined.service)
    }

    /// The files of one service, path and text of each.
    fn texts(&self, name: &Name, settings: &Settings) -> Result<Vec<(String, String)>, String> {
        let shipped = &settings.shipped;
        let mut paths = Vec::new();
        match self.files.get(name) {
            Some(own) => paths.push(own.clone()),
            None => {
                paths.push(shipped.join(format!("{name}.toml")));
                let mut nothing_there = Vec::new();
                paths.extend(listed(&shipped.join(format!("{name}.d")), &mut nothing_there));
            }
        }
        paths.extend(self.dropins.get(name).into_iter().flatten().cloned());
        let text = |path: &PathBuf| Ok((path.display().to_string(), read_text(path)?));
        paths.iter().map(text).collect()
    }
}

/// A service, or the template of an instance, from the files as they are now, with the places of its
/// rules.
///
/// # Errors
/// What is wrong with them and where.
pub(super) fn look_up(name: &Name, settings: &Settings) -> Result<text::service::Defined, String> {
    let own = Own::read(&settings.own);
    let look_up = |name: &Name| defined(name, &own.texts(name, settings)?, settings);
    let Some((template, instance)) = name.of_template() else { return look_up(name) };
    let mut defined = look_up(&Name::try_from(template).map_err(|e| e.to_string())?)?;
    defined.service = defined.service.instance(instance).map_err(|e| e.to_string())?;
    for rule in &mut defined.rules {
        rule.value = rule.value.replace(PLACEHOLDER, instance);
    }
    Ok(defined)
}

/// The instance of one of `templates` that is called `name`.
fn instance(name: &Name, templates: &BTreeMap<Name, Service>) -> Option<Service> {
    let (template, instance) = name.of_template()?;
    templates.get(&Name::try_from(template).ok()?)?.instance(instance).ok()
}

/// A service that is defined by one text alone.
///
/// # Errors
/// What is wrong with it and where.
pub(super) fn parse(name: &Name, definition: &str, settings: &Settings) -> Result<Service, String> {
    parse_with(name, definition, &settings.profiles)
}

/// As [`parse`], with profiles looked for in these directories.
///
/// # Errors
/// What is wrong with it and where.
pub(super) fn parse_with<'p>(
    name: &Name,
    definition: &str,
    profiles: impl IntoIterator<Item = &'p PathBuf>,
) -> Result<Service, String> {
    let file = (format!("{name}.toml"), definition.to_owned());
    let profiles: Vec<String> =
        profiles.into_iter().map(|path| path.display().to_string()).collect();
    let defined = text::service::define(&OfDevice, &profiles, name, &[file]);
    defined.map(|defined| defined.service).map_err(|report| report.to_string())
}

fn defined(
    name: &Name,
    files: &[(String, String)],
    settings: &Settings,
) -> Result<text::service::Defined, String> {
    let profiles = settings.profiles.each_ref().map(|path| path.display().to_string());
    let defined = text::service::define(&OfDevice, &profiles, name, files);
    defined.map_err(|report| report.to_string())
}

/// Profiles and permissions as they lie on the device.
pub(super) struct OfDevice;

impl text::Source for OfDevice {
    fn read(&self, path: &str) -> io::Result<String> {
        read_text(Path::new(path)).map_err(io::Error::other)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let names = fs::read_dir(directory)?.take(MAX_FILES);
        Ok(names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
    }

    fn is_file(&self, path: &str) -> bool {
        Path::new(path).is_file()
    }
}

/// What a directory holds, in order of the names; nothing when it is not there.
fn listed(directory: &Path, problems: &mut Vec<String>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(e) => {
            problems.push(format!("{}: {e}", directory.display()));
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> =
        entries.take(MAX_FILES).filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    paths
}

/// A file of ours, which must be text and not long.
fn read_text(path: &Path) -> Result<String, String> {
    let about = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let (_, bytes) = sys::regular::read(path, MAX_FILE, true).map_err(|e| about(&e))?;
    String::from_utf8(bytes).map_err(|e| about(&e))
}

impl Choices {
    /// Reads them; none when the file is not there.
    ///
    /// # Errors
    /// The file cannot be read or is not as it should be.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = read_text(path)?;
        toml::from_str(&text).map_err(|e| format!("{}: {}", path.display(), e.message()))
    }

    /// Writes them; they are the old or the new ones, whatever happens meanwhile.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut text = String::from("# Written by `ensctl service enable` and `disable`.\n");
        for (key, names) in [("enable", &self.enable), ("disable", &self.disable)] {
            let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            // Writing into a string does not fail.
            let _fine = writeln!(text, "{key} = [{}]", names.join(", "));
        }
        let new = path.with_extension("toml.new");
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        match path.parent() {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }
}
