//! From TOML to images, and from images to running devices.
//!
//! ```text
//! model::Device ──recipe──► Blueprint ──► packages, kernel ──► Tree ──► writers ──► image ──► runner
//! ```

pub mod steps;
pub mod tree;
