//! What a service may do: policy as data, applied by sys.
//!
//! ```text
//! Service + users + host ──policy──► sys::spawn::Launch ──spawn──► process
//! ```
//!
//! First form: user, capabilities, limits, `no_new_privs`, a clean environment and no descriptor
//! but those given. Files, network and system calls come later.

mod capability;
pub mod policy;

pub use policy::{Host, Own, Refused, lacking, launch};
