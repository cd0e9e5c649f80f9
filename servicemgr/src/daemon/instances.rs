//! Instances of apps: services of the moment whose user and permissions ability-manager decides about.
//!
//! ```text
//! Prepare ─► definition, user, permissions ─► sandbox with them ─► compiled, kept
//! Launch ───────────────────────────────────────────┴─► app@ID_NUMBER ─► runs ─► Ended ─► forgotten
//! ```
//!
//! Whatever would come out as less than was asked for is refused before anything starts. Invariants: an instance
//! runs as the user of an app and of nobody else; its profile confines it; it has one life.

mod priority;
mod watch;

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use api::services::{Error, MAX_GRANTED, MAX_OWN, PREPARED};
use model::Name;
use model::bundle::APP_IDS;
use model::sandbox::Profile;
use model::service::{INSTANCE, Kind, RestartWhen, Service, app_of};

use super::bus::Reply;
use super::requests::unknown;
use super::shipped::Shipped;
use super::spares::confines;
use super::{Daemon, definitions, transient};
use crate::engine::{Ask, End, Event, Id};

pub(super) use watch::{Ended, Watchers};

/// What an instance is called that is only prepared.
const SOME_INSTANCE: &str = "app@some_0";

/// Most definitions that are kept as read: apps in use at a time, at most 12 KiB each.
const MAX_READ: usize = 16;

/// Scores that an instance may have: less would keep an app and let the device die.
const SCORES: RangeInclusive<i32> = 0..=1000;

/// `SIGKILL`.
const SIGKILL: i32 = 9;

/// What is to run.
#[derive(Debug)]
pub(super) struct Wanted {
    /// In TOML.
    pub(super) definition: String,
    /// As which user.
    pub(super) uid: u32,
    /// With what permissions.
    pub(super) granted: Vec<String>,
    /// With what variables of its own.
    pub(super) own: Vec<String>,
}

/// Instances, beside what they are as services.
#[derive(Debug)]
pub(super) struct Instances {
    /// Who hears of ends.
    pub(super) watchers: Watchers,
    /// Profiles of apps that are compiled, the one used last at the end.
    profiles: VecDeque<Profile>,
    /// Definitions that were read, as they are without a name, the one used last at the end: reading one with all
    /// that it inherits takes longer than the start.
    read: VecDeque<(String, Service)>,
    shipped: Shipped,
}

impl Instances {
    /// None yet.
    pub(super) fn new(shipped: Shipped) -> Self {
        let (watchers, profiles, read) = Default::default();
        Self { watchers, profiles, read, shipped }
    }

    /// A definition, read now or the last time. What it inherits is read anew by the next servicemgr, as what
    /// people change is.
    fn read(
        &mut self,
        name: Name,
        definition: &str,
        parse: impl FnOnce(&Name) -> Result<Service, String>,
    ) -> Result<Service, String> {
        let known = self.read.iter().position(|(text, _)| text == definition);
        let (text, service) = match known.and_then(|at| self.read.remove(at)) {
            Some(known) => known,
            None => {
                let made = self.shipped.define(&name, definition);
                (definition.to_owned(), made.map_or_else(|| parse(&name), Ok)?)
            }
        };
        let made = Service { name, ..service.clone() };
        self.read.push_back((text, service));
        if self.read.len() > MAX_READ {
            self.read.pop_front();
        }
        Ok(made)
    }

    /// A profile was used. Gives those that are too many by now, of what nobody uses.
    fn used(&mut self, profile: &Profile, in_use: impl Fn(&Profile) -> bool) -> Vec<Profile> {
        self.profiles.retain(|known| known != profile);
        self.profiles.push_back(profile.clone());
        if self.profiles.len() <= PREPARED {
            return Vec::new();
        }
        let idle = self.profiles.iter().filter(|known| *known != profile && !in_use(known));
        let idle: Vec<Profile> = idle.cloned().collect();
        // The one at hand is kept too.
        let many = (idle.len() + 1).saturating_sub(PREPARED);
        let old: Vec<Profile> = idle.into_iter().take(many).collect();
        self.profiles.retain(|known| !old.contains(known));
        old
    }
}

impl Daemon {
    /// Starts an instance.
    pub(super) fn launch_instance(
        &mut self,
        name: &str,
        wanted: &Wanted,
        reply: Reply<Result<(), Error>>,
    ) {
        let made = instance_name(name).and_then(|name| self.instance(name, wanted));
        self.start_transient(made, reply);
    }

