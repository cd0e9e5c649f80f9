//! Missions: what was opened and can be gone back to, with or without a process.
//!
//! Invariants: at most [`MAX_MISSIONS`], [`MAX_MISSIONS_EACH`] of a bundle; the one that makes room for another
//! has no process; an ability that is one has one mission, and one for each key if it has keys.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::bundle::BundleId;
use model::want::Want;
use serde::{Deserialize, Serialize};

use super::limits::{MAX_KEPT_WANT, MAX_MISSIONS, MAX_MISSIONS_EACH};
use super::refusal::Refusal;
use super::words::{Exit, InstanceId, MissionId, Target, Traits};
use crate::want;

/// One mission.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Mission {
    pub(super) target: Target,
    pub(super) key: Option<String>,
    pub(super) traits: Traits,
    /// What it was wanted for last.
    pub(super) want: Arc<Want>,
    pub(super) instance: Option<InstanceId>,
    /// When it was in front last.
    pub(super) used: Option<Duration>,
    /// The higher, the later it was used.
    pub(super) turn: u64,
    /// Bytes that are kept for it.
    pub(super) saved: usize,
    pub(super) exit: Option<Exit>,
    /// A process of it was there once.
    pub(super) ran: bool,
}

/// All missions.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Missions {
    by_id: BTreeMap<MissionId, Mission>,
    last: MissionId,
    turn: u64,
}

impl Missions {
    pub(super) fn get(&self, id: MissionId) -> Option<&Mission> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: MissionId) -> Option<&mut Mission> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: MissionId) -> Option<Mission> {
        self.by_id.remove(&id)
    }

    /// All, the last used first.
    pub(super) fn in_order(&self) -> Vec<(MissionId, &Mission)> {
        let mut all: Vec<_> = self.by_id.iter().map(|(id, mission)| (*id, mission)).collect();
        all.sort_by_key(|(_, mission)| std::cmp::Reverse(mission.turn));
        all
    }

    /// Those of a bundle.
    pub(super) fn of(&self, bundle: &BundleId) -> Vec<MissionId> {
        let of = |(id, mission): (&MissionId, &Mission)| {
            (mission.target.bundle == *bundle).then_some(*id)
        };
        self.by_id.iter().filter_map(of).collect()
    }

    /// The one of an ability, without a process.
    pub(super) fn find(&self, target: &Target, key: Option<&str>) -> Option<MissionId> {
        let fits = |(_, mission): &(&MissionId, &Mission)| {
            let same = mission.target == *target && mission.key.as_deref() == key;
            same && mission.instance.is_none()
        };
        self.by_id.iter().filter(fits).max_by_key(|(_, mission)| mission.turn).map(|(id, _)| *id)
    }

    /// Which one must go so that one more of this bundle can be.
    pub(super) fn room(&self, bundle: &BundleId) -> Result<Option<MissionId>, Refusal> {
        let each = self.by_id.values().filter(|mission| mission.target.bundle == *bundle).count();
        if each < MAX_MISSIONS_EACH && self.by_id.len() < MAX_MISSIONS {
            return Ok(None);
        }
        let fits = |(_, mission): &(&MissionId, &Mission)| {
            let counts = each < MAX_MISSIONS_EACH || mission.target.bundle == *bundle;
            counts && mission.instance.is_none()
        };
        let oldest = self.by_id.iter().filter(fits).min_by_key(|(_, mission)| mission.turn);
        oldest.map(|(id, _)| Some(*id)).ok_or(Refusal::TooManyMissions)
    }

    /// A new one.
    pub(super) fn add(
        &mut self,
        target: Target,
        key: Option<String>,
        traits: Traits,
        want: &Arc<Want>,
    ) -> MissionId {
        let taken = |id: &MissionId| id.0 == 0 || self.by_id.contains_key(id);
        let mut id = self.last;
        loop {
            id = MissionId(id.0.wrapping_add(1));
            if !taken(&id) {
                break;
            }
        }
        self.last = id;
        self.turn += 1;
        let mission = Mission {
            target,
            key,
            traits,
            want: kept(want),
            instance: None,
            used: None,
            turn: self.turn,
            saved: 0,
            exit: None,
            ran: false,
        };
        self.by_id.insert(id, mission);
        id
    }

    /// It is in front now.
    pub(super) fn touch(&mut self, id: MissionId, now: Duration) {
        let Some(mission) = self.by_id.get_mut(&id) else { return };
        self.turn += 1;
        mission.turn = self.turn;
        mission.used = Some(now);
    }

    /// The device was started anew.
    pub(super) fn rebooted(&mut self) {
        for mission in self.by_id.values_mut() {
            mission.used = None;
            if mission.instance.take().is_some() {
                mission.exit = Some(Exit::Unknown);
            }
        }
    }
}

impl Mission {
    /// It is wanted for something more.
    pub(super) fn wanted(&mut self, want: &Arc<Want>) {
        self.want = kept(want);
    }
}

fn kept(whole: &Arc<Want>) -> Arc<Want> {
    if want::size(whole) <= MAX_KEPT_WANT {
        return Arc::clone(whole);
    }
    let mut less = Want {
        bundle: whole.bundle.clone(),
        ability: whole.ability.clone(),
        action: whole.action.clone(),
        uri: whole.uri.clone(),
        mime: whole.mime.clone(),
        key: whole.key.clone(),
        ..Want::default()
    };
    if want::size(&less) > MAX_KEPT_WANT {
        less = Want::default();
    }
    Arc::new(less)
}
