//! Which installed abilities answer a want: the index over their skills, made anew when what is installed has changed.
//!
//! Invariant: what answers is installed now. It is looked at which manifests are there, not who changed them.

use std::sync::{Arc, Weak};

use model::Name;
use model::want::Want;

use crate::engine::Target;
use crate::store::{Held, Store};
use crate::want::Index;

/// The index, and of which manifests.
#[derive(Debug, Default)]
pub(super) struct Answers {
    of: Vec<Weak<Held>>,
    index: Index,
}

impl Answers {
    /// Abilities that answer an implicit want, in the order of the store.
    pub(super) fn to(&mut self, want: &Want, store: &Store) -> Vec<(Arc<Held>, Name)> {
        if !self.is_of(store) {
            self.of = store.bundles().map(Arc::downgrade).collect();
            self.index = Index::new(store.bundles().flat_map(|held| {
                held.manifest.abilities.iter().map(|ability| {
                    let (bundle, ability_name) = (held.id().clone(), ability.name.clone());
                    (Target { bundle, ability: ability_name }, ability.skills.as_slice())
                })
            }));
        }
        let found = self.index.answer(want).into_iter();
        found
            .filter_map(|one| Some((Arc::clone(store.get(&one.bundle)?), one.ability.clone())))
            .collect()
    }

    fn is_of(&self, store: &Store) -> bool {
        let known = self.of.iter().map(Weak::as_ptr);
        known.eq(store.bundles().map(Arc::as_ptr))
    }
}
