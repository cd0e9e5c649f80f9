//! What services may do, for people who ask: the profile in force, and where its rules are written.
//!
//! ```text
//! plan ─► profile in force ──sentences──► answer
//! files as they are now ─► places ──┘        (left out when the files say something else by now)
//! ```
//!
//! Files are read when somebody asks, never before. Here too: a program that is tried in a profile, a service
//! of the moment whose output goes to a named pipe. Changes nothing else.

mod score;

use std::path::Path;

use api::paths::TRIES;
use api::sandbox::{
    Explained, Imitation, PATH, Place, Refusing, Restricted, Sentence, Target, Value,
};
use api::services::Error;
use model::Name;
use model::sandbox::{Feature, Profile};
use model::service::{INSTANCE, Service, app_of};
use model::text::sandbox::{Rule, sentences};
use sys::bind::Access;
use zbus::interface;

use super::Daemon;
use super::bus::{Desk, Reply};
use super::definitions::look_up;
use super::requests::unknown;
use super::sandboxes::REFUSAL;
use crate::engine::Id;

/// One client's view.
#[derive(Debug, Clone)]
pub(super) struct Client {
    desk: Desk,
    uid: u32,
}

impl Client {
    /// The path at which it is served.
    pub(super) const PATH: &str = PATH;

    /// For a client of this user.
    pub(super) fn new(desk: Desk, uid: u32) -> Self {
        Self { desk, uid }
    }

    /// Only root may do this.
    fn root(&self, what: &str) -> Result<(), Error> {
        if self.uid == 0 {
            return Ok(());
        }
        Err(Error::NotPermitted(format!("{what}: only root may, and you are user {}", self.uid)))
    }

    /// Asks the loop what it can answer at once.
    async fn look<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Daemon) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let gone = || Error::GoingDown("servicemgr is ending; try again".into());
        self.desk.call(|daemon, reply| drop(reply.send(ask(daemon)))).await.ok_or_else(gone)
    }
}

#[interface(name = "org.ensemble.Sandbox1")]
impl Client {
    async fn attempt(&self, name: String, definition: String) -> Result<(), Error> {
        self.root("try")?;
        let gone = || Error::GoingDown("servicemgr is ending; try again".into());
        let ask = move |daemon: &mut Daemon, reply: Reply<_>| {
            daemon.attempt(&name, &definition, reply);
        };
        self.desk.call(ask).await.ok_or_else(gone)?
    }

    async fn imitate(&self, target: Target) -> Result<Imitation, Error> {
        self.root("score")?;
        self.look(move |daemon| daemon.imitation(&target)).await?
    }

    async fn score(&self, name: String, target: Target) -> Result<(), Error> {
        self.root("score")?;
        let gone = || Error::GoingDown("servicemgr is ending; try again".into());
        let ask = move |daemon: &mut Daemon, reply: Reply<_>| daemon.score(&name, &target, reply);
        self.desk.call(ask).await.ok_or_else(gone)?
    }

    async fn explain(&self, name: String) -> Result<Explained, Error> {
        self.look(move |daemon| daemon.explain(&name)).await?
    }

    async fn kernel(&self) -> (Vec<String>, Vec<String>) {
        let names = |all: Vec<Feature>| all.iter().map(ToString::to_string).collect();
        let (can, lacks) = sandbox::can(&sys::confine::features());
        (names(can), names(lacks))
    }

    async fn security(&self) -> Result<Vec<Restricted>, Error> {
        self.look(Daemon::security).await
    }

    async fn refusing(&self, name: String, calls: Vec<String>) -> Result<Vec<Refusing>, Error> {
        self.look(move |daemon| daemon.refusing(&name, &calls)).await?
    }
}

impl Daemon {
    /// Runs a service of the moment, whose output somebody reads.
    fn attempt(&mut self, name: &str, definition: &str, reply: Reply<Result<(), Error>>) {
        self.tried(name, reply, |daemon, reply| daemon.run_transient(name, definition, reply));
    }

    /// Opens the pipe that somebody reads, for the service that `start` makes.
    fn tried(
        &mut self,
        name: &str,
        reply: Reply<Result<(), Error>>,
        start: impl FnOnce(&mut Self, Reply<Result<(), Error>>),
    ) {
        // Where it lies in the file system follows from the name, so that has to be one.
        let made = Name::try_from(name).map_err(|e| e.to_string()).and_then(|_| {
            let access = Access { mode: 0o600, owner: None, backlog: 0 };
            let path = Path::new(TRIES).join(name);
            let output = sys::bind::fifo(&path, &access).map_err(|e| e.to_string());
            // Both ends are open: nothing stays when the one who reads is interrupted.
            let _gone = std::fs::remove_file(&path);
            output
        });
        let output = match made {
            Ok(output) => output,
            Err(why) => {
                let why = format!("the pipe for what `{name}` writes: {why}");
                return drop(reply.send(Err(Error::Failed(why))));
            }
        };
        if self.find(name).is_none() {
            self.launcher.outputs.insert(name.to_owned(), output);
        }
        start(self, reply);
        if self.find(name).is_none() {
            // It was none, or it is over already.
            self.launcher.outputs.remove(name);
        }
    }

