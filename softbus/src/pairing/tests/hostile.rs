//! Who is not what it says: in the middle, at the other end, with any bytes.

use proptest::prelude::*;

use super::*;

/// A source and a sink with somebody between them: each has a session with that one. It forwards every message, and the
/// right code is typed.
fn in_the_middle(ids: bool, exporters: bool) -> World {
    let mut world =
        World::apart([Home::default(), Home::default()], Ladder::default(), Duration::ZERO);
    for end in [SOURCE, SINK] {
        let peer = if ids { key(2).id() } else { key(1 - end).id() };
        let exporter = if exporters { [u8::try_from(end).unwrap(); 32] } else { EXPORTED };
        world.happens(end, Event::Connected { peer, exporter });
    }
    world.settle();
    world.confirms(true);
    world.settle();
    world.types(true);
    world.settle();
    world
}

#[test]
fn who_forwards_everything_gets_nothing_even_with_the_right_code() {
    for (ids, exporters) in [(true, true), (true, false), (false, true)] {
        let mut world = in_the_middle(ids, exporters);
        assert!(
            !world.ends[SOURCE].proved && !world.ends[SINK].proved,
            "ids {ids}, exporters {exporters}"
        );
        assert!(world.ends[SOURCE].asked, "to its owner the code was wrong");
        for _ in 0..2 {
            world.types(true);
            world.settle();
        }
        assert_eq!(world.outcome(SINK), Err(Reason::Here(Refusal::Code)));
        assert!(world.ends[SINK].ladder.frozen(world.now).is_some());
    }
    let world = in_the_middle(false, false);
    assert!(paired(&world.homes()), "only then it is nobody");
}

/// A sink that does not know the code answers a source whose owner typed it.
struct FalseSink {
    run: proof::Run,
    share: Vec<u8>,
}

fn false_sink(guess: &str) -> FalseSink {
    let between =
        proof::Between { source: key(SOURCE).id(), sink: key(SINK).id(), exporter: EXPORTED };
    let (run, share) =
        proof::Run::begin(proof::Role::Sink, &between, &guess.parse().unwrap(), &[8; 32], 0);
    FalseSink { run, share }
}

#[test]
fn a_false_sink_has_one_guess_a_try_and_three_tries() {
    let mut world = World::new([Home::default(), Home::default()]);
    world.settle();
    world.confirms(true);
    world.settle();
    for _ in 0..TRIES {
        world.types(true);
        let said = world.ends[SINK].inbox.pop_back().unwrap();
        let Some(Message::Share(theirs)) = decode(&said) else { panic!("a share") };
        let sink = false_sink("654321");
        world.happens(SOURCE, Event::Frame(encode(&Message::Share(sink.share))[2..].to_vec()));
        let said = world.ends[SINK].inbox.pop_back().unwrap();
        assert!(matches!(decode(&said), Some(Message::Proof(_))));
        // Its key is of its guess alone: there is nothing in it to try another code with.
        assert!(sink.run.end(&theirs).is_some());
        world.happens(SOURCE, Event::Frame(encode(&Message::Wrong(3))[2..].to_vec()));
    }
    assert_eq!(
        world.outcome(SOURCE),
        Err(Reason::Here(Refusal::Code)),
        "whatever the sink says is left"
    );
    assert!(!world.ends[SOURCE].proved);
}

#[test]
fn a_sink_that_cannot_prove_itself_is_left() {
    let mut world = World::new([Home::default(), Home::default()]);
    world.settle();
    world.confirms(true);
    world.settle();
    world.types(true);
    world.ends[SINK].inbox.clear();
    world.happens(
        SOURCE,
        Event::Frame(encode(&Message::Share(false_sink("654321").share))[2..].to_vec()),
    );
    world.happens(SOURCE, Event::Frame(encode(&Message::Proof([1; 32]))[2..].to_vec()));
    assert_eq!(world.outcome(SOURCE), Err(Reason::Here(Refusal::Proof)));
    assert!(!world.ends[SOURCE].proved);
}

