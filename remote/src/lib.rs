//! Does here what another device of the owner asks for, as root: one process for each connection of softbus.
//!
//! ```text
//! softbus (says who may) ─ socket that only it may open ─► servicemgr ─► remote@N ─┬─ run    debug-agent's session
//!                                                                                  ├─ files  sent or received
//!                                                                                  └─ port   bytes to a local server
//! ```
//!
//! A process for each, made by servicemgr, so that each has a cgroup: when it ends, nothing that a command left behind goes
//! on. Invariant: it does not outlive its connection, and trusts nothing but who may open its socket. `ensctl` has the
//! other end of `files` and `pump` from here.

pub mod files;
pub mod port;
pub mod pump;
pub mod serve;
