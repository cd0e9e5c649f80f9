//! The end that types the code.
//!
//! ```text
//! Waiting ─Connected─► Greeting ─Hello─► Confirm ─Show─► Asking ─code─► Sharing ─Share─► Proving ─Proof─► Joining ─► Done
//!                                                           ▲                              │
//!                                                           └───────── Wrong, tries left ──┘
//! ```
//!
//! Invariant: it counts tries itself: what a sink says does not make it ask more than three times, so that a false one
//! has three guesses at most.

use std::time::Duration;

use sha2::Sha256;

use super::code::Code;
use super::joining::Joining;
use super::line::{Action, Event, Line, Reason, common};
use super::message::{Message, Refusal, Step, VERSIONS};
use super::proof::{Between, Key, Role, Run};
use super::{ANSWER, PERSON, TRIES};
use crate::DeviceId;
use crate::trust::{Form, Level, Name};

/// The end that types the code, for one link.
pub struct Source {
    id: DeviceId,
    own: (Name, Form),
    level: Level,
    seed: [u8; 32],
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
    Asking,
    Sharing(Run),
    Proving(Key),
    Joining(Box<Joining>),
}

impl Source {
    /// An end that is this device, as it calls itself; the other becomes `level` if this one adds it. `seed` is random,
    /// and for this link only.
    #[must_use]
    pub fn new(id: DeviceId, own: (Name, Form), level: Level, seed: [u8; 32]) -> Self {
        let between = Between { source: id, sink: id, exporter: [0; 32] };
        let (state, line) = (State::Waiting, Line::new());
        Self { id, own, level, seed, left: TRIES, between, peer: None, state, line }
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
                self.between = Between { source: self.id, sink: peer, exporter };
                let (name, form) = self.own.clone();
                self.line.send(&Message::Hello { versions: VERSIONS, name, form });
                self.state = State::Greeting;
                self.line.wait(Step::Hello, ANSWER, now);
            }
            Event::Frame(bytes) => match self.line.hear(&bytes) {
                Some((Message::End(refusal), _)) => self.line.fail(Reason::There(refusal)),
                Some((message, before)) => self.hear(message, &before, now),
                None => self.line.refuse(Refusal::Malformed),
            },
            Event::Code(code) if matches!(self.state, State::Asking) => self.typed(&code, now),
            Event::Cancel => self.line.refuse(Refusal::Cancelled),
            Event::Tick => self.line.tick(now),
            Event::Closed => self.line.cut(),
            event => {
                if let State::Joining(joining) = &mut self.state {
                    joining.on(event, &mut self.line);
                }
            }
        }
    }

    fn hear(&mut self, message: Message, before: &Sha256, now: Duration) {
        match (std::mem::replace(&mut self.state, State::Waiting), message) {
            (State::Greeting, Message::Hello { versions, name, form }) => {
                if !common(versions) || self.between.sink == self.id {
                    return self.line.refuse(Refusal::Version);
                }
                self.peer = Some((name, form));
                self.state = State::Confirming;
                // A little longer than the sink gives its owner, to hear of it.
                self.line.wait(Step::Confirm, PERSON.saturating_add(ANSWER), now);
            }
            (State::Confirming, Message::Show) => self.ask(now),
            (State::Sharing(run), Message::Share(share)) => self.share(run, &share, now),
            (State::Proving(key), Message::Proof(proof)) => {
                if !key.proves(Role::Sink, before, &proof) {
                    return self.line.refuse(Refusal::Proof);
                }
                self.join(now);
            }
            (State::Proving(_), Message::Wrong(left)) => {
                self.left = self.left.min(left);
                if self.left == 0 {
                    return self.line.refuse(Refusal::Code);
                }
                self.ask(now);
            }
            (State::Joining(mut joining), message) => {
                self.line.wait(Joining::step(), ANSWER, now);
                joining.hear(message, &mut self.line);
                self.state = State::Joining(joining);
            }
            _ => self.line.refuse(Refusal::Malformed),
        }
    }

    fn ask(&mut self, now: Duration) {
        self.state = State::Asking;
        self.line.wait(Step::Code, PERSON, now);
        self.line.act(Action::AskCode { left: self.left });
    }

    fn typed(&mut self, code: &Code, now: Duration) {
        let (run, share) = Run::begin(Role::Source, &self.between, code, &self.seed, self.left);
        self.left = self.left.saturating_sub(1);
        self.line.send(&Message::Share(share));
        self.state = State::Sharing(run);
        self.line.wait(Step::Proof, ANSWER, now);
    }

    fn share(&mut self, run: Run, share: &[u8], now: Duration) {
        let Some(key) = run.end(share) else { return self.line.refuse(Refusal::Malformed) };
        let Some(proof) = key.proof(Role::Source, &self.line.said) else {
            return self.line.refuse(Refusal::Malformed);
        };
        self.line.send(&Message::Proof(proof));
        self.state = State::Proving(key);
        self.line.wait(Step::Proof, ANSWER, now);
    }

    fn join(&mut self, now: Duration) {
        let Some(peer) = self.peer.clone() else { return self.line.refuse(Refusal::Malformed) };
        let joining =
            Joining::begin(Role::Source, self.between.sink, peer, self.level, &mut self.line);
        self.state = State::Joining(Box::new(joining));
        self.line.wait(Joining::step(), ANSWER, now);
    }
}

/// Without what is secret.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Waiting => "waiting".to_owned(),
            State::Greeting => "greeting".to_owned(),
            State::Confirming => "confirming".to_owned(),
            State::Asking => "asking".to_owned(),
            State::Sharing(_) => "sharing".to_owned(),
            State::Proving(_) => "proving".to_owned(),
            State::Joining(joining) => format!("{joining:?}"),
        };
        write!(f, "source {state}, {} tries left, over: {}", self.left, self.over())
    }
}
