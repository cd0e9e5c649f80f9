//! Pairing, told.

use super::*;

#[test]
fn two_devices_found_a_group_with_six_digits() {
    let mut world = World::new([Home::default(), Home::default()]);
    world.settle();
    assert!(world.ends[SINK].asked && world.ends[SINK].shown.is_none(), "no code before a yes");
    world.confirms(true);
    world.settle();
    assert_eq!(world.ends[SINK].shown.as_ref().unwrap().digits().len(), 6);
    world.types(true);
    world.settle();
    let (source, sink) = (world.outcome(SOURCE).unwrap(), world.outcome(SINK).unwrap());
    assert_eq!((source.name.as_str(), source.joined), ("tv", false));
    assert_eq!((sink.name.as_str(), sink.joined), ("phone", true));
    assert!(source.group == sink.group && paired(&world.homes()));
    let [phone, _] = world.homes();
    let (log, _) = phone.group.unwrap();
    let levels: Vec<_> = log
        .members()
        .iter()
        .map(|member| (member.name.to_string(), member.level, member.label))
        .collect();
    assert!(levels.contains(&("phone".to_owned(), Level::Owner, crate::trust::Label::SL3)));
    assert!(levels.contains(&("tv".to_owned(), Level::Member, crate::trust::Label::SL2)));
}

#[test]
fn whoever_is_in_a_group_brings_the_other_in() {
    for (what, homes) in groups() {
        let mut world = World::new(homes);
        world.pairs();
        if what == "in different ones" {
            assert_eq!(world.outcome(SOURCE), Err(Reason::Here(Refusal::OtherGroup)));
            assert!(world.outcome(SINK).is_err());
            continue;
        }
        assert!(
            world.outcome(SOURCE).is_ok() && world.outcome(SINK).is_ok(),
            "{what}: {:?}",
            world.outcome(SOURCE)
        );
        assert!(paired(&world.homes()), "{what}");
    }
}

#[test]
fn a_member_that_is_no_owner_adds_nobody() {
    let [(_, [_, tv]), _] = [groups().remove(3), groups().remove(0)];
    // The tv is a member of the phone's group; the watch, which types, is in none.
    let mut world = World::new([Home::default(), tv.clone()]);
    world.pairs();
    // The source here is the phone by its key, known to the group: who is known is brought in by any member.
    assert!(paired(&world.homes()));
    let stranger =
        Standing { group: tv.group.map(|(log, _)| log.group()), owner: false, knows: false };
    let mut world = World::new([Home::default(), Home::default()]);
    world.settle();
    world.confirms(true);
    world.settle();
    world.types(true);
    world.arrives(SINK);
    world.arrives(SOURCE);
    world.arrives(SINK);
    world.ends[SOURCE].inbox.pop_back();
    world.arrives(SOURCE);
    world.happens(SOURCE, Event::Frame(encode(&Message::Standing(stranger))[2..].to_vec()));
    assert_eq!(world.outcome(SOURCE), Err(Reason::Here(Refusal::NotOwner)));
}

#[test]
fn a_wrong_code_can_be_typed_three_times() {
    let mut world = World::new([Home::default(), Home::default()]);
    world.settle();
    world.confirms(true);
    for _ in 0..2 {
        world.settle();
        world.types(false);
    }
    world.settle();
    world.types(true);
    world.settle();
    assert!(paired(&world.homes()), "the third is right");
    assert_eq!(world.ends[SINK].ladder, Ladder::default());

    let mut world = World::new([Home::default(), Home::default()]);
    world.settle();
    world.confirms(true);
    for _ in 0..3 {
        world.settle();
        world.types(false);
    }
    world.settle();
    assert_eq!(world.outcome(SINK), Err(Reason::Here(Refusal::Code)));
    assert_eq!(world.outcome(SOURCE), Err(Reason::There(Refusal::Code)));
    assert!(!world.ends[SOURCE].proved && !world.ends[SINK].proved);
    // And then nobody for a minute, with whatever code.
    let ladder = world.ends[SINK].ladder.clone();
    let mut world = World::with([Home::default(), Home::default()], ladder.clone(), world.now);
    world.settle();
    assert_eq!(world.outcome(SOURCE), Err(Reason::There(Refusal::Frozen(60))));
    let later = world.now + Duration::from_secs(60);
    let mut world = World::with([Home::default(), Home::default()], ladder, later);
    world.pairs();
    assert!(paired(&world.homes()));
}

