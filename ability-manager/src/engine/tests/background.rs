//! Stories of apps that finish something off the screen.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::world::{id, s};
use crate::engine::InstanceId;
use crate::engine::background::{
    Background, DAY, DAY_QUOTA, GRANT, Granted, LOW_GRANT, NotGranted, Outcome,
};

const ONE: InstanceId = InstanceId(1);

fn on_screen(b: &mut Background, now: u64, low: bool) -> Result<Granted, NotGranted> {
    b.ask(s(now), (&id("mail"), ONE, "sends"), None, if low { LOW_GRANT } else { GRANT })
}

fn ask(b: &mut Background, now: u64) -> Result<Granted, NotGranted> {
    on_screen(b, now, false)
}

#[test]
fn an_app_has_three_minutes_off_the_screen_and_is_warned_six_seconds_before_their_end() {
    let mut b = Background::default();
    assert_eq!(ask(&mut b, 0), Ok(Granted { task: 1, time: s(180) }));
    assert_eq!(b.due(), None);
    b.moved(s(100), &id("mail"), true);
    assert_eq!(b.due(), Some(s(274)));
    assert_eq!(b.expire(s(273)), []);
    assert_eq!(b.expire(s(274)), [Outcome::Warn(ONE, 1, s(6))]);
    assert_eq!(b.due(), Some(s(280)));
    assert_eq!(b.expire(s(280)), [Outcome::Over(ONE)]);
    assert!(b.with_time().is_empty());
}

#[test]
fn time_stands_still_on_the_screen() {
    let mut b = Background::default();
    ask(&mut b, 0).unwrap();
    b.moved(s(0), &id("mail"), true);
    b.moved(s(100), &id("mail"), false);
    assert_eq!(b.due(), None);
    b.moved(s(1000), &id("mail"), true);
    assert_eq!(b.due(), Some(s(1074)));
}

#[test]
fn it_is_asked_for_on_the_screen_or_within_five_seconds_after() {
    let mut b = Background::default();
    let who = (&id("mail"), ONE, "sends");
    assert!(b.ask(s(9), who, Some(s(5)), GRANT).is_ok());
    assert_eq!(b.ask(s(9), who, Some(s(6)), GRANT), Err(NotGranted::TooLate));
}

#[test]
fn an_app_has_three_tasks_at_a_time_and_a_minute_each_on_a_low_battery() {
    let mut b = Background::default();
    for _ in 0..3 {
        assert_eq!(on_screen(&mut b, 0, true).map(|granted| granted.time), Ok(s(60)));
    }
    assert_eq!(ask(&mut b, 0), Err(NotGranted::TooMany));
    assert!(b.done(s(1), &id("mail"), 2));
    assert!(!b.done(s(1), &id("mail"), 2));
    assert!(ask(&mut b, 1).is_ok());
}

#[test]
fn an_app_has_ten_minutes_a_day_in_which_what_overlaps_counts_once() {
    let mut b = Background::default();
    let mut now = 0;
    for _ in 0..3 {
        let both = [ask(&mut b, now).unwrap(), ask(&mut b, now).unwrap()];
        b.moved(s(now), &id("mail"), true);
        now += 179;
        for one in both {
            b.done(s(now), &id("mail"), one.task);
        }
        b.moved(s(now), &id("mail"), false);
    }
    assert_eq!(ask(&mut b, now).map(|granted| granted.time), Ok(s(63)));
    b.moved(s(now), &id("mail"), true);
    assert_eq!(b.expire(s(now + 63)), [Outcome::Over(ONE)]);
    assert_eq!(ask(&mut b, now + 63), Err(NotGranted::Spent));
    let tomorrow = DAY.as_secs() + 1;
    assert_eq!(ask(&mut b, tomorrow).map(|granted| granted.time), Ok(s(180)));
}

#[test]
fn what_has_ended_has_no_time_and_has_spent_what_it_had() {
    let mut b = Background::default();
    ask(&mut b, 0).unwrap();
    b.moved(s(0), &id("mail"), true);
    b.ended(s(100), ONE);
    assert_eq!((b.due(), b.with_time()), (None, BTreeSet::new()));
}

#[test]
fn those_who_hold_tasks_of_an_app_end_together_when_its_time_is_over() {
    let mut b = Background::default();
    ask(&mut b, 0).unwrap();
    b.ask(s(10), (&id("mail"), InstanceId(2), "syncs"), None, GRANT).unwrap();
    b.moved(s(10), &id("mail"), true);
    let rows: Vec<_> = b.rows(s(20)).into_iter().map(|row| (row.reason, row.left)).collect();
    assert_eq!(rows, [("sends".to_owned(), s(170)), ("syncs".to_owned(), s(170))]);
    assert_eq!(b.expire(s(190)), [Outcome::Over(ONE), Outcome::Over(InstanceId(2))]);
    assert!(b.rows(s(190)).is_empty());
}

proptest! {
    #[test]
    fn nobody_has_more_than_the_time_of_a_day(
        steps in prop::collection::vec((0..6_u8, 0..120_u64), 1..200),
    ) {
        let mut b = Background::default();
        let (mut now, mut away, mut had) = (Duration::ZERO, false, Duration::ZERO);
        for (what, seconds) in steps {
            let end = now + s(seconds);
            while let Some(due) = b.due().filter(|due| *due <= end) {
                prop_assert!(due >= now);
                had += if away && !b.with_time().is_empty() { due - now } else { Duration::ZERO };
                now = due;
                prop_assert!(!b.expire(now).is_empty());
            }
            had += if away && !b.with_time().is_empty() { end - now } else { Duration::ZERO };
            now = end;
            match what {
                0..=2 => drop(b.ask(now, (&id("mail"), ONE, ""), away.then_some(Duration::ZERO), GRANT)),
                3 => away = !away,
                4 => drop(b.done(now, &id("mail"), u32::try_from(seconds).unwrap())),
                _ => b.ended(now, ONE),
            }
            b.moved(now, &id("mail"), away);
        }
        prop_assert!(now >= DAY || had <= DAY_QUOTA, "{had:?}");
    }
}
