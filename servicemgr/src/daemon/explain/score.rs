//! A service of the moment that attacks the sandbox of another, for `ensctl sandbox score`.
//!
//! ```text
//! service, or profile ──imitate──► the same user, groups, profile, limits; another program
//!                             └──► what differs, in sentences, for those who read the score
//! ```
//!
//! Invariant: of the profile nothing differs but that the program of the attacks may be executed.

use std::path::{Path, PathBuf};

use api::paths::ATTACKS;
use api::sandbox::{Imitation, Target};
use api::services::Error;
use model::Name;
use model::sandbox::{Profile, View, is_below};
use model::service::{Limits, Output, RestartWhen, Service};

use super::super::Daemon;
use super::super::bus::Reply;
use super::super::definitions::parse_with;
use super::super::requests::unknown;

/// Processes of the attacks when the service has no limit: fewer than a device can bear.
const PIDS: u32 = 512;

/// Bytes of memory of the attacks when the service has no limit: what they need if all of them work.
const MEMORY: u64 = 256 << 20;

/// Most words for the program of the attacks: each attack could be named once.
const MAX_ARGUMENTS: usize = 1024;

impl Daemon {
    /// How the attacks would run.
    pub(super) fn imitation(&self, target: &Target) -> Result<Imitation, Error> {
        let (service, differences) = self.imitated("score", target)?;
        let user = service.user.unwrap_or_else(|| "root".to_owned());
        Ok(Imitation { user, differences })
    }

    /// Runs the attacks; what they tell goes to the named pipe.
    pub(super) fn score(&mut self, name: &str, target: &Target, reply: Reply<Result<(), Error>>) {
        match self.imitated(name, target) {
            Err(why) => drop(reply.send(Err(why))),
            Ok((service, _)) => self.tried(name, reply, move |daemon, reply| {
                daemon.start_transient(Ok(service), reply);
            }),
        }
    }

    fn imitated(&self, name: &str, target: &Target) -> Result<(Service, Vec<String>), Error> {
        if target.arguments.len() > MAX_ARGUMENTS {
            return Err(Error::BadDefinition(format!("more than {MAX_ARGUMENTS} arguments")));
        }
        if !Path::new(ATTACKS).is_file() {
            return Err(Error::Failed(format!(
                "there is no {ATTACKS}: only images for development have it ([debug] agent = true)"
            )));
        }
        let name = Name::try_from(name).map_err(|e| Error::BadDefinition(e.to_string()))?;
        let of = if target.service.is_empty() {
            self.profiled(&name, target)?
        } else {
            let id = self.find(&target.service).ok_or_else(|| unknown(&target.service))?;
            self.plan.services.get(id).cloned().ok_or_else(|| unknown(&target.service))?
        };
        imitate(of, name, &target.arguments).map_err(Error::Failed)
    }

    /// A service that has nothing but a profile and a user.
    fn profiled(&self, name: &Name, target: &Target) -> Result<Service, Error> {
        let user = match target.user.as_str() {
            "root" => String::new(),
            user => format!("user = {}\n", quoted(user)?),
        };
        let profile = quoted(&target.profile)?;
        let text = format!("exec = [\"{ATTACKS}\"]\n{user}[sandbox]\ninherit = [{profile}]\n");
        let own = (!target.directory.is_empty()).then(|| PathBuf::from(&target.directory));
        let made = parse_with(name, &text, own.iter().chain(&self.settings.profiles));
        made.map(|service| self.tolerating(service)).map_err(Error::BadDefinition)
    }
}

/// A name in quotes, which has no character that TOML would take for something else.
fn quoted(name: &str) -> Result<String, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.chars().all(plain) {
        return Ok(format!("\"{name}\""));
    }
    Err(Error::BadDefinition(format!("`{name}`: letters, digits, `-`, `_` and `.` make a name")))
}

/// A service that attacks the sandbox of `of` from within, and what differs from it.
///
/// # Errors
/// Why the program can't be run there.
fn imitate(
    of: Service,
    name: Name,
    arguments: &[String],
) -> Result<(Service, Vec<String>), String> {
    let mut differences = Vec::new();
    let mut exec: Vec<String> = [ATTACKS, "all", "--lines"].map(str::to_owned).to_vec();
    exec.extend_from_slice(arguments);
    let mut sandbox = of.sandbox;
    if sandbox.files.root.take().is_some() {
        differences.push(format!("it finds programs of the device, of which {ATTACKS} is one"));
    }
    if execute(&mut sandbox)? {
        differences.push(format!("its profile lets it find and execute {ATTACKS} too"));
    }
    let handed = !of.sockets.is_empty() || !of.credentials.is_empty() || of.fd_store > 0;
    if handed {
        differences.push("it is not handed sockets, descriptors and credentials".to_owned());
    }
    let mut limits = of.limits;
    // Its trees go on to count for the service itself.
    (limits.storage, limits.storage_files) = (None, None);
    for (limit, missing) in bounded(&mut limits) {
        differences.push(missing);
        exec.extend(["--unlimited".to_owned(), limit.to_owned()]);
    }
    let mut service = Service::new(name, exec);
    service.about = format!("Attacks the sandbox of {}", of.name);
    service.restart.when = RestartWhen::Never;
    service.user = of.user;
    service.environment = of.environment;
    service.directory = of.directory;
    service.output = Output::Journal;
    (service.limits, service.sandbox) = (limits, sandbox);
    Ok((service, differences))
}

