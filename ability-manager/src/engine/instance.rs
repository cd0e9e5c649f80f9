//! The life of one instance.
//!
//! ```text
//!            page                                             service, work
//!   Loading ───────► Background ◄────────┐          Loading ──────► Inactive ◄──► Active
//!      │ 10 s          │  ▲ │ 5 s        │ done,       │ 10 s         │ 20 s       │
//!      ▼               │  │ ▼            │ or 3 s      ▼              ▼            ▼
//!     kill      front  │  │ Frozen       │            kill         Terminating ◄───┘
//!                      ▼  │ want         │                            │ done, or 10 s
//!              Foregrounding ► Foreground ► Backgrounding              ▼
//!                   │ 5 s done              │ ending                 servicemgr stops it
//!                   ▼                       ▼                          │ 20 s
//!                  kill                  Terminating                   ▼
//!                                                                    kill, and again ► ended
//! ```
//!
//! A page that knows nothing of its life ([`Lifecycle::Process`]) goes from Background to Foreground and
//! from there to Frozen at once, and is not told that it ends. What has time to finish something stays in Background.
//!
//! Invariants: each state in which something is awaited has a due time; only what has attached is told; only
//! what does not stand still is told. Who comes to the front is decided in [`super::front`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use api::abilities::State;
use model::bundle::{AbilityKind, Lifecycle};
use model::want::Want;
use serde::{Deserialize, Serialize};

use super::ending::Step;
use super::limits::{
    BACKGROUND_TIMEOUT, FOREGROUND_TIMEOUT, FREEZE_AFTER, IDLE_TIMEOUT, LOAD_TIMEOUT,
};
use super::links::Link;
use super::requests::{Again, Waiting};
use super::words::{Action, ConnectionId, Exit, InstanceId, MissionId, Target, Told, Traits};

/// Who is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Who {
    Root,
    Instance(InstanceId),
}

/// One instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) target: Target,
    pub(super) key: Option<String>,
    pub(super) traits: Traits,
    pub(super) mission: Option<MissionId>,
    pub(super) state: State,
    pub(super) since: Duration,
    pub(super) due: Option<Duration>,
    /// What `Done` of the transition must say.
    pub(super) token: Option<u32>,
    /// When its process was there.
    pub(super) launched: Option<Duration>,
    pub(super) attached: bool,
    /// It leaves the screen as soon as it has come to it.
    pub(super) hide: bool,
    /// It goes on off the screen: it does not stand still there, nor end for want of users.
    pub(super) busy: bool,
    /// It ends as soon as it can, or ends; why.
    pub(super) ending: Option<Exit>,
    /// How far; of [`State::Terminating`].
    pub(super) step: Step,
    /// Its mission is forgotten when it has ended.
    pub(super) forget: bool,
    /// Of a service that knows nothing of its life: it was started, and ends when it wants to.
    pub(super) started: bool,
    /// What it has not been told yet.
    pub(super) wants: VecDeque<Arc<Want>>,
    /// Of a service: wants it works on, by their tokens.
    pub(super) commands: BTreeSet<u32>,
    /// Of a service: connections to it.
    pub(super) links: BTreeMap<ConnectionId, Link>,
    /// Connections of it that have ended, which it has not been told yet.
    pub(super) lost: BTreeSet<ConnectionId>,
    /// Those who wait for it.
    pub(super) waiting: Vec<Waiting>,
    /// What was asked for while it ended: begins when it has.
    pub(super) afterwards: Vec<Again>,
}

/// What a step of a life needs from around it.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub(super) now: Duration,
    pub(super) id: InstanceId,
    pub(super) token: &'a mut u32,
    pub(super) actions: &'a mut Vec<Action>,
}

impl Around<'_> {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn next_token(&mut self) -> u32 {
        *self.token = self.token.checked_add(1).unwrap_or(1);
        *self.token
    }
}

impl Instance {
    /// One whose process is being started.
    pub(super) fn new(
        now: Duration,
        target: Target,
        key: Option<String>,
        traits: Traits,
        mission: Option<MissionId>,
    ) -> Self {
        Self {
            target,
            key,
            traits,
            mission,
            state: State::Loading,
            since: now,
            due: Some(now + LOAD_TIMEOUT),
            token: None,
            launched: None,
            attached: false,
            hide: false,
            busy: false,
            ending: None,
            step: Step::Told,
            forget: false,
            started: false,
            wants: VecDeque::new(),
            commands: BTreeSet::new(),
            links: BTreeMap::new(),
            lost: BTreeSet::new(),
            waiting: Vec::new(),
            afterwards: Vec::new(),
        }
    }

