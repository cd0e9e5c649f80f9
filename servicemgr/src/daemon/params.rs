//! Parameters of the device: who reads, sets, waits for and watches them, and what they start.
//!
//! ```text
//! command line, system, TOML, saved ──► Params ◄── set
//!                                         ├─► the file in /run, for the next servicemgr
//!                                         ├─► saver, for the next boot (persist.)
//!                                         └─► who waits, who watches, armed services
//! ```
//!
//! `service.NAME` is not kept here but read from the engine. Invariant: a change is in the file in
//! `/run` before anybody hears of it. Nothing is written before something is set.

mod bus;
mod saver;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use api::params::{Error, Param};
use api::services::{Row, State as Shown};
use model::parameter::{MAX_OWNED, OWNED};
use model::service::ParameterMatch;
use tokio::sync::mpsc;

use super::Daemon;
use super::bus::Reply;
use crate::engine::Id;
use crate::params::{MAX_FILE, Params, SERVICE, Set, Sources, fits, line};

pub(super) use bus::Client;
pub(super) use saver::Saver;

/// Clients that may wait for a value at a time.
const MAX_WAITS: usize = 256;

/// Clients that may watch at a time: as many as may be there.
const MAX_WATCHERS: usize = 64;

/// Changes that a watcher may have before it; one that has more is hung up on.
const WATCH_QUEUE: usize = 256;

/// The file in `/run` is written anew when what was added to it is longer than this, in bytes.
const MAX_ADDED: usize = 256 << 10;

/// Longest command line that is read, in bytes: as long as any kernel takes.
const MAX_CMDLINE: usize = 64 << 10;

/// Where the files are.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The kernel's command line; `None` in a container, where it is another system's.
    pub(super) cmdline: Option<PathBuf>,
    /// What the device's TOML says.
    pub(super) device: PathBuf,
    /// All of this boot, for the next servicemgr.
    pub(super) run: PathBuf,
    /// What is saved.
    pub(super) saved: PathBuf,
}

/// All about them.
#[derive(Debug)]
pub(super) struct Board {
    all: Params,
    places: Places,
    /// The file in `/run`, and how much was added to it.
    run: Option<(File, usize)>,
    waits: Vec<Wait>,
    watchers: Vec<Watcher>,
    armed: BTreeMap<Id, Vec<ParameterMatch>>,
    /// The states that were told last, while anybody wants to know.
    states: HashMap<Id, Shown>,
}

/// A client that waits for a value.
#[derive(Debug)]
struct Wait {
    name: String,
    wanted: String,
    reply: Reply<Result<String, Error>>,
}

/// A client that is told of each change.
#[derive(Debug)]
struct Watcher {
    prefix: String,
    changes: mpsc::Sender<Param>,
}

impl Board {
    /// The parameters of this boot: from the last servicemgr, or from their sources.
    pub(super) fn load(places: Places, device: &str) -> Self {
        let all = match read(&places.run, MAX_FILE * 2) {
            Some(text) => Params::restore(&text),
            None => first(&places, device),
        };
        Self {
            all,
            places,
            run: None,
            waits: Vec::new(),
            watchers: Vec::new(),
            armed: BTreeMap::new(),
            states: HashMap::new(),
        }
    }

    /// What the last servicemgr may not have got to the disk.
    pub(super) fn unsaved(&self) -> Option<String> {
        // Without this file nothing was set in this boot.
        if !self.places.run.exists() {
            return None;
        }
        let saved = self.all.saved();
        let there = read(&self.places.saved, MAX_FILE).unwrap_or_default();
        (saved != there).then_some(saved)
    }

    /// It does not wait any more.
    pub(super) fn disarm(&mut self, id: Id) {
        self.armed.remove(&id);
    }

