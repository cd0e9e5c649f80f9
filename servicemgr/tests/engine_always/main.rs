//! What must hold whatever happens: random services, random events, random faults.

#[path = "../plans/mod.rs"]
mod plans;
mod random;
mod search;
mod world;
