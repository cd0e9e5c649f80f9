//! Apps that go on off the screen: for some minutes to finish something, or for as long as what they said takes.
//!
//! ```text
//! BeginTask ────────────────┐                   ┌─ does not stand still, is worth more when memory lacks
//! BeginContinuous, Progress ┼─► Tasks ─ rules ──┼─ task-ending, 6 s before its time is over; over: killed
//! who is in front ──────────┘                   └─ task-cancelled: a transfer that moves nothing any more
//! ```
//!
//! The rules are in [`crate::engine::background`] and [`crate::engine::continuous`]. Invariant: what the engine takes for busy is
//! what these say, after each event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::abilities::{Error, State};
use api::app::{Want as Said, event};
use model::Name;
use model::bundle::{BackgroundMode, BundleId};
use model::word::Word;
use serde::{Deserialize, Serialize};

use super::seat::Reply;
use super::{Daemon, clock, facts};
use crate::engine::background::{
    ASK_WITHIN, Background, DAY_QUOTA, LOW_GRANT, MAX_TASKS, NotGranted, Outcome,
};
use crate::engine::continuous::{
    Asking, Continuous, MAX_EACH, NotBegun, NotMoved, PERMISSION, Progress, STALL,
};
use crate::engine::memory::{PERCEIVED, TRANSIENT};
use crate::engine::{Event, Exit, InstanceId};

/// Longest reason, in bytes: what fits on one line that people read.
const MAX_REASON: usize = 256;

/// All that goes on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tasks {
    /// For some minutes.
    pub(super) background: Background,
    /// For as long as it takes.
    pub(super) continuous: Continuous,
    /// Bundles with a page on the screen.
    front: BTreeSet<BundleId>,
    /// When others left it.
    left: BTreeMap<BundleId, Duration>,
    /// What the engine was told.
    busy: BTreeSet<InstanceId>,
}

impl Tasks {
    /// When time brings something.
    pub(super) fn due(&self) -> Option<Duration> {
        self.background.due().into_iter().chain(self.continuous.due()).min()
    }

    /// Since when nothing of a bundle is on the screen; none while something is.
    fn away(&self, now: Duration, bundle: &BundleId) -> Option<Duration> {
        if self.front.contains(bundle) {
            return None;
        }
        let since = |left: &Duration| now.saturating_sub(*left);
        Some(self.left.get(bundle).map_or(Duration::MAX, since))
    }

    /// Bundles with a page on the screen.
    pub(super) fn on_screen(&self) -> &BTreeSet<BundleId> {
        &self.front
    }

    /// These bundles are on the screen now, of all that run.
    fn seen(&mut self, now: Duration, front: BTreeSet<BundleId>, running: &BTreeSet<BundleId>) {
        for gone in self.front.difference(&front) {
            self.left.insert(gone.clone(), now);
            self.background.moved(now, gone, true);
        }
        for come in front.difference(&self.front) {
            self.left.remove(come);
            self.background.moved(now, come, false);
        }
        self.left.retain(|bundle, _| running.contains(bundle));
        self.front = front;
    }
}

impl Daemon {
    /// An app wants some time to finish something.
    pub(super) fn begin_task(&mut self, instance: InstanceId, reason: &str, reply: Reply) {
        let Some(bundle) = self.bundle_of(instance) else { return };
        let now = clock();
        let away = self.tasks.away(now, &bundle);
        let granted = check(reason).and_then(|reason| {
            let longest = self.settings.task;
            let longest = if facts::power().is_low() { longest.min(LOW_GRANT) } else { longest };
            let who = (&bundle, instance, reason);
            self.tasks.background.ask(now, who, away, longest).map_err(not_granted)
        });
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let granted = granted.map(|granted| (granted.task, seconds(granted.time)));
        reply.send(granted.as_ref());
        self.tasks_changed();
    }

    /// An app has finished something.
    pub(super) fn end_task(&mut self, instance: InstanceId, task: u32, reply: Reply) {
        let Some(bundle) = self.bundle_of(instance) else { return };
        let done = self.tasks.background.done(clock(), &bundle, task);
        answer(done, task, reply);
        self.tasks_changed();
    }

    /// An app goes on with something for as long as it takes.
    pub(super) fn begin_continuous(
        &mut self,
        instance: InstanceId,
        mode: &str,
        reason: &str,
        reply: Reply,
    ) {
        let begun = self.continuous(instance, mode, reason);
        reply.send(begun.as_ref());
        self.tasks_changed();
    }

