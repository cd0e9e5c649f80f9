//! The flow of permissions: what an app asks, what the owner decides, what comes of it. Pure.
//!
//! ```text
//! this time: allowed ─ an instance starts with it ─► begun ─ left the front, or ended ─► over
//!               └─ 60 s, and none did ─► over
//! ```
//!
//! Invariants: what counts for this time is never kept; a decision that does not fit changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Name;
use model::bundle::BundleId;
use model::permission::{Grant, MAX_ASKED};
use serde::{Deserialize, Serialize};

use super::log::Log;
use super::pending::{ANSWER_TIME, Pending, Question};
use super::record::What;
use super::uses::How;
use super::{Decision, Decisions, Declared, Effect, Refused, Reply, Verdict, Wish};

/// What a permission is to a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has it.
    Granted,
    /// It has it until it left the front, or ended.
    ThisTime,
    /// Nobody has decided.
    Default,
    /// The owner is being asked.
    Pending,
    /// Denied once: the owner may be asked again.
    Denied,
    /// Denied for good: only the owner can change it, unasked.
    Fixed,
    /// The device does not know it, or bundles of this level may not have it.
    Impossible,
}

/// What a permission is to a bundle, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What it is.
    pub state: State,
    /// The user who decided; none where nobody did.
    pub by: Option<u32>,
    /// When that was, in seconds since 1970; 0 when nobody decided.
    pub since: u64,
}

impl Standing {
    fn nobody(state: State) -> Self {
        Self { state, by: None, since: 0 }
    }

    /// The word for `api::abilities::Permission::state`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.state {
            State::Granted => "granted",
            State::ThisTime => "this-time",
            State::Default => "asked",
            State::Pending => "pending",
            State::Denied | State::Fixed | State::Impossible => "refused",
        }
    }

    /// The word for `api::abilities::Permission::by`.
    #[must_use]
    pub fn decider(&self) -> &'static str {
        match (self.state, self.by) {
            (_, Some(_)) => "owner",
            (State::Granted | State::Impossible, None) => "definition",
            (_, None) => "",
        }
    }
}

/// Granted until the app left the front, or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Moment {
    by: u32,
    /// In seconds since 1970.
    at: u64,
    /// On the clock of deadlines.
    since: Duration,
    /// An instance was started with it.
    begun: bool,
}

/// What came of a decision: to be kept first, then done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What is to be on the disk before anything else is done; unchanged when equal to what was given.
    pub decisions: Decisions,
    /// What is to be done then.
    pub effects: Vec<Effect>,
}

/// Permissions in use: questions, what counts for this time, what happened. Decisions for good are
/// kept by the store, and given to each call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    pending: Pending,
    #[serde(with = "super::pairs")]
    moments: BTreeMap<(BundleId, Name), Moment>,
    log: Log,
}

impl Flow {
    /// What a permission is to a bundle.
    #[must_use]
    pub fn standing(&self, kept: &Decisions, bundle: &BundleId, declared: &Declared) -> Standing {
        match declared.grant {
            None => return Standing::nobody(State::Impossible),
            Some(Grant::System) => return Standing::nobody(State::Granted),
            Some(Grant::User) => {}
        }
        let permission = &declared.permission;
        let made = kept.get(bundle, permission);
        if let Some(Decision { verdict: Verdict::Granted, by, at }) = made {
            return Standing { state: State::Granted, by: Some(by), since: at };
        }
        if let Some(moment) = self.moments.get(&(bundle.clone(), permission.clone())) {
            return Standing { state: State::ThisTime, by: Some(moment.by), since: moment.at };
        }
        if self.pending.has(bundle, permission) {
            return Standing::nobody(State::Pending);
        }
        match made {
            None => Standing::nobody(State::Default),
            Some(Decision { verdict, by, at }) => {
                let fixed = verdict == Verdict::Fixed;
                let state = if fixed { State::Fixed } else { State::Denied };
                Standing { state, by: Some(by), since: at }
            }
        }
    }

    /// What a new instance of a bundle is started with. The caller tells [`Self::started`] when it does.
    #[must_use]
    pub fn granted(&self, kept: &Decisions, bundle: &BundleId, all: &[Declared]) -> Vec<Name> {
        let granted = |declared: &&Declared| {
            let state = self.standing(kept, bundle, declared).state;
            matches!(state, State::Granted | State::ThisTime)
        };
        all.iter().filter(granted).map(|declared| declared.permission.clone()).collect()
    }

