//! The log of permissions: what is told of it, and when it goes to the disk.
//!
//! ```text
//! decided, used ─► in memory, and in the state of this boot ─ LATEST, or the end ─► on the disk
//! ```
//!
//! Invariant: whoever uses a permission often does not wear the disk out: it is written once in [`LATEST`] at most.

use std::time::Duration;

use api::abilities::{Error, PermissionEvent, PermissionLog, PermissionUse};
use model::Name;
use model::bundle::BundleId;

use super::{Daemon, clock, today};
use crate::engine::InstanceId;
use crate::permission::{Entry, Log, Use};

/// How long something may be in memory alone: when the power goes, that much is lost of the log.
const LATEST: Duration = Duration::from_secs(60);

/// What of the log is on the disk.
#[derive(Debug)]
pub(super) struct Logged {
    changes: u64,
    by: Option<Duration>,
}

impl Logged {
    /// It is as it was kept.
    pub(super) fn new(log: &Log) -> Self {
        Self { changes: log.changes(), by: None }
    }

    /// When it is to be written.
    pub(super) fn due(&self) -> Option<Duration> {
        self.by
    }
}

impl Daemon {
    /// Writes the log if it is time.
    pub(super) fn keep_log_in_time(&mut self) {
        if self.logged.changes == self.flow.log().changes() {
            return;
        }
        let now = clock();
        if *self.logged.by.get_or_insert(now + LATEST) <= now {
            self.keep_log();
        }
    }

    /// Writes the log if there is something new in it.
    pub(super) fn keep_log(&mut self) {
        let log = self.flow.log();
        if self.logged.changes != log.changes() {
            self.memory.keep_log(log);
        }
        self.logged = Logged::new(log);
    }

    /// The device did something for an instance because it has a permission.
    pub(super) fn used(&mut self, instance: InstanceId, permission: &Name) {
        if let Some(live) = self.lives.get(&instance) {
            let (bundle, ability) = (&live.target.bundle, &live.target.ability);
            self.flow.used(today(), (bundle, ability), permission);
            self.dirty = true;
        }
    }

    /// What was decided and used, of one bundle, or of all.
    pub(super) fn permission_log(&self, id: &str) -> Result<PermissionLog, Error> {
        let of = if id.is_empty() { None } else { Some(self.held(id)?) };
        let asked = |bundle: &BundleId| of.as_ref().is_none_or(|held| held.id() == bundle);
        let log = self.flow.log();
        let uses = log.uses().iter().filter(|(bundle, ..)| asked(bundle));
        let events = log.record().iter().filter(|entry| asked(&entry.bundle));
        Ok(PermissionLog {
            uses: uses.map(|(bundle, permission, one)| self.row(bundle, permission, one)).collect(),
            events: events.map(event).collect(),
        })
    }

    fn row(&self, bundle: &BundleId, permission: &Name, one: &Use) -> PermissionUse {
        let has = |kept: &[Name]| kept.contains(permission);
        let mut lives = self.lives.values().filter(|live| live.target.bundle == *bundle);
        let known = self.store.library().find(permission);
        PermissionUse {
            bundle: bundle.to_string(),
            permission: permission.to_string(),
            about: known.map(|known| known.about.of(&self.locale).to_owned()).unwrap_or_default(),
            times: one.times,
            first: one.first,
            last: one.last,
            ability: one.ability.to_string(),
            how: one.how.word().to_owned(),
            now: lives.any(|live| has(&live.kept.granted)),
        }
    }
}

fn event(entry: &Entry) -> PermissionEvent {
    PermissionEvent {
        at: entry.at,
        bundle: entry.bundle.to_string(),
        permission: entry.permission.to_string(),
        what: entry.what.word().to_owned(),
    }
}
