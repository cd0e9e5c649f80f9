//! store: knows what stores offer, and fetches it for who installs it.
//!
//! ```text
//! ensctl ─ bus ─► daemon ─┬─ shelf     /var/lib/store/NAME: signed metadata that was believed
//!                         ├─ catalog   what is offered, for whom, which version is the highest          pure
//!                         ├─ source    the web (https, http), or files that the caller opens
//!                         └─ download  /var/lib/store/fetched: goes on where it stopped
//! ```
//!
//! A program of its own because it is the one that speaks with strangers: a user without any right, nothing of
//! the device to see, and it is there only while somebody asks. It installs nothing: it answers with a file and whose
//! keys the store vouches for.
//!
//! Invariants: nothing is kept or handed on that was not signed as the first root wants it; everything that comes has
//! a length at which reading ends; nothing is known by this process that the next one does not find.

pub mod catalog;
mod daemon;
mod download;
mod shelf;
mod source;
mod web;

pub use daemon::{Settings, run};
pub use download::{Fetched, MARGIN, fetch};
pub use shelf::{About, Shelf, Shown};
pub use source::Supply;
pub use web::{Terms, Web};
