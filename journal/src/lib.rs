//! Receives, keeps and gives back every log line of a device.
//!
//! ```text
//! native, /dev/log, streams, /dev/kmsg ──► record ──► store ──► files under /var/log/ensemble
//!                                        (pure)     (pure core)      │
//!                                reader ◄── pipe ◄── query ◄─────────┘
//! ```
//!
//! | module | what | touches the world |
//! |---|---|---|
//! | [`record`] | every input, understood | no |
//! | [`store`] | files, rotation, room on the disk, what a power cut left | through `Disk` only |
//! | [`query`] | which records somebody asked for | no |
//! | [`settings`] | where everything is | no |
//! | [`daemon`] | sockets, pipes, clock, bus | yes |

pub mod daemon;
pub mod query;
pub mod record;
pub mod settings;
pub mod store;
