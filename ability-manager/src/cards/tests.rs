//! Stories of cards.

use model::Name;
use proptest::prelude::*;

use super::*;

fn id(name: &str) -> BundleId {
    BundleId::try_from(format!("org.{name}")).unwrap()
}

fn target(bundle: &str) -> Target {
    Target { bundle: id(bundle), ability: Name::try_from("card").unwrap() }
}

const HOUR: Duration = Duration::from_secs(3600);

fn add(
    cards: &mut Cards,
    now: Duration,
    every: Option<Duration>,
    host: u64,
) -> Result<u32, NotDone> {
    cards.add(now, target("weather"), CardSize::default(), every, host)
}

fn filled(cards: &mut Cards, now: Duration) -> Vec<u32> {
    cards.expire(now).into_iter().map(|(number, ..)| number).collect()
}

#[test]
fn a_card_is_filled_when_its_time_has_come_and_not_before() {
    let mut cards = Cards::default();
    let hourly = add(&mut cards, HOUR, Some(HOUR), 1).unwrap();
    add(&mut cards, HOUR, None, 1).unwrap();
    assert_eq!(cards.due(), Some(2 * HOUR));
    assert!(filled(&mut cards, 2 * HOUR - SECOND).is_empty());
    assert_eq!(filled(&mut cards, 2 * HOUR), [hourly]);
    assert_eq!(cards.due(), Some(3 * HOUR));
    let mut cards = Cards::default();
    add(&mut cards, HOUR, Some(SECOND), 1).unwrap();
    assert_eq!(cards.due(), Some(HOUR + MIN_REFRESH), "whatever it says");
}

#[test]
fn a_host_has_at_most_256_cards_and_the_device_512() {
    let mut cards = Cards::default();
    for _ in 0..MAX_CARDS_EACH {
        add(&mut cards, HOUR, None, 1).unwrap();
    }
    assert_eq!(add(&mut cards, HOUR, None, 1), Err(NotDone::TooManyEach));
    cards.leave(1);
    for _ in 0..MAX_CARDS_EACH {
        add(&mut cards, HOUR, None, 1).unwrap();
    }
    assert_eq!(add(&mut cards, HOUR, None, 2), Err(NotDone::TooMany));
    assert_eq!(cards.forget(&id("weather")).len(), MAX_CARDS);
}

#[test]
fn an_app_fills_its_own_cards_with_so_much_and_so_often() {
    let mut cards = Cards::default();
    let number = add(&mut cards, HOUR, None, 1).unwrap();
    let data = |length: usize| Data::from([("t".to_owned(), "x".repeat(length - 1))]);
    let mut update = |by: &str, length: usize, at: Duration| {
        cards.update(HOUR + at, &id(by), number, data(length))
    };
    assert_eq!(update("mail", 3, Duration::ZERO), Err(NotDone::NoCard));
    let long = update("weather", MAX_DATA + 1, Duration::ZERO);
    assert_eq!(long, Err(NotDone::TooLong(MAX_DATA + 1)));
    for _ in 0..MAX_UPDATES {
        update("weather", MAX_DATA, Duration::ZERO).unwrap();
    }
    assert_eq!(update("weather", 3, Duration::ZERO), Err(NotDone::TooOften));
    update("weather", 3, SECOND).unwrap();
    assert!(cards.failed(number, "no".into()));
    assert_eq!(cards.get(number).unwrap().data, data(3), "what was there stays");
}

#[test]
fn after_a_boot_all_are_filled_a_few_at_a_time() {
    let mut cards = Cards::default();
    for _ in 0..=AT_ONCE {
        add(&mut cards, 50 * HOUR, Some(HOUR), 1).unwrap();
    }
    cards.rebooted();
    let now = 2 * SECOND;
    assert_eq!(filled(&mut cards, now).len(), AT_ONCE);
    assert!(filled(&mut cards, now).is_empty());
    assert_eq!(cards.due(), Some(now + SECOND));
    assert_eq!(filled(&mut cards, now + SECOND).len(), 1);
}

#[test]
fn what_could_not_be_filled_is_once_the_device_is_unlocked_a_few_at_a_time() {
    let mut cards = Cards::default();
    let fine = add(&mut cards, HOUR, None, 1).unwrap();
    let locked: Vec<u32> = (0..=AT_ONCE).map(|_| add(&mut cards, HOUR, None, 1).unwrap()).collect();
    for number in &locked {
        cards.failed(*number, "the device is locked".into());
    }
    assert_eq!(cards.due(), None, "nothing but the owner helps");
    cards.unlocked();
    let now = cards.due().unwrap() + HOUR;
    assert_eq!(filled(&mut cards, now), locked[..AT_ONCE]);
    assert_eq!(cards.due(), Some(now + SECOND));
    assert_eq!(filled(&mut cards, now + SECOND), locked[AT_ONCE..]);
    assert_eq!(cards.due(), None);
    for number in &locked {
        cards.update(now + HOUR * *number, &id("weather"), *number, Data::new()).unwrap();
    }
    cards.unlocked();
    assert_eq!(cards.due(), None, "{fine} and all others are filled");
    cards.failed(fine, "it has ended".into());
    cards.unlocked();
    cards.remove(fine);
    assert!(filled(&mut cards, 99 * HOUR).is_empty(), "what is gone is not filled");
    assert_eq!(cards.due(), None);
}

proptest! {
    #[test]
    fn no_card_is_filled_too_soon_or_too_often(
        every in 1_u64..100_000,
        steps in prop::collection::vec(1_u64..20_000, 1..400),
    ) {
        let mut cards = Cards::default();
        let mut now = HOUR;
        let number = add(&mut cards, now, Some(Duration::from_secs(every)), 1).unwrap();
        let mut times = vec![now];
        for step in steps {
            now += Duration::from_secs(step);
            prop_assert!(cards.due().is_some_and(|due| due > *times.last().unwrap()));
            if filled(&mut cards, now) == [number] {
                times.push(now);
            }
        }
        let least = MIN_REFRESH.max(Duration::from_secs(every));
        prop_assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= least));
        let most = usize::try_from(MAX_REFRESHES).unwrap();
        // A day begins with the first of it, so two of them may touch.
        let in_a_day = |at: &Duration| times.iter().filter(|t| **t >= *at && **t < *at + DAY).count();
        prop_assert!(times.iter().all(|at| in_a_day(at) <= 2 * most));
    }
}
