use std::collections::{BTreeMap, BTreeSet};

use bundle::Digest;
use model::Name;
use model::bundle::{APP_IDS, BundleId, Version};
use proptest::prelude::*;

use super::{Admission, Generation, MAX_KEYS, Offer, Shipped, Unfinished};
use crate::permission::{Decision, Verdict};
use crate::store::key::Key;

fn id(text: &str) -> BundleId {
    BundleId::try_from(text).unwrap()
}

fn key(number: usize) -> Key {
    let letters: String = format!("{number:043}");
    let digits = letters.replace(|c: char| !c.is_ascii_digit(), "0");
    Key::try_from(format!("ed25519:{}A=", &digits[1..]).as_str()).unwrap()
}

fn offer(of: &str, version: u32, content: u8, signers: &[usize]) -> Offer {
    Offer {
        id: id(of),
        version: Version(version, 0, 0),
        digest: Digest::new([content; 32]),
        size: 4096,
        signers: signers.iter().map(|number| key(*number)).collect(),
    }
}

fn with(offers: &[(Offer, Option<u64>)]) -> Generation {
    let mut all = Generation::default();
    for (offer, saved) in offers {
        all.admit(offer, None, true).unwrap();
        all.install(offer, None, &offer.signers[0], 7, *saved).unwrap();
    }
    all
}

fn shipped(version: u32) -> Shipped {
    Shipped { version: Version(version, 0, 0), size: 8192, keys: vec![key(9)] }
}

#[test]
fn the_file_says_what_is_installed_in_words() {
    let mut all = with(&[
        (offer("org.example.notes", 1, 1, &[1]), None),
        (offer("org.example.notes", 2, 2, &[1, 2]), Some(5)),
        (offer("org.example.clock", 1, 3, &[2]), None),
    ]);
    all.trust(&key(1), 7).unwrap();
    let decision = Decision { verdict: Verdict::Granted, by: 0, at: 8 };
    let camera = Name::try_from("camera").unwrap();
    all.decisions.set(&id("org.example.notes"), &camera, decision).unwrap();
    all.remove(&id("org.example.clock"), false, false).unwrap();
    let text = all.print();
    let short = |line: &str| {
        let (line, _) = line.rsplit_once(' ').unwrap();
        let one = format!("ed25519:{}", "0".repeat(41) + "1A=");
        line.replace(&"01".repeat(32), "ONE").replace(&"02".repeat(32), "TWO").replace(&one, "KEY")
    };
    assert_eq!(
        text.lines().skip(1).map(short).collect::<Vec<_>>(),
        [
            "users 10002",
            "bundle org.example.notes 2.0.0 TWO 4096 7",
            "previous org.example.notes 1.0.0 ONE 4096 5",
            "user org.example.notes 10000 KEY",
            "key KEY 7",
            "decision org.example.notes camera granted 0 8",
            "erase org.example.clock",
            "end 7",
        ]
    );
    assert_eq!(Generation::parse(text.as_bytes(), None), (all, vec![]));
}

#[test]
fn nothing_there_is_an_empty_generation() {
    assert_eq!(Generation::parse(b"", None), (Generation::default(), vec![]));
}

#[test]
fn a_first_installation_an_update_and_the_same_again_are_told_apart() {
    let mut all = Generation::default();
    let first = offer("org.a", 1, 1, &[1]);
    assert_eq!(all.admit(&first, None, false), Ok(Admission::First));
    assert_eq!(all.install(&first, None, &key(1), 0, None), Ok(*APP_IDS.start()));
    assert_eq!(all.admit(&first, None, false), Ok(Admission::There));
    let update = offer("org.a", 2, 2, &[1]);
    assert_eq!(all.admit(&update, None, false), Ok(Admission::Over(Version(1, 0, 0))));
    assert_eq!(all.install(&update, None, &key(1), 0, None), Ok(*APP_IDS.start()));
}

#[test]
fn what_must_not_take_the_place_of_a_version_is_refused_with_a_way_out() {
    let all = with(&[(offer("org.a", 2, 2, &[1]), None)]);
    let why = |offer: &Offer| all.admit(offer, None, false).unwrap_err();
    assert!(why(&offer("org.a", 2, 3, &[1])).contains("a changed bundle needs a higher version"));
    assert!(why(&offer("org.a", 1, 1, &[1])).contains("with --downgrade"));
    assert!(why(&offer("org.a", 3, 3, &[2])).contains("an update must be by the same maker"));
    assert!(why(&offer("org.a", 3, 3, &[])).contains("an update must be by the same maker"));
    let older = offer("org.a", 1, 1, &[2, 1]);
    assert_eq!(all.admit(&older, None, true), Ok(Admission::Over(Version(2, 0, 0))));
}

