//! What becomes of a group, told.

use super::*;

fn remove(number: u8) -> Change {
    Change::Remove(id(number))
}

fn level(number: u8, level: Level) -> Change {
    Change::Level { device: id(number), level }
}

fn rename(number: u8, text: &str) -> Change {
    Change::Name { device: id(number), name: name(text) }
}

#[test]
fn what_an_owner_says_holds_on_every_member() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Member);
    one.says(&rename(2, "kitchen"));
    one.says(&Change::Label { device: id(2), label: Label::SL1 });
    one.adds(3, Level::Guest);
    meet(&mut one, &mut two);
    assert_eq!(two.members(), ["kitchen member", "one owner", "three guest"]);
    assert_eq!(two.log.members().get(&id(2)).unwrap().label, Label::SL1);
    assert_eq!(two.log.members().get(&id(3)).unwrap().by, id(1));
}

#[test]
fn a_member_names_itself_and_changes_nothing_else() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Member);
    for change in [
        rename(1, "x"),
        remove(1),
        level(2, Level::Owner),
        Change::Add { device: id(3), card: card("x", Level::Guest) },
    ] {
        assert_eq!(two.log.author(&two.key, &change), Err(Refused::NotOwner));
    }
    two.says(&rename(2, "sofa"));
    // What it signs all the same is held, and counts nowhere.
    let what =
        What::Level { who: Author { device: id(2), life: 1 }, level: Level::Owner, last: None };
    let forged = two.forges(1, two.last(2, 1), 9, &what);
    two.log.merge(vec![forged]).unwrap();
    meet(&mut one, &mut two);
    assert_eq!(one.members(), ["one owner", "sofa member"]);
}

#[test]
fn the_name_given_last_counts() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Member);
    two.says(&rename(2, "sofa"));
    meet(&mut one, &mut two);
    one.says(&rename(2, "wall"));
    two.tells(&mut one);
    assert_eq!(one.members(), ["one owner", "wall member"]);
    meet(&mut one, &mut two);
    assert_eq!(two.members(), one.members());
}

#[test]
fn devices_of_one_name_are_told_apart() {
    let mut one = founder();
    for number in [2, 3, 4] {
        one.says(&Change::Add { device: id(number), card: card("tv", Level::Member) });
    }
    one.says(&rename(1, "tv-2"));
    assert_eq!(one.members(), ["tv member", "tv-2 owner", "tv-3 member", "tv-4 member"]);
    assert_eq!(one.log.members().named("tv-3").unwrap().given, name("tv"));
}

#[test]
fn a_removed_device_is_out_until_an_owner_adds_it_again() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Member);
    let changed = one
        .log
        .author(&one.key, &remove(2))
        .map(|entries| one.log.merge(entries).unwrap())
        .unwrap();
    assert_eq!((changed.gone, one.has(2)), (vec![id(2)], false));
    // Adding itself, in any life, is not its to do.
    for life in [1, 2, 3] {
        let add =
            What::Add { who: Author { device: id(2), life: 2 }, card: card("two", Level::Owner) };
        let entry = two.forges(life, None, 50, &add);
        two.log.merge(vec![entry]).unwrap();
    }
    two.tells(&mut one);
    assert!(!one.has(2));
    let two = one.adds(2, Level::Member);
    assert!(two.has(2) && one.has(2));
}

#[test]
fn an_owner_that_was_removed_cannot_date_back() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Owner);
    let mut three = one.adds(3, Level::Member);
    two.tells(&mut three);
    meet(&mut one, &mut two);
    one.says(&remove(2));
    // On its own, it adds a friend, dated before its removal.
    two.adds(5, Level::Owner);
    two.says(&remove(3));
    meet(&mut two, &mut three);
    assert!(three.has(5), "who has not heard of the removal cannot know");
    one.tells(&mut three);
    assert_eq!(three.members(), ["one owner", "three member"]);
    meet(&mut one, &mut three);
}