    /// It has a screen.
    pub(super) fn is_page(&self) -> bool {
        self.traits.kind == AbilityKind::Page
    }

    /// It is told of its life.
    pub(super) fn is_told(&self) -> bool {
        self.traits.lifecycle == Lifecycle::Bus
    }

    /// It has been there: with what it is told by, or with its process.
    pub(super) fn is_there(&self) -> bool {
        if self.is_told() { self.attached } else { self.launched.is_some() }
    }

    /// It is on the screen, or on its way there or from there.
    pub(super) fn is_in_front(&self) -> bool {
        matches!(self.state, State::Foreground | State::Foregrounding | State::Backgrounding)
    }

    /// It is a page off the screen that could come to it.
    pub(super) fn could_be_shown(&self) -> bool {
        let off = matches!(self.state, State::Background | State::Frozen);
        off && self.is_page() && self.ending.is_none()
    }

    /// It can be told something now.
    pub(super) fn hears(&self) -> bool {
        let deaf = matches!(self.state, State::Loading | State::Frozen | State::Terminating);
        self.attached && self.is_told() && !deaf
    }

    /// How many wants it has to do with.
    pub(super) fn load(&self) -> usize {
        self.wants.len() + self.commands.len()
    }

    /// Its process is there.
    pub(super) fn launched(&mut self, around: &mut Around<'_>) {
        self.launched.get_or_insert(around.now);
        if self.state == State::Loading && !self.is_told() {
            self.arrived(around);
        }
    }

    /// It has attached. Once more: it has lost its connection, and is told again what is awaited.
    pub(super) fn attached(&mut self, around: &mut Around<'_>) {
        if !self.is_told() {
            return;
        }
        if self.attached {
            return self.tell_again(around);
        }
        self.attached = true;
        self.launched.get_or_insert(around.now);
        if self.state == State::Loading {
            self.arrived(around);
        }
    }

    fn arrived(&mut self, around: &Around<'_>) {
        if self.is_page() {
            self.enter(around, State::Background, Some(FREEZE_AFTER));
        } else {
            self.enter(around, State::Inactive, Some(IDLE_TIMEOUT));
        }
    }

    /// It has done what it was told. What comes to be saved, if something does.
    pub(super) fn done(&mut self, around: &mut Around<'_>, token: u32) -> bool {
        if self.commands.remove(&token) {
            return false;
        }
        if self.token != Some(token) {
            return false;
        }
        self.token = None;
        match self.state {
            State::Foregrounding => self.enter(around, State::Foreground, None),
            State::Backgrounding => {
                self.enter(around, State::Background, Some(FREEZE_AFTER));
                return true;
            }
            State::Terminating => self.stop(around),
            _ => {}
        }
        false
    }

    /// Goes on with what it can do by itself: it ends, is told wants, works or does not.
    pub(super) fn pursue(&mut self, around: &mut Around<'_>) {
        self.tell_lost(around);
        if self.ending.is_some() {
            return self.pursue_end(around);
        }
        match self.state {
            State::Foreground if self.hide => self.leave(around),
            State::Foreground | State::Background | State::Frozen if !self.wants.is_empty() => {
                self.tell_page(around);
            }
            State::Inactive | State::Active => self.work(around),
            _ => {}
        }
    }

    fn tell_page(&mut self, around: &mut Around<'_>) {
        if !self.is_told() {
            self.wants.clear();
            return;
        }
        if self.state != State::Foreground {
            self.thaw(around);
            self.enter(around, State::Background, Some(FREEZE_AFTER));
            self.tell_lost(around);
        }
        let instance = around.id;
        for want in self.wants.drain(..) {
            let want = Some(want);
            around.act(Action::Tell { instance, token: 0, event: Told::Want, want });
        }
    }

    fn work(&mut self, around: &mut Around<'_>) {
        let instance = around.id;
        for want in self.wants.drain(..) {
            if self.traits.lifecycle == Lifecycle::Process {
                self.started = true;
                continue;
            }
            let token = around.next_token();
            self.commands.insert(token);
            let (want, form) = (Some(want), self.traits.kind == AbilityKind::Form);
            let event = if form { Told::Form } else { Told::Want };
            around.act(Action::Tell { instance, token, event, want });
        }
        self.tell_links(around);
        let works = self.started || self.busy || !self.commands.is_empty();
        let busy = works || !self.links.is_empty();
        match self.state {
            State::Inactive if busy => self.enter(around, State::Active, None),
            State::Active if !busy => self.enter(around, State::Inactive, Some(IDLE_TIMEOUT)),
            _ => {}
        }
    }

