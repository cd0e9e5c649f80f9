//! What the engine decided, done.
//!
//! ```text
//! Launch ─► bundle mounted, data and bus made, definition ─► servicemgr
//! Tell ─► bus of the instance     Freeze … Kill ─► servicemgr     Save, Drop ─► disk     Answer ─► who asked
//! ```
//!
//! Invariant: what can't be done is an event for the engine, which answers whoever waits for it.

use std::sync::Arc;
use std::time::Duration;

use api::abilities::State;
use api::app::{Launch, Want as Said, event};
use model::Name;
use model::want::Want;

use super::definition::{definition, place};
use super::memory::Kept;
use super::seat::{Seat, Whose};
use super::units::{Op, unit};
use super::{Daemon, today, wanted};
use crate::engine::memory::EMPTY;
use crate::engine::{
    Action, Event, Exit, InstanceId, InstanceRow, MissionId, Reason, Shortage, Target, Told,
};

/// Wants that are kept for one that has not attached again: it takes a moment, and nobody asks for more in that.
const MAX_UNHEARD: usize = 16;

/// What is ours of an instance.
#[derive(Debug)]
pub(super) struct Live {
    /// Its unit.
    pub unit: String,
    /// What it runs.
    pub target: Target,
    /// What it was started as.
    pub kept: Kept,
    /// Its bus.
    pub seat: Option<Seat>,
    /// It was here before this ability-manager, and must attach again until then.
    pub back_by: Option<Duration>,
    /// What it was wanted for meanwhile, at most [`MAX_UNHEARD`].
    pub unheard: Vec<Arc<Want>>,
    /// Who goes first when memory is short, as servicemgr was told.
    pub priority: Option<i32>,
}

