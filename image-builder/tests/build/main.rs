//! Whole builds of the devices that ship, with stand-ins for our programs: same bytes, clear errors.
//!
//! Packages come from this user's cache; the first run on a host fetches them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod apps;
mod identical;
mod job;
mod refused;