#[test]
fn what_an_owner_said_before_its_removal_stays() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Owner);
    two.adds(3, Level::Member);
    meet(&mut one, &mut two);
    one.says(&remove(2));
    assert_eq!(one.members(), ["one owner", "three member"]);
}

#[test]
fn two_owners_that_remove_each_other_both_go() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Owner);
    let mut three = one.adds(3, Level::Member);
    one.tells(&mut two);
    one.says(&remove(2));
    two.says(&remove(1));
    two.adds(4, Level::Owner);
    for device in [&one, &two] {
        device.tells(&mut three);
    }
    assert_eq!(three.members(), ["three member"]);
    meet(&mut one, &mut two);
    assert_eq!(one.members(), three.members());
}

#[test]
fn a_thief_takes_along_who_removed_it_and_nobody_else() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Owner);
    let mut three = one.adds(3, Level::Member);
    one.adds(4, Level::Owner);
    one.tells(&mut two);
    one.tells(&mut three);
    // The founder is stolen. Two removes it; it then dates back against all, itself too.
    two.says(&remove(1));
    for number in [2, 3, 4] {
        one.says(&remove(number));
    }
    one.adds(5, Level::Owner);
    let itself = What::Remove {
        who: Author { device: id(1), life: 1 },
        last: one.log.chain(Author { device: id(1), life: 1 }).next().map(Entry::id),
    };
    let forged = one.forges(1, one.last(1, 1), 99, &itself);
    one.log.merge(vec![forged]).unwrap();
    two.tells(&mut three);
    one.tells(&mut three);
    assert_eq!(three.members(), ["four owner", "three member"]);
}

#[test]
fn a_thief_takes_nothing_back_that_others_said() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Owner);
    let mut four = one.adds(4, Level::Owner);
    four.adds(5, Level::Member);
    meet(&mut one, &mut four);
    meet(&mut one, &mut two);
    two.says(&remove(1));
    // The thief lets nothing count that the others ever signed.
    for (number, clock) in [(2, 50), (4, 51)] {
        let what = What::Remove { who: Author { device: id(number), life: 1 }, last: None };
        let entry = one.forges(1, one.last(1, 1), clock, &what);
        one.log.merge(vec![entry]).unwrap();
    }
    two.tells(&mut four);
    one.tells(&mut four);
    assert_eq!(four.members(), ["five member", "four owner"]);
}

#[test]
fn an_owner_made_a_member_says_nothing_more() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Owner);
    two.adds(3, Level::Member);
    meet(&mut one, &mut two);
    one.says(&level(2, Level::Member));
    two.adds(4, Level::Member);
    two.says(&rename(2, "lowered"));
    meet(&mut one, &mut two);
    assert_eq!(one.members(), ["lowered member", "one owner", "three member"]);
    // Up again, in a new life; what it said in between stays void.
    one.says(&level(2, Level::Owner));
    meet(&mut one, &mut two);
    assert_eq!(one.members(), ["lowered owner", "one owner", "three member"]);
    two.adds(4, Level::Member);
    meet(&mut one, &mut two);
    assert!(one.has(4));
}

#[test]
fn removing_wins_over_raising_at_the_same_time() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Owner);
    one.adds(3, Level::Member);
    meet(&mut one, &mut two);
    one.says(&level(3, Level::Owner));
    two.says(&remove(3));
    meet(&mut one, &mut two);
    assert!(!one.has(3));
}

#[test]
fn removing_wins_over_adding_again_what_was_there() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Owner);
    meet(&mut one, &mut two);
    let mut three = two.clone();
    one.adds(3, Level::Member);
    three.log = one.log.clone();
    // Two has never heard of three's first life, and adds it in the same.
    two.adds(3, Level::Member);
    one.says(&remove(3));
    meet(&mut one, &mut two);
    assert!(!one.has(3));
}