#[test]
fn an_update_of_what_the_image_brought_is_signed_by_its_makers_and_can_go() {
    let mut all = Generation::default();
    let image = shipped(1);
    let foreign = offer("org.a", 2, 2, &[1]);
    assert!(all.admit(&foreign, Some(&image), false).unwrap_err().contains("came with the device"));
    assert!(all.remove(&id("org.a"), true, false).unwrap_err().contains("part of the device"));
    let update = offer("org.a", 2, 2, &[9]);
    assert_eq!(all.admit(&update, Some(&image), false), Ok(Admission::Over(Version(1, 0, 0))));
    all.install(&update, Some(&image), &key(9), 0, Some(3)).unwrap();
    let back = all.rollback(&id("org.a"), 1).unwrap();
    assert_eq!((back.digest, back.saved), (None, Some(3)));
    assert_eq!(all.bundle(&id("org.a")), None);
    assert_eq!(all.user(&id("org.a")).unwrap().key, None);
    assert_eq!(all.unfinished()[&id("org.a")], Unfinished::Restore(3));
    // An image without it: its data are for nobody else.
    assert!(all.admit(&foreign, None, false).unwrap_err().contains("erase them"));
}

#[test]
fn back_to_the_version_before_and_no_further() {
    let mut all =
        with(&[(offer("org.a", 1, 1, &[1]), None), (offer("org.a", 2, 2, &[1]), Some(4))]);
    assert_eq!(all.contents(), BTreeSet::from([Digest::new([1; 32]), Digest::new([2; 32])]));
    assert_eq!(all.saved(), BTreeSet::from([4]));
    all.rollback(&id("org.a"), 9).unwrap();
    assert_eq!(all.contents(), BTreeSet::from([Digest::new([1; 32])]));
    assert_eq!(all.saved(), BTreeSet::from([4]), "until they are in place");
    all.finish(&id("org.a"));
    assert!(all.saved().is_empty());
    assert!(all.rollback(&id("org.a"), 9).unwrap_err().contains("no version"));
}

#[test]
fn data_that_were_kept_wait_for_their_maker() {
    let mut all = with(&[(offer("org.a", 1, 1, &[1]), None)]);
    all.remove(&id("org.a"), false, true).unwrap();
    assert!(all.unfinished().is_empty());
    let stranger = offer("org.a", 9, 9, &[2]);
    assert!(all.admit(&stranger, None, false).unwrap_err().contains("data of org.a were kept"));
    let own = offer("org.a", 1, 1, &[1]);
    assert_eq!(all.admit(&own, None, false), Ok(Admission::First));
    assert_eq!(all.install(&own, None, &key(1), 0, None), Ok(*APP_IDS.start()), "the same user");
    all.remove(&id("org.a"), false, true).unwrap();
    assert!(all.remove(&id("org.a"), false, true).unwrap_err().contains("only its data"));
    all.remove(&id("org.a"), false, false).unwrap();
    assert_eq!(all.unfinished()[&id("org.a")], Unfinished::Erase);
    assert_eq!(all.admit(&stranger, None, false), Ok(Admission::First));
    assert_eq!(all.install(&stranger, None, &key(2), 0, None), Ok(*APP_IDS.start() + 1), "another");
}

#[test]
fn when_all_users_were_given_nothing_more_is_installed() {
    let mut all = Generation { next: *APP_IDS.end(), ..Generation::default() };
    all.install(&offer("org.a", 1, 1, &[1]), None, &key(1), 0, None).unwrap();
    let why = all.admit(&offer("org.b", 1, 1, &[1]), None, false).unwrap_err();
    assert!(why.contains("none is ever given twice"), "{why}");
}

#[test]
fn trust_has_a_limit_and_its_loss_names_what_it_concerns() {
    let mut all = with(&[(offer("org.a", 1, 1, &[1]), None)]);
    for number in 1..=MAX_KEYS {
        all.trust(&key(number), 0).unwrap();
    }
    all.trust(&key(1), 5).unwrap();
    assert!(all.trust(&key(MAX_KEYS + 1), 0).is_err());
    assert_eq!(all.distrust(&key(1)), Ok(vec![id("org.a")]));
    assert!(all.distrust(&key(1)).is_err());
}