#[test]
fn a_sink_says_nothing_of_the_code_to_who_has_not_proved_it() {
    // Two sinks that differ in the code only (the seed draws it) say the same words to a wrong proof.
    let mut said = Vec::new();
    for seed in [1, 2] {
        let mut sink =
            Sink::new(key(SINK).id(), own(SINK), Level::Member, Ladder::default(), [seed; 32]);
        let mut out = Vec::new();
        let mut on = |event| {
            let actions = sink.on(event, Duration::ZERO);
            out.extend(actions.into_iter().filter_map(|action| match action {
                Action::Send(bytes) => decode(&bytes[2..]),
                _ => None,
            }));
        };
        let frame = |message: &Message| Event::Frame(encode(message)[2..].to_vec());
        let (name, form) = own(SOURCE);
        on(Event::Connected { peer: key(SOURCE).id(), exporter: EXPORTED });
        on(frame(&Message::Hello { versions: VERSIONS, name, form }));
        on(Event::Confirmed(true));
        let between =
            proof::Between { source: key(SOURCE).id(), sink: key(SINK).id(), exporter: EXPORTED };
        let (_, share) = proof::Run::begin(
            proof::Role::Source,
            &between,
            &"111111".parse().unwrap(),
            &[8; 32],
            0,
        );
        on(frame(&Message::Share(share)));
        on(frame(&Message::Proof([0; 32])));
        said.push(out);
    }
    let [first, second] = said.try_into().unwrap();
    assert_eq!(first.len(), 4);
    for (one, other) in first.iter().zip(&second) {
        let shares = matches!((one, other), (Message::Share(_), Message::Share(_)));
        assert!(one == other || shares, "{one:?} {other:?}");
    }
    assert_eq!(first.last(), Some(&Message::Wrong(2)));
}

#[test]
fn a_code_is_of_one_link() {
    let shown = |seed: u8| {
        let mut world =
            World::apart([Home::default(), Home::default()], Ladder::default(), Duration::ZERO);
        world.sink =
            Sink::new(key(SINK).id(), own(SINK), Level::Member, Ladder::default(), [seed; 32]);
        for end in [SOURCE, SINK] {
            world.happens(end, Event::Connected { peer: key(1 - end).id(), exporter: EXPORTED });
        }
        world.settle();
        world.confirms(true);
        world.ends[SINK].shown.clone().unwrap()
    };
    assert_ne!(shown(1), shown(2));
}