#[test]
fn a_device_leaves_by_itself_but_not_as_the_last_owner() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Member);
    assert_eq!(one.log.author(&one.key, &remove(1)), Err(Refused::LastOwner));
    assert_eq!(one.log.author(&one.key, &level(1, Level::Member)), Err(Refused::LastOwner));
    two.says(&remove(2));
    meet(&mut one, &mut two);
    assert_eq!(one.members(), ["one owner"]);
    one.says(&remove(1));
    assert!(one.log.members().is_empty());
    assert_eq!(one.log.author(&one.key, &rename(1, "x")), Err(Refused::NotAMember));
}

#[test]
fn entries_of_a_newer_version_are_kept_and_passed_on() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Member);
    let author = Author { device: id(1), life: 1 };
    let last = one.last(1, 1).unwrap();
    let place = Place { author, number: last.number() + 1, before: Some(last.id()), clock: 10 };
    let newer = Entry::sign_raw(&one.key, one.log.group(), place, 77, vec![1, 2, 3]).unwrap();
    assert_eq!(newer.what(), &What::Unknown);
    one.log.merge(vec![newer.clone()]).unwrap();
    one.says(&rename(2, "after"));
    meet(&mut one, &mut two);
    assert_eq!(two.members(), ["after member", "one owner"]);
    let again = Log::from_bytes(&two.log.to_bytes()).unwrap();
    assert_eq!(again.entry(newer.id()), Some(&newer));
}

#[test]
fn what_a_newer_version_adds_to_a_sentence_is_passed_over() {
    let one = founder();
    let last = one.last(1, 1).unwrap();
    let author = Author { device: id(1), life: 1 };
    let place = Place { author, number: 2, before: Some(last.id()), clock: 2 };
    let mut body = postcard::to_stdvec(&(id(1), name("new"))).unwrap();
    body.extend_from_slice(b"and more");
    let entry = Entry::sign_raw(&one.key, one.log.group(), place, 4, body).unwrap();
    assert_eq!(entry.what(), &What::Name { device: id(1), name: name("new") });
    assert!(entry.is_signed());
}

#[test]
fn both_branches_of_an_author_that_forked_reach_everybody() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Member);
    // One is set back to an older state, and goes on from there.
    let mut old = one.clone();
    one.adds(3, Level::Member);
    old.adds(4, Level::Member);
    one.tells(&mut two);
    meet(&mut old, &mut two);
    meet(&mut one, &mut two);
    assert_eq!(one.members(), ["four member", "one owner", "three member", "two member"]);
    one.adds(5, Level::Member);
    meet(&mut one, &mut two);
    assert!(two.has(5));
}

#[test]
fn the_secret_is_known_to_members_and_new_after_a_removal() {
    let mut one = founder();
    let mut two = one.adds(2, Level::Owner);
    meet(&mut one, &mut two);
    let first = Secret::new(one.log.members(), [1; 32]);
    let tag = first.tag(&id(2), [1, 2, 3, 4]);
    assert_eq!(first.whose(&tag, one.log.members()), Some(id(2)));
    assert_eq!(first.whose(&[9; 16], one.log.members()), None);
    assert_ne!(first.tag(&id(2), [1, 2, 3, 5])[4..], tag[4..]);
    one.adds(3, Level::Member);
    one.says(&remove(3));
    assert!(first.is_stale(one.log.members()) && !first.is_stale(two.log.members()));
    // Both draw a new one: of two, both end up with the same.
    meet(&mut one, &mut two);
    let (mut a, mut b) =
        (Secret::new(one.log.members(), [2; 32]), Secret::new(two.log.members(), [3; 32]));
    let (was_a, was_b) = (a.clone(), b.clone());
    a.take(&was_b, one.log.members());
    b.take(&was_a, two.log.members());
    assert_eq!(a, b);
    assert!(!a.take(&first, one.log.members()) && !a.is_stale(one.log.members()));
    assert_eq!(format!("{a:?}"), "the group's secret of 1 removals");
}
