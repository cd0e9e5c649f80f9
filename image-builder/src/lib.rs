//! From TOML to images, and from images to running devices.
//!
//! ```text
//! model::Device ──recipe──► Blueprint ──► packages, kernel ──► Tree ──► writers ──► image ──► runner
//! ```

pub mod bench;
pub mod bench_apps;
pub mod bench_daemon;
pub mod bench_peers;
pub mod bench_sandbox;
pub mod bench_wants;
pub mod build;
pub mod built;
pub mod bundle;
pub mod cli;
pub mod doctor;
pub mod fuzz;
pub mod host_files;
pub mod packages;
pub mod profiles;
pub mod programs;
pub mod progress;
pub mod ready;
pub mod recipe;
pub mod run;
pub mod steps;
pub mod store;
pub mod tree;
pub mod verify;
pub mod workspace;
pub mod write;