    /// Whether anybody wants to hear of states of services: most devices change many and watch none.
    fn wants_states(&self) -> bool {
        let watched = |w: &Watcher| SERVICE.starts_with(&w.prefix) || w.prefix.starts_with(SERVICE);
        self.waits.iter().any(|wait| wait.name.starts_with(SERVICE))
            || self.watchers.iter().any(watched)
            || self.armed.values().flatten().any(|wanted| wanted.name.starts_with(SERVICE))
    }

    /// Tells who wants to know, and says which services it triggers.
    fn tell(&mut self, name: &str, value: &str) -> Vec<Id> {
        let fitting = |wait: &mut Wait| wait.name == name && fits(value, &wait.wanted);
        for wait in self.waits.extract_if(.., fitting) {
            // It may have given up meanwhile.
            let _gone = wait.reply.send(Ok(value.to_owned()));
        }
        let param = || Param { name: name.to_owned(), value: value.to_owned() };
        self.watchers.retain(|watcher| {
            !name.starts_with(&watcher.prefix) || watcher.changes.try_send(param()).is_ok()
        });
        let fits = |m: &ParameterMatch| m.name == name && fits(value, &m.value);
        let triggered = self.armed.iter().filter(|(_, wanted)| wanted.iter().any(fits));
        triggered.map(|(id, _)| *id).collect()
    }

    /// Adds a change to the file in `/run`.
    fn add(&mut self, name: &str, value: &str) -> io::Result<()> {
        if let Some((file, added)) = self.run.as_mut().filter(|(_, added)| *added < MAX_ADDED) {
            let line = line(name, value);
            file.write_all(line.as_bytes())?;
            *added += line.len();
            return Ok(());
        }
        let new = self.places.run.with_extension("new");
        fs::write(&new, self.all.text())?;
        fs::rename(&new, &self.places.run)?;
        let file = File::options().append(true).open(&self.places.run)?;
        self.run = Some((file, 0));
        Ok(())
    }
}

