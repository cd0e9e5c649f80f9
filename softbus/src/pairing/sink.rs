//! The end that shows the code.
//!
//! ```text
//! Waiting ─Connected─► Greeted? ─Hello─► Confirm ─yes─► Shown ─Share─► Proving ─right─► Joining ─► Done
//!    │ frozen: End                          │ no: End      ▲              │ wrong: ladder stored, then
//!    └─────────────────────────────────────────────────────┴── tries left ┴── none left, or frozen: End
//! ```
//!
//! Invariant: nothing that depends on the code is sent but a share, which says nothing of it, and a proof to who proved.

use std::time::Duration;

use sha2::Sha256;

use super::code::{Code, draw};
use super::joining::Joining;
use super::ladder::Ladder;
use super::line::{Action, Event, Line, Reason, common};
use super::message::{Message, Refusal, Step, VERSIONS};
use super::proof::{Between, Key, Role, Run};
use super::{ANSWER, PERSON, TRIES};
use crate::DeviceId;
use crate::trust::{Form, Level, Name};

/// The end that shows the code, for one link.
pub struct Sink {
    id: DeviceId,
    own: (Name, Form),
    level: Level,
    seed: [u8; 32],
    ladder: Ladder,
    left: u8,
    between: Between,
    peer: Option<(Name, Form)>,
    state: State,
    line: Line,
}

enum State {
    Waiting,
    Greeting,
    Confirming,
    /// The code is on the screen.
    Shown(Code),
    /// A share was answered.
    Proving(Code, Key),
    Joining(Box<Joining>),
}

impl Sink {
    /// An end that is this device, as it calls itself; the other becomes `level` if this one adds it. `seed` is random,
    /// and for this link only.
    #[must_use]
    pub fn new(
        id: DeviceId,
        own: (Name, Form),
        level: Level,
        ladder: Ladder,
        seed: [u8; 32],
    ) -> Self {
        let between = Between { source: id, sink: id, exporter: [0; 32] };
        let (state, line) = (State::Waiting, Line::new());
        Self { id, own, level, seed, ladder, left: TRIES, between, peer: None, state, line }
    }

    /// Whether it is over: a Done or a Fail was the last action.
    #[must_use]
    pub const fn over(&self) -> bool {
        self.line.over()
    }

    /// What the other calls itself, once it said so: a stranger's word.
    #[must_use]
    pub const fn peer(&self) -> Option<&(Name, Form)> {
        self.peer.as_ref()
    }

    /// Takes an event; what is to be done, in this order. `now` is since boot.
    pub fn on(&mut self, event: Event, now: Duration) -> Vec<Action> {
        if !self.line.over() {
            self.step(event, now);
        }
        self.line.take()
    }

    fn step(&mut self, event: Event, now: Duration) {
        match event {
            Event::Connected { peer, exporter } if matches!(self.state, State::Waiting) => {
                self.between = Between { source: peer, sink: self.id, exporter };
                self.state = State::Greeting;
                self.line.wait(Step::Hello, ANSWER, now);
            }
            Event::Frame(bytes) => match self.line.hear(&bytes) {
                Some((Message::End(refusal), _)) => self.line.fail(Reason::There(refusal)),
                Some((message, before)) => self.hear(message, &before, now),
                None => self.line.refuse(Refusal::Malformed),
            },
            Event::Confirmed(yes) if matches!(self.state, State::Confirming) => {
                self.confirmed(yes, now);
            }
            Event::Cancel => self.line.refuse(Refusal::Cancelled),
            Event::Tick => self.line.tick(now),
            Event::Closed => self.line.cut(),
            event => match &mut self.state {
                State::Joining(joining) => joining.on(event, &mut self.line),
                // The ladder could not be stored: no answer to a code.
                _ if matches!(event, Event::Failed(_)) => self.line.refuse(Refusal::Storage),
                _ => {}
            },
        }
    }

