//! What the store does while a change copies, puts in order or cleans.

use super::device::{Bench, PLAIN, TRUST, id, key, version, wanted};
use super::plug::Loss;
use crate::store::{Change, Next, Refusal, Store};

const ID: &str = "org.example.notes";
const OTHER: &str = "org.example.other";

/// Notes that have something to save, and another app that nobody has started yet.
fn bench() -> (Bench, Store) {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    bench.install(&mut store, &wanted(OTHER, 1).by(&[2]), TRUST).unwrap();
    store.enrol(&id(ID)).unwrap();
    bench.writes(ID, "one");
    (bench, store)
}

fn update(bench: &Bench, store: &Store) -> Change {
    Change::install(store.intake().prepare(&bench.file(&wanted(ID, 2)), PLAIN).unwrap(), 7)
}

/// A change, with something else done before each of its labours. How many there were.
fn with(
    store: &mut Store,
    change: Change,
    mut meanwhile: impl FnMut(&mut Store),
) -> Result<usize, Refusal> {
    let mut next = store.go_on(change)?;
    let mut labours = 0;
    while let Next::Labour(labour) = next {
        labours += 1;
        meanwhile(store);
        // Elsewhere, and without the store.
        let change = std::thread::spawn(move || labour.run()).join().unwrap();
        next = store.go_on(change)?;
    }
    Ok(labours)
}

#[test]
fn while_data_are_copied_another_app_is_started_and_a_key_trusted() {
    let (bench, mut store) = bench();
    let change = update(&bench, &store);
    let labours = with(&mut store, change, |store| {
        store.enrol(&id(OTHER)).unwrap();
        store.trust(&key(3), true, 8).unwrap();
    });
    assert_eq!(labours, Ok(2), "it copies, and cleans");
    let check = |store: &Store| {
        assert_eq!(version(store, ID).map(|version| version.0), Some(2));
        assert!(store.uid(&id(OTHER)).is_some_and(|uid| Some(uid) != store.uid(&id(ID))));
        assert!(store.keys().contains(&(key(3), false)));
    };
    check(&store);
    check(&bench.open());
    store.rollback(&id(ID), 9).unwrap();
    assert_eq!(bench.data().into_values().collect::<Vec<_>>(), ["one"]);
}

#[test]
fn a_bundle_is_prepared_while_what_another_one_left_is_cleaned() {
    let (bench, mut store) = bench();
    let mut prepared = Vec::new();
    let change = Change::remove(id(ID), false);
    let labours = with(&mut store, change, |store| {
        let third = wanted("org.example.third", 1);
        prepared.push(store.intake().prepare(&bench.file(&third), TRUST).unwrap());
    });
    assert_eq!(labours, Ok(2), "it erases, and cleans");
    store.commit(prepared.remove(0), 8).unwrap();
    assert!(version(&store, "org.example.third").is_some());
}

#[test]
fn what_is_trusted_no_more_once_data_are_copied_is_not_installed() {
    let (bench, mut store) = bench();
    let before = (bench.data(), bench.stored());
    let change = update(&bench, &store);
    let done = with(&mut store, change, |store| {
        // Once the copy is there is too late for nothing.
        let _twice = store.trust(&key(1), false, 8);
    });
    assert!(matches!(done, Err(Refusal::Untrusted(..))), "{done:?}");
    assert_eq!(version(&store, ID).map(|version| version.0), Some(1));
    assert_eq!((bench.data(), bench.stored()), before, "and nothing is left of it");
}

#[test]
fn only_the_last_labour_leaves_the_bundle_to_whoever_starts_it() {
    let (bench, mut store) = bench();
    bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap();
    let mut next = store.go_on(Change::rollback(id(ID), 8)).unwrap();
    let mut cleans = Vec::new();
    while let Next::Labour(labour) = next {
        cleans.push(labour.only_cleans());
        next = store.go_on(labour.run()).unwrap();
    }
    assert_eq!(cleans, [false, true]);
}

#[test]
fn whenever_the_power_goes_while_others_are_started_too_the_old_or_the_new_is_there_whole() {
    let mut after = 0;
    let mut cut = true;
    while cut {
        let (mut bench, mut store) = bench();
        let change = update(&bench, &store);
        bench.plug.pull(after, Loss::Names);
        let done = with(&mut store, change, |store| drop(store.enrol(&id(OTHER))));
        cut = done.is_err() || bench.plug.is_pulled();
        bench.plug.put_back();
        drop(store);
        bench.table = super::plug::Table::default();
        let mut store = bench.open();
        let now = version(&store, ID).map(|version| version.0);
        assert!(now == Some(1) || now == Some(2), "cut after {after}: {now:?}");
        assert!(bench.data().into_values().eq(["one".to_owned()]), "cut after {after}");
        assert!(version(&store, OTHER).is_some(), "cut after {after}");
        store.enrol(&id(OTHER)).unwrap();
        if now == Some(2) {
            store.rollback(&id(ID), 9).unwrap();
            assert!(bench.data().into_values().eq(["one".to_owned()]), "cut after {after}");
        }
        after += 1;
    }
    assert!(after > 20, "{after}");
}
