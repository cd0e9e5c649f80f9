//! The attack set: one static program that does what a hostile program in a sandbox would do.
//!
//! ```text
//! outside:  attacks victim [--user UID] ──prints──► --victim=FACTS
//! inside:   attacks all --victim=FACTS ──► one fresh process an attack ──► table, exit 0 when none worked
//! ```
//!
//! An attack is a named function: it tries, and looks at the *effect*, not only at what a call
//! returned. It exits 0 blocked, 1 worked, 2 not applicable. What it needs of the kernel is declared
//! and is looked for outside of the sandbox, by the victim: what a kernel cannot do is never called
//! blocked. An attack that works is harmless and puts back what it changed, but it is made for a
//! machine that is thrown away: **run `all` and `run` as root only there** (`tests/cases/attacks`).
//!
//! - `attack` what an attack is; `needs` what one needs; `groups/` the attacks, a file a group;
//! - `victim` a process with secrets; `facts` what is known of it; `runner` runs and tells;
//! - `remedy` the line of a profile that stops an attack; `clean` takes away what a victim made;
//! - `raw` bare system calls, the only `unsafe`; `tools` what many attacks need.

pub mod attack;
pub mod clean;
pub mod command;
pub mod errno;
pub mod facts;
pub mod groups;
pub mod needs;
pub mod raw;
pub mod remedy;
pub mod runner;
pub mod sockets;
pub mod table;
pub mod tools;
pub mod victim;