    /// What an instance, which was started with `has`, is told about a permission.
    #[must_use]
    pub fn reply(
        &self,
        kept: &Decisions,
        bundle: &BundleId,
        all: &[Declared],
        has: &[Name],
        permission: &Name,
    ) -> Reply {
        let Some(declared) = all.iter().find(|declared| declared.permission == *permission) else {
            return Reply::Undeclared;
        };
        match self.standing(kept, bundle, declared).state {
            State::Granted | State::ThisTime if has.contains(permission) => Reply::Granted,
            State::Granted | State::ThisTime => Reply::Restart,
            State::Default | State::Pending | State::Denied => Reply::Refused,
            State::Fixed | State::Impossible => Reply::Settings,
        }
    }

    /// An app asks for permissions. One [`Effect::Answer`] comes, now or later.
    ///
    /// # Errors
    /// Too much is asked at once; nothing is changed then, and no answer comes.
    pub fn ask(
        &mut self,
        clock: Clock,
        request: u64,
        (kept, bundle, all): (&Decisions, &BundleId, &[Declared]),
        has: &[Name],
        names: &[Name],
    ) -> Result<Vec<Effect>, Refused> {
        if names.len() > MAX_ASKED {
            return Err(Refused(format!("more than {MAX_ASKED} permissions at once")));
        }
        let reply = |name: &Name| {
            let reply = self.reply(kept, bundle, all, has, name);
            (name.clone(), Some(reply).filter(|reply| *reply != Reply::Refused))
        };
        let replies = names.iter().map(reply).collect();
        let effects = self.pending.add(clock.now, request, bundle, replies)?;
        for effect in &effects {
            if let Effect::Ask { bundle, permission } = effect {
                self.log.note(clock.at, bundle, permission, What::Asked);
            }
        }
        Ok(effects)
    }

    /// Who made a request is gone.
    pub fn leave(&mut self, request: u64) -> Vec<Effect> {
        self.pending.leave(request)
    }

    /// The owner, who is user `by`, decides. The caller keeps the decisions and only then puts the new
    /// flow in place of the old one.
    ///
    /// # Errors
    /// It is not the owner's to decide, or too much is kept already.
    pub fn decide(
        &mut self,
        clock: Clock,
        (kept, bundle, all): (&Decisions, &BundleId, &[Declared]),
        permission: &Name,
        wish: Wish,
        by: u32,
    ) -> Result<Decided, Refused> {
        decidable(bundle, all, permission)?;
        let had = self.holds(kept, bundle, permission);
        let mut decisions = kept.clone();
        let mut keep = |verdict| {
            let decision = Decision { verdict, by, at: clock.at };
            decisions.set(bundle, permission, decision).map_err(|full| Refused(full.to_string()))
        };
        let (what, reply) = match wish {
            Wish::Allow => {
                keep(Verdict::Granted)?;
                (What::Allowed, Reply::Restart)
            }
            Wish::Deny => {
                let before = kept.get(bundle, permission).map(|made| made.verdict);
                let again = matches!(before, Some(Verdict::Denied | Verdict::Fixed));
                keep(if again { Verdict::Fixed } else { Verdict::Denied })?;
                (What::Denied, if again { Reply::Settings } else { Reply::Refused })
            }
            Wish::ThisTime => {
                decisions.reset(bundle, permission);
                (What::AllowedThisTime, Reply::Restart)
            }
            Wish::Reset => {
                decisions.reset(bundle, permission);
                (What::Reset, Reply::Refused)
            }
        };
        let key = (bundle.clone(), permission.clone());
        let old = self.moments.remove(&key);
        if wish == Wish::ThisTime {
            let begun = old.is_some_and(|moment| moment.begun)
                || kept.get(bundle, permission).is_some_and(|d| d.verdict == Verdict::Granted);
            let moment = Moment { by, at: clock.at, since: clock.now, begun };
            self.moments.insert(key, moment);
        }
        self.log.note(clock.at, bundle, permission, what);
        let mut effects = self.pending.answer(bundle, permission, reply);
        if had && !self.holds(&decisions, bundle, permission) {
            effects.push(lost(bundle, permission));
        }
        Ok(Decided { decisions, effects })
    }

