//! The channel behind `ens run -- CMD`, in development images only: whoever holds the other end of
//! the channel is root on this device.
//!
//! ```text
//! channel    where the host is: a virtio-serial port or a UNIX socket
//! session    what to do about what the host says and the command does (pure)
//! command    the process, its pipes, its end
//! serve      the loop that carries bytes between them
//! ```
//!
//! Invariant: nothing outlives its host. When the host goes, its command is killed. No shell is
//! involved, and every buffer has a limit: who does not read makes the other side wait.

pub mod channel;
pub mod command;
pub mod serve;
pub mod session;
