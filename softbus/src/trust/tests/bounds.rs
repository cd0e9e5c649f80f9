//! What others may send: its sizes, and what is refused.

use super::*;

#[test]
fn the_longest_entry_fits() {
    let one = founder();
    let longest = Card {
        name: name(&"n".repeat(MAX_NAME)),
        form: Form::new(&"f".repeat(MAX_FORM)).unwrap(),
        level: Level::Owner,
        label: Label::SL5,
    };
    let far = Author { device: id(2), life: u32::MAX };
    let last = one.last(1, 1).unwrap().id();
    let place = Place {
        author: Author { life: u32::MAX, ..far },
        number: u64::MAX,
        before: Some(last),
        clock: u64::MAX,
    };
    for what in [
        What::Found { nonce: [0xff; 16], card: longest.clone() },
        What::Add { who: far, card: longest.clone() },
        What::Remove { who: far, last: Some(last) },
        What::Level { who: far, level: Level::Owner, last: Some(last) },
        What::Name { device: id(2), name: longest.name },
        What::Label { device: id(2), label: Label::SL5 },
    ] {
        let entry = Entry::sign(&key(2), one.log.group(), place, &what).unwrap();
        assert!(entry.as_bytes().len() <= 384, "a quarter of an entry is left for newer versions");
        assert_eq!(Entry::from_bytes(entry.as_bytes()).unwrap(), entry);
    }
}

#[test]
fn a_log_that_knows_all_authors_says_so_in_a_message() {
    let seen = Seen::most();
    assert!(
        postcard::to_stdvec(&seen).unwrap().len() < 63 << 10,
        "a message of a session has 64 KiB"
    );
    assert!(seen.is_bounded());
}

#[test]
fn what_is_not_signed_by_its_author_is_refused() {
    let mut one = founder();
    let good = one
        .log
        .author(&one.key, &Change::Name { device: id(1), name: name("x") })
        .unwrap()
        .remove(0);
    for at in 0..good.as_bytes().len() {
        let mut bytes = good.as_bytes().to_vec();
        bytes[at] ^= 1;
        let Ok(entry) = Entry::from_bytes(&bytes) else { continue };
        assert!(
            !matches!(one.log.merge(vec![entry]), Ok(changed) if changed.added > 0),
            "byte {at}"
        );
    }
    assert_eq!(one.log.merge(vec![good]).unwrap().added, 1);
}

#[test]
fn entries_of_another_group_are_refused() {
    let mut one = founder();
    let other = Log::found(&key(2), card("two", Level::Owner), [7; 16]).unwrap();
    assert_eq!(one.log.merge(other.all()), Err(Refused::OtherGroup));
}

#[test]
fn nobody_else_founds_a_group() {
    let one = founder();
    let group = one.log.group();
    let place =
        Place { author: Author { device: id(2), life: 1 }, number: 1, before: None, clock: 1 };
    for nonce in [[7; 16], [8; 16]] {
        let what = What::Found { nonce, card: card("two", Level::Owner) };
        let entry = Entry::sign(&key(2), group, place, &what).unwrap();
        assert_eq!(one.log.clone().merge(vec![entry]), Err(Refused::Misplaced));
    }
}

#[test]
fn an_entry_waits_for_what_it_stands_on() {
    let mut one = founder();
    let two = one.adds(2, Level::Member);
    let name = one.says(&Change::Name { device: id(2), name: name("x") });
    let mut late = Log::new(one.log.group());
    assert_eq!(late.merge(name).unwrap(), Changed { left: 1, ..Changed::default() });
    // A stranger's entry has no beginning here: it is left out, and its signature not even looked at.
    let stranger = two.forges(3, None, 1, &What::Name { device: id(2), name: self::name("y") });
    assert_eq!(one.log.merge(vec![stranger]).unwrap().left, 1);
    late.merge(one.log.all().into_iter().rev().collect()).unwrap();
    assert_eq!(late.members(), one.log.members());
}

