//! The permissions that programs ask for: found by name, and joined to who asks.
//!
//! Invariant: each file is read once; the rules of the result are those in force, each with its place.

use std::collections::BTreeMap;

use super::super::check::{Check, values};
use super::super::decode::At;
use super::super::path::join;
use super::super::raw;
use super::super::report::Problem;
use super::super::sandbox::{Rule, places, rules};
use super::super::service::MAX_TEXT;
use super::super::source::Loader;
use super::{Defined, defined, legal, path_of};
use crate::Name;
use crate::permission::{Grant, MAX_ASKED};
use crate::sandbox::{Family, Forbidden, Profile};
use crate::service::Service;
use crate::word::Word;

/// Where permissions are looked for, and those found so far.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The nearest first.
    directories: Vec<String>,
    /// `None` when something is wrong with it.
    found: BTreeMap<String, Option<Defined>>,
    texts: Vec<(String, String)>,
}

/// The names that a program asks for, as far as they can be names.
pub(crate) fn asked(raw: &raw::Sandbox, c: &mut Check) -> Vec<Name> {
    if let Some(at) = raw.permissions.iter().flatten().nth(MAX_ASKED) {
        let message = format!("more than {MAX_ASKED} permissions");
        c.add(Problem::new(at.place.clone(), message));
    }
    let mut names = values(c.list(raw.permissions.as_ref(), legal));
    names.sort();
    names
}

impl Asked {
    pub(crate) fn new(directories: Vec<String>) -> Self {
        Self { directories, ..Self::default() }
    }

    /// Those beside directories of profiles.
    pub(crate) fn beside(profiles: &[String]) -> Self {
        Self::new(profiles.iter().map(|directory| join(directory, "../permissions")).collect())
    }

    /// The permission of this name. What is wrong with it, or that it is not there, is noted.
    pub(crate) fn find(&mut self, name: &At<String>, loader: &mut Loader<'_>) -> Option<Defined> {
        if let Some(known) = self.found.get(&name.value) {
            return known.clone();
        }
        let called = legal(name).ok()?;
        let path = match path_of(name, &self.directories, loader) {
            Ok(path) => path,
            Err(help) => {
                let message = format!("no permission is called `{}`", name.value);
                loader.check.add(Problem::new(name.place.clone(), message).help(help));
                return None;
            }
        };
        let (file, raw) = loader.read::<raw::Permission>(&path);
        let text = loader.texts.get(file).map(|text| text.text.clone()).unwrap_or_default();
        self.texts.push((format!("{called}.toml"), text));
        let found = raw.map(|raw| defined(file, called, &raw, loader));
        self.found.insert(name.value.clone(), found.clone());
        found
    }

    /// Reads every permission that there is. What is wrong with those that nothing asks for is not noted.
    pub(crate) fn read_all(&mut self, loader: &Loader<'_>) {
        let mut names: Vec<String> =
            self.directories.iter().flat_map(|directory| loader.names_in(directory)).collect();
        names.sort();
        names.dedup();
        for name in names {
            if !self.found.contains_key(&name)
                && legal(&name).is_ok()
                && let Ok(path) = path_of(&name, &self.directories, loader)
                && let Ok(text) = loader.source.read(&path)
                && text.len() <= MAX_TEXT
            {
                self.texts.push((format!("{name}.toml"), text));
            }
        }
    }

    /// Name and text of each file that was read, sorted.
    pub(crate) fn into_texts(mut self) -> Vec<(String, String)> {
        self.texts.sort();
        self.texts
    }

    /// Gives `service` what it asks for and nobody is asked about. What its own rules are against is an
    /// error, whoever decides about it. Gives all rules then in force; `raw` has what it inherits.
    pub(crate) fn widen(
        &mut self,
        raw: Option<&raw::Sandbox>,
        service: &mut Service,
        loader: &mut Loader<'_>,
    ) -> Vec<Rule> {
        let Some(raw) = raw else { return Vec::new() };
        let own = rules(raw, &loader.texts);
        let list = raw.permissions.iter().flatten();
        let found: Vec<Defined> = list.filter_map(|name| self.find(name, loader)).collect();
        let mut together: Vec<&Defined> = Vec::new();
        for permission in &found {
            together.push(permission);
            if let Err(why) = widened(service, &own, &together) {
                together.pop();
                loader.check.add(against(&why, raw));
            }
        }
        together.retain(|defined| defined.permission.grant == Grant::System);
        match widened(service, &own, &together) {
            Ok((profile, rules)) => {
                service.sandbox = profile.into();
                rules
            }
            Err(_) => own,
        }
    }
}