impl Daemon {
    /// Does one thing.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Launch { instance, target, mission, want, reason, restore } => {
                self.missions_dirty |= mission.is_some();
                let restore = mission.filter(|_| restore);
                if let Err(why) = self.launch(instance, &target, &want, reason, restore) {
                    log::warn!("{}/{}: {why}", target.bundle, target.ability);
                    self.note_end(instance, &Exit::LaunchFailed(why.clone()));
                    self.lives.remove(&instance);
                    self.launching.remove(&instance);
                    self.next.push_back(Event::LaunchFailed { instance, why });
                }
            }
            Action::Tell { instance, token: 0, event: Told::Want, want: Some(want) }
                if self.is_away(instance) =>
            {
                self.keep_for_later(instance, want);
            }
            Action::Tell { instance, token, event, want } => {
                self.tell(instance, token, event, want.as_deref());
            }
            Action::Freeze { instance } => self.ask_unit(instance, Op::Freeze),
            Action::Thaw { instance } => self.ask_unit(instance, Op::Thaw),
            Action::Terminate { instance } => self.ask_unit(instance, Op::Stop),
            Action::Kill { instance, why } => {
                if let Some(live) = self.lives.get(&instance) {
                    log::warn!("{}: killed: {why}", live.unit);
                }
                self.ask_unit(instance, Op::Kill);
            }
            Action::Save { mission, state } => {
                self.memory.save(mission, &state);
                self.missions_dirty = true;
            }
            Action::Drop { mission } => {
                self.memory.drop(mission);
                self.missions_dirty = true;
            }
            Action::Answer { request, result } => self.answer(request, result),
        }
    }

    fn ask_unit(&mut self, instance: InstanceId, op: Op) {
        if let Some(live) = self.lives.get(&instance) {
            self.units.ask(instance, &live.unit, op);
        }
    }

    fn launch(
        &mut self,
        instance: InstanceId,
        target: &Target,
        want: &Arc<Want>,
        reason: Reason,
        restore: Option<MissionId>,
    ) -> Result<(), String> {
        if self.is_changing(&target.bundle) {
            return Err("its bundle is being changed: ask again in a moment".to_owned());
        }
        if let Some(why) = self.locked_out(target) {
            return Err(why);
        }
        let enrolled = self.store.enrol(&target.bundle).map_err(|why| why.to_string())?;
        let held = self.store.require(&target.bundle).map_err(|why| why.to_string())?;
        let ability = held.manifest.ability(target.ability.as_str());
        let ability = ability.ok_or("its bundle does not have it any more")?;
        let uid = enrolled.uid;
        let unit = unit(&target.bundle, instance);
        let granted = self.granted(held);
        let kept = Kept {
            uid,
            granted: granted.clone(),
            want: Arc::clone(want),
            reason: word(reason).to_owned(),
            restore,
        };
        let seat = self.seat(instance, &unit, uid)?;
        let mounting = Box::new(enrolled.mounting);
        let definition = definition(&held.manifest, ability, &self.locale);
        self.flow.started(today(), (&target.bundle, &target.ability), &granted);
        let granted = granted.into_iter().map(String::from).collect();
        self.launching.insert(instance, None);
        self.units.ask(instance, &unit, Op::Launch { definition, uid, granted, mounting });
        let (seat, target) = (Some(seat), target.clone());
        let unheard = Vec::new();
        let live = Live { unit, target, kept, seat, back_by: None, unheard, priority: None };
        self.lives.insert(instance, live);
        Ok(())
    }

    /// The bus of an instance.
    pub(super) fn seat(&self, instance: InstanceId, unit: &str, uid: u32) -> Result<Seat, String> {
        let directory = self.settings.instances.join(place(unit));
        let whose = Whose { instance: instance.0, uid };
        Seat::open(&directory, whose, self.guid.clone(), self.calls.clone())
            .map_err(|e| format!("making its bus in {}: {e}", directory.display()))
    }

    /// What an instance is told when it attaches.
    pub(super) fn launched_for(&self, instance: InstanceId) -> Option<Launch> {
        let live = self.lives.get(&instance)?;
        Some(Launch {
            bundle: Some(live.target.bundle.to_string()),
            ability: Some(live.target.ability.to_string()),
            reason: Some(live.kept.reason.clone()),
            want: Some(wanted::say(&live.kept.want)),
            state: live.kept.restore.and_then(|mission| self.memory.saved(mission)),
            locale: Some(self.locale.clone()),
        })
    }

    /// Whether an instance was here before us, and has not attached again yet.
    fn is_away(&self, instance: InstanceId) -> bool {
        self.lives.get(&instance).is_some_and(|live| live.back_by.is_some())
    }

    /// Keeps a want that nobody answers for, and that would not be told again, until the instance hears.
    fn keep_for_later(&mut self, instance: InstanceId, want: Arc<Want>) {
        let Some(live) = self.lives.get_mut(&instance) else { return };
        match live.unheard.len() < MAX_UNHEARD {
            true => live.unheard.push(want),
            false => log::warn!("{}: a want is lost: it does not attach again", live.unit),
        }
    }

    /// It is back, and hears what it was wanted for meanwhile.
    pub(super) fn tell_unheard(&mut self, instance: InstanceId) {
        let unheard = self.lives.get_mut(&instance).map(|live| std::mem::take(&mut live.unheard));
        for want in unheard.into_iter().flatten() {
            self.tell(instance, 0, Told::Want, Some(&want));
        }
    }

    fn tell(&self, instance: InstanceId, token: u32, told: Told, want: Option<&Want>) {
        let Some(seat) = self.lives.get(&instance).and_then(|live| live.seat.as_ref()) else {
            return;
        };
        let (event, said) = match told {
            Told::Foreground => (event::FOREGROUND, Said::default()),
            Told::Background => (event::BACKGROUND, Said::default()),
            Told::Want => (event::WANT, want.map(wanted::say).unwrap_or_default()),
            Told::Terminate => (event::TERMINATE, Said::default()),
            Told::Connect => (event::CONNECT, want.map(wanted::say).unwrap_or_default()),
            Told::Left(token) => (event::DISCONNECTED, number("token", token)),
            Told::Lost(connection) => (event::DISCONNECTED, number("connection", connection.0)),
            Told::Form => (event::FORM, want.map(wanted::say).unwrap_or_default()),
            Told::FormGone(card) => (event::FORM_GONE, number("form", card)),
            Told::Memory(level) => (event::MEMORY, memory(level)),
        };
        // One that does not hear runs out of time, by the engine.
        let _deaf = seat.tell(event, token, &said);
    }

    /// What is ours of instances that the engine knows no more is gone.
    pub(super) fn forget_the_ended(&mut self) {
        let engine = &self.engine;
        let units = &mut self.units;
        let mut bundles = Vec::new();
        self.lives.retain(|id, live| {
            let known = engine.instance(*id).is_some();
            if !known {
                units.forget(*id);
                bundles.push(live.target.bundle.clone());
            }
            known
        });
        for bundle in bundles {
            // Missions remember why.
            self.missions_dirty = true;
            if !self.engine.runs(&bundle) {
                let effects = self.flow.left(today(), &bundle);
                self.carry_out(effects);
            }
        }
    }

    /// Tells servicemgr who goes first when memory is short.
    pub(super) fn set_priorities(&mut self) {
        for (instance, score) in self.engine.priorities(&self.going_on()) {
            let Some(live) = self.lives.get_mut(&instance) else { continue };
            // There is nobody yet to have it, or it is going.
            let later = self.launching.contains_key(&instance) || score == EMPTY;
            if !later && live.priority.replace(score) != Some(score) {
                self.units.ask(instance, &live.unit, Op::Priority(score));
            }
        }
    }

    /// When the last instance of a bundle left the front, what it was allowed for this time is over. On its way off
    /// the screen it saves its state, for which it has its time.
    pub(super) fn look_who_is_in_front(&mut self) {
        let front = |row: &InstanceRow| {
            use State::{Backgrounding, Foreground, Foregrounding, Loading};
            matches!(row.state, Loading | Foregrounding | Foreground | Backgrounding)
        };
        let rows = self.engine.instances();
        let now = rows.into_iter().filter(front).map(|row| row.target.bundle).collect();
        let before = std::mem::replace(&mut self.in_front, now);
        for bundle in before {
            if !self.in_front.contains(&bundle) {
                let effects = self.flow.left(today(), &bundle);
                self.carry_out(effects);
            }
        }
    }

    /// Ends those which were started with a permission that is no more.
    pub(super) fn end_those_with(&mut self, bundle: &model::bundle::BundleId, permission: &Name) {
        let with =
            |live: &Live| live.target.bundle == *bundle && live.kept.granted.contains(permission);
        let with = self.lives.iter().filter(|(_, live)| with(live));
        let events = with.map(|(id, _)| Event::Kill { instance: *id, why: Exit::Revoked });
        self.next.extend(events.collect::<Vec<_>>());
    }
}

/// The word for `api::app::Launch::reason`.
fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Start => "start",
        Reason::Connect => "connect",
        Reason::Restore => "restore",
    }
}

fn number(what: &str, number: u32) -> Said {
    let parameters = [(what.to_owned(), number.to_string())].into();
    Said { parameters: Some(parameters), ..Said::default() }
}

fn memory(level: Shortage) -> Said {
    let level = match level {
        Shortage::Moderate => "moderate",
        Shortage::Low => "low",
        Shortage::Critical => "critical",
    };
    let parameters = [("level".to_owned(), level.to_owned())].into();
    Said { parameters: Some(parameters), ..Said::default() }
}
