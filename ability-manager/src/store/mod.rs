//! Installed bundles, keys, data.

pub mod disk;
pub mod generation;
mod key;
mod refusal;

pub use key::{BadKey, Key};
pub use refusal::Refusal;