    fn hear(&mut self, message: Message, before: &Sha256, now: Duration) {
        match (std::mem::replace(&mut self.state, State::Waiting), message) {
            (State::Greeting, Message::Hello { versions, name, form }) => {
                self.greeted(versions, (name, form), now);
            }
            (State::Shown(code), Message::Share(share)) => self.share(code, &share, now),
            (State::Proving(code, key), Message::Proof(proof)) => {
                if key.proves(Role::Source, before, &proof) {
                    self.right(&key, now);
                } else {
                    self.wrong(code, now);
                }
            }
            (State::Joining(mut joining), message) => {
                self.line.wait(Joining::step(), ANSWER, now);
                joining.hear(message, &mut self.line);
                self.state = State::Joining(joining);
            }
            _ => self.line.refuse(Refusal::Malformed),
        }
    }

    fn greeted(&mut self, versions: (u16, u16), peer: (Name, Form), now: Duration) {
        if let Some(left) = self.ladder.frozen(now) {
            let seconds = left.as_millis().div_ceil(1000);
            return self.line.refuse(Refusal::Frozen(u32::try_from(seconds).unwrap_or(u32::MAX)));
        }
        if !common(versions) || self.between.source == self.id {
            return self.line.refuse(Refusal::Version);
        }
        let (name, form) = self.own.clone();
        self.line.send(&Message::Hello { versions: VERSIONS, name, form });
        self.peer = Some(peer.clone());
        self.state = State::Confirming;
        self.line.wait(Step::Confirm, PERSON, now);
        self.line.act(Action::AskConfirm { name: peer.0, form: peer.1, id: self.between.source });
    }

    fn confirmed(&mut self, yes: bool, now: Duration) {
        if !yes {
            return self.line.refuse(Refusal::Declined);
        }
        let code = Code::from_random(&draw(&self.seed, b"code", 0));
        self.line.act(Action::ShowCode(code.clone()));
        self.line.send(&Message::Show);
        self.shown(code, now);
    }

    fn shown(&mut self, code: Code, now: Duration) {
        self.state = State::Shown(code);
        self.line.wait(Step::Code, PERSON.saturating_add(ANSWER), now);
    }

    fn share(&mut self, code: Code, share: &[u8], now: Duration) {
        let (run, own) = Run::begin(Role::Sink, &self.between, &code, &self.seed, self.left);
        let Some(key) = run.end(share) else { return self.line.refuse(Refusal::Malformed) };
        self.line.send(&Message::Share(own));
        self.state = State::Proving(code, key);
        self.line.wait(Step::Proof, ANSWER, now);
    }

    fn right(&mut self, key: &Key, now: Duration) {
        self.ladder.succeeded();
        self.line.act(Action::StoreLadder(self.ladder.clone()));
        let (Some(peer), Some(proof)) = (self.peer.clone(), key.proof(Role::Sink, &self.line.said))
        else {
            return self.line.refuse(Refusal::Malformed);
        };
        self.line.send(&Message::Proof(proof));
        let joining =
            Joining::begin(Role::Sink, self.between.source, peer, self.level, &mut self.line);
        self.state = State::Joining(Box::new(joining));
        self.line.wait(Joining::step(), ANSWER, now);
    }

    fn wrong(&mut self, code: Code, now: Duration) {
        self.ladder.failed(now);
        self.left = self.left.saturating_sub(1);
        self.line.act(Action::StoreLadder(self.ladder.clone()));
        if self.left == 0 {
            return self.line.refuse(Refusal::Code);
        }
        if let Some(left) = self.ladder.frozen(now) {
            let seconds = left.as_millis().div_ceil(1000);
            return self.line.refuse(Refusal::Frozen(u32::try_from(seconds).unwrap_or(u32::MAX)));
        }
        self.line.send(&Message::Wrong(self.left));
        self.shown(code, now);
    }
}

/// Without what is secret.
impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Waiting => "waiting".to_owned(),
            State::Greeting => "greeting".to_owned(),
            State::Confirming => "confirming".to_owned(),
            State::Shown(_) => "shown".to_owned(),
            State::Proving(..) => "proving".to_owned(),
            State::Joining(joining) => format!("{joining:?}"),
        };
        write!(f, "sink {state}, {} tries left, over: {}", self.left, self.over())
    }
}
