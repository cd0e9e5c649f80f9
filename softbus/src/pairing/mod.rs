//! How a device comes to belong: six digits, shown on one and typed on the other.
//!
//! ```text
//!  source (types the code)                      sink (its owner opened the window, and sees the code)
//!  Hello: versions, name, form ───────────────► frozen? another one? ──► End
//!                        10 s ◄─────────────── Hello                    10 s
//!                        70 s                   "Pair with phone?"       60 s
//!                             ◄─────────────── Show                     the code is on the screen
//!  "Code?"               60 s
//!  Share (SPAKE2) ────────────────────────────►                         70 s
//!                             ◄─────────────── Share
//!  Proof ─────────────────────────────────────► wrong: Wrong, 3 tries; the ladder
//!                             ◄─────────────── Proof
//!  Standing: group, owner? ───────────────────►                         10 s a message
//!                             ◄─────────────── Standing
//!  who is to invite signs and stores the Add, then: Entries…, Welcome (group's secret)
//!  who joins takes them in and stores them, then: Joined                all of it: 120 s
//! ```
//!
//! The code goes into SPAKE2 with both ids and the exporter of the TLS session between just these two: who stands in the
//! middle has two sessions, and what it forwards fits neither. Each run is one guess for whoever does not know the code; no
//! message lets one be tried elsewhere, as the sink proves nothing before the source has.
//!
//! Invariants: before both proofs nothing is said but versions, name and form; a code is of one link and is never shown
//! again; the ladder is stored before a wrong code is answered; an Add is stored before it is sent. Pure: randomness, the
//! clock (since boot) and the group are arguments.

mod code;
mod joining;
mod ladder;
mod line;
mod message;
mod proof;
mod sink;
mod source;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use code::{BadCode, Code};
pub use joining::{Home, Invitation, Standing};
pub use ladder::{BadLadder, Ladder};
pub use line::{Action, Event, Outcome, Reason};
pub use message::{MAX_FRAME, Message, Refusal, Step, VERSIONS, decode, encode};
pub use sink::Sink;
pub use source::Source;

/// The exporter of the link's TLS session is asked for under this label.
pub const EXPORTER: &str = "ensemble pairing 1";

/// Tries that one code has.
pub const TRIES: u8 = 3;

/// How long a window stays open that nobody uses.
pub const WINDOW: Duration = Duration::from_secs(120);

/// From the first message to the last.
pub const WHOLE: Duration = Duration::from_secs(120);

/// How long a machine may take for an answer.
pub const ANSWER: Duration = Duration::from_secs(10);

/// How long a person may take to say yes, or to type.
pub const PERSON: Duration = Duration::from_secs(60);
