//! What a store says of its apps, in the format of The Update Framework (1.0): read, checked, written. Pure:
//! bytes come from who calls, time too.
//!
//! ```text
//! root ───────► keys of all roles      the one thing a device is given; a new one is signed by the old one too
//!  └ timestamp ─► which snapshot       renewed often: who holds it back is noticed when it expires
//!     └ snapshot ─► which targets      so that old and new are not mixed
//!        └ targets ─► name, length, SHA-256 of each file, and what it is
//! ```
//!
//! | module | is |
//! |---|---|
//! | `json` | the one spelling that is signed |
//! | `key`, `time` | ed25519 in hexadecimal; dates |
//! | `roles` | the four kinds of metadata, as they are written |
//! | `trusted` | the rules: what may follow what |
//! | `refresh` | the order in which they are asked for |
//! | `write` | the side of who keeps a store |
//! | `app` | what our stores say of each file |
//!
//! Not here: delegations (a store has one list), keys other than ed25519 (they count for nothing).
//!
//! Invariants: no byte that was not signed by enough keys of its role gets any further; no version goes back;
//! whatever the bytes are, the answer is a reason, within limits, and no panic.

mod app;
mod json;
mod key;
mod refresh;
mod refused;
mod roles;
mod time;
mod trusted;
mod write;

pub use app::App;
pub use json::canonical;
pub use key::{PublicKey, SecretKey, fingerprint, hex, unhex};
pub use refresh::{Kept, Source, known, refresh};
pub use refused::Refused;
pub use roles::{Listed, Role, Root, Target, Targets};
pub use time::Time;
pub use trusted::Trusted;
pub use write::{Draft, Pointed, pointed, sign, sign_again};

/// Version of the specification that is written.
pub const SPEC: &str = "1.0.31";

/// The file of the timestamp, the only one whose name stays the same while its content does not.
pub const TIMESTAMP: &str = "timestamp.json";

/// Longest root, in bytes.
pub const MAX_ROOT: u64 = 512_000;

/// Longest timestamp, in bytes: it names one file.
pub const MAX_TIMESTAMP: u64 = 16_384;

/// Longest snapshot, in bytes.
pub const MAX_SNAPSHOT: u64 = 256_000;

/// Longest list of targets, in bytes: some 10 000 apps.
pub const MAX_TARGETS: u64 = 8_000_000;

/// Most new roots that are followed at once: as other clients have it.
pub const MAX_ROOTS: u64 = 256;

/// Most signatures of one file: each costs time to check.
pub const MAX_SIGNATURES: usize = 32;
