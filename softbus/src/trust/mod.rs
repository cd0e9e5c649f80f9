//! Who belongs to the group: signed entries, and what follows from them.
//!
//! ```text
//! Found ──► founder (owner) ──Add──► device, life 1 ──Remove──► out ──Add──► device, life 2 …
//!                │                        │                       ▲
//!                │                        └─Level──► owner ───────┘ what it signed after `last` is void
//!                └─ Name, Label
//!
//! entries, in any order ─► Log (what is held) ─► judge (what counts) ─► Members (who is in, as what)
//! ```
//!
//! An author is a device in one life of it. What an author signs is a chain: each entry names the one before. Who takes
//! a right away names the last entry of the other that still counts, so that nothing can be dated back.
//!
//! Invariants: entries are only ever added; [`Members`] is a function of the set of entries, so devices that hold the same
//! set agree; revocation wins; no clock of a wall decides. It never reads a clock, a file or a network.

mod card;
mod change;
mod entry;
mod judge;
mod log;
mod members;
mod secret;
#[cfg(test)]
mod tests;

pub use card::{BadText, Card, Form, Label, Level, MAX_FORM, MAX_NAME, Name, Sensitivity};
pub use change::Change;
pub use entry::{Author, Entry, EntryId, GroupId, MAX_ENTRY, Malformed, SecretKey, What};
pub use log::{Changed, Log, MAX_AUTHOR_ENTRIES, MAX_ENTRIES, MAX_FILE, MAX_SEEN, Refused, Seen};
pub use members::{MAX_DEVICES, Member, Members};
pub use secret::{Salt, Secret, Tag};
