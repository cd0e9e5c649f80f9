use super::*;

/// `CLONE_NEWNET`.
const NETWORK: u64 = 0x4000_0000;

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn with_network() -> Arc<Confine> {
    Arc::new(Confine { namespaces: NETWORK, ..Confine::default() })
}

#[test]
fn for_what_started_once_nothing_is_made_and_for_what_started_twice_only_when_nothing_starts() {
    let (mut all, [a, b]) = (Spares::default(), [(); 2].map(|()| Arc::default()));
    all.started(&a);
    assert_eq!(all.wait(at(0)), None);
    all.started(&a);
    assert_eq!(all.wait(at(100)), Some(REST));
    assert_eq!(all.wait(at(400)), Some(at(200)));
    all.started(&b);
    assert_eq!(all.wait(at(450)), Some(REST), "another start puts it off");
}

#[test]
fn what_can_t_be_made_is_not_tried_again_before_it_starts_again() {
    let (mut all, a) = (Spares::default(), Arc::default());
    all.started(&a);
    all.started(&a);
    all.make();
    assert_eq!(all.wait(at(0)), None, "a confinement of nothing needs nothing ahead");
    assert!(!all.take(&a).has_mounts());
    all.started(&a);
    assert!(all.wait(at(0)).is_some());
}

#[test]
fn nothing_is_wanted_for_any_but_the_newest() {
    let (mut all, every) = (Spares::default(), [(); 40].map(|()| Arc::default()));
    every.iter().chain(&every[20..]).for_each(|confine| all.started(confine));
    assert_eq!(all.all.len(), MOST_KNOWN);
    (0..=MOST).for_each(|_| all.make());
    assert_eq!(all.wait(at(0)), None);
    assert_eq!(all.all.iter().filter(|spare| spare.vain).count(), MOST);
}

#[test]
fn what_is_armed_is_expected_before_its_first_start_and_not_while_it_runs() {
    let (mut all, a, b) = (Spares::default(), Arc::default(), Arc::default());
    all.arms();
    assert_eq!(all.wait(at(0)), Some(REST), "it is looked which are armed");
    all.expect(&[Arc::clone(&a), Arc::clone(&b)]);
    assert!(all.hopes().all(Spare::wanted) && all.hopes().count() == 2);
    (0..2).for_each(|_| all.make());
    assert_eq!(all.wait(at(0)), None);
    all.started(&a);
    assert!(all.changed, "it may be armed no longer");
    all.expect(&[b]);
    assert_eq!(all.hopes().count(), 1, "it started once, and does not wait");
}

#[test]
fn networks_are_made_for_whoever_is_next_once_a_profile_is_known_that_has_an_empty_one() {
    let (mut all, a) = (Spares::default(), with_network());
    all.started(&Arc::default());
    assert_eq!(all.wait(at(0)), None, "nobody may want one");
    all.started(&with_network());
    assert_eq!(all.wait(at(0)), Some(REST), "it is known");
    all.make();
    let able = !all.no_networks;
    (0..=NETWORKS).for_each(|_| all.make());
    assert_eq!(all.wait(at(0)), None, "made, or not possible on this machine");
    assert_eq!(all.networks.len(), if able { NETWORKS } else { 0 });
    assert_eq!(all.take(&a).has_network(), able, "it is for everybody");
    assert!(!all.take(&Arc::default()).has_network(), "but not for who has another");
    assert_eq!(all.lacks_network(), able, "another takes its place");
}

#[test]
fn which_profiles_there_are_is_looked_at_once_there_is_time() {
    let mut all = Spares::new();
    assert_eq!(all.wait(at(0)), Some(REST));
    all.expect(&[]);
    assert_eq!(all.wait(at(0)), None);
}

#[test]
fn what_is_foreseen_is_made_before_its_first_start_and_then_it_is_as_any_other() {
    let (mut all, a) = (Spares::default(), Arc::default());
    (0..2).for_each(|_| all.foresee(&a));
    assert_eq!((all.wait(at(0)), all.hopes().count()), (Some(REST), 1));
    all.make();
    assert_eq!(all.wait(at(0)), None);
    all.started(&a);
    assert_eq!(all.hopes().count(), 0, "it started once");
    all.foresee(&a);
    assert_eq!(all.hopes().count(), 0, "who starts it again is heard of then");
}

#[test]
fn of_a_tree_that_is_to_be_free_nothing_is_kept_and_the_others_stay() {
    let c = |text: &str| std::ffi::CString::new(text).unwrap();
    let show = |tree: &str| {
        let (path, target) = (c(tree), c(&format!("/run/ensemble/root{tree}")));
        sys::confine::Mount::Show { path, target, attributes: 0 }
    };
    let shows = |tree| Arc::new(Confine { mounts: vec![show(tree)], ..Confine::default() });
    let mut all = Spares::default();
    let [one, other, keeper] =
        ["/var/lib/apps/a/el2", "/var/lib/apps/b/el2", "/var/lib/apps"].map(shows);
    all.foresee(&one);
    all.foresee(&other);
    // It started again and again, and shows the tree as a whole.
    (0..2).for_each(|_| all.started(&keeper));
    all.let_go(b"/var/lib/apps/a");
    assert_eq!(all.hopes().count(), 2);
    all.let_go(b"/var/lib/apps");
    assert!(all.hopes().all(|spare| Arc::ptr_eq(&spare.confine, &keeper)));
    assert_eq!(all.hopes().count(), 1);
    // Once more it is as one that was never there.
    all.started(&other);
    assert_eq!(all.hopes().count(), 1);
    all.foresee(&one);
    assert_eq!(all.hopes().count(), 2);
}
