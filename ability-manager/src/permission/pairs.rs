//! Maps with a bundle and a permission as keys, for formats whose keys are texts.

use std::collections::BTreeMap;

use model::Name;
use model::bundle::BundleId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

type Pairs<T> = BTreeMap<(BundleId, Name), T>;

pub(super) fn serialize<T: Serialize, S: Serializer>(
    all: &Pairs<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(all)
}

pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Pairs<T>, D::Error> {
    Ok(Vec::<((BundleId, Name), T)>::deserialize(deserializer)?.into_iter().collect())
}
