//! The smaller of two profiles allows nothing that one of them does not.

mod allows;

use allows::profiles::profile;
use allows::{allows, wishes};
use model::sandbox::{Feature, Files, Profile, View};
use proptest::prelude::*;

#[test]
fn a_listed_view_without_devices_gets_none_from_the_ceiling() {
    let list = |names: &[&str]| Some(names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>());
    let view = |view, read: &[&str], devices| {
        let files = Files { view, read: list(read), devices, ..Files::default() };
        Profile { files, ..Profile::default() }
    };
    let ceiling = view(View::Whole, &["/"], list(&["fb0", "video0"]));
    let both = |own: Profile| own.within(&ceiling).files.devices;
    assert_eq!(both(view(View::Listed, &["/usr"], None)), list(&[]));
    assert_eq!(both(view(View::Listed, &["/usr"], list(&["fb0", "snd"]))), list(&["fb0"]));
    // These see the device's otherwise, so the ceiling says which.
    assert_eq!(both(view(View::Listed, &["/dev"], None)), list(&["fb0", "video0"]));
    assert_eq!(both(view(View::Whole, &["/"], None)), list(&["fb0", "video0"]));
}

#[test]
fn of_two_roots_only_what_is_of_neither_is_in_both() {
    let list = |names: &[&str]| Some(names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>());
    let view = |root: Option<&str>, read: &[&str], execute: &[&str]| {
        let (read, execute, root) = (list(read), list(execute), root.map(str::to_owned));
        Profile {
            files: Files { view: View::Listed, root, read, execute, ..Files::default() },
            ..Profile::default()
        }
    };
    let own = view(Some("/run/roots/a"), &["/etc", "/etc/hosts", "/var/x"], &["/usr"]);
    let of_device = view(None, &["/etc", "/var"], &["/usr"]);
    for both in [own.within(&of_device), of_device.within(&own)] {
        assert_eq!(both.files.root.as_deref(), Some("/run/roots/a"));
        assert_eq!(both.files.read, list(&["/etc/hosts", "/var/x"]));
        assert_eq!(both.files.execute, list(&[]));
    }
    assert_eq!(own.within(&own).files.execute, list(&["/usr"]));
    let all = Profile::default();
    assert_eq!(own.within(&all).files.execute, list(&["/usr"]), "everything is allowed by that");
    let whole = view(None, &["/"], &["/"]);
    assert_eq!(own.within(&whole).files.execute, list(&[]), "not known to be the same files");
}

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