    fn continuous(&mut self, instance: InstanceId, mode: &str, reason: &str) -> Result<u32, Error> {
        let reason = check(reason)?;
        let mode = BackgroundMode::from_word(mode).ok_or_else(|| {
            let words: Vec<&str> = BackgroundMode::WORDS.iter().map(|(word, _)| *word).collect();
            Error::Invalid(format!("no mode is called `{mode}`: one of {}", words.join(", ")))
        })?;
        let live = self.lives.get(&instance);
        let live = live.ok_or_else(|| Error::Failed("the instance is ending".to_owned()))?;
        let held = self.store.get(&live.target.bundle).map(Arc::clone);
        let ability =
            held.as_ref().and_then(|held| held.manifest.ability(live.target.ability.as_str()));
        let declared = ability.map(|ability| ability.background.as_slice()).unwrap_or_default();
        let permission = live.kept.granted.iter().find(|name| name.as_str() == PERMISSION).cloned();
        let now = clock();
        let away = self.tasks.away(now, &live.target.bundle);
        let asking = Asking { instance, declared, permitted: permission.is_some(), away };
        let begun = self.tasks.continuous.begin(now, asking, mode, reason);
        let begun = begun.map_err(|why| not_begun(why, mode, &live.target.ability))?;
        log::info!("{}: goes on off the screen ({}): {reason}", live.unit, mode.word());
        if let Some(permission) = permission {
            self.used(instance, &permission);
        }
        Ok(begun)
    }

    /// An app does not go on with something any more.
    pub(super) fn end_continuous(&mut self, instance: InstanceId, task: u32, reply: Reply) {
        let done = self.tasks.continuous.done(instance, task);
        answer(done, task, reply);
        self.tasks_changed();
    }

    /// How far a transfer of an app has come.
    pub(super) fn progress(
        &mut self,
        instance: InstanceId,
        task: u32,
        progress: Progress,
        reply: Reply,
    ) {
        let moved = self.tasks.continuous.moved(clock(), instance, task, progress);
        self.dirty |= moved.is_ok();
        reply.send(moved.map_err(|why| not_moved(why, task)).as_ref());
    }

    fn bundle_of(&self, instance: InstanceId) -> Option<BundleId> {
        self.lives.get(&instance).map(|live| live.target.bundle.clone())
    }

    fn tasks_changed(&mut self) {
        self.dirty = true;
        self.follow_tasks();
        self.pump();
    }

    /// Who is on the screen, runs, and goes on.
    pub(super) fn follow_tasks(&mut self) {
        let now = clock();
        let rows = self.engine.instances();
        let on_screen = |state| matches!(state, State::Foreground | State::Foregrounding);
        let front = rows.iter().filter(|row| on_screen(row.state));
        let front = front.map(|row| row.target.bundle.clone()).collect();
        let running = rows.iter().map(|row| row.target.bundle.clone()).collect();
        let tasks = &mut self.tasks;
        tasks.seen(now, front, &running);
        for row in tasks.background.rows(now) {
            if self.engine.instance(row.instance).is_none() {
                tasks.background.ended(now, row.instance);
            }
        }
        let mut busy = tasks.background.with_time();
        for instance in tasks.continuous.going_on() {
            if self.engine.instance(instance).is_none() {
                tasks.continuous.ended(instance);
            } else {
                busy.insert(instance);
            }
        }
        for instance in busy.symmetric_difference(&tasks.busy) {
            let (instance, busy) = (*instance, busy.contains(instance));
            self.next.push_back(Event::Busy { instance, busy });
        }
        tasks.busy = busy;
    }

    /// Tells those whose time is nearly over, and ends those whose time is.
    pub(super) fn tick_tasks(&mut self) {
        for outcome in self.tasks.background.expire(clock()) {
            self.dirty = true;
            match outcome {
                Outcome::Warn(instance, task, left) => self.warn(instance, task, left),
                // Its time is over, and it goes on with something else.
                Outcome::Over(on) if self.tasks.continuous.going_on().contains(&on) => {}
                Outcome::Over(instance) => {
                    self.next.push_back(Event::Kill { instance, why: Exit::BackgroundTime });
                }
            }
        }
        for (task, stalled) in self.tasks.continuous.expire(clock()) {
            self.dirty = true;
            if let Some(live) = self.lives.get(&stalled.instance) {
                let (minutes, reason) = (STALL.as_secs() / 60, &stalled.reason);
                log::info!("{}: moved nothing for {minutes} min, cancelled: {reason}", live.unit);
            }
            self.say_of_task(stalled.instance, event::TASK_CANCELLED, [("task", task.to_string())]);
        }
        self.follow_tasks();
        self.pump();
    }

    fn warn(&self, instance: InstanceId, task: u32, left: Duration) {
        // Looked at a moment too late, six seconds are not five.
        let seconds = left.as_millis().div_ceil(1000);
        let said = [("task", task.to_string()), ("seconds", seconds.to_string())];
        self.say_of_task(instance, event::TASK_ENDING, said);
    }

    fn say_of_task<const N: usize>(
        &self,
        instance: InstanceId,
        event: &str,
        said: [(&str, String); N],
    ) {
        let Some(live) = self.lives.get(&instance) else { return };
        let said = said.map(|(name, value)| (name.to_owned(), value)).into();
        let said = Said { parameters: Some(said), ..Said::default() };
        // For one that does not hear it is so all the same.
        let _deaf = live.seat.as_ref().map(|seat| seat.tell(event, 0, &said));
    }

    /// What instances are worth for going on off the screen.
    pub(super) fn going_on(&self) -> BTreeMap<InstanceId, i32> {
        let tasks = &self.tasks;
        let kept = tasks.continuous.going_on().into_iter().map(|id| (id, PERCEIVED));
        kept.chain(tasks.background.with_time().into_iter().map(|id| (id, TRANSIENT))).collect()
    }
}

