//! What both ends have in common: what comes in and goes out, the clocks, what was said.
//!
//! ```text
//! Event ─► Source or Sink ─► [Action], carried out in order; a Done or a Fail is the last
//! ```
//!
//! Invariant: after its end a machine answers nothing. Every wait has a limit, and all together another.

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::code::Code;
use super::joining::{Invitation, Standing};
use super::ladder::Ladder;
use super::message::{Message, Refusal, Step, VERSIONS, decode, encode};
use crate::DeviceId;
use crate::trust::{Card, Form, GroupId, Name};

/// What happens.
#[derive(Debug, Clone)]
pub enum Event {
    /// The link stands: the first event.
    Connected {
        /// Who is at the other end, as TLS has it.
        peer: DeviceId,
        /// Of the TLS session, for the label [`super::EXPORTER`].
        exporter: [u8; 32],
    },
    /// A message came, without its length.
    Frame(Vec<u8>),
    /// The sink's owner answered.
    Confirmed(bool),
    /// The source's owner typed.
    Code(Code),
    /// Somebody gave up here.
    Cancel,
    /// The time of a [`Action::Timer`] has come.
    Tick,
    /// The link is gone.
    Closed,
    /// Answers [`Action::AskStanding`].
    Standing(Standing),
    /// Answers [`Action::Invite`]: it is signed and stored.
    Invited(Invitation),
    /// Answers [`Action::Join`]: it is stored.
    Joined,
    /// One of these three, or a store, failed.
    Failed(Refusal),
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Action {
    /// These bytes go to the other end.
    Send(Vec<u8>),
    /// The owner is asked whether to pair.
    AskConfirm {
        /// What the other calls itself. It is a stranger's word.
        name: Name,
        /// What kind it says it is.
        form: Form,
        /// Who it is.
        id: DeviceId,
    },
    /// The code is shown, until the end.
    ShowCode(Code),
    /// The code is asked for.
    AskCode {
        /// Tries left.
        left: u8,
    },
    /// A [`Event::Tick`] is wanted then; an earlier wish is forgotten.
    Timer(Duration),
    /// The ladder is written to disk now, before what follows. [`Event::Failed`] if it cannot be.
    StoreLadder(Ladder),
    /// In which group this device is, as to this peer.
    AskStanding(DeviceId),
    /// The peer is added to the group, or to a new one, and that is stored.
    Invite {
        /// Whom.
        peer: DeviceId,
        /// As what.
        card: Card,
    },
    /// The group is taken in and stored.
    Join(Invitation),
    /// Paired.
    Done(Outcome),
    /// Not paired.
    Fail(Reason),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The other device.
    pub peer: DeviceId,
    /// What it called itself.
    pub name: Name,
    /// The group of both.
    pub group: GroupId,
    /// This device came into it now.
    pub joined: bool,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Found here.
    Here(Refusal),
    /// Said by the other.
    There(Refusal),
    /// The link was cut, waiting for this. In the last step it may be that both are paired, or that one added the other
    /// who does not know: to pair again mends it.
    Cut(Step),
}

impl Reason {
    /// What it was about.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::Here(refusal) | Self::There(refusal) => refusal.step(),
            Self::Cut(step) => *step,
        }
    }

    /// What happened, and what to do about it.
    #[must_use]
    pub fn parts(&self) -> (String, String) {
        let two = |text: &str| match text.split_once(": ") {
            Some((what, todo)) => (what.to_owned(), todo.to_owned()),
            None => (text.to_owned(), "pair again".to_owned()),
        };
        match self {
            Self::Here(refusal) => two(&refusal.to_string()),
            Self::There(refusal) => {
                let (what, todo) = two(&refusal.to_string());
                (format!("the other device says: {what}"), todo)
            }
            Self::Cut(step) => {
                let todo = match step {
                    Step::Group => "look at `ensctl device list`, and pair again",
                    _ => "pair again",
                };
                (format!("the link was cut, waiting for {step}"), todo.to_owned())
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, todo) = self.parts();
        write!(f, "{what}: {todo}")
    }
}

/// One end's clocks, transcript and actions.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) out: Vec<Action>,
    /// All frames so far, in the order that both saw.
    pub(super) said: Sha256,
    step: Step,
    whole: Option<Duration>,
    until: Duration,
    over: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        let (until, step) = (Duration::ZERO, Step::Hello);
        Self { out: Vec::new(), said: Sha256::new(), step, whole: None, until, over: false }
    }

    pub(super) const fn over(&self) -> bool {
        self.over
    }

    pub(super) fn act(&mut self, action: Action) {
        if !self.over {
            self.out.push(action);
        }
    }

    pub(super) fn send(&mut self, message: &Message) {
        let bytes = encode(message);
        if !self.over {
            self.said.update(&bytes);
        }
        self.act(Action::Send(bytes));
    }

    /// A message, if it is one; and what was said before it.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Option<(Message, Sha256)> {
        let message = decode(bytes)?;
        let before = self.said.clone();
        self.said.update(u16::try_from(bytes.len()).unwrap_or_default().to_le_bytes());
        self.said.update(bytes);
        Some((message, before))
    }

    /// Waits for something, so long at most.
    pub(super) fn wait(&mut self, step: Step, limit: Duration, now: Duration) {
        let whole = *self.whole.get_or_insert_with(|| now.saturating_add(super::WHOLE));
        self.step = step;
        self.until = now.saturating_add(limit).min(whole);
        self.act(Action::Timer(self.until));
    }

    /// Whether the wait is over, or too early for that.
    pub(super) fn tick(&mut self, now: Duration) {
        if now >= self.until {
            self.refuse(Refusal::TimedOut(self.step));
        } else {
            self.act(Action::Timer(self.until));
        }
    }

    /// Ends it, and says so to the other.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.send(&Message::End(refusal));
        self.end(Action::Fail(Reason::Here(refusal)));
    }

    pub(super) fn fail(&mut self, reason: Reason) {
        self.end(Action::Fail(reason));
    }

    pub(super) fn cut(&mut self) {
        self.fail(Reason::Cut(self.step));
    }

    pub(super) fn end(&mut self, action: Action) {
        self.act(action);
        self.over = true;
    }

    pub(super) fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.out)
    }
}

/// Whether a version is spoken by both.
pub(super) const fn common(theirs: (u16, u16)) -> bool {
    theirs.0 <= VERSIONS.1 && VERSIONS.0 <= theirs.1
}
