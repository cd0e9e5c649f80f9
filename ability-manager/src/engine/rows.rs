//! What there is to look at: instances and missions, as rows.

use std::time::Duration;

use api::abilities::State;

use super::Engine;
use super::ending::Step;
use super::instance::Instance;
use super::missions::Mission;
use super::words::{Exit, InstanceId, MissionId, Target, Traits};

/// An instance, to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRow {
    /// Its number.
    pub id: InstanceId,
    /// What it runs.
    pub target: Target,
    /// Of abilities with a key: which.
    pub key: Option<String>,
    /// What it is.
    pub traits: Traits,
    /// Where it is.
    pub state: State,
    /// Since when.
    pub since: Duration,
    /// The mission it shows.
    pub mission: Option<MissionId>,
    /// How many are connected to it.
    pub connections: usize,
    /// Why it ends, if it does.
    pub ending: Option<Exit>,
}

/// A mission, to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissionRow {
    /// Its number.
    pub id: MissionId,
    /// What it shows.
    pub target: Target,
    /// Of abilities with a key: which.
    pub key: Option<String>,
    /// The instance that shows it now.
    pub instance: Option<InstanceId>,
    /// When it was in front last; none of an earlier boot, or if it never was.
    pub used: Option<Duration>,
    /// Bytes that are kept for it.
    pub saved: usize,
    /// Why its process ended the last time.
    pub exit: Option<Exit>,
}

impl Engine {
    /// Every instance, by number.
    #[must_use]
    pub fn instances(&self) -> Vec<InstanceRow> {
        self.instances.iter().map(|(id, instance)| instance.row(*id)).collect()
    }

    /// One instance.
    #[must_use]
    pub fn instance(&self, instance: InstanceId) -> Option<InstanceRow> {
        self.instances.get(&instance).map(|found| found.row(instance))
    }

    /// Every mission, the last used first.
    #[must_use]
    pub fn missions(&self) -> Vec<MissionRow> {
        self.missions.in_order().into_iter().map(|(id, mission)| mission.row(id)).collect()
    }

    /// One mission.
    #[must_use]
    pub fn mission(&self, mission: MissionId) -> Option<MissionRow> {
        self.missions.get(mission).map(|found| found.row(mission))
    }

    /// Whether an instance may say now that it has done what this token asked for: any other `Done` is an
    /// error of the app, and changes nothing.
    #[must_use]
    pub fn awaits(&self, instance: InstanceId, token: u32) -> bool {
        self.instances.get(&instance).is_some_and(|instance| instance.awaits(token))
    }
}

impl Instance {
    fn row(&self, id: InstanceId) -> InstanceRow {
        InstanceRow {
            id,
            target: self.target.clone(),
            key: self.key.clone(),
            traits: self.traits,
            state: self.state,
            since: self.since,
            mission: self.mission,
            connections: self.links.len(),
            ending: self.ending.clone(),
        }
    }

    fn awaits(&self, token: u32) -> bool {
        let transition = match self.state {
            State::Foregrounding | State::Backgrounding => true,
            State::Terminating => self.step == Step::Told,
            _ => false,
        };
        let told = self.commands.contains(&token) || self.link_of(token).is_some();
        (transition && self.token == Some(token)) || told
    }
}

impl Mission {
    fn row(&self, id: MissionId) -> MissionRow {
        MissionRow {
            id,
            target: self.target.clone(),
            key: self.key.clone(),
            instance: self.instance,
            used: self.used,
            saved: self.saved,
            exit: self.exit.clone(),
        }
    }
}