#[test]
fn wrong_codes_of_attempts_before_count() {
    let mut ladder = Ladder::default();
    for expected in [None, None, Some(60)] {
        let mut world =
            World::with([Home::default(), Home::default()], ladder, Duration::from_secs(50));
        world.settle();
        world.confirms(true);
        world.settle();
        world.types(false);
        world.settle();
        world.cut();
        ladder = world.ends[SINK].ladder.clone();
        assert_eq!(ladder.frozen(world.now).map(|left| left.as_secs()), expected);
        if expected.is_some() {
            assert_eq!(world.outcome(SOURCE), Err(Reason::There(Refusal::Frozen(60))));
        }
    }
}

#[test]
fn a_wrong_code_is_not_answered_before_it_is_stored() {
    let mut world = World::new([Home::default(), Home::default()]);
    world.settle();
    world.confirms(true);
    world.settle();
    world.ends[SINK].full = true;
    world.types(false);
    world.settle();
    assert_eq!(world.outcome(SOURCE), Err(Reason::There(Refusal::Storage)));
}

#[test]
fn the_sinks_owner_may_say_no_and_either_may_give_up() {
    let mut world = World::new([Home::default(), Home::default()]);
    world.settle();
    world.confirms(false);
    world.settle();
    assert_eq!(world.outcome(SOURCE), Err(Reason::There(Refusal::Declined)));
    for at in [SOURCE, SINK] {
        let mut world = World::new([Home::default(), Home::default()]);
        world.settle();
        world.happens(at, Event::Cancel);
        world.settle();
        assert_eq!(world.outcome(at), Err(Reason::Here(Refusal::Cancelled)));
        assert_eq!(world.outcome(1 - at), Err(Reason::There(Refusal::Cancelled)));
    }
}

#[test]
fn nobody_waits_for_ever() {
    let start = Duration::from_secs(1000);
    // Nobody says a word; nobody confirms; nobody types.
    let mut silent = World::new([Home::default(), Home::default()]);
    silent.cut_quietly();
    silent.expect(start + ANSWER, Step::Hello);
    let mut unconfirmed = World::new([Home::default(), Home::default()]);
    unconfirmed.settle();
    unconfirmed.waits();
    assert_eq!(unconfirmed.outcome(SINK), Err(Reason::Here(Refusal::TimedOut(Step::Confirm))));
    assert_eq!(unconfirmed.now, start + PERSON);
    let mut untyped = World::new([Home::default(), Home::default()]);
    untyped.settle();
    untyped.confirms(true);
    untyped.settle();
    untyped.waits();
    assert_eq!(untyped.outcome(SOURCE), Err(Reason::Here(Refusal::TimedOut(Step::Code))));
    // However slow each step, all of it takes two minutes at most.
    let mut slow = World::new([Home::default(), Home::default()]);
    slow.settle();
    slow.now += Duration::from_secs(59);
    slow.confirms(true);
    slow.settle();
    slow.now += Duration::from_secs(59);
    slow.types(false);
    slow.settle();
    slow.waits();
    assert_eq!(slow.now, start + WHOLE);
    assert!(slow.outcome(SOURCE).is_err());
}

impl World {
    /// No message arrives any more, and nobody notices.
    fn cut_quietly(&mut self) {
        self.linked = false;
        self.ends.iter_mut().for_each(|end| end.inbox.clear());
    }

    fn expect(&mut self, at: Duration, step: Step) {
        while self.waits() {}
        assert_eq!(self.now, at);
        for end in [SOURCE, SINK] {
            assert_eq!(self.outcome(end), Err(Reason::Here(Refusal::TimedOut(step))));
        }
    }
}

#[test]
fn reasons_say_what_to_do() {
    let said = [
        Reason::Here(Refusal::Frozen(60)),
        Reason::There(Refusal::OtherGroup),
        Reason::Here(Refusal::TimedOut(Step::Confirm)),
        Reason::Cut(Step::Group),
        Reason::Cut(Step::Code),
    ];
    assert_eq!(
        said.map(|reason| reason.to_string()),
        [
            "too many wrong codes: no code is taken for 60 s",
            "the other device says: the devices are in different groups: on one of them, leave first: ensctl device leave",
            "no time was left, waiting for a yes on the device that shows the code: pair again",
            "the link was cut, waiting for the exchange of the group: look at `ensctl device list`, and pair again",
            "the link was cut, waiting for the code: pair again",
        ]
    );
}
