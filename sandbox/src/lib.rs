//! What a program may do: policy as data, applied by sys.
//!
//! ```text
//! Service + users + host ──policy──────────────────────► sys::spawn::Launch ─┐
//! Profile ──compile (host or install, libseccomp)──► Compiled (plan)         ├─spawn──► process
//! Compiled + features of the running kernel ──fit──► sys::confine::Confine ──┘
//! ```
//!
//! - `calls`: every system call by name and number on both architectures, and our groups of them.
//! - `rules`: what a profile says of one call with its arguments; the source of truth.
//! - `filter` (feature `compile`): the same as a short program, and as another one made by libseccomp; `bpf` runs
//!   such programs and knows nothing of who made them: `compile` compares all of them for every call.
//! - `assemble`: the filter and all the rest of it, which takes a moment.
//! - `landlock`, `mounts`: rights and steps from the lists of files.
//! - `learn` (feature `learn`): from what a program did to the smallest profile; the other way round.
//!
//! Invariant: what can't be enforced as written is refused, never left out silently.

pub mod assemble;
pub mod bpf;
pub mod calls;
mod capability;
#[cfg(feature = "compile")]
pub mod check;
#[cfg(feature = "compile")]
pub mod compile;
#[cfg(feature = "compile")]
pub mod filter;
pub mod fit;
mod landlock;
#[cfg(any(feature = "learn", test))]
pub mod learn;
mod left_out;
mod mounts;
pub mod policy;
pub mod refused;
pub mod rules;
mod trees;
pub mod wire;

pub use assemble::{assemble, filtered};
#[cfg(feature = "compile")]
pub use compile::compile;
pub use fit::fit;
pub use left_out::{can, left_out};
pub use policy::{Host, Own, Refused, lacking, launch};
