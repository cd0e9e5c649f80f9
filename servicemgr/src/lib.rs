//! Starts, watches and stops the services of a device.
//!
//! [`engine`] decides and never acts; the daemon acts and never decides:
//!
//! ```text
//! PID 1, notify, bus, clock ──Event──► engine::step ──Action──► spawn, signal, record, answer
//! ```

pub mod calendar;
pub mod daemon;
pub mod engine;
pub mod grants;
pub mod own;
pub mod params;
pub mod projects;
pub mod timers;
