//! The store on a directory of its own: stories, and the plug pulled at every step.

mod beside;
mod device;
#[expect(dead_code, reason = "more can be spoilt with it than is here")]
#[path = "../../../bundle/tests/bundle/image.rs"]
mod image;
mod installing;
mod layers;
mod locking;
mod mounting;
mod plug;
mod power;
mod real;