#[test]
fn a_point_of_small_order_is_no_way_around_the_code() {
    // The identity, and points of order 2, 4 and 8, as shares of a source that hopes for a key it can know.
    let small: [[u8; 32]; 4] = [
        std::array::from_fn(|at| u8::from(at == 0)),
        std::array::from_fn(|at| {
            if at == 0 {
                0xec
            } else if at == 31 {
                0x7f
            } else {
                0xff
            }
        }),
        [0; 32],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let between =
        proof::Between { source: key(SOURCE).id(), sink: key(SINK).id(), exporter: EXPORTED };
    let mut proofs = std::collections::BTreeSet::new();
    let mut tried = 0;
    for point in small {
        for seed in 0..4 {
            let code = "123456".parse().unwrap();
            let (run, _) = proof::Run::begin(proof::Role::Sink, &between, &code, &[seed; 32], 0);
            let share = [&b"A"[..], &point].concat();
            if let Some(key) = run.end(&share) {
                tried += 1;
                proofs.insert(key.proof(proof::Role::Source, &Default::default()).unwrap());
            }
        }
    }
    assert_eq!((tried, proofs.len()), (16, 16), "each run has a key of its own");
}

#[test]
fn versions_that_do_not_meet_are_told_so() {
    let mut world =
        World::apart([Home::default(), Home::default()], Ladder::default(), Duration::ZERO);
    world.happens(SINK, Event::Connected { peer: key(SOURCE).id(), exporter: EXPORTED });
    let (name, form) = own(SOURCE);
    let newer = Message::Hello { versions: (VERSIONS.1 + 1, VERSIONS.1 + 2), name, form };
    world.happens(SINK, Event::Frame(encode(&newer)[2..].to_vec()));
    assert_eq!(world.outcome(SINK), Err(Reason::Here(Refusal::Version)));
    let said = world.ends[SOURCE].inbox.pop_front().unwrap();
    assert_eq!(decode(&said), Some(Message::End(Refusal::Version)));
}

#[test]
fn a_group_that_does_not_hold_the_joiner_is_not_joined() {
    let (_, [phone, _]) = groups().remove(1);
    let (log, secret) = phone.group.unwrap();
    let invitation = Invitation { group: log.group(), secret, entries: log.all() };
    let none = Home::default();
    assert_eq!(
        none.join(&key(SINK).id(), invitation.clone()).unwrap_err(),
        crate::trust::Refused::NotAMember
    );
    let other = Invitation { group: crate::trust::GroupId([1; 16]), ..invitation };
    assert!(none.join(&key(SINK).id(), other).is_err());
}

#[derive(Debug, Clone)]
enum Odd {
    Arrives(usize),
    Bytes(usize, Vec<u8>),
    Changed(usize, usize, u8),
    Says(usize, Message),
    Confirms(bool),
    Types(bool),
    Waits,
    Answers(usize, Refusal),
}

fn odd() -> impl Strategy<Value = Odd> {
    let end = 0..2_usize;
    let (name, form) = own(0);
    let messages = vec![
        Message::Hello { versions: (0, u16::MAX), name, form },
        Message::End(Refusal::Busy),
        Message::Show,
        Message::Share(vec![0x41; 33]),
        Message::Share(Vec::new()),
        Message::Proof([0; 32]),
        Message::Wrong(255),
        Message::Standing(Standing::default()),
        Message::Entries(Vec::new()),
        Message::Joined,
    ];
    prop_oneof![
        20 => end.clone().prop_map(Odd::Arrives),
        1 => (end.clone(), prop::collection::vec(any::<u8>(), 0..100)).prop_map(|(end, bytes)| Odd::Bytes(end, bytes)),
        1 => (end.clone(), any::<usize>(), 1..=255_u8).prop_map(|(end, at, by)| Odd::Changed(end, at, by)),
        1 => (end.clone(), prop::sample::select(messages)).prop_map(|(end, message)| Odd::Says(end, message)),
        5 => prop::bool::weighted(0.9).prop_map(Odd::Confirms),
        5 => any::<bool>().prop_map(Odd::Types),
        1 => Just(Odd::Waits),
        1 => end.prop_map(|end| Odd::Answers(end, Refusal::Storage)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Whatever comes, when nobody waits for it: no panic, no group without the code, and an end.
    #[test]
    fn any_bytes_at_any_time_bring_nobody_in(steps in prop::collection::vec(odd(), 0..60)) {
        let mut world = World::new([Home::default(), Home::default()]);
        for step in steps {
            match step {
                Odd::Arrives(end) => _ = world.arrives(end),
                Odd::Bytes(end, bytes) => world.happens(end, Event::Frame(bytes)),
                Odd::Changed(end, at, by) => {
                    if let Some(mut frame) = world.ends[end].inbox.pop_front() {
                        let at = at % frame.len();
                        frame[at] ^= by;
                        world.happens(end, Event::Frame(frame));
                    }
                }
                Odd::Says(end, message) => world.happens(end, Event::Frame(encode(&message)[2..].to_vec())),
                Odd::Confirms(yes) => world.confirms(yes),
                Odd::Types(right) if world.ends[SOURCE].asked => world.types(right),
                Odd::Types(_) => {}
                Odd::Waits => _ = world.waits(),
                Odd::Answers(end, refusal) => world.happens(end, Event::Failed(refusal)),
            }
        }
        prop_assert!(world.typed_right || !world.ends[SOURCE].proved && !world.ends[SINK].proved);
        while world.waits() {}
        prop_assert!(world.source.over() && world.sink.over());
        prop_assert!(world.now <= Duration::from_secs(1000) + WHOLE);
    }
}