/// Lets a profile execute the attacks; whether that changed it.
fn execute(profile: &mut Profile) -> Result<bool, String> {
    let hides = |tree: &&String| is_below(ATTACKS, tree);
    if let Some(tree) = profile.forbid.files.iter().find(hides) {
        return Err(format!(
            "its profile forbids {tree}, where the attacks are ({ATTACKS}): they can't be tried in it"
        ));
    }
    let files = &mut profile.files;
    if files.execute.is_none() && files.view == View::Whole {
        return Ok(false);
    }
    let list = files.execute.get_or_insert_default();
    if list.iter().any(|tree| is_below(ATTACKS, tree)) {
        return Ok(false);
    }
    list.push(ATTACKS.to_owned());
    list.sort();
    Ok(true)
}

/// Gives limits where there are none, so that the device bears what works: each with its key, and what
/// differs by it.
fn bounded(limits: &mut Limits) -> Vec<(&'static str, String)> {
    // Only the process that takes too much ends; the others go on with their attacks.
    limits.out_of_memory = model::service::OutOfMemory::Continue;
    let mut missing = Vec::new();
    if limits.pids.is_none() {
        limits.pids = Some(PIDS);
        missing.push(("pids", format!("it may have {PIDS} processes; the service has no limit")));
    }
    if limits.memory.is_none() {
        limits.memory = Some(MEMORY);
        let size = MEMORY >> 20;
        missing.push((
            "memory",
            format!("it may have {size} MiB of memory; the service has no limit"),
        ));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(change: impl FnOnce(&mut Service)) -> Result<(Service, Vec<String>), String> {
        let mut service = Service::new(Name::try_from("web").unwrap(), vec!["/usr/bin/web".into()]);
        change(&mut service);
        imitate(service, Name::try_from("run-score-1").unwrap(), &["--careful".into()])
    }

    #[test]
    fn the_attacks_run_as_the_service_does_and_what_differs_is_told() {
        let (made, differences) = of(|service| {
            service.user = Some("web".into());
            service.limits.pids = Some(16);
            service.sandbox.keyring = true;
        })
        .unwrap();
        let wanted = [ATTACKS, "all", "--lines", "--careful", "--unlimited", "memory"];
        assert_eq!(made.exec, wanted);
        assert_eq!(made.user.as_deref(), Some("web"));
        assert_eq!((made.limits.pids, made.limits.memory), (Some(16), Some(MEMORY)));
        assert!(made.sandbox.keyring && made.sandbox.files.execute.is_none());
        assert_eq!(differences, ["it may have 256 MiB of memory; the service has no limit"]);
    }

    #[test]
    fn the_program_is_let_into_a_view_of_listed_trees_and_nothing_else_is() {
        let list = |made: Service| made.sandbox.into_inner().files.execute;
        let (made, told) = of(|service| service.sandbox.files.view = View::Listed).unwrap();
        assert_eq!(list(made), Some(vec![ATTACKS.to_owned()]));
        assert_eq!(told[0], "its profile lets it find and execute /usr/lib/ensemble/attacks too");
        let (made, told) =
            of(|service| service.sandbox.files.execute = Some(vec!["/usr".into()])).unwrap();
        assert_eq!(list(made), Some(vec!["/usr".to_owned()]));
        assert_eq!(told.len(), 2, "only the limits: {told:?}");
        let root = |service: &mut Service| {
            service.sandbox.files.view = View::Listed;
            service.sandbox.files.root = Some("/run/roots/x".into());
        };
        let (made, told) = of(root).unwrap();
        assert_eq!(made.sandbox.files.root, None);
        assert_eq!(
            told[0],
            "it finds programs of the device, of which /usr/lib/ensemble/attacks is one"
        );
        let hidden = of(|service| service.sandbox.forbid.files = vec!["/usr/lib".into()]);
        assert!(hidden.unwrap_err().contains("forbids /usr/lib"));
    }
}
