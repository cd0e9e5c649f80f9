//! softbus: devices of one owner pair once and act as one.
//!
//! ```text
//! ensctl ─ bus ─► daemon ─┬─ trust     who belongs to the group: signed entries → members          pure
//!                         ├─ pairing   how a device comes to belong: a code, both ends of it         pure
//!                         ├─ session   what becomes of each peer: offline, dialing, online           pure
//!                         ├─ profile   what a device is and has; which one fits
//!                         ├─ streams   what a peer may open here, and the pumps
//!                         └─ engine    links by public key, announcements: the one that knows iroh and mDNS
//! ```
//!
//! A program of its own because it speaks with a network of strangers: a user without any right, its own state and nothing
//! else of the device. What a peer may have done here is done by others, whom it asks.
//!
//! Invariants: nobody outside the group gets more than name, form and id; the cores see neither clock, network nor disk;
//! whatever a peer sends has a length at which reading ends.

mod daemon;
pub mod engine;
pub mod id;
pub mod pairing;
pub mod profile;
pub mod session;
pub mod streams;
pub mod trust;

pub use daemon::{Settings, run};
pub use id::DeviceId;
