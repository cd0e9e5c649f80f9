//! The services of a device: found by name, with all they name, and linked.

use std::collections::BTreeMap;

use super::decode::At;
use super::near::did_you_mean;
use super::path::join;
use super::report::{Place, Problem};
use super::source::Loader;
use super::{raw, service, users};
use crate::plan::LinkError;
use crate::{Device, Name, Plan};

/// The services of a plan while they are gathered.
pub(crate) struct Services<'l, 's> {
    loader: &'l mut Loader<'s>,
    directories: Vec<String>,
    /// File of each service that has another's.
    files: BTreeMap<Name, Name>,
    found: BTreeMap<Name, Option<service::Written>>,
}

impl<'l, 's> Services<'l, 's> {
    pub(crate) fn new(
        loader: &'l mut Loader<'s>,
        directories: Vec<String>,
        files: BTreeMap<Name, Name>,
    ) -> Self {
        Self { loader, directories, files, found: BTreeMap::new() }
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
            let file = self.files.get(&name.value).unwrap_or(&name.value);
            let file = format!("{file}.toml");
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

    /// Notes users of services that the device does not have. Packages may bring users, so this is
    /// no error.
    pub(crate) fn check_users(&mut self, device: &Device) {
        let known = || {
            let debian = users::DEBIAN_USERS.iter().map(|(name, _)| *name);
            debian.chain(device.users.iter().map(|u| u.name.as_str()))
        };
        let users = self.found.values().flatten().filter_map(|w| w.user.as_ref());
        for at in users.filter(|at| !known().any(|k| k == at.as_str())) {
            let message = format!("no user is called `{}`, unless a package brings it", at.value);
            let help = did_you_mean(at, known())
                .unwrap_or_else(|| "add a [[user]] with a name and a uid to the device".to_owned());
            self.loader.check.add(Problem::warning(at.place.clone(), message).help(help));
        }
    }

    /// Notes sockets at a path that another service has.
    fn check_sockets(&mut self) {
        let all = self.found.values().flatten().flat_map(|w| &w.sockets);
        let all = all.map(|at| (at.as_str(), &at.place));
        self.loader.check.unique(all, |path| format!("two sockets are at `{path}`"));
    }

    /// Links them; `None` when that can't be done, with the reasons noted.
    pub(crate) fn link(&mut self, device: &str, enabled: &[Name], place: &Place) -> Option<Plan> {
        self.check_sockets();
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
