//! The smaller of two profiles allows nothing that one of them does not.

mod allows;

use allows::profiles::profile;
use allows::{allows, wishes};
use model::sandbox::Feature;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn what_the_smaller_allows_both_allow(own in profile(), ceiling in profile()) {
        let both = own.within(&ceiling);
        for wish in wishes().into_iter().filter(|wish| allows(&both, *wish)) {
            prop_assert!(allows(&own, wish), "{wish:?} by itself: {both:?}");
            prop_assert!(allows(&ceiling, wish), "{wish:?} by the ceiling: {both:?}");
        }
        for feature in &both.optional {
            prop_assert!(own.optional.contains(feature) && ceiling.optional.contains(feature));
        }
        prop_assert!(own.requires.iter().all(|feature| both.requires.contains(feature)));
        prop_assert!(ceiling.namespaces.iter().all(|space| both.namespaces.contains(space)));
        for one in [&own, &ceiling] {
            let (less, more) = (both.limits, one.limits);
            prop_assert!(more.memory.is_none_or(|most| less.memory.is_some_and(|n| n <= most)));
            prop_assert!(more.pids.is_none_or(|most| less.pids.is_some_and(|n| n <= most)));
            prop_assert!(more.signals.is_none_or(|most| less.signals.is_some_and(|n| n <= most)));
        }
    }

    #[test]
    fn a_profile_within_itself_allows_the_same(own in profile()) {
        let both = own.within(&own);
        for wish in wishes() {
            // What may be written without being read can't be said of a tree.
            let writes = matches!(wish, allows::Wish::Write(_) | allows::Wish::Execute(_));
            prop_assert!(writes || allows(&both, wish) == allows(&own, wish), "{wish:?}: {both:?}");
        }
    }

    #[test]
    fn doing_without_changes_nothing_else(own in profile()) {
        let missing = [Feature::Landlock(4), Feature::Namespaces];
        let tolerant = own.clone().tolerating(&missing);
        for wish in wishes() {
            prop_assert_eq!(allows(&tolerant, wish), allows(&own, wish));
        }
        prop_assert!(!tolerant.confines() || !tolerant.requires.contains(&Feature::Landlock(6)));
    }
}