/// The parameters of a new boot.
fn first(places: &Places, device: &str) -> Params {
    let text = |path: &Path, most| read(path, most).unwrap_or_default();
    let cmdline = places.cmdline.as_deref().map(|path| text(path, MAX_CMDLINE));
    let system = [
        ("const.device".to_owned(), device.to_owned()),
        ("const.ensemble".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let (all, complaints) = Params::load(Sources {
        cmdline: cmdline.as_deref().unwrap_or_default(),
        system: &system,
        device: &text(&places.device, MAX_FILE),
        saved: &text(&places.saved, MAX_FILE),
    });
    for complaint in complaints.sentences() {
        log::warn!("a parameter is left out: {complaint}");
    }
    all
}

impl Daemon {
    /// The value of a parameter, states of services included.
    pub(super) fn param(&self, name: &str) -> Option<String> {
        match name.strip_prefix(SERVICE) {
            Some(service) => Some(self.row(self.find(service)?)?.state.word().to_owned()),
            None => self.params.all.get(name).map(str::to_owned),
        }
    }

    /// Those whose names begin with this, sorted.
    fn params(&self, prefix: &str) -> Vec<Param> {
        let kept = self.params.all.with_prefix(prefix);
        let mut all: Vec<Param> = kept
            .map(|(name, value)| Param { name: name.to_owned(), value: value.to_owned() })
            .collect();
        if prefix.starts_with(SERVICE) || SERVICE.starts_with(prefix) {
            let states = self.rows().into_iter().map(|row| Param {
                name: format!("{SERVICE}{}", row.name),
                value: row.state.word().to_owned(),
            });
            all.extend(states.filter(|param| param.name.starts_with(prefix)));
            all.sort();
        }
        all
    }

    /// Sets a parameter; one that is saved is answered when it is.
    fn set_param(&mut self, name: &str, value: &str, reply: Reply<Result<(), Error>>) {
        let set = match self.params.all.set(name, value) {
            Ok(set) => set,
            Err(why) => {
                let _hung_up = reply.send(Err(Error::Refused(why.to_string())));
                return;
            }
        };
        if set != Set::Same {
            if let Err(e) = self.params.add(name, value) {
                log::error!("{name}: could not write its value for the next servicemgr: {e}");
            }
            for id in self.params.tell(name, value) {
                self.activate.soon(id);
            }
        }
        if set == Set::Save || self.saver.is_saving(name) {
            return self.saver.save(self.params.all.saved(), Some(reply));
        }
        let _hung_up = reply.send(Ok(()));
    }

    /// Whether this is one that a service sets by itself, and this the user of that service.
    fn owns_param(&self, uid: u32, name: &str) -> bool {
        let owned = OWNED.iter().find(|(prefix, _)| name.starts_with(prefix));
        let Some((prefix, owner)) = owned else { return false };
        let owner = self.find(owner).and_then(|id| self.plan.services.get(id));
        let user = owner
            .filter(|service| service.user.is_some())
            .map(|service| self.launcher.ids(service));
        let many = self.params.all.with_prefix(prefix).count() >= MAX_OWNED;
        matches!(user, Some(Ok((is, _))) if is == uid)
            && (!many || self.params.all.get(name).is_some())
    }

    /// Waits until a parameter has this value.
    fn wait_param(&mut self, name: String, wanted: String, reply: Reply<Result<String, Error>>) {
        if let Some(value) = self.param(&name).filter(|value| fits(value, &wanted)) {
            let _gone = reply.send(Ok(value));
            return;
        }
        self.params.waits.retain(|wait| !wait.reply.is_closed());
        if self.params.waits.len() >= MAX_WAITS {
            let why = format!("{MAX_WAITS} clients wait already; try again later");
            let _gone = reply.send(Err(Error::Busy(why)));
            return;
        }
        self.params.waits.push(Wait { name, wanted, reply });
    }

    /// From now on tells of changes.
    fn watch_params(&mut self, prefix: String) -> Result<mpsc::Receiver<Param>, Error> {
        let watchers = &mut self.params.watchers;
        watchers.retain(|watcher| !watcher.changes.is_closed());
        if watchers.len() >= MAX_WATCHERS {
            let why = format!("{MAX_WATCHERS} clients watch already; try again later");
            return Err(Error::Busy(why));
        }
        let (changes, told) = mpsc::channel(WATCH_QUEUE);
        watchers.push(Watcher { prefix, changes });
        Ok(told)
    }

    /// Its parameters are waited for. One that has its value already triggers a service that has not
    /// run in this boot: later ones have had their turn.
    pub(super) fn arm_params(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let wanted = service.activation.parameters.clone();
        if wanted.is_empty() {
            return;
        }
        let new = self.engine.life(id).is_some_and(|life| life.times.started.is_none());
        let has = |m: &ParameterMatch| self.param(&m.name).is_some_and(|v| fits(&v, &m.value));
        if new && wanted.iter().any(has) {
            self.activate.soon(id);
        }
        self.params.armed.insert(id, wanted);
    }

    /// The state of a service is a parameter too.
    pub(super) fn params_hear_of(&mut self, id: Id) {
        if !self.params.wants_states() {
            return self.params.states.clear();
        }
        let Some(Row { name, state, .. }) = self.row(id) else { return };
        if self.params.states.insert(id, state) == Some(state) {
            return;
        }
        for id in self.params.tell(&format!("{SERVICE}{name}"), state.word()) {
            self.activate.soon(id);
        }
    }
}

/// At most so much of a file; `None` when there is none, or more than that.
fn read(path: &Path, most: usize) -> Option<String> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    match read {
        Ok(n) if n <= most => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Ok(_) => {
            log::warn!("{}: longer than {most} bytes: left out", path.display());
            None
        }
        Err(e) => {
            if e.kind() != io::ErrorKind::NotFound {
                log::warn!("could not read {}: {e}: left out", path.display());
            }
            None
        }
    }
}
