//! What a store says, and what is made of it on the way.

use crate::shop::{Device, Shop, key};
use proptest::prelude::*;
use tuf::{Draft, MAX_ROOTS, Refused, Role, Time, pointed};

fn opened() -> (Shop, Device) {
    let mut shop = Shop::open();
    shop.apps = vec!["a", "b"];
    shop.publish();
    let device = Device::of(&shop);
    (shop, device)
}

#[test]
fn a_device_sees_what_was_published_and_asks_for_no_more_than_is_new() {
    let (mut shop, mut device) = opened();
    assert_eq!(device.ask(&mut shop), Ok(vec!["a".into(), "b".into()]));
    assert_eq!(shop.asked, ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"]);
    assert_eq!(device.ask(&mut shop), Ok(vec!["a".into(), "b".into()]));
    assert_eq!(shop.asked, ["2.root.json", "timestamp.json"]);
    shop.apps.push("c");
    shop.publish();
    assert_eq!(device.known().unwrap().len(), 2, "what is known needs no store");
    assert_eq!(device.ask(&mut shop).unwrap().len(), 3);
}

#[test]
fn what_was_not_renewed_has_expired_and_the_first_to_expire_is_named() {
    let (mut shop, mut device) = opened();
    let made = shop.now;
    shop.now = made.after(13);
    device.ask(&mut shop).unwrap();
    for (days, file) in [(14, "timestamp.json"), (400, "root.json")] {
        shop.now = made.after(days);
        let why = device.ask(&mut shop).unwrap_err();
        assert!(matches!(&why, Refused::Expired { file: f, .. } if f == file), "{why}");
    }
    // A newer one that has expired is not kept: what is known counts for as long as it did.
    shop.now = made;
    shop.publish();
    let newer = shop.files["timestamp.json"].clone();
    shop.now = made.after(20);
    assert!(device.ask(&mut shop).is_err());
    assert_ne!(device.kept["timestamp"], newer);
    let trusted = tuf::known(&device).unwrap();
    assert_eq!(trusted.fresh(made.after(13)), Ok(()));
    assert!(trusted.fresh(made.after(14)).is_err(), "what was kept expires too");
}

#[test]
fn an_old_state_is_not_shown_to_who_has_seen_a_newer_one() {
    let (mut shop, mut device) = opened();
    let mut before = shop.clone();
    shop.apps.push("c");
    shop.publish();
    device.ask(&mut shop).unwrap();
    let why = device.ask(&mut before).unwrap_err();
    assert_eq!(
        why.to_string(),
        "timestamp.json was rolled back: it is version 2, and 3 was there before"
    );

    // Whoever has the key of timestamps alone can't go back either.
    let bytes = shop.files["2.snapshot.json"].clone();
    let draft = Draft::timestamp(9, shop.now.after(9), &pointed(2, &bytes));
    shop.put("timestamp.json", &draft, &[4]);
    let why = device.ask(&mut shop).unwrap_err();
    assert!(matches!(why, Refused::RolledBack { .. }), "{why}");

    // Nor with those of timestamps and snapshots.
    let bytes = shop.files["2.targets.json"].clone();
    shop.point(2, &bytes);
    shop.point(2, &bytes);
    let why = device.ask(&mut shop).unwrap_err();
    assert!(matches!(why, Refused::RolledBack { .. }), "{why}");
    assert_eq!(device.known().unwrap().len(), 3);
}

#[test]
fn parts_of_different_states_are_not_mixed() {
    let (mut shop, mut device) = opened();
    let old = shop.files["2.targets.json"].clone();
    shop.apps = vec!["b", "c"];
    shop.publish();
    shop.files.insert("3.targets.json".into(), old);
    let why = device.ask(&mut shop).unwrap_err();
    assert!(matches!(&why, Refused::Mixed { file, .. } if file == "3.targets.json"), "{why}");
    let old = shop.files["2.snapshot.json"].clone();
    shop.files.insert("3.snapshot.json".into(), old);
    let why = device.ask(&mut shop).unwrap_err();
    assert!(matches!(&why, Refused::Mixed { file, .. } if file == "3.snapshot.json"), "{why}");
}

#[test]
fn a_signature_by_anybody_else_counts_for_nothing() {
    for role in [Role::Targets, Role::Snapshot, Role::Timestamp] {
        let (mut shop, mut device) = opened();
        shop.keys.insert(role, 9);
        shop.publish();
        let why = device.ask(&mut shop).unwrap_err();
        let Refused::Unsigned { file, have: 0, need: 1 } = &why else { panic!("{why}") };
        assert!(file.ends_with(role.file()), "{why}");
    }
    // The key of one role is not that of another.
    let (mut shop, mut device) = opened();
    shop.keys.insert(Role::Targets, 4);
    shop.publish();
    assert!(device.ask(&mut shop).is_err());
}

#[test]
fn one_key_under_two_names_is_one_key() {
    let (mut shop, _) = opened();
    let text = String::from_utf8(shop.files["1.root.json"].clone()).unwrap();
    let mut root: serde_json::Value = serde_json::from_str(&text).unwrap();
    let id = key(1).public().id();
    let signed = &mut root["signed"];
    signed["keys"]["again"] = signed["keys"][&id].clone();
    signed["roles"]["root"] = serde_json::json!({ "keyids": [id, "again"], "threshold": 2 });
    let bytes = tuf::sign_again(&serde_json::to_vec(&root).unwrap(), &[&key(1)]).unwrap();
    let mut root: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let mut again = root["signatures"][0].clone();
    again["keyid"] = "again".into();
    root["signatures"].as_array_mut().unwrap().push(again);
    shop.files.insert("1.root.json".into(), serde_json::to_vec(&root).unwrap());
    let why = Device::of(&shop).ask(&mut shop).unwrap_err();
    assert!(matches!(why, Refused::Unsigned { have: 1, need: 2, .. }), "{why}");
}

#[test]
fn keys_are_replaced_by_a_root_that_the_old_keys_sign() {
    let (mut shop, mut device) = opened();
    device.ask(&mut shop).unwrap();
    // Every key is another one, and the versions of all begin anew: nothing of before binds.
    shop.keys = (11..).zip(Role::ALL).map(|(number, role)| (role, number)).collect();
    shop.root(&[1, 11]);
    shop.versions.retain(|role, _| *role == Role::Root);
    shop.apps = vec!["z"];
    shop.publish();
    assert_eq!(device.ask(&mut shop), Ok(vec!["z".into()]));
    assert_eq!(device.known(), Ok(vec!["z".into()]));
    // From the first root on too.
    assert_eq!(Device::of(&shop).ask(&mut shop), Ok(vec!["z".into()]));
    // Who has only the old ones now can't do anything.
    shop.keys.insert(Role::Root, 1);
    shop.root(&[1]);
    assert!(matches!(device.ask(&mut shop), Err(Refused::Unsigned { .. })));
}

#[test]
fn a_root_that_only_one_side_signs_is_none() {
    for by in [&[1][..], &[11], &[]] {
        let (mut shop, mut device) = opened();
        shop.keys.insert(Role::Root, 11);
        shop.root(by);
        let why = device.ask(&mut shop).unwrap_err();
        assert!(matches!(why, Refused::Unsigned { .. }), "{by:?}: {why}");
    }
}

#[test]
fn a_root_in_anothers_place_is_none() {
    let (mut shop, mut device) = opened();
    shop.root(&[1]);
    shop.root(&[1]);
    let third = shop.files["3.root.json"].clone();
    shop.files.insert("2.root.json".into(), third);
    assert!(matches!(device.ask(&mut shop), Err(Refused::Mixed { .. })));
    let first = shop.files["1.root.json"].clone();
    shop.files.insert("2.root.json".into(), first);
    assert!(matches!(device.ask(&mut shop), Err(Refused::RolledBack { .. })));
}

#[test]
fn what_does_not_end_is_not_read_to_its_end() {
    let (mut shop, mut device) = opened();
    for file in ["timestamp.json", "2.snapshot.json", "2.targets.json", "2.root.json"] {
        let mut shop = shop.clone();
        shop.files.insert(file.into(), vec![b' '; 9_000_000]);
        let why = device.clone().ask(&mut shop).unwrap_err();
        assert!(matches!(&why, Refused::TooLong { file: f, .. } if f == file), "{why}");
    }
    for _ in 0..MAX_ROOTS {
        shop.root(&[1]);
    }
    assert!(matches!(device.ask(&mut shop), Err(Refused::Failed(_))));
    assert!(device.ask(&mut shop).is_ok(), "those that were followed are known by now");
}

#[test]
fn what_is_missing_is_named() {
    let (mut shop, mut device) = opened();
    shop.files.remove("2.snapshot.json");
    let why = device.ask(&mut shop).unwrap_err();
    assert_eq!(why.to_string(), "2.snapshot.json is not there");
    assert!(matches!(device.known(), Err(Refused::Missing { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is changed in a file, the device sees what was published or nothing.
    #[test]
    fn a_flipped_bit_is_never_believed(
        file in 0..4_usize, at in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let (mut shop, mut device) = opened();
        let file = ["1.root.json", "2.targets.json", "2.snapshot.json", "timestamp.json"][file];
        let bytes = shop.files.get_mut(file).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if file == "1.root.json" {
            device = Device::of(&shop);
        }
        if let Ok(seen) = device.ask(&mut shop) {
            prop_assert_eq!(seen, vec!["a".to_owned(), "b".to_owned()]);
        }
    }

    #[test]
    fn any_bytes_are_metadata_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _any = tuf::Trusted::begin(&bytes);
    }

    #[test]
    fn versions_never_go_back(states in prop::collection::vec(0..6_usize, 1..12)) {
        let mut all = vec![Shop::open()];
        for _ in 0..5 {
            let mut next = all.last().unwrap().clone();
            next.publish();
            all.push(next);
        }
        let mut device = Device::of(&all[0]);
        let mut highest = 0;
        for state in states {
            let answer = device.ask(&mut all[state]);
            prop_assert_eq!(answer.is_ok(), state >= highest);
            highest = highest.max(state);
        }
    }
}

#[test]
fn a_time_is_the_first_that_expires() {
    let (mut shop, mut device) = opened();
    device.ask(&mut shop).unwrap();
    let (at, role) = tuf::known(&device).unwrap().expires();
    assert_eq!((at, role), (Time::parse("2026-01-15T00:00:00Z").unwrap(), Role::Timestamp));
}
