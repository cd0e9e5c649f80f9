//! What restricts the services of a device, in short, for `ensctl security`; and which rules keep a service
//! from a system call, for who asks why it was killed.
//!
//! Tells, changes nothing. Files are read only for services that a profile confines, when somebody asks.

use std::path::{Path, PathBuf};

use api::sandbox::{MAX_CALLS, Place, Refusing, Restricted};
use api::services::Error;
use model::sandbox::calls;
use model::text::sandbox::Rule;

use super::Daemon;
use super::requests::unknown;
use super::sandboxes::REFUSAL;
use crate::engine::Id;

/// Rules that keep a program from a call.
const REFUSALS: [&str; 3] = ["calls.kill", "calls.deny", "forbid.calls"];

impl Daemon {
    /// What restricts each service.
    pub(super) fn security(&mut self) -> Vec<Restricted> {
        (0..self.plan.services.len()).filter_map(|id| self.restricted(id)).collect()
    }

    fn restricted(&mut self, id: Id) -> Option<Restricted> {
        let permissions = self.names_of_permissions(id);
        let confined = self.plan.services.get(id)?.sandbox.confines();
        let placed = if confined { self.rules(id) } else { Ok(Vec::new()) };
        let service = self.plan.services.get(id)?;
        let (profiles, unplaced) = match placed {
            Ok(rules) => (profiles(&rules, &self.settings.profiles), String::new()),
            Err(why) => (Vec::new(), why),
        };
        let (left_out, refused) = match self.launcher.sandboxes.left_out(service) {
            Ok(lacks) => (lacks.iter().map(ToString::to_string).collect(), String::new()),
            Err(why) => (Vec::new(), why.strip_prefix(REFUSAL).unwrap_or(&why).to_owned()),
        };
        let name = service.name.as_str();
        let kept = service.sandbox.capabilities.clone();
        Some(Restricted {
            name: name.to_owned(),
            user: service.user.clone().unwrap_or_else(|| "root".to_owned()),
            confined,
            profiles,
            unplaced,
            permissions,
            all_capabilities: kept.is_none() && service.user.is_none(),
            capabilities: kept.unwrap_or_default(),
            left_out,
            refused,
            exception: service.exception.as_deref().unwrap_or_default().to_owned(),
        })
    }

    /// The rules that keep a service from these calls.
    pub(super) fn refusing(
        &mut self,
        name: &str,
        calls: &[String],
    ) -> Result<Vec<Refusing>, Error> {
        let id = self.find(name).ok_or_else(|| unknown(name))?;
        // Without places there is nothing to change.
        let rules = self.rules(id).unwrap_or_default();
        Ok(calls.iter().take(MAX_CALLS).flat_map(|call| refusing(&rules, call)).collect())
    }
}

/// The profiles among the files of rules: those that lie in one of `directories`.
fn profiles(rules: &[Rule], directories: &[PathBuf]) -> Vec<String> {
    let profile = |rule: &Rule| {
        let path = Path::new(&rule.file);
        let of = path.parent().is_some_and(|parent| directories.iter().any(|d| d == parent));
        of.then(|| path.file_stem()?.to_str().map(str::to_owned)).flatten()
    };
    let mut all: Vec<String> = rules.iter().filter_map(profile).collect();
    all.sort();
    all.dedup();
    all
}

/// Those of `rules` that keep a program from `call`.
fn refusing(rules: &[Rule], call: &str) -> Vec<Refusing> {
    let names = |value: &str| {
        value == call || calls::group(value).is_some_and(|group| group.members().contains(call))
    };
    let refuses = |rule: &&Rule| REFUSALS.contains(&rule.key.as_str()) && names(&rule.value);
    let shown = |rule: &Rule| Refusing {
        call: call.to_owned(),
        key: rule.key.clone(),
        value: rule.value.clone(),
        place: Place {
            file: rule.file.clone(),
            line: u32::try_from(rule.line).unwrap_or(u32::MAX),
        },
    };
    rules.iter().filter(refuses).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(key: &str, value: &str, file: &str) -> Rule {
        Rule { key: key.into(), value: value.into(), file: file.into(), line: 3 }
    }

    #[test]
    fn a_call_is_found_by_its_name_and_in_its_groups() {
        let group = calls::groups().iter().find(|g| g.members().contains("mount")).unwrap();
        let rules = [
            rule("calls.allow", "mount", "/a"),
            rule("calls.kill", "mount", "/b"),
            rule("forbid.calls", group.name, "/c"),
            rule("calls.deny", "umount2", "/d"),
        ];
        let found = refusing(&rules, "mount");
        let found: Vec<_> = found.iter().map(|r| (r.key.as_str(), r.place.file.as_str())).collect();
        assert_eq!(found, [("calls.kill", "/b"), ("forbid.calls", "/c")]);
        assert_eq!(refusing(&rules, "number 21"), []);
    }

    #[test]
    fn profiles_are_the_files_of_rules_in_their_directories() {
        let rules = [
            rule("x", "", "/usr/lib/ensemble/sandbox/service.toml"),
            rule("x", "", "/usr/lib/ensemble/services/web.toml"),
            rule("x", "", "/usr/lib/ensemble/sandbox/base.toml"),
            rule("y", "", "/usr/lib/ensemble/sandbox/base.toml"),
        ];
        let directories = [PathBuf::from("/usr/lib/ensemble/sandbox")];
        assert_eq!(profiles(&rules, &directories), ["base", "service"]);
    }
}