#[test]
fn an_entry_out_of_its_place_is_refused() {
    let mut one = founder();
    let two = one.adds(2, Level::Member);
    let first = one.log.all().remove(0);
    let own = What::Name { device: id(1), name: name("x") };
    // After an entry with a later clock; after another's entry; with a number that does not follow.
    let back = one.forges(1, one.last(1, 1), 1, &own);
    assert_eq!(one.log.merge(vec![back]), Err(Refused::Misplaced));
    let foreign = two.forges(1, Some(&first), 9, &own);
    assert_eq!(one.log.merge(vec![foreign]), Err(Refused::Misplaced));
    let end = one.forges(1, one.last(1, 1), u64::MAX, &own);
    assert_eq!(one.log.merge(vec![end]), Err(Refused::Misplaced));
    // A removal up to an entry that is somebody else's.
    let what = What::Remove { who: Author { device: id(2), life: 1 }, last: Some(first.id()) };
    let wrong = one.forges(1, one.last(1, 1), 9, &what);
    assert_eq!(one.log.merge(vec![wrong]), Err(Refused::Misplaced));
}

#[test]
fn one_author_cannot_fill_a_group() {
    let mut one = founder();
    one.adds(2, Level::Member);
    let mut log = one.log.clone();
    let two = Device { key: key(2), log: one.log };
    let mut entries: Vec<Entry> = Vec::new();
    for number in 0..MAX_AUTHOR_ENTRIES + 10 {
        let what = What::Name { device: id(2), name: name("x") };
        let clock = u64::try_from(number).unwrap() + 10;
        let entry = two.forges(1, entries.last(), clock, &what);
        entries.push(entry);
    }
    let changed = log.merge(entries).unwrap();
    assert_eq!((changed.added, changed.left), (MAX_AUTHOR_ENTRIES, 10));
    let device = Device { key: key(1), log };
    assert!(device.log.author(&device.key, &Change::Remove(id(2))).is_ok(), "others go on");
}

#[test]
fn a_file_is_read_back_and_a_damaged_one_refused() {
    let mut one = founder();
    one.adds(2, Level::Owner);
    one.says(&Change::Remove(id(2)));
    let bytes = one.log.to_bytes();
    let read = Log::from_bytes(&bytes).unwrap();
    assert_eq!(
        (read.members(), read.seen(), read.group()),
        (one.log.members(), one.log.seen(), one.log.group())
    );
    for end in 0..bytes.len() {
        // Cut between two entries it is an older state, as a disk that lost the newest would have it.
        let cut = Log::from_bytes(&bytes[..end]);
        assert!(cut.is_err() || cut.unwrap().len() < read.len(), "cut at {end}");
    }
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x40;
        assert!(Log::from_bytes(&bytes).is_err(), "byte {at}");
    }
}

#[test]
fn a_thousand_devices_and_no_more() {
    let mut one = founder();
    let mut place = one.log.next(Author { device: id(1), life: 1 }).unwrap();
    let mut entries = Vec::new();
    for number in 1..MAX_DEVICES {
        let device =
            DeviceId(std::array::from_fn(|at| number.to_le_bytes().get(at).copied().unwrap_or(9)));
        let what = What::Add { who: Author { device, life: 1 }, card: card("tv", Level::Member) };
        let entry = Entry::sign(&one.key, one.log.group(), place, &what).unwrap();
        place = Place {
            number: place.number + 1,
            before: Some(entry.id()),
            clock: place.clock + 1,
            ..place
        };
        entries.push(entry);
    }
    one.log.merge(entries).unwrap();
    assert_eq!(one.log.members().len(), MAX_DEVICES);
    assert!(one.log.members().named(&format!("tv-{}", MAX_DEVICES - 1)).is_some());
    let more = Change::Add { device: id(2), card: card("x", Level::Member) };
    assert_eq!(one.log.author(&one.key, &more), Err(Refused::Full));
    assert!(one.log.to_bytes().len() < MAX_FILE);
}
