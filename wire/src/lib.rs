//! Both ends of our buses, beside what a library of D-Bus does of them.
//!
//! | feature | is |
//! |---|---|
//! | `server` | what clients send is bounded before the library sees it; needs a runtime |
//! | `client` | one call after the other, without a runtime |

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod clients;
#[cfg(feature = "server")]
mod ending;
#[cfg(feature = "server")]
mod greeting;
#[cfg(feature = "server")]
mod meter;
#[cfg(feature = "server")]
mod server;

#[cfg(feature = "server")]
pub use ending::told_to_end;
#[cfg(feature = "server")]
pub use server::{Begun, Descriptors, Limits, Reader, Writer, greet, receive, send, split};
