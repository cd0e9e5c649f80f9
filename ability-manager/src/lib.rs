//! Apps: installed, started, led through their lives, ended.
//!
//! ```text
//! ensctl, shell ─ api::abilities ─┐            ┌─ engine (pure): instances, missions, requests
//! apps ─ api::app, a socket each ─┼─► daemon ──┼─ want (pure): which ability answers
//! servicemgr ─ ends, failures ────┘     │      ├─ permission (pure): who may what
//!                                       │      ├─ store: installed bundles, data
//!                                       │      └─ vault: keys of those data, and the owner's secret
//!                                       └─► servicemgr: an instance is a service of the moment
//! ```
//!
//! The pure parts decide and never act: no clock, no I/O; time is an argument. Invariants: every
//! request gets one answer; an instance that is not known here does not run; what an app may do is never more than its
//! manifest asks for and its owner, or the level of the permission, allows.

pub mod cards;
pub mod choosing;
pub mod daemon;
pub mod engine;
pub mod permission;
pub mod store;
pub mod vault;
pub mod want;