#[test]
fn lines_of_a_later_version_are_kept_and_damaged_ones_lose_only_themselves() {
    let all = with(&[(offer("org.a", 1, 1, &[1]), None), (offer("org.b", 1, 2, &[1]), None)]);
    let mut later = all.clone();
    later.foreign.push("theme org.a dark".to_owned());
    let text = later.print();
    assert_eq!(Generation::parse(text.as_bytes(), None), (later.clone(), vec![]));
    let text = text.replace("user org.a 10000", "user org.a 10007").replace("users", "ursers");
    let (read, wrong) = Generation::parse(text.as_bytes(), Some(10_020));
    assert_eq!(
        wrong,
        [
            "line 2 is damaged: what it said is forgotten",
            "line 5 is damaged: what it said is forgotten",
            "the user of org.a is not known any more: install it again",
        ]
    );
    assert_eq!(read.next, 10_021);
    assert!(read.bundle(&id("org.a")).is_none() && read.bundle(&id("org.b")).is_some());
    let cut: String = all.print().lines().take(3).map(|line| format!("{line}\n")).collect();
    assert!(Generation::parse(cut.as_bytes(), None).1.iter().any(|why| why.contains("missing")));
}

/// What happens to a device.
#[derive(Debug, Clone)]
enum Step {
    Install { bundle: usize, version: u32, key: usize, downgrade: bool },
    Remove { bundle: usize, keep: bool },
    Rollback(usize),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 1..4_u32, 1..3_usize, any::<bool>())
            .prop_map(|(bundle, version, key, downgrade)| Step::Install { bundle, version, key, downgrade }),
        2 => (0..3_usize, any::<bool>()).prop_map(|(bundle, keep)| Step::Remove { bundle, keep }),
        2 => (0..3_usize).prop_map(Step::Rollback),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn whatever_is_installed_and_removed_no_user_is_given_twice_and_no_key_gets_anothers_data(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let ids = ["org.a", "org.b", "org.c"];
        let mut all = Generation::default();
        // Who ever had a user, and under which key the data of now were made.
        let mut given: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Install { bundle, version, key: by, downgrade } => {
                    let content = u8::try_from(version * 10).unwrap() + u8::try_from(by).unwrap();
                    let offer = offer(ids[bundle], version, content, &[by]);
                    let before = all.bundle(&offer.id).map(|here| here.version);
                    match all.admit(&offer, None, downgrade) {
                        Ok(Admission::First | Admission::Over(_)) => {
                            prop_assert!(downgrade || before.is_none_or(|old| old < offer.version));
                            let uid = all.install(&offer, None, &key(by), 0, None).unwrap();
                            prop_assert!(APP_IDS.contains(&uid));
                            let owner = given.entry(uid).or_insert((bundle, by));
                            prop_assert_eq!(*owner, (bundle, by));
                        }
                        Ok(Admission::There) | Err(_) => {}
                    }
                }
                Step::Remove { bundle, keep } => {
                    let _nothing_there = all.remove(&id(ids[bundle]), false, keep);
                }
                Step::Rollback(bundle) => {
                    let _nothing_before = all.rollback(&id(ids[bundle]), 0);
                }
                Step::Restart => {
                    let (read, wrong) = Generation::parse(all.print().as_bytes(), None);
                    prop_assert_eq!(&read, &all);
                    prop_assert!(wrong.is_empty());
                }
            }
            let uids: BTreeSet<u32> = all.users.values().map(|user| user.uid).collect();
            prop_assert_eq!(uids.len(), all.users.len());
            prop_assert!(uids.iter().all(|uid| *uid < all.next));
            for (of, _) in all.bundles() {
                prop_assert!(all.user(of).is_some_and(|user| user.key.is_some()));
            }
        }
    }

    #[test]
    fn one_flipped_bit_is_noticed_and_gives_nothing_that_was_not_there(
        at in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        let all = with(&[
            (offer("org.a", 1, 1, &[1]), None),
            (offer("org.a", 2, 2, &[1]), Some(5)),
            (offer("org.b", 1, 3, &[2]), None),
        ]);
        let mut bytes = all.print().into_bytes();
        let head = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let at = head + at.index(bytes.len() - head);
        bytes[at] ^= 1 << bit;
        let (read, _) = Generation::parse(&bytes, None);
        prop_assert!(read.next >= 10_002 || read.users.len() < 2);
        for (of, bundle) in read.bundles() {
            let known = all.bundle(of).unwrap();
            prop_assert_eq!((bundle.version, bundle.digest), (known.version, known.digest));
            prop_assert_eq!(read.user(of), all.user(of));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Generation::parse(&bytes, None);
    }
}