/// Where `forbidden` is asked for, and the rule that is against it.
fn against(forbidden: &Forbidden, raw: &raw::Sandbox) -> Problem {
    let mut asked = raw.permissions.iter().flatten();
    let asked = asked.find(|at| at.value == forbidden.permission.as_str());
    let place = asked.map(|at| at.place.clone()).unwrap_or_default();
    let problem = Problem::new(place, forbidden.to_string()).label("asked for here");
    let rules = places(raw);
    let rule = rules.iter().find(|r| r.key == forbidden.key && r.value == forbidden.value);
    let problem = match rule {
        Some(rule) => problem.also(rule.place.clone(), "against it here"),
        None => problem,
    };
    problem
        .help("what a program's own rules are against no permission gives it: change one of both")
}

/// A service's profile with what `granted` add, and the rules that are in force then; `rules` are those
/// of the profile by itself.
///
/// # Errors
/// The first permission, by name, that its own rules are against.
pub fn widened(
    service: &Service,
    rules: &[Rule],
    granted: &[&Defined],
) -> Result<(Profile, Vec<Rule>), Forbidden> {
    let permissions: Vec<_> = granted.iter().map(|defined| &defined.permission).collect();
    let before = &service.sandbox;
    let after = service.widened(&permissions)?;
    let entered = before.network.access != after.network.access;
    let lifted = before.write_execute != after.write_execute;
    let stands = |rule: &&Rule| match rule.key.as_str() {
        "network.access" | "network.udp" => !entered,
        "network.connect" => !entered && after.network.connect.is_some(),
        "network.listen" => !entered && after.network.listen.is_some(),
        "write-execute" => !lifted,
        // An empty list that has something now.
        key if rule.value.is_empty() => named(&after, key).is_none_or(|list| list.is_empty()),
        _ => true,
    };
    let counts = |rule: &&Rule| match rule.key.as_str() {
        "network.access" => entered,
        "network.udp" => after.network.udp && rule.value == "true",
        "write-execute" => lifted,
        key if rule.value.is_empty() => named(&after, key).is_some_and(|list| list.is_empty()),
        key => named(&after, key).is_some_and(|list| list.contains(&rule.value)),
    };
    let mut all: Vec<Rule> = rules.iter().filter(stands).cloned().collect();
    for rule in granted.iter().flat_map(|defined| &defined.rules).filter(counts) {
        if !all.contains(rule) {
            all.push(rule.clone());
        }
    }
    Ok((after, all))
}

/// The list of this key as texts; `None` when it is not there, or not one that permissions add to.
fn named(profile: &Profile, key: &str) -> Option<Vec<String>> {
    let (files, network) = (&profile.files, &profile.network);
    let ports = |list: &Option<Vec<u16>>| {
        list.as_ref().map(|list| list.iter().map(ToString::to_string).collect())
    };
    match key {
        "capabilities" => profile.capabilities.clone(),
        "files.read" => files.read.clone(),
        "files.write" => files.write.clone(),
        "files.execute" => files.execute.clone(),
        "files.devices" => files.devices.clone(),
        "network.families" => {
            let words = |list: &Vec<Family>| list.iter().map(|f| f.word().to_owned()).collect();
            network.families.as_ref().map(words)
        }
        "network.connect" => ports(&network.connect),
        "network.listen" => ports(&network.listen),
        "calls.allow" => profile.calls.allow.clone(),
        _ => None,
    }
}

/// Why a permission is not given, with the line that is against it as far as `rules` know it.
#[must_use]
pub fn refusal(forbidden: &Forbidden, rules: &[Rule]) -> String {
    let mut rules = rules.iter();
    let rule = rules.find(|rule| rule.key == forbidden.key && rule.value == forbidden.value);
    let place = rule.map(|rule| format!(" ({}:{})", rule.file, rule.line));
    format!("{forbidden}{}", place.unwrap_or_default())
}
