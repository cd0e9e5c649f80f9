//! ensctl, the control tool on the device: a thin client of api.
//!
//! ```text
//! table ──► args ──► request ──► run ──► call (bus, wire) ──► show (data → text) ──► terminal
//!   ├─────► help
//!   └─────► completion
//! ```
//!
//! One table says which commands and options there are. What a daemon answered becomes text in
//! pure functions; nothing here decides anything about the device. Invariant: text from outside
//! reaches a terminal without control characters.

pub mod abilities;
pub mod apps;
pub mod args;
pub mod background;
pub(crate) mod bus;
pub(crate) mod call;
pub mod choices;
pub mod completion;
pub mod devices;
pub mod far;
pub mod fault;
pub mod files;
pub mod forms;
pub mod help;
pub mod learn;
pub mod lock;
pub mod near;
pub mod paint;
pub mod params;
pub mod permission;
pub mod refusals;
pub mod request;
pub mod run;
pub mod sandbox;
pub mod score;
pub mod security;
pub(crate) mod services;
pub mod show;
pub mod stores;
pub mod table;
pub mod time;
pub mod told;
pub mod transient;
