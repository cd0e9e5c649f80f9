//! Sets and maps, made of items.
//!
//! `collect` of the standard library puts all items into a list, sorts that, and makes the tree of it. Each place
//! that does so has a sort of its own, of 5 KB: 27 of them were 130 KB of servicemgr, whose text stays in memory. Here
//! one item after the other goes in, by code that all trees of a type share.
//!
//! Invariant: the same set or map as from `collect`; of items with the same key the last one counts.

/// All items in a new set or map.
pub fn gather<C: Default + Extend<T>, T>(items: impl IntoIterator<Item = T>) -> C {
    let mut all = C::default();
    all.extend(items);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_gathered_is_what_is_collected(items: Vec<(u8, u16)>) {
            let map: BTreeMap<u8, u16> = gather(items.iter().copied());
            prop_assert_eq!(map, items.iter().copied().collect::<BTreeMap<_, _>>());
            let set: BTreeSet<(u8, u16)> = gather(items.iter().copied());
            prop_assert_eq!(set, items.into_iter().collect::<BTreeSet<_>>());
        }
    }
}
