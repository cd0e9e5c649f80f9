//! What a device runs, as data.
//!
//! ```text
//! TOML --text--> Raw (spans kept) --check--> Service, Device --link--> Plan --postcard--> device
//! ```
//!
//! Nothing here reads a file, a clock or the kernel, so every rule is tested with plain strings.
//! The device links only what it needs: TOML and its diagnostics are behind the feature `text`.

pub mod bootctl;
pub mod bundle;
pub mod calendar;
pub mod capability;
#[cfg(feature = "text")]
pub mod case;
pub mod device;
mod gather;
pub mod name;
pub mod parameter;
pub mod permission;
pub mod plan;
pub mod ready;
pub mod resource;
pub mod sandbox;
#[cfg(feature = "schema")]
pub mod schema;
pub mod service;
pub mod shared;
pub mod store;
#[cfg(feature = "text")]
pub mod text;
pub mod want;
pub mod word;

pub use device::Device;
pub use gather::gather;
pub use name::{BadName, Name};
pub use plan::Plan;
pub use shared::Shared;
