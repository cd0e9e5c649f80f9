//! The services of a device: found by name, with all they name, and linked.

use std::collections::BTreeMap;

use super::decode::At;
use super::near::did_you_mean;
use super::path::join;
use super::permission::Asked;
use super::report::{Place, Problem};
use super::sandbox::Inherited;
use super::service::{MAX_DROP_INS, MAX_TEXT};
use super::source::Loader;
use super::{merge, raw, service, users};
use crate::plan::LinkError;
use crate::{Device, Name, Plan};

/// Keys under which a service names what it can't be without.
const NEEDS: [&str; 2] = ["requires", "binds"];

/// The services of a plan while they are gathered.
pub(crate) struct Services<'l, 's> {
    loader: &'l mut Loader<'s>,
    directories: Vec<String>,
    /// File of each service that has another's.
    files: BTreeMap<Name, Name>,
    found: BTreeMap<Name, Option<service::Written>>,
    texts: ServiceTexts,
    profiles: Inherited,
    permissions: Asked,
}

/// The texts of services and where they lie on the device, below [`crate::plan::SERVICES_PATH`].
pub(crate) type ServiceTexts = Vec<(String, String)>;

impl<'l, 's> Services<'l, 's> {
    pub(crate) fn new(
        loader: &'l mut Loader<'s>,
        directories: Vec<String>,
        files: BTreeMap<Name, Name>,
    ) -> Self {
        let beside: Vec<String> =
            directories.iter().map(|services| join(services, "../sandbox")).collect();
        Self {
            loader,
            directories,
            files,
            found: BTreeMap::new(),
            texts: Vec::new(),
            permissions: Asked::beside(&beside),
            profiles: Inherited::new(beside),
        }
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
            let Some((template, instance)) = name.value.of_template() else {
                wanted.extend(self.read(&name));
                continue;
            };
            let Ok(value) = Name::try_from(template) else { continue };
            let template = At { value, place: name.place.clone() };
            if !self.found.contains_key(&template.value) {
                wanted.extend(self.read(&template));
            }
            if let Some(Some(of)) = self.found.get(&template.value) {
                let made = of.instance(instance);
                self.found.insert(name.value, made);
            }
        }
    }

    /// Reads a service with its drop-ins; gives the names in it.
    fn read(&mut self, name: &At<Name>) -> Vec<At<Name>> {
        let file = self.files.get(&name.value).unwrap_or(&name.value).clone();
        let path = |directory: &String| join(directory, &format!("{file}.toml"));
        let at = self.directories.iter().position(|d| self.loader.source.is_file(&path(d)));
        let Some(at) = at else {
            self.unknown(name);
            return Vec::new();
        };
        let mut paths: Vec<(String, String)> = Vec::new();
        // Those of farther directories belong to a file that is not taken.
        let layers: Vec<String> = self.directories.iter().take(at + 1).rev().cloned().collect();
        if let Some(own) = layers.first() {
            paths.push((path(own), format!("{}.toml", name.value)));
        }
        for layer in &layers {
            let directory = join(layer, &format!("{file}.d"));
            for drop_in in self.loader.names_in(&directory) {
                let place = format!("{}.d/{:02}-{drop_in}.toml", name.value, paths.len());
                paths.push((join(&directory, &format!("{drop_in}.toml")), place));
            }
        }
        let begins = Place::new(self.loader.texts.len(), 0..0);
        if paths.len() > MAX_DROP_INS + 1 {
            let message = format!("`{}` has more than {MAX_DROP_INS} drop-ins", name.value);
            self.loader.check.add(Problem::new(name.place.clone(), message));
            paths.truncate(MAX_DROP_INS + 1);
        }
        let mut files = Vec::new();
        for (path, place) in paths {
            let (number, raw) = self.loader.read::<raw::Service>(&path);
            files.push(raw);
            let long = self.loader.texts.get(number).is_some_and(|t| t.text.len() > MAX_TEXT);
            if long {
                let message = format!("the file of a service has at most {} KiB", MAX_TEXT >> 10);
                self.loader.check.add(Problem::new(Place::new(number, 0..0), message));
            }
            let text = self.loader.texts.get(number).map(|text| text.text.clone());
            self.texts.extend(text.map(|text| (place, text)));
        }
        let files: Option<Vec<_>> = files.into_iter().collect();
        let written = files.map(|files| {
            let mut raw = merge::overlay(files);
            self.profiles.join_service(&mut raw, self.loader);
            let mut written =
                service::check(name.value.clone(), &raw, &begins, &mut self.loader.check);
            self.permissions.widen(raw.sandbox.as_ref(), &mut written.service, self.loader);
            written
        });
        let named: Vec<_> =
            written.iter().flat_map(|w| w.edges.iter().map(|edge| edge.to.clone())).collect();
        self.found.insert(name.value.clone(), written);
        named
    }

    fn unknown(&mut self, name: &At<Name>) {
        let known: Vec<String> =
            self.directories.iter().flat_map(|d| self.loader.names_in(d)).collect();
        let template = name.value.is_template();
        let alike = known.iter().map(String::as_str).filter(|k| k.ends_with('@') == template);
        let help = did_you_mean(name.value.as_str(), alike);
        let help = help.unwrap_or_else(|| {
            format!("there is no {}.toml in {}", name.value, self.directories.join(" or "))
        });
        let what = if template { "template" } else { "service" };
        let message = format!("no {what} is called `{}`", name.value);
        self.loader.check.add(Problem::new(name.place.clone(), message).help(help));
        self.found.insert(name.value.clone(), None);
    }

    /// The texts of all services that were read, of the profiles and of the permissions beside them,
    /// each sorted by their place.
    pub(crate) fn into_texts(mut self) -> [ServiceTexts; 3] {
        // Drop-ins on the device may name any of them.
        self.profiles.read_all(self.loader);
        self.permissions.read_all(self.loader);
        self.texts.sort();
        [self.texts, self.profiles.into_texts(), self.permissions.into_texts()]
    }

    /// Notes users of services that the device does not have. Packages may bring users, so this is
    /// no error.
    pub(crate) fn check_users(&mut self, device: &Device) {
        let known = || {
            let debian = users::DEBIAN_USERS.iter().map(|(name, _)| *name);
            debian.chain(device.users.iter().map(|u| u.name.as_str()))
        };
        let users = self.found.values().flatten().flat_map(|w| &w.users);
        for at in users.filter(|at| !known().any(|k| k == at.as_str())) {
            let message = format!("no user is called `{}`, unless a package brings it", at.value);
            let help = did_you_mean(at, known())
                .unwrap_or_else(|| "add a [[user]] with a name and a uid to the device".to_owned());
            self.loader.check.add(Problem::warning(at.place.clone(), message).help(help));
        }
    }

    /// Notes services without a profile: those that say why are for development, and a release is to have
    /// one for all others too.
    pub(crate) fn check_exceptions(&mut self, device: &Device) {
        let written = || self.found.values().flatten();
        let development = device.debug.agent || device.debug.console;
        let problem = |at: &Place| {
            let message = "a service without a profile is for development, and this device is not";
            let problem = Problem::new(at.clone(), message).label("why it has none");
            let help = "inherit a profile, leave the service out, or write [debug] agent = true in the device";
            problem.help(help)
        };
        let excepted = written().filter(|w| w.service.exception.is_some()).map(|w| &w.place);
        let mut problems: Vec<_> = excepted.filter(|_| !development).map(problem).collect();
        if device.release {
            problems.extend(written().filter_map(service::Written::unconfined));
        }
        problems.into_iter().for_each(|problem| self.loader.check.add(problem));
    }

    /// Notes sockets at an address and names on the bus that another service has.
    fn check_own(&mut self) {
        let running = || self.found.values().flatten().filter(|w| !w.service.name.is_template());
        let all = running().flat_map(|w| &w.sockets).map(|at| (at.as_str(), &at.place));
        self.loader.check.unique(all, |at| format!("two sockets are at `{at}`"));
        let all = running().flat_map(|w| &w.bus).map(|at| (at.as_str(), &at.place));
        self.loader
            .check
            .unique(all, |name| format!("two services have the name `{name}` on the bus"));
    }

    /// Links them; `None` when that can't be done, with the reasons noted.
    pub(crate) fn link(&mut self, device: &str, enabled: &[Name], place: &Place) -> Option<Plan> {
        self.check_own();
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
                LinkError::Ended { of, needs } => self.ended(&error, of, needs, place),
                LinkError::Conflict { one, other } | LinkError::Boot { one, other } => {
                    self.conflict(&error, one, other, place)
                }
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
                let place = self.waits(of, to)?;
                Some((place, format!("`{of}` waits for `{to}`")))
            })
            .collect();
        let Some(((first, label), rest)) = edges.split_first() else {
            return Problem::new(place.clone(), error.to_string());
        };
        let problem = Problem::new(first.clone(), error.to_string()).label(label);
        let problem = rest.iter().fold(problem, |p, (at, label)| p.also(at.clone(), label));
        problem.help("take one of these out; a service can be ready before another is")
    }

    fn ended(&self, error: &LinkError, of: &Name, needs: &Name, place: &Place) -> Problem {
        let at = self.edge(of, &NEEDS, needs).unwrap_or_else(|| place.clone());
        let help = format!("write remain = true in `{needs}`, or name it in `wants`");
        Problem::new(at, error.to_string()).help(help)
    }

    /// Shows each step of both ways, and where it is written that their ends stop each other.
    fn conflict(&self, error: &LinkError, one: &[Name], other: &[Name], place: &Place) -> Problem {
        let steps = one.windows(2).chain(other.windows(2)).filter_map(|pair| {
            let [of, to] = pair else { return None };
            Some((self.edge(of, &NEEDS, to)?, format!("`{of}` needs `{to}`")))
        });
        let ends = one.last().zip(other.last()).and_then(|(x, y)| {
            let written = [(x, y), (y, x)].map(|(of, to)| self.edge(of, &["conflicts"], to));
            written.into_iter().flatten().next().map(|at| (at, "they stop each other".to_owned()))
        });
        let mut places: Vec<(Place, String)> = ends.into_iter().chain(steps).collect();
        places.dedup();
        let Some(((first, label), rest)) = places.split_first() else {
            return Problem::new(place.clone(), error.to_string());
        };
        let problem = Problem::new(first.clone(), error.to_string()).label(label);
        let problem = rest.iter().fold(problem, |p, (at, label)| p.also(at.clone(), label));
        problem.help("take one of these out, or one of both services out of the device")
    }

    /// Where it is written that `of` waits for `to`: in either of them.
    fn waits(&self, of: &Name, to: &Name) -> Option<Place> {
        const WAITS: [&str; 4] = ["requires", "wants", "binds", "after"];
        self.edge(of, &WAITS, to).or_else(|| self.edge(to, &["before"], of))
    }

    /// Where `of` names `to` under one of the keys.
    fn edge(&self, of: &Name, keys: &[&str], to: &Name) -> Option<Place> {
        let written = self.found.get(of)?.as_ref()?;
        let edge = written.edges.iter().find(|e| e.to.value == *to && keys.contains(&e.key))?;
        Some(edge.to.place.clone())
    }
}
