//! What always holds: whatever devices say, honest or not, and however it goes around.

use proptest::prelude::*;

use super::*;

const DEVICES: u8 = 4;

/// One device says something, or two meet.
#[derive(Debug, Clone)]
enum Step {
    Says {
        by: u8,
        change: Change,
    },
    /// Signs without asking whether it may: in a life, after its entry of that number, with that clock.
    Forges {
        by: u8,
        life: u32,
        after: usize,
        clock: u64,
        what: Forged,
    },
    Tells {
        from: u8,
        to: u8,
    },
}

#[derive(Debug, Clone)]
enum Forged {
    Add(u8, u32),
    Remove(u8, u32, usize),
    Level(u8, u32, usize, Level),
    Name(u8),
}

fn device() -> impl Strategy<Value = u8> {
    1..=DEVICES
}

fn any_level() -> impl Strategy<Value = Level> {
    prop::sample::select(Level::ALL.to_vec())
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (device(), any_level())
            .prop_map(|(of, level)| Change::Add { device: id(of), card: card("new", level) }),
        device().prop_map(|of| Change::Remove(id(of))),
        (device(), "[a-c]")
            .prop_map(|(of, text)| Change::Name { device: id(of), name: name(&text) }),
        (device(), any_level()).prop_map(|(of, level)| Change::Level { device: id(of), level }),
        device().prop_map(|of| Change::Label { device: id(of), label: Label::SL4 }),
    ]
}

fn forged() -> impl Strategy<Value = Forged> {
    prop_oneof![
        (device(), 1..4_u32).prop_map(|(of, life)| Forged::Add(of, life)),
        (device(), 1..3_u32, 0..6_usize)
            .prop_map(|(of, life, last)| Forged::Remove(of, life, last)),
        (device(), 1..3_u32, 0..6_usize, any_level())
            .prop_map(|(of, life, last, level)| Forged::Level(of, life, last, level)),
        device().prop_map(Forged::Name),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (device(), change()).prop_map(|(by, change)| Step::Says { by, change }),
        3 => (device(), 1..3_u32, 0..6_usize, 1..20_u64, forged())
            .prop_map(|(by, life, after, clock, what)| Step::Forges { by, life, after, clock, what }),
        3 => (device(), device()).prop_map(|(from, to)| Step::Tells { from, to }),
    ]
}

fn forge(device: &Device, life: u32, after: usize, clock: u64, what: &Forged) -> Entry {
    let at = |of: u8, life: u32, number: usize| {
        device.log.chain(Author { device: id(of), life }).nth(number).map(Entry::id)
    };
    let who = |of: u8, life: u32| Author { device: id(of), life };
    let what = match *what {
        Forged::Add(of, life) => {
            What::Add { who: who(of, life), card: card("forged", Level::Owner) }
        }
        Forged::Remove(of, life, last) => {
            What::Remove { who: who(of, life), last: at(of, life, last) }
        }
        Forged::Level(of, life, last, level) => {
            What::Level { who: who(of, life), level, last: at(of, life, last) }
        }
        Forged::Name(of) => What::Name { device: id(of), name: name("forged") },
    };
    let own = Author { device: device.key.id(), life };
    let before = device.log.chain(own).nth(after).cloned();
    let clock = before.as_ref().map_or(clock, |before| before.clock() + clock);
    device.forges(life, before.as_ref(), clock, &what)
}

/// What a world of honest and dishonest devices comes to.
fn play(steps: &[Step]) -> Vec<Device> {
    let mut one = founder();
    let mut devices: Vec<Device> =
        (2..=DEVICES).map(|number| one.adds(number, Level::Owner)).collect();
    devices.insert(0, one);
    for step in steps {
        match step {
            Step::Says { by, change } => {
                let device = &mut devices[usize::from(*by) - 1];
                if let Ok(entries) = device.log.author(&device.key, change) {
                    device.log.merge(entries).unwrap();
                }
            }
            Step::Forges { by, life, after, clock, what } => {
                let device = &mut devices[usize::from(*by) - 1];
                let entry = forge(device, *life, *after, *clock, what);
                device.log.merge(vec![entry]).unwrap();
            }
            Step::Tells { from, to } if from != to => {
                let from = devices[usize::from(*from) - 1].clone();
                from.tells(&mut devices[usize::from(*to) - 1]);
            }
            Step::Tells { .. } => {}
        }
    }
    devices
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// However entries come, once, twice, in whatever pieces: who holds the same has the same members.
    #[test]
    fn members_are_a_function_of_the_set(
        steps in prop::collection::vec(step(), 0..30),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
        pieces in 1..7_usize,
    ) {
        let mut devices = play(&steps);
        let mut entries: Vec<Entry> = devices.iter().flat_map(|device| device.log.all()).collect();
        for (at, index) in order.iter().enumerate() {
            let (one, other) = (at % entries.len(), index.index(entries.len()));
            entries.swap(one, other);
        }
        let mut log = Log::new(devices[0].log.group());
        // What lacks something is left out, and comes again.
        for _ in 0..entries.len() {
            let left: usize = entries.chunks(pieces).map(|piece| log.merge(piece.to_vec()).unwrap().left).sum();
            if left == 0 {
                break;
            }
        }
        for round in 0..2 {
            for at in 1..devices.len() {
                let (first, rest) = devices.split_at_mut(at);
                let (one, other) = (&mut first[0], &mut rest[0]);
                one.tells(other);
                other.tells(one);
            }
            for device in devices.iter().filter(|_| round == 1) {
                prop_assert_eq!(device.log.members(), log.members());
                prop_assert_eq!(device.log.seen(), log.seen());
            }
        }
        let read = Log::from_bytes(&log.to_bytes()).unwrap();
        prop_assert_eq!(read.members(), log.members());
    }

    /// Whatever a device signs after it was removed, by its old life or one that it claims, it stays out, and so does
    /// whom it brings.
    #[test]
    fn a_removed_owner_comes_back_by_nothing_that_it_signs(
        forgeries in prop::collection::vec((1..3_u32, 0..6_usize, 1..20_u64, forged()), 1..12),
        before in prop::collection::vec(change(), 0..3),
    ) {
        let mut one = founder();
        let mut two = one.adds(2, Level::Owner);
        let mut three = one.adds(3, Level::Member);
        one.tells(&mut two);
        for change in &before {
            // Before: whatever it says of itself and of devices that are not asked about below.
            if !matches!(change, Change::Remove(of) | Change::Level { device: of, .. } if [id(1), id(3)].contains(of))
                && let Ok(entries) = two.log.author(&two.key, change)
            {
                two.log.merge(entries).unwrap();
            }
        }
        two.tells(&mut one);
        prop_assume!(one.has(2));
        one.says(&Change::Remove(id(2)));
        let members_then: Vec<DeviceId> = one.log.members().ids().collect();
        for (life, after, clock, what) in &forgeries {
            let entry = forge(&two, *life, *after, *clock, what);
            two.log.merge(vec![entry]).unwrap();
        }
        one.tells(&mut three);
        two.tells(&mut three);
        prop_assert!(!three.has(2), "{:?}", three.members());
        // Against who removed it, it can still date back, and take along what that one said.
        let back = |(.., what): &(_, _, _, Forged)| matches!(what, Forged::Remove(1, ..) | Forged::Level(1, ..));
        prop_assert!(three.has(3) || forgeries.iter().any(back));
        for member in three.log.members().ids() {
            prop_assert!(members_then.contains(&member), "brought in: {:?}", member);
        }
    }
}
