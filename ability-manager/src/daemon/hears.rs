//! What servicemgr says, and what was there before this process.
//!
//! ```text
//! killed ─► the next one reads what was kept ─► servicemgr says who is there ─┬─ known: goes on
//!                                                                            ├─ known, gone: has ended
//!                                                                            └─ not known: is killed
//! ```
//!
//! Those that are told of their lives lost the connection they are told by: they attach again within
//! [`BACK`], or are ended; their missions stay, with what they saved.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::abilities::State;
use model::bundle::Lifecycle;

use super::acts::Live;
use super::memory::Kept;
use super::units::{Heard, unit};
use super::{Daemon, clock};
use crate::engine::{Event, Exit, InstanceId};

/// How long an instance that is told of its life may take to attach again to a new ability-manager.
const BACK: Duration = Duration::from_secs(5);

impl Daemon {
    /// servicemgr says something.
    pub(super) fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Mounted(bundle, integrity) => {
                self.integrity.insert(bundle, integrity);
            }
            Heard::LetGo(tree) => {
                self.changes_let_go(&tree);
                self.lock_let_go(&tree);
            }
            Heard::Launched(instance) => {
                let ended = self.launching.remove(&instance).flatten();
                self.feed(Event::Launched { instance });
                if let Some(exit) = ended {
                    self.note_end(instance, &exit);
                    self.feed(Event::Ended { instance, exit });
                }
            }
            Heard::Again(instance) => {
                if let Some(early) = self.launching.get_mut(&instance) {
                    *early = None;
                }
            }
            Heard::Refused(instance, why) => {
                self.launching.remove(&instance);
                if let Some(live) = self.lives.get(&instance) {
                    log::warn!("{}: not started: {why}", live.unit);
                }
                self.note_end(instance, &Exit::LaunchFailed(why.clone()));
                self.feed(Event::LaunchFailed { instance, why });
            }
            // Its end may be heard before the answer to its launch.
            Heard::Ended(instance, exit) => match self.launching.get_mut(&instance) {
                Some(early) => *early = Some(exit),
                None if self.lives.contains_key(&instance) => {
                    self.note_end(instance, &exit);
                    self.feed(Event::Ended { instance, exit });
                }
                None => {}
            },
            Heard::Present(units, uptime) => {
                self.began = clock().saturating_sub(uptime);
                self.compare(&units);
            }
        }
    }

    /// These are there, of all instances.
    fn compare(&mut self, units: &BTreeSet<String>) {
        let known: BTreeSet<&String> = self.lives.values().map(|live| &live.unit).collect();
        let strangers = units.iter().filter(|unit| !known.contains(unit)).cloned();
        for stranger in strangers.collect::<Vec<String>>() {
            log::warn!("{stranger}: nobody knows why it runs: it is killed");
            self.units.kill_stranger(&stranger);
        }
        let mut events = Vec::new();
        for (id, live) in &self.lives {
            let instance = *id;
            if self.launching.contains_key(id) {
                continue;
            }
            if !units.contains(&live.unit) {
                events.push(Event::Ended { instance, exit: Exit::Unknown });
            } else if self.engine.instance(instance).is_some_and(|row| row.state == State::Loading)
            {
                // Its launch was answered to the ability-manager before this one.
                events.push(Event::Launched { instance });
            }
        }
        events.into_iter().for_each(|event| self.feed(event));
    }

    /// Goes on with the instances that were here before this process.
    pub(super) fn adopt(&mut self, mut kept: BTreeMap<InstanceId, Kept>) {
        self.engine.adopted();
        for row in self.engine.instances() {
            let instance = row.id;
            let Some(kept) = kept.remove(&instance) else {
                self.next.push_back(Event::Ended { instance, exit: Exit::Unknown });
                continue;
            };
            let unit = unit(&row.target.bundle, instance);
            let seat = self.seat(instance, &unit, kept.uid);
            let seat = seat.inspect_err(|why| log::warn!("{unit}: {why}")).ok();
            let told = row.traits.lifecycle == Lifecycle::Bus && row.state != State::Loading;
            let back_by = told.then(|| clock() + BACK);
            let unheard = Vec::new();
            let target = row.target;
            let live = Live { unit, target, kept, seat, back_by, unheard, priority: None };
            self.lives.insert(instance, live);
        }
        log::info!("goes on with {} instances", self.lives.len());
    }

    /// Ends those that did not attach again in time.
    pub(super) fn give_up_those_that_did_not_come_back(&mut self) {
        let now = clock();
        let late = |live: &Live| live.back_by.is_some_and(|by| by <= now);
        let late = self.lives.iter().filter(|(_, live)| late(live)).map(|(id, _)| *id);
        for instance in late.collect::<Vec<InstanceId>>() {
            if let Some(live) = self.lives.get_mut(&instance) {
                live.back_by = None;
                log::warn!("{}: did not attach again", live.unit);
            }
            self.feed(Event::Kill { instance, why: Exit::LifecycleTimeout });
        }
    }

    /// Forgets what was saved for missions that nobody knows.
    pub(super) fn forget_lost_missions(&mut self) {
        let engine = &self.engine;
        self.memory.retain(|mission| engine.mission(mission).is_some());
    }
}