fn check(reason: &str) -> Result<&str, Error> {
    match reason.len() {
        0 => Err(Error::Invalid("say what for: people read it".to_owned())),
        1..=MAX_REASON => Ok(reason),
        length => Err(Error::Invalid(format!("a reason of {length} bytes: at most {MAX_REASON}"))),
    }
}

fn answer(done: bool, task: u32, reply: Reply) {
    let why = || {
        Error::NotFound(format!("this app has no task {task}: it was done, or its time was over"))
    };
    let done = if done { Ok(()) } else { Err(why()) };
    reply.send(done.as_ref());
}

fn not_granted(why: NotGranted) -> Error {
    let why = match why {
        NotGranted::TooLate => too_late(),
        NotGranted::TooMany => format!("it has {MAX_TASKS} tasks already: end one of them"),
        NotGranted::Spent => format!(
            "it has had its {} minutes of this day: work that can wait is an ability of kind `work`",
            DAY_QUOTA.as_secs() / 60
        ),
    };
    Error::Refused(why)
}

fn not_begun(why: NotBegun, mode: BackgroundMode, ability: &Name) -> Error {
    let mode = mode.word();
    Error::Refused(match why {
        NotBegun::NotDeclared => {
            format!(
                "its manifest does not say so: `background = [\"{mode}\"]` in ability `{ability}`"
            )
        }
        NotBegun::NotPermitted => format!("it does not have the permission `{PERMISSION}`"),
        NotBegun::TooLate => too_late(),
        NotBegun::TooMany => format!("it has {MAX_EACH} tasks already: end one of them"),
    })
}

fn not_moved(why: NotMoved, task: u32) -> Error {
    match why {
        NotMoved::NoTask => {
            Error::NotFound(format!("this app has no task {task}: it was done, or cancelled"))
        }
        NotMoved::NoTransfer => {
            let transfer = BackgroundMode::DataTransfer.word();
            Error::Invalid(format!(
                "task {task} is not of the mode `{transfer}`: it goes on without"
            ))
        }
        NotMoved::TooMuch => {
            Error::Invalid("more is done than there is: 0 is a total that nobody knows".to_owned())
        }
    }
}

fn too_late() -> String {
    let seconds = ASK_WITHIN.as_secs();
    format!("it is not on the screen: ask there, or within {seconds} s after")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(bundle: &str) -> BundleId {
        BundleId::try_from(format!("org.{bundle}")).unwrap()
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_leaves_the_screen_is_away_from_then_on_and_who_was_never_there_always_was() {
        let mut tasks = Tasks::default();
        let all = BTreeSet::from([id("a"), id("b")]);
        assert_eq!(tasks.away(s(1), &id("a")), Some(Duration::MAX));
        tasks.seen(s(1), BTreeSet::from([id("a")]), &all);
        assert_eq!(tasks.away(s(9), &id("a")), None);
        tasks.seen(s(9), BTreeSet::from([id("b")]), &all);
        tasks.seen(s(10), BTreeSet::from([id("b")]), &all);
        assert_eq!((tasks.away(s(12), &id("a")), tasks.away(s(12), &id("b"))), (Some(s(3)), None));
        tasks.seen(s(13), BTreeSet::new(), &BTreeSet::new());
        assert_eq!(tasks.left.len(), 0, "nothing is kept of what does not run");
    }

    #[test]
    fn refusals_say_what_to_do() {
        let name = Name::try_from("main").unwrap();
        let begun = [NotBegun::NotDeclared, NotBegun::NotPermitted, NotBegun::TooMany];
        let mut all: Vec<String> = Vec::new();
        for why in begun {
            all.push(not_begun(why, BackgroundMode::AudioPlayback, &name).to_string());
        }
        for why in [NotGranted::TooLate, NotGranted::TooMany, NotGranted::Spent] {
            all.push(not_granted(why).to_string());
        }
        for why in [NotMoved::NoTask, NotMoved::NoTransfer, NotMoved::TooMuch] {
            all.push(not_moved(why, 7).to_string());
        }
        all.push(check("").unwrap_err().to_string());
        all.push(check(&"x".repeat(300)).unwrap_err().to_string());
        let all: Vec<&str> = all.iter().map(|line| line.split_once(": ").unwrap().1).collect();
        assert_eq!(
            all,
            [
                "its manifest does not say so: `background = [\"audio-playback\"]` in ability `main`",
                "it does not have the permission `keep-background`",
                "it has 10 tasks already: end one of them",
                "it is not on the screen: ask there, or within 5 s after",
                "it has 3 tasks already: end one of them",
                "it has had its 10 minutes of this day: work that can wait is an ability of kind `work`",
                "this app has no task 7: it was done, or cancelled",
                "task 7 is not of the mode `data-transfer`: it goes on without",
                "more is done than there is: 0 is a total that nobody knows",
                "say what for: people read it",
                "a reason of 300 bytes: at most 256",
            ]
        );
    }
}