    /// Comes to the screen.
    pub(super) fn come(&mut self, around: &mut Around<'_>) {
        self.thaw(around);
        self.hide = false;
        if self.is_told() {
            self.enter(around, State::Foregrounding, Some(FOREGROUND_TIMEOUT));
            self.tell_transition(around, Told::Foreground);
            self.tell_lost(around);
        } else {
            self.enter(around, State::Foreground, None);
        }
    }

    /// Leaves the screen.
    pub(super) fn leave(&mut self, around: &mut Around<'_>) {
        self.hide = false;
        if self.is_told() {
            self.enter(around, State::Backgrounding, Some(BACKGROUND_TIMEOUT));
            self.tell_transition(around, Told::Background);
        } else if self.busy {
            self.enter(around, State::Background, None);
        } else {
            self.freeze(around);
        }
    }

    /// It goes on off the screen, or does so no more.
    pub(super) fn busy(&mut self, around: &Around<'_>, busy: bool) {
        self.busy = busy;
        if self.state == State::Background && !busy && self.due.is_none() {
            self.due = Some(around.now + FREEZE_AFTER);
        }
    }

    /// Its time in this state is over. `next`: it waits for its place in front.
    pub(super) fn expire(&mut self, around: &mut Around<'_>, next: bool) {
        match self.state {
            State::Loading | State::Foregrounding => self.kill(around, Exit::LifecycleTimeout),
            State::Backgrounding => {
                self.enter(around, State::Background, Some(FREEZE_AFTER));
            }
            State::Background if next => self.due = Some(around.now + FREEZE_AFTER),
            State::Background if self.busy => self.due = None,
            State::Background => self.freeze(around),
            State::Inactive => self.ending = Some(Exit::Idle),
            State::Terminating if self.step == Step::Told => self.stop(around),
            State::Terminating => self.kill_again(around),
            State::Active | State::Foreground | State::Frozen => self.due = None,
        }
    }

    fn freeze(&mut self, around: &mut Around<'_>) {
        self.enter(around, State::Frozen, None);
        around.act(Action::Freeze { instance: around.id });
    }

    pub(super) fn thaw(&self, around: &mut Around<'_>) {
        if self.state == State::Frozen {
            around.act(Action::Thaw { instance: around.id });
        }
    }

    fn tell_again(&self, around: &mut Around<'_>) {
        let event = match self.state {
            State::Foregrounding => Told::Foreground,
            State::Backgrounding => Told::Background,
            State::Terminating => Told::Terminate,
            _ => return,
        };
        if let Some(token) = self.token {
            around.act(Action::Tell { instance: around.id, token, event, want: None });
        }
    }

    pub(super) fn tell_transition(&mut self, around: &mut Around<'_>, event: Told) {
        let token = around.next_token();
        self.token = Some(token);
        around.act(Action::Tell { instance: around.id, token, event, want: None });
    }

    pub(super) fn enter(&mut self, around: &Around<'_>, state: State, time: Option<Duration>) {
        debug_assert!(self.may_enter(state), "{:?} to {state:?}", self.state);
        if self.state != state {
            self.since = around.now;
        }
        self.state = state;
        self.due = time.map(|time| around.now + time);
        self.token = None;
    }

    /// The moves of the picture.
    fn may_enter(&self, to: State) -> bool {
        use State as S;
        let (page, told) = (self.is_page(), self.is_told());
        match self.state {
            _ if to == S::Terminating => true,
            S::Loading => to == if page { S::Background } else { S::Inactive },
            S::Inactive => to == S::Active,
            S::Active => to == S::Inactive,
            S::Foregrounding => to == S::Foreground,
            S::Foreground if told => to == S::Backgrounding,
            S::Foreground => matches!(to, S::Background | S::Frozen),
            S::Backgrounding => to == S::Background,
            S::Background if told => matches!(to, S::Background | S::Foregrounding | S::Frozen),
            S::Frozen if told => matches!(to, S::Background | S::Foregrounding),
            S::Background => matches!(to, S::Foreground | S::Frozen),
            S::Frozen => to == S::Foreground,
            S::Terminating => false,
        }
    }
}
