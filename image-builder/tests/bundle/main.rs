//! `ens bundle` as people use it: the program itself, in a directory and a home of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod desk;
mod made;
mod refused;
mod signed;
