//! Which abilities answer a want.

use std::mem::size_of;

use model::want::Want;

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
