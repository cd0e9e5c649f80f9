//! The apps that are most likely started next, made ready when nobody asks for anything: what a device has in memory
//! of its apps does not last over a reboot.
//!
//! ```text
//! begins ─ REST ─► used last ─ STEP ─► the one before … ─ STEP ─► those with an icon that never ran ─► nothing left
//!            ▲ somebody asks                └─ mounted, and prepared by servicemgr
//! ```
//!
//! Invariant: at most [`MOST`] are made ready, one at a time; whatever can't be, can't now and is tried when it is
//! started.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::bundle::{AbilityKind, BundleId};

use super::{Daemon, clock};

/// Most apps that are made ready: as many as servicemgr keeps views of.
const MOST: usize = 8;

/// How long nobody asked for anything before the first.
const REST: Duration = Duration::from_secs(1);

/// Between two of them: long enough for whoever asks meanwhile.
const STEP: Duration = Duration::from_millis(100);

/// Those that are left.
#[derive(Debug)]
pub(super) struct Ahead {
    /// The next one at the end; none before it was looked who they are.
    left: Option<Vec<BundleId>>,
    due: Option<Duration>,
}

impl Ahead {
    /// None is ready.
    pub(super) fn begin(now: Duration) -> Self {
        Self { left: None, due: Some(now + REST) }
    }

    /// When the next one is made ready, if any is.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Somebody asked for something, and may ask for more.
    pub(super) fn put_off(&mut self, now: Duration) {
        self.due = self.due.map(|_| now + REST);
    }

    /// The next one, if it is time; `all` are those that it is worth it for, the most likely first.
    fn next(&mut self, now: Duration, all: impl FnOnce() -> Vec<BundleId>) -> Option<BundleId> {
        if self.due.is_none_or(|due| due > now) {
            return None;
        }
        let left = self.left.get_or_insert_with(|| {
            let mut seen = BTreeSet::new();
            let mut all = all();
            all.retain(|id| seen.insert(id.clone()));
            all.truncate(MOST);
            all.reverse();
            all
        });
        let next = left.pop();
        self.due = (!left.is_empty()).then_some(now + STEP);
        next
    }
}

impl Daemon {
    /// Makes one app ready, if it is time.
    pub(super) fn tick_ahead(&mut self) {
        let Self { ahead, engine, store, .. } = self;
        let next = ahead.next(clock(), || {
            let missions = engine.missions().into_iter().map(|mission| mission.target.bundle);
            let page = |kind: AbilityKind| kind == AbilityKind::Page;
            let icons = store
                .bundles()
                .filter(|held| held.manifest.abilities.iter().any(|ability| page(ability.kind)));
            missions.chain(icons.map(|held| held.id().clone())).collect()
        });
        let Some(id) = next else { return };
        // What counts may have changed since; what is being changed is made ready when it is installed.
        if self.is_changing(&id) {
            return;
        }
        let Some(held) = self.store.get(&id).map(Arc::clone) else { return };
        if let Ok(mounting) = self.store.mounting(&id) {
            self.units.mount_ahead(mounting);
        }
        self.make_ready(&held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn id(number: usize) -> BundleId {
        BundleId::try_from(format!("org.example.a{number}")).unwrap()
    }

    fn all() -> Vec<BundleId> {
        [3, 1, 3, 2].map(id).to_vec()
    }

    #[test]
    fn nothing_is_made_ready_before_there_is_time_and_then_one_after_the_other() {
        let mut ahead = Ahead::begin(SECOND);
        assert_eq!(ahead.next(SECOND, all), None);
        ahead.put_off(2 * SECOND);
        assert_eq!(ahead.next(2 * SECOND, all), None);
        let mut now = 2 * SECOND + REST;
        for number in [3, 1, 2] {
            assert_eq!(ahead.due(), Some(now));
            assert_eq!(ahead.next(now, all), Some(id(number)));
            assert_eq!(ahead.next(now, all), None);
            now += STEP;
        }
        ahead.put_off(now);
        assert_eq!((ahead.due(), ahead.next(9 * now, all)), (None, None), "there is nothing left");
    }

    #[test]
    fn of_many_only_those_used_last_are_made_ready() {
        let mut ahead = Ahead::begin(SECOND);
        let many = || (0..100).map(id).collect();
        let made = (0..200).filter_map(|n| ahead.next(SECOND + REST + n * STEP, many));
        assert_eq!(made.collect::<Vec<_>>(), (0..MOST).map(id).collect::<Vec<_>>());
    }

    #[test]
    fn where_there_are_no_apps_it_is_looked_once() {
        let mut ahead = Ahead::begin(SECOND);
        assert_eq!(ahead.next(SECOND + REST, Vec::new), None);
        assert_eq!(ahead.due(), None);
    }
}
