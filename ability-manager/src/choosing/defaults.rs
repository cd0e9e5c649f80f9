//! What was chosen for good, by what was wanted.
//!
//! Invariant: at most [`MAX_DEFAULTS`]; the oldest makes room for the newest.

use std::cmp::Ordering;

use model::bundle::BundleId;
use model::want::Want;
use serde::{Deserialize, Serialize};

use crate::engine::Target;
use crate::want::of_suffix;

/// Most defaults.
pub const MAX_DEFAULTS: usize = 256;

/// Longest word of a shape that is remembered, in bytes: nobody chooses twice for what is longer.
const MAX_WORD: usize = 128;

/// What a want is about, without which thing it is: wants of one shape have one default.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shape {
    /// What is to be done; empty: anything.
    pub action: String,
    /// Of which kinds it must be, sorted.
    pub entities: Vec<String>,
    /// Scheme of the uri; empty: none.
    pub scheme: String,
    /// Type, said or told by the suffix of the uri; empty: none.
    pub mime: String,
}

impl Shape {
    /// The shape of a want. None of one that names its bundle, or says too much: nothing is remembered for it.
    #[must_use]
    pub fn of(want: &Want) -> Option<Self> {
        let uri = want.uri.as_deref().unwrap_or_default();
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
        // What comes over the web is what its server says, whatever it is called.
        let guess = if uri.contains("://") && scheme != "file" { None } else { of_suffix(path) };
        let mime = want.mime.clone().filter(|mime| !mime.is_empty());
        let mime = mime.or_else(|| guess.map(str::to_owned)).unwrap_or_default();
        let action = want.action.clone().unwrap_or_default();
        let mut entities = want.entities.clone();
        entities.sort();
        entities.dedup();
        let shape = Self { action, entities, scheme, mime };
        let words = [&shape.action, &shape.scheme, &shape.mime].into_iter().chain(&shape.entities);
        let length = words.map(String::len).fold(0_usize, usize::saturating_add);
        (want.bundle.is_none() && length <= MAX_WORD).then_some(shape)
    }
}

/// What was chosen for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// For what.
    pub shape: Shape,
    /// Who does it.
    pub target: Target,
}

/// All of them, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defaults(Vec<Chosen>);

impl Defaults {
    /// Which of the candidates does it by default.
    #[must_use]
    pub fn among<'a>(&self, want: &Want, candidates: &'a [Target]) -> Option<&'a Target> {
        let shape = Shape::of(want)?;
        let of = self.0.iter().find(|default| default.shape == shape)?;
        candidates.iter().find(|target| **target == of.target)
    }

    /// From now on this does what is wanted so; whether that can be remembered.
    pub fn set(&mut self, want: &Want, target: Target) -> bool {
        let Some(shape) = Shape::of(want) else { return false };
        self.0.retain(|default| default.shape != shape);
        if self.0.len() >= MAX_DEFAULTS {
            self.0.remove(0);
        }
        self.0.push(Chosen { shape, target });
        true
    }

    /// Nothing does what is wanted so by default; whether something did.
    pub fn unset(&mut self, want: &Want) -> bool {
        let shape = Shape::of(want);
        self.remove(|default| Some(&default.shape) == shape.as_ref())
    }

    /// A bundle is no more; whether it did something.
    pub fn forget(&mut self, bundle: &BundleId) -> bool {
        self.remove(|default| default.target.bundle == *bundle)
    }

    fn remove(&mut self, which: impl Fn(&Chosen) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|default| !which(default));
        self.0.len().cmp(&before) == Ordering::Less
    }

    /// All, sorted by what they are for.
    #[must_use]
    pub fn all(&self) -> Vec<&Chosen> {
        let mut all: Vec<&Chosen> = self.0.iter().collect();
        all.sort_by(|a, b| a.shape.cmp(&b.shape));
        all
    }
}