    /// Makes all ready that an instance needs to start; its mounts when there is time.
    pub(super) fn prepare_instance(&mut self, wanted: &Wanted) -> Result<(), Error> {
        let name = instance_name(SOME_INSTANCE)?;
        let mut service = self.instance(name, wanted)?;
        service.sandbox = self.permissions.widened(&service, &service.permissions).profile.into();
        if let Some(confine) = confines(&mut self.launcher, &service) {
            self.launcher.spares.foresee(&confine);
        }
        Ok(())
    }

    /// The service that an instance is, with its sandbox compiled.
    fn instance(&mut self, name: Name, wanted: &Wanted) -> Result<Service, Error> {
        let bad = Error::BadDefinition;
        transient::fits(&wanted.definition).map_err(bad)?;
        let granted = checked(wanted)?;
        let (text, settings) = (&wanted.definition, &self.settings);
        let parse = |name: &Name| definitions::parse(name, text, settings);
        let mut service = self.instances.read(name.clone(), text, parse).map_err(bad)?;
        service.environment.extend(variables(&wanted.own)?);
        can_be_app(&service).map_err(|why| bad(format!("{name}: {why}")))?;
        let mut service = self.tolerating(service);
        service.user = Some(wanted.uid.to_string());
        service.permissions = granted;
        service.restart.when = RestartWhen::Never;
        self.hold_instance(&service)?;
        Ok(service)
    }

    /// Has the sandbox compiled that an instance gets.
    ///
    /// # Errors
    /// A permission that it can't have; or why the sandbox can't hold here.
    fn hold_instance(&mut self, service: &Service) -> Result<(), Error> {
        let widened = self.permissions.widened(service, &service.permissions);
        if let Some((permission, why)) = widened.wrong.first() {
            let app = &service.name;
            return Err(Error::Refused(format!("{app}: {permission} can't be granted: {why}")));
        }
        let service = Service { sandbox: widened.profile.into(), ..service.clone() };
        let sandboxes = &mut self.launcher.sandboxes;
        sandboxes.learn([&service]);
        let held = sandboxes.left_out(&service).map(drop);
        let (services, names) = (&self.plan.services, &self.names);
        let there = |(id, of): &(Id, &Service)| names.get(of.name.as_str()) == Some(id);
        let in_use = |profile: &Profile| {
            let mut all = services.iter().enumerate().filter(there);
            all.any(|(_, of)| *of.sandbox == *profile)
        };
        for old in self.instances.used(&service.sandbox, in_use) {
            self.launcher.sandboxes.forget(&old);
        }
        held.map_err(|why| Error::Refused(format!("{}: {why}", service.name)))
    }

    /// Has the sandboxes of instances compiled all at once that a servicemgr before us started.
    pub(super) fn learn_instances<'s>(&mut self, all: impl Iterator<Item = &'s Service>) {
        let widened = |service: &Service| {
            let profile = self.permissions.widened(service, &service.permissions).profile;
            Service { sandbox: profile.into(), ..service.clone() }
        };
        let all: Vec<Service> = all.filter(|s| s.app_id().is_some()).map(widened).collect();
        self.launcher.sandboxes.learn(&all);
    }

    /// Whether a service is an instance of an app.
    pub(super) fn is_of_app(&self, id: Id) -> bool {
        self.plan.services.get(id).is_some_and(|service| service.app_id().is_some())
    }

    /// Tells that a main process ended.
    pub(super) fn tell_end(&mut self, id: Id, end: End) {
        let (Some(service), Some(part)) = (self.plan.services.get(id), self.parts.get(id)) else {
            return;
        };
        // What it is ended for was decided before.
        let reason = self.engine.life(id).and_then(|life| life.reason.as_ref());
        let why = reason.map_or_else(|| super::view::last_exit(part), ToString::to_string);
        let ended = Ended::new(service.name.to_string(), end, why);
        self.instances.watchers.tell(&ended, service.app_id().is_some());
    }

    /// Sets whom the kernel kills first.
    pub(super) fn set_priority(&mut self, name: &str, score: i32) -> Result<(), Error> {
        let id = self.find(name).ok_or_else(|| unknown(name))?;
        if !self.is_of_app(id) {
            return Err(Error::Refused(format!(
                "{name} is no instance of an app: its definition says [limits] oom-score"
            )));
        }
        if !SCORES.contains(&score) {
            let (least, most) = (SCORES.start(), SCORES.end());
            return Err(Error::Refused(format!("{name}: {score}: a score is {least} to {most}")));
        }
        let done = match (self.group(id), self.main(id)) {
            (Some(group), _) => priority::of_all(|| group.processes(), score),
            (None, Some(pid)) => priority::of_all(|| Ok(vec![pid]), score),
            (None, None) => Ok(()),
        };
        done.map_err(|e| Error::Failed(format!("the score {score} of {name}: {e}")))
    }

    /// Ends all processes of a service at once; the answer comes when they are gone.
    pub(super) fn kill_at_once(&mut self, name: &str, reply: Reply<Result<(), Error>>) {
        let Some(id) = self.find(name) else { return drop(reply.send(Err(unknown(name)))) };
        self.fresh.remove(&id);
        let pid = self.parts.get(id).and_then(|part| part.pid);
        let killed = match (self.group(id), pid) {
            (Some(group), _) => group.kill(),
            (None, Some(pid)) => sys::session::signal_around(pid, SIGKILL),
            (None, None) => Ok(()),
        };
        if let Err(e) = killed {
            // The stop says it again, and waits.
            log::error!(target: name, "{name}: could not be killed at once: {e}");
        }
        let job = self.job(reply);
        self.feed(Event::Ask(id, Ask::Stop, job));
    }

    /// An app is no more.
    pub(super) fn forget_app(&mut self, name: &str) -> Result<(), Error> {
        let refused = |why: String| Error::Refused(format!("{name} is not forgotten: {why}"));
        let app = Name::try_from(name).ok().filter(|_| instance_name(&format!("{name}_0")).is_ok());
        let app = app.ok_or_else(|| unknown(name))?;
        let instances = self.names.values().filter_map(|id| self.plan.services.get(*id));
        if let Some(one) =
            instances.filter(|s| s.app_id().is_some()).find(|s| s.app().as_ref() == Some(&app))
        {
            return Err(refused(format!("{} runs: stop it first", one.name)));
        }
        let Self { launcher: super::launcher::Launcher { storage, etc, .. }, .. } = self;
        storage.forget(etc, &app).map_err(refused)
    }
}