    fn holds(&self, kept: &Decisions, bundle: &BundleId, permission: &Name) -> bool {
        self.moments.contains_key(&(bundle.clone(), permission.clone()))
            || kept.get(bundle, permission).is_some_and(|made| made.verdict == Verdict::Granted)
    }

    /// An instance of an ability was started with these.
    pub fn started(&mut self, at: u64, (bundle, ability): (&BundleId, &Name), granted: &[Name]) {
        for permission in granted {
            self.log.used(at, (bundle, ability), permission, How::Started);
            if let Some(moment) = self.moments.get_mut(&(bundle.clone(), permission.clone())) {
                moment.begun = true;
            }
        }
    }

    /// The device did something for an instance because it has a permission.
    pub fn used(&mut self, at: u64, of: (&BundleId, &Name), permission: &Name) {
        self.log.used(at, of, permission, How::Called);
    }

    /// No instance of a bundle is in front any more, or none is left: this time is over.
    pub fn left(&mut self, at: u64, bundle: &BundleId) -> Vec<Effect> {
        self.over(at, |of, moment| of == bundle && moment.begun)
    }

    /// Ends what is out of time.
    pub fn tick(&mut self, clock: Clock) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(Question { bundle, permission, .. }) = self.pending.late(clock.now) {
            self.log.note(clock.at, &bundle, &permission, What::Unanswered);
            effects.extend(self.pending.answer(&bundle, &permission, Reply::Refused));
        }
        let late = |moment: &Moment| moment.since.saturating_add(ANSWER_TIME) <= clock.now;
        effects.extend(self.over(clock.at, |_, moment| !moment.begun && late(moment)));
        effects
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let fresh = self.moments.values().filter(|moment| !moment.begun);
        let fresh = fresh.map(|moment| moment.since.saturating_add(ANSWER_TIME)).min();
        [self.pending.due(), fresh].into_iter().flatten().min()
    }

    /// Nothing is left of a bundle that is removed; who waits is answered.
    pub fn forget(&mut self, bundle: &BundleId) -> Vec<Effect> {
        self.moments.retain(|(of, _), _| of != bundle);
        self.log.forget(bundle);
        let open = self.pending.questions().iter().filter(|q| q.bundle == *bundle);
        let open: Vec<Name> = open.map(|q| q.permission.clone()).collect();
        open.iter().flat_map(|name| self.pending.answer(bundle, name, Reply::Refused)).collect()
    }

    /// Questions that wait for the owner, the oldest first.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        self.pending.questions()
    }

    /// What the owner can read of it later.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Goes on with what was kept of an earlier boot.
    pub fn remember(&mut self, log: Log) {
        self.log = log;
    }

    fn over(&mut self, at: u64, ends: impl Fn(&BundleId, &Moment) -> bool) -> Vec<Effect> {
        let ended = self.moments.iter().filter(|((of, _), moment)| ends(of, moment));
        let ended: Vec<_> = ended.map(|(key, _)| key.clone()).collect();
        let mut effects = Vec::new();
        for (bundle, permission) in ended {
            self.log.note(at, &bundle, &permission, What::Over);
            effects.push(lost(&bundle, &permission));
            self.moments.remove(&(bundle, permission));
        }
        effects
    }
}

/// The time, on both clocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    /// On the clock of deadlines, which nobody sets.
    pub now: Duration,
    /// In seconds since 1970.
    pub at: u64,
}

fn lost(bundle: &BundleId, permission: &Name) -> Effect {
    Effect::Lost { bundle: bundle.clone(), permission: permission.clone() }
}

/// Whether the owner can decide about it at all.
fn decidable(bundle: &BundleId, all: &[Declared], permission: &Name) -> Result<(), Refused> {
    let declared = all.iter().find(|declared| declared.permission == *permission);
    let why = match declared.map(|declared| declared.grant) {
        Some(Some(Grant::User)) => return Ok(()),
        None => format!(
            "{bundle} does not ask for `{permission}`: `ensctl app info {bundle}` shows what it asks for"
        ),
        Some(Some(Grant::System)) => format!(
            "`{permission}` is not the owner's to decide: a bundle that asks for it and may have it has it"
        ),
        Some(None) => format!(
            "{bundle} can't have `{permission}`: this device does not know it, or bundles of its level may not \
             have it"
        ),
    };
    Err(Refused(why))
}