    /// What a service may do.
    fn explain(&mut self, name: &str) -> Result<Explained, Error> {
        let id = self.find(name).ok_or_else(|| unknown(name))?;
        let (rules, unplaced) = match self.rules(id) {
            Ok(rules) => (rules, String::new()),
            Err(why) => (Vec::new(), why),
        };
        let permissions = self.names_of_permissions(id);
        let service = self.plan.services.get(id).ok_or_else(|| unknown(name))?;
        let (left_out, refused) = match self.launcher.sandboxes.left_out(service) {
            Ok(lacks) => (lacks.iter().map(ToString::to_string).collect(), String::new()),
            Err(why) => (Vec::new(), why.strip_prefix(REFUSAL).unwrap_or(&why).to_owned()),
        };
        let told = sentences(&limited(service), service.user.as_deref(), &limiting(service, rules));
        Ok(Explained {
            name: name.to_owned(),
            user: service.user.clone().unwrap_or_else(|| "root".to_owned()),
            confined: service.sandbox.confines(),
            refused,
            left_out,
            unplaced,
            permissions,
            sentences: told.into_iter().map(shown).collect(),
        })
    }

    /// Where the rules of a service are written.
    ///
    /// # Errors
    /// Why that can't be told.
    pub(super) fn rules(&mut self, id: Id) -> Result<Vec<Rule>, String> {
        let Some(service) = self.plan.services.get(id) else { return Ok(Vec::new()) };
        if let Some(app) = app_of(&service.name) {
            let app = app.as_str().strip_prefix(INSTANCE).unwrap_or(app.as_str());
            return Err(format!(
                "no file defines an app that runs: it has profile `app`, its own files, and what its permissions add: `ensctl app info {app}`"
            ));
        }
        if self.is_transient(id) && service.name.of_template().is_none() {
            return Err("it was made while the device runs: no file defines it".to_owned());
        }
        let mut defined = look_up(&service.name, &self.settings)
            .map_err(|why| format!("its files can't be read: {}", why.trim_end()))?;
        let base = self.permissions.base(service);
        if defined.service.sandbox.into_inner().tolerating(&self.plan.optional) != *base {
            return Err(
                "its files say something else by now: `ensctl reload` makes it count".to_owned()
            );
        }
        defined.rules.extend(self.permissions.rules(service));
        Ok(defined.rules)
    }
}

/// Its profile with the limits that hold: those of the service itself win.
fn limited(service: &Service) -> Profile {
    Profile { limits: service.limits.bounds(), ..Profile::clone(&service.sandbox) }
}

/// The rules without those of limits that the service itself has another of.
fn limiting(service: &Service, mut rules: Vec<Rule>) -> Vec<Rule> {
    let (own, most) = (service.limits.bounds(), service.sandbox.limits);
    let other = [
        ("limits.memory", own.memory != most.memory),
        ("limits.cpu", own.cpu != most.cpu),
        ("limits.pids", own.pids != most.pids),
        ("limits.open-files", own.open_files != most.open_files),
        ("limits.core", own.core != most.core),
        ("limits.signals", own.signals != most.signals),
        ("limits.locked-memory", own.locked_memory != most.locked_memory),
        ("limits.file-size", own.file_size != most.file_size),
        ("limits.stack", own.stack != most.stack),
        ("limits.storage", own.storage != most.storage),
        ("limits.storage-files", own.storage_files != most.storage_files),
    ];
    rules.retain(|rule| !other.contains(&(rule.key.as_str(), true)));
    rules
}

/// As the bus shows it.
fn shown(sentence: model::text::sandbox::Sentence) -> Sentence {
    let place = |(file, line): (String, usize)| Place {
        file,
        line: u32::try_from(line).unwrap_or(u32::MAX),
    };
    let value = |value: model::text::sandbox::Value| Value {
        text: value.text,
        places: value.places.into_iter().map(place).collect(),
    };
    Sentence {
        topic: sentence.topic.heading().to_owned(),
        text: sentence.text,
        values: sentence.values.into_iter().map(value).collect(),
    }
}
