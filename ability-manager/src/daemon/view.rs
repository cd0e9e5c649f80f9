//! What there is to look at, as rows of the bus.

use std::fmt::Write as _;
use std::time::Duration;

use api::abilities::{Bundle, BundleInfo, Error, Instance, Mission};
use api::services::Fact;

use model::bundle::BundleKind;
use model::want::{Skill, SkillPath, SkillUri};
use model::word::Word;

use super::Daemon;
use super::units::unit;
use crate::engine::InstanceRow;
use crate::store::{Held, Origin};

impl Daemon {
    /// A time of the clock of deadlines, as the bus has it.
    pub(super) fn since(&self, at: Duration) -> u64 {
        u64::try_from(at.saturating_sub(self.began).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Every instance, in order of their units.
    pub(super) fn instances(&self) -> Vec<Instance> {
        let mut rows: Vec<Instance> =
            self.engine.instances().iter().map(|row| self.instance(row)).collect();
        rows.sort_by(|a, b| a.unit.cmp(&b.unit));
        rows
    }

    fn instance(&self, row: &InstanceRow) -> Instance {
        Instance {
            unit: unit(&row.target.bundle, row.id),
            bundle: row.target.bundle.to_string(),
            ability: row.target.ability.to_string(),
            kind: row.traits.kind.word().to_owned(),
            state: row.state,
            mission: row.mission.map_or(0, |mission| mission.0),
            since: self.since(row.since),
            connections: u32::try_from(row.connections).unwrap_or(u32::MAX),
        }
    }

    /// Every mission, the last used first.
    pub(super) fn missions(&self) -> Vec<Mission> {
        let rows = self.engine.missions().into_iter();
        rows.map(|row| {
            let held = self.store.get(&row.target.bundle);
            let ability = held.and_then(|held| held.manifest.ability(row.target.ability.as_str()));
            let label = ability.and_then(|ability| ability.label.as_ref());
            let label = label.or_else(|| held.map(|held| &held.manifest.name));
            Mission {
                id: row.id.0,
                bundle: row.target.bundle.to_string(),
                ability: row.target.ability.to_string(),
                label: label.map(|label| label.of(&self.locale).to_owned()).unwrap_or_default(),
                unit: row.instance.map(|id| unit(&row.target.bundle, id)).unwrap_or_default(),
                used: row.used.map_or(0, |used| self.since(used)),
                saved: u32::try_from(row.saved).unwrap_or(u32::MAX),
                exit: row.exit.map(|exit| exit.to_string()).unwrap_or_default(),
            }
        })
        .collect()
    }

    /// Every bundle, sorted by id.
    pub(super) fn bundles(&self) -> Vec<Bundle> {
        self.store.bundles().map(|held| self.bundle(held)).collect()
    }

    /// One bundle.
    pub(super) fn bundle(&self, held: &Held) -> Bundle {
        Bundle {
            id: held.id().to_string(),
            version: held.manifest.version.to_string(),
            name: held.manifest.name.of(&self.locale).to_owned(),
            about: held.manifest.about.of(&self.locale).to_owned(),
            origin: held.origin.word().to_owned(),
            size: held.size,
            uid: self.store.uid(held.id()).unwrap_or(0),
            kind: held.manifest.kind.word().to_owned(),
        }
    }

    /// One bundle in full.
    pub(super) fn info(&self, id: &str) -> Result<BundleInfo, Error> {
        let held = self.held(id)?;
        let abilities = held.manifest.abilities.iter().map(|ability| {
            let answers = ability.skills.iter().map(sentence).collect();
            let (kind, launch) = (ability.kind.word().to_owned(), ability.launch.word().to_owned());
            (ability.name.to_string(), kind, launch, answers)
        });
        Ok(BundleInfo {
            row: self.bundle(&held),
            abilities: abilities.collect(),
            permissions: self.permissions_of(&held),
            previous: held.previous.map(|version| version.to_string()).unwrap_or_default(),
            facts: self.facts(&held),
        })
    }

    /// What sees to it that a bundle is what was signed.
    fn integrity_of(&self, held: &Held) -> String {
        let phrase = match self.integrity.get(held.id()) {
            Some(integrity) => integrity.phrase(),
            None if held.origin == Origin::Image => "part of the device's image",
            None => "not mounted yet",
        };
        phrase.to_owned()
    }

    fn facts(&self, held: &Held) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut fact = |about: &str, value: String| {
            facts.push(Fact { about: about.to_owned(), value });
        };
        fact("integrity", self.integrity_of(held));
        if let Some(needed) = &held.manifest.runtime {
            let id = &needed.bundle;
            let here = self.store.get(id).map_or_else(
                || "which is not here".to_owned(),
                |held| format!("{} is here, {}", held.manifest.version, self.integrity_of(held)),
            );
            fact("runtime", format!("{id} {} at least: {here}", needed.version));
        }
        if held.manifest.kind == BundleKind::Runtime {
            let upon: Vec<String> =
                self.store.upon(held.id()).iter().map(ToString::to_string).collect();
            fact("needed by", if upon.is_empty() { "nothing".to_owned() } else { upon.join(", ") });
        }
        for (class, how) in self.store.protection(held.id()) {
            fact(class.about(), how.phrase().to_owned());
        }
        fact("level", held.level.word().to_owned());
        fact("digest", held.digest.to_string());
        if let Some(key) = &held.key {
            fact("key", key.to_string());
        }
        if let Some(store) = self.store.generation().store(held.id()) {
            fact("store", store.to_string());
        }
        facts
    }

    /// All that is known, for people who look for a mistake.
    pub(super) fn dump(&self) -> String {
        let mut text = String::new();
        for row in self.engine.instances() {
            let live = self.lives.get(&row.id);
            let attached = live
                .and_then(|live| live.seat.as_ref())
                .is_some_and(super::seat::Seat::is_attached);
            let launching = self.launching.contains_key(&row.id);
            let _ok = writeln!(text, "{row:?} attached={attached} launching={launching}");
            if let Some(live) = live {
                let _ok = writeln!(
                    text,
                    "  uid={} granted={:?} back-by={:?}",
                    live.kept.uid, live.kept.granted, live.back_by
                );
            }
        }
        for row in self.engine.missions() {
            let _ok = writeln!(text, "{row:?}");
        }
        for row in self.task_rows() {
            let _ok = writeln!(text, "{row:?}");
        }
        for row in self.work_rows() {
            let _ok = writeln!(text, "{row:?}");
        }
        for question in self.flow.questions() {
            let _ok = writeln!(text, "{question:?}");
        }
        for (id, why) in self.store.broken() {
            let _ok = writeln!(text, "{id} can't be used: {why}");
        }
        let _ok = writeln!(
            text,
            "requests={} waits={} changes={} due={:?} now={:?}",
            self.asks.len(),
            self.waits.len(),
            self.changes.len(),
            self.due(),
            super::clock()
        );
        text
    }
}

/// What a skill answers, as a sentence.
fn sentence(skill: &Skill) -> String {
    let mut text = skill.actions.join(", ");
    if !skill.entities.is_empty() {
        let _ok = write!(text, " for {}", skill.entities.join(", "));
    }
    if !skill.uris.is_empty() {
        let uris: Vec<String> = skill.uris.iter().map(uri).collect();
        let _ok = write!(text, " of {}", uris.join(", "));
    }
    text
}

fn uri(uri: &SkillUri) -> String {
    let mut text = uri.scheme.as_ref().map(|scheme| format!("{scheme}:")).unwrap_or_default();
    if let Some(host) = &uri.host {
        let _ok = write!(text, "//{host}");
        if let Some(port) = uri.port {
            let _ok = write!(text, ":{port}");
        }
    }
    match &uri.path {
        None => {}
        Some(SkillPath::Is(path)) => text += path,
        Some(SkillPath::StartsWith(path)) => {
            let _ok = write!(text, "{path}*");
        }
        Some(SkillPath::Regex(path)) => {
            let _ok = write!(text, " ~{path}");
        }
    }
    if let Some(mime) = &uri.mime {
        text = if text.is_empty() { mime.clone() } else { format!("{text} ({mime})") };
    }
    text
}
