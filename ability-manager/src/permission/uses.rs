//! How often permissions were used, by whom, and when last, for the owner to read. Pure, and bounded.
//!
//! A use is a start of an instance that has it, from which on the kernel lets it; or an answer of the device that it
//! would not have had without. Calls over the system bus are not counted one by one: the bus passes them
//! because the instance was started with the permission.

use std::collections::BTreeMap;

use model::Name;
use model::bundle::BundleId;
use serde::{Deserialize, Serialize};

/// Most that are kept, each for a bundle and a permission: that which was used last the longest ago goes first.
pub const MAX_USES: usize = 1024;

/// How a permission is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// An instance was started with it.
    Started,
    /// The device did something for an instance because of it.
    Called,
}

impl How {
    /// The word on the bus.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Called => "called",
        }
    }
}

/// All uses of a permission by a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// How often.
    pub times: u64,
    /// The first time, in seconds since 1970.
    pub first: u64,
    /// The last time.
    pub last: u64,
    /// Which ability, the last time.
    pub ability: Name,
    /// How, the last time.
    pub how: How,
}

/// All uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    #[serde(with = "super::pairs")]
    all: BTreeMap<(BundleId, Name), Use>,
}

impl Uses {
    /// A permission was used.
    pub(super) fn add(
        &mut self,
        at: u64,
        (bundle, ability): (&BundleId, &Name),
        permission: &Name,
        how: How,
    ) {
        let key = (bundle.clone(), permission.clone());
        if self.all.len() >= MAX_USES && !self.all.contains_key(&key) {
            let oldest = self.all.iter().min_by_key(|(_, one)| one.last);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.all.remove(&key);
            }
        }
        let ability = ability.clone();
        let new = Use { times: 0, first: at, last: at, ability: ability.clone(), how };
        let one = self.all.entry(key).or_insert(new);
        one.times = one.times.saturating_add(1);
        // People set clocks back.
        one.first = one.first.min(at);
        (one.last, one.ability, one.how) = (at, ability, how);
    }

    /// Forgets all about a bundle.
    pub(super) fn forget(&mut self, bundle: &BundleId) {
        self.all.retain(|(of, _), _| of != bundle);
    }

    /// All that are kept, by bundle and permission.
    pub fn iter(&self) -> impl Iterator<Item = (&BundleId, &Name, &Use)> {
        self.all.iter().map(|((bundle, permission), one)| (bundle, permission, one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::try_from(text).unwrap()
    }

    fn bundle(number: usize) -> BundleId {
        BundleId::try_from(format!("org.example.app{number}").as_str()).unwrap()
    }

    #[test]
    fn what_is_used_again_is_counted_and_the_last_use_is_told() {
        let mut uses = Uses::default();
        uses.add(100, (&bundle(1), &name("main")), &name("camera"), How::Started);
        uses.add(300, (&bundle(1), &name("scan")), &name("camera"), How::Called);
        uses.add(200, (&bundle(2), &name("main")), &name("camera"), How::Started);
        let all: Vec<String> = uses
            .iter()
            .map(|(of, what, one)| {
                let (how, ability) = (one.how.word(), &one.ability);
                format!("{of} {what} {}x {}-{} {how} {ability}", one.times, one.first, one.last)
            })
            .collect();
        assert_eq!(
            all,
            [
                "org.example.app1 camera 2x 100-300 called scan",
                "org.example.app2 camera 1x 200-200 started main"
            ]
        );
    }

    #[test]
    fn of_too_many_that_which_was_used_the_longest_ago_goes() {
        let mut uses = Uses::default();
        for (at, number) in (0_u64..).zip(0..MAX_USES) {
            uses.add(at, (&bundle(number), &name("main")), &name("sound"), How::Started);
        }
        uses.add(5000, (&bundle(0), &name("main")), &name("sound"), How::Started);
        uses.add(5001, (&bundle(9999), &name("main")), &name("sound"), How::Started);
        let there = |number| uses.iter().any(|(of, ..)| *of == bundle(number));
        assert_eq!((there(0), there(1), there(9999)), (true, false, true));
    }

    proptest! {
        #[test]
        fn there_are_never_too_many_and_each_was_used_at_least_once(
            steps in prop::collection::vec((0..1500_usize, 0..3_usize, 0..1_000_000_u64), 0..3000),
        ) {
            let mut uses = Uses::default();
            for (of, what, at) in steps {
                let what = name(["camera", "sound", "location"][what]);
                uses.add(at, (&bundle(of), &name("main")), &what, How::Started);
                prop_assert!(uses.all.len() <= MAX_USES);
            }
            for (.., one) in uses.iter() {
                prop_assert!(one.times > 0 && one.first <= one.last);
            }
            let bytes = postcard::to_stdvec(&uses).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Uses>(&bytes).unwrap(), uses);
        }
    }
}