/// Whether the owner decides here about the permissions of a service; why not.
pub(super) fn decided_here(service: &Service) -> Result<(), Error> {
    let Some(app) = service.app() else { return Ok(()) };
    let id = app.as_str().strip_prefix(INSTANCE).unwrap_or_default();
    let name = &service.name;
    Err(Error::Refused(format!(
        "{name} is an instance of an app, and what apps may is ability-manager's to keep: `ensctl permission list \
         {id}` shows it"
    )))
}

/// The name of an instance.
fn instance_name(name: &str) -> Result<Name, Error> {
    let right = Name::try_from(name).ok().filter(|name| app_of(name).is_some());
    right.ok_or_else(|| {
        Error::BadDefinition(format!("`{name}`: an instance of an app is called app@ID_NUMBER"))
    })
}

/// The permissions, sorted, if user and permissions can be an app's.
fn checked(wanted: &Wanted) -> Result<Vec<Name>, Error> {
    let (uid, granted) = (wanted.uid, &wanted.granted);
    if !APP_IDS.contains(&uid) {
        let (first, last) = (APP_IDS.start(), APP_IDS.end());
        return Err(Error::Refused(format!(
            "user {uid} is not an app's: those are {first} to {last}"
        )));
    }
    if granted.len() > MAX_GRANTED {
        let count = granted.len();
        return Err(Error::Refused(format!(
            "{count} permissions: at most {MAX_GRANTED} are granted"
        )));
    }
    let name = |text: &String| {
        let none = || Error::Refused(format!("`{text}`: not the name of a permission"));
        Name::try_from(text.as_str()).map_err(|_| none())
    };
    let mut names = granted.iter().map(name).collect::<Result<Vec<Name>, Error>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// Variables as `NAME=VALUE`.
fn variables(own: &[String]) -> Result<Vec<(String, String)>, Error> {
    if own.len() > MAX_OWN {
        let count = own.len();
        return Err(Error::Refused(format!("{count} variables of its own: at most {MAX_OWN}")));
    }
    let variable = |text: &String| {
        let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let parts = parts.filter(|_| !text.contains('\0'));
        let why = || Error::BadDefinition(format!("`{text}`: a variable is `NAME=VALUE`"));
        parts.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(why)
    };
    own.iter().map(variable).collect()
}

/// Whether an app may be defined so.
fn can_be_app(service: &Service) -> Result<(), String> {
    let no = |why: &str| Err(why.to_owned());
    match service {
        _ if service.user.is_some() => no("`user`: it runs as that of its app: leave it out"),
        _ if !service.permissions.is_empty() => {
            no("`permissions`: it has those that it is launched with: leave them out")
        }
        _ if !service.sandbox.confines() => {
            no("its profile confines nothing: [sandbox] inherit = [\"app\"]")
        }
        _ if service.kind == Kind::Target => no("`type`: a target has no process"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
