//! Files and directories that trigger a service.
//!
//! Each service has a queue of the kernel of its own (`inotify`), held at PID 1. While the service
//! runs nobody reads it: what changes meanwhile is found when the service is armed again. If a person stopped it, that
//! is let go of, and what is there does not count before something comes: else it would be up again at once.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use api::pid1::ToPid1;
use model::service::{PathWatch, PathWhen, Service};
use sys::inotify::Inotify;

use super::super::Daemon;
use super::places::{Paths, Seen, holds};
use super::{Due, Source};
use crate::engine::Id;

/// How often in a turn directories may come and go.
const ROUNDS: usize = 4;

/// Under which name PID 1 holds the queue of a service.
pub(super) fn key(service: &Service) -> String {
    format!("paths/{}", service.name)
}

impl Daemon {
    pub(super) fn watch_paths(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let watches = service.activation.paths.clone();
        if watches.is_empty() {
            return;
        }
        watches.iter().filter(|w| w.make).for_each(make);
        if !self.activate.paths.contains_key(&id) {
            match Inotify::open() {
                Ok(inotify) => {
                    let key = key(service);
                    self.tell(&ToPid1::Hold(key), Some(inotify.as_fd()));
                    self.activate.paths.insert(id, Paths::new(inotify));
                }
                Err(e) => {
                    let name = &service.name;
                    log::error!(target: name.as_str(), "{name}: cannot watch its paths: {e}");
                    return;
                }
            }
        }
        // Where they were, then where they are.
        let before = self.take_changes(id, &watches);
        let came = self.place_paths(id, &watches);
        let after = self.take_changes(id, &watches);
        let (hushed, seen) = (self.engine.life(id).is_some_and(|l| l.hushed), before.and(after));
        let counts = !hushed || seen.perhaps || seen.moved;
        if seen.changed || came || (counts && watches.iter().any(holds)) {
            self.activate.due.push_back(Due::Trigger(id));
            return;
        }
        let Some(paths) = self.activate.paths.get(&id) else { return };
        let watched = paths.inotify().as_fd().try_clone_to_owned();
        self.activate.leave(Source::Paths(id));
        let watched = watched.and_then(|fd| self.activate.watch(Source::Paths(id), fd.as_fd()));
        if let Err(e) = watched {
            log::error!("could not watch paths: {e}");
        }
    }

    /// What is in its queue came before a person stopped it.
    pub(in crate::daemon) fn hush_paths(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let watches = service.activation.paths.clone();
        self.take_changes(id, &watches);
    }

    /// Something happened at or near the paths of an armed service.
    pub(super) fn hear_paths(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let watches = service.activation.paths.clone();
        let seen = self.take_changes(id, &watches);
        // A storm of other files in the same directory costs no look at all of them.
        let perhaps = seen.perhaps || seen.moved;
        if seen.changed || (perhaps && watches.iter().any(holds)) {
            self.trigger(id);
        }
    }

    /// What is in the queue, with places looked for anew as directories come and go.
    fn take_changes(&mut self, id: Id, watches: &[PathWatch]) -> Seen {
        let mut all = Seen::default();
        for _ in 0..ROUNDS {
            let Some(paths) = self.activate.paths.get_mut(&id) else { break };
            let seen = paths.take(watches);
            all = all.and(seen);
            if !seen.moved {
                break;
            }
            all.changed |= self.place_paths(id, watches);
        }
        all
    }

    fn place_paths(&mut self, id: Id, watches: &[PathWatch]) -> bool {
        let Some(paths) = self.activate.paths.get_mut(&id) else { return false };
        let (came, problems) = paths.place(watches);
        let Some(service) = self.plan.services.get(id) else { return came };
        for problem in problems {
            log::error!(target: service.name.as_str(), "{}: {problem}", service.name);
        }
        came
    }

    /// It is not armed any more.
    pub(super) fn forget_paths(&mut self, id: Id) {
        if self.activate.paths.remove(&id).is_some()
            && let Some(service) = self.plan.services.get(id)
        {
            self.tell(&ToPid1::Drop(key(service)), None);
        }
    }
}

/// Makes the directory that is watched.
fn make(watch: &PathWatch) {
    let path = Path::new(&watch.path);
    let directory = match watch.when {
        PathWhen::Exists => path.parent(),
        PathWhen::NotEmpty | PathWhen::Changed => Some(path),
    };
    if let Some(Err(e)) = directory.map(fs::create_dir_all) {
        log::warn!("path {}: could not make it: {e}", watch.path);
    }
}
