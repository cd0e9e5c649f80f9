//! Which abilities answer a want.
//!
//! ```text
//! want ─► action ─ and ─ entities ─ and ─ uri and type ─► the skill matches        matching: one skill, one want
//! want ─► what it says most about: uri, type or action ─► few skills ─► matching   index: all that are installed
//! ```
//!
//! | the want has | a skill matches if |
//! |---|---|
//! | neither uri nor type | it has no uris |
//! | a uri | a uri without a type fits; or the type that its suffix tells fits that of a uri that fits |
//! | a type | the type of a uri without a scheme fits |
//! | both | both of one uri fit |
//!
//! Invariants: the index finds what looking at each skill would find, in the same order; no text of
//! a want makes it slow: expressions take linear time.

mod index;
mod matching;
mod mime;
#[cfg(test)]
mod tests;

use std::mem::size_of;

use model::want::Want;

pub use index::Index;
pub use matching::matches;
pub use mime::{WILDCARD_ONLY, of_suffix};

/// Bytes of memory that a want takes, about.
#[must_use]
pub fn size(want: &Want) -> usize {
    let one = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let list = |text: &String| text.len() + size_of::<String>();
    let words = want.bundle.as_ref().map_or(0, |bundle| bundle.as_str().len())
        + want.ability.as_ref().map_or(0, |ability| ability.as_str().len())
        + [&want.action, &want.uri, &want.mime, &want.key].into_iter().map(one).sum::<usize>();
    let entities: usize = want.entities.iter().map(list).sum();
    let parameters: usize =
        want.parameters.iter().map(|(key, value)| list(key) + list(value)).sum();
    size_of::<Want>() + words + entities + parameters
}
