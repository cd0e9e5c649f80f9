//! The engine in scripted stories: what happens, and what it does about it.

#[path = "../plans/mod.rs"]
mod plans;
mod story;

mod care;
mod commands;
mod relations;
mod starting;
mod transient;
mod triggers;
