//! From TOML to images, and from images to running devices.
//!
//! ```text
//! model::Device ──recipe──► Blueprint ──► packages, kernel ──► Tree ──► writers ──► image ──► runner
//! ```

pub mod built;
pub mod packages;
pub mod progress;
pub mod run;
pub mod steps;
pub mod tree;
pub mod workspace;
pub mod write;
