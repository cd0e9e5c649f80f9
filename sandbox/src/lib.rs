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
//! - `filter` (feature `compile`): the same as a program, made by libseccomp; `bpf` runs such a program
//!   and knows nothing of libseccomp: `compile` compares both for every call.
//! - `landlock`, `mounts`: rights and steps from the lists of files.
//!
//! Invariant: what can't be enforced as written is refused, never left out silently.

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
#[cfg_attr(
    not(any(feature = "compile", test)),
    expect(dead_code, reason = "making rulesets is for the compiler")
)]
mod landlock;
mod left_out;
#[cfg(feature = "compile")]
mod mounts;
pub mod policy;
pub mod refused;
pub mod rules;
#[cfg_attr(
    not(any(feature = "compile", test)),
    expect(dead_code, reason = "lists are for the compiler")
)]
mod trees;
pub mod wire;

#[cfg(feature = "compile")]
pub use compile::compile;
pub use fit::fit;
pub use left_out::left_out;
pub use policy::{Host, Own, Refused, lacking, launch};
