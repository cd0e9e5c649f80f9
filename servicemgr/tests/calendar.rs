//! The next moment of a calendar expression: as systemd finds it, and over every change of a clock.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use model::calendar::Calendar;
use proptest::prelude::*;
use servicemgr::calendar::next;

/// What `systemd-analyze calendar --iterations=3` (252) says, in UTC. The clock of Berlin was put
/// forward on 2026-03-29 at 01:00 and back on 2026-10-25 at 01:00.
const FACTS: &str = "
UTC after 2026-01-31 12:30:00
  minutely => 2026-01-31 12:31:00, 2026-01-31 12:32:00, 2026-01-31 12:33:00
  hourly => 2026-01-31 13:00:00, 2026-01-31 14:00:00, 2026-01-31 15:00:00
  daily => 2026-02-01 00:00:00, 2026-02-02 00:00:00, 2026-02-03 00:00:00
  weekly => 2026-02-02 00:00:00, 2026-02-09 00:00:00, 2026-02-16 00:00:00
  monthly => 2026-02-01 00:00:00, 2026-03-01 00:00:00, 2026-04-01 00:00:00
  quarterly => 2026-04-01 00:00:00, 2026-07-01 00:00:00, 2026-10-01 00:00:00
  semiannually => 2026-07-01 00:00:00, 2027-01-01 00:00:00, 2027-07-01 00:00:00
  yearly => 2027-01-01 00:00:00, 2028-01-01 00:00:00, 2029-01-01 00:00:00
  Mon..Fri *-*-* 08:00:00 => 2026-02-02 08:00:00, 2026-02-03 08:00:00, 2026-02-04 08:00:00
  Mon-Fri => 2026-02-02 00:00:00, 2026-02-03 00:00:00, 2026-02-04 00:00:00
  mon, => 2026-02-02 00:00:00, 2026-02-09 00:00:00, 2026-02-16 00:00:00
  Wed => 2026-02-04 00:00:00, 2026-02-11 00:00:00, 2026-02-18 00:00:00
  Tuesday 10:00 => 2026-02-03 10:00:00, 2026-02-10 10:00:00, 2026-02-17 10:00:00
  Sat,Thu,Mon..Wed,Sat..Sun => 2026-02-01 00:00:00, 2026-02-02 00:00:00, 2026-02-03 00:00:00
  26-12-24 => 2026-12-24 00:00:00
  10-15 => 2026-10-15 00:00:00, 2027-10-15 00:00:00, 2028-10-15 00:00:00
  12-24..26 18:00 => 2026-12-24 18:00:00, 2026-12-25 18:00:00, 2026-12-26 18:00:00
  2026-1..6-1 => 2026-02-01 00:00:00, 2026-03-01 00:00:00, 2026-04-01 00:00:00
  2027/2-01-01 => 2027-01-01 00:00:00, 2029-01-01 00:00:00, 2031-01-01 00:00:00
  *-*-* => 2026-02-01 00:00:00, 2026-02-02 00:00:00, 2026-02-03 00:00:00
  *~01 => 2026-02-28 00:00:00, 2026-03-31 00:00:00, 2026-04-30 00:00:00
  *-*~1 => 2026-02-28 00:00:00, 2026-03-31 00:00:00, 2026-04-30 00:00:00
  *-02~3..7 => 2026-02-22 00:00:00, 2026-02-23 00:00:00, 2026-02-24 00:00:00
  *-02~07/2 => 2026-02-22 00:00:00, 2026-02-24 00:00:00, 2026-02-26 00:00:00
  Mon *-05~07/1 => 2026-05-25 00:00:00, 2027-05-31 00:00:00, 2028-05-29 00:00:00
  *-*~28/9 => 2026-02-01 00:00:00, 2026-02-10 00:00:00, 2026-02-19 00:00:00
  *-*-01..31/40 => 2026-02-01 00:00:00, 2026-03-01 00:00:00, 2026-04-01 00:00:00
  *:* => 2026-01-31 12:31:00, 2026-01-31 12:32:00, 2026-01-31 12:33:00
  *:0/15 => 2026-01-31 12:45:00, 2026-01-31 13:00:00, 2026-01-31 13:15:00
  *:7/20 => 2026-01-31 12:47:00, 2026-01-31 13:07:00, 2026-01-31 13:27:00
  *:0..10/15 => 2026-01-31 13:00:00, 2026-01-31 14:00:00, 2026-01-31 15:00:00
  *:*:0/10 => 2026-01-31 12:30:10, 2026-01-31 12:30:20, 2026-01-31 12:30:30
  10:00:* => 2026-02-01 10:00:00, 2026-02-01 10:00:01, 2026-02-01 10:00:02
  5..5:00 => 2026-02-01 05:00:00, 2026-02-02 05:00:00, 2026-02-03 05:00:00
  1..3,2:00 => 2026-02-01 01:00:00, 2026-02-01 02:00:00, 2026-02-01 03:00:00
  9..17/2:30 => 2026-01-31 13:30:00, 2026-01-31 15:30:00, 2026-01-31 17:30:00
  Fri *-*-13 => 2026-02-13 00:00:00, 2026-03-13 00:00:00, 2026-11-13 00:00:00
  *-02-29 => 2028-02-29 00:00:00, 2032-02-29 00:00:00, 2036-02-29 00:00:00
  Mon *-02-29 => 2044-02-29 00:00:00, 2072-02-29 00:00:00, 2112-02-29 00:00:00
  *-02-30 =>
  2025-12-31 =>
  2026-01-31 12:30:00 =>
  2026-01-31 12:30:01 => 2026-01-31 12:30:01
  *-*-31 => 2026-03-31 00:00:00, 2026-05-31 00:00:00, 2026-07-31 00:00:00
  *-*-29..31 => 2026-03-29 00:00:00, 2026-03-30 00:00:00, 2026-03-31 00:00:00
  *-4,6,9,11-31 =>
  *-*-8..14 => 2026-02-08 00:00:00, 2026-02-09 00:00:00, 2026-02-10 00:00:00
  Sun *-*-8..14 03:00 => 2026-02-08 03:00:00, 2026-03-08 03:00:00, 2026-04-12 03:00:00
  2100-02-29 =>
  2096/4-02-29 => 2096-02-29 00:00:00, 2104-02-29 00:00:00, 2108-02-29 00:00:00
  *-12-31 23:59:59 => 2026-12-31 23:59:59, 2027-12-31 23:59:59, 2028-12-31 23:59:59
  Thu,Fri 2026-*-1,5 11:12:13 => 2026-02-05 11:12:13, 2026-03-05 11:12:13, 2026-05-01 11:12:13
  *-*-* 12:31,45 => 2026-01-31 12:31:00, 2026-01-31 12:45:00, 2026-02-01 12:31:00
  2199-12-31 23:59:59 => 2199-12-31 23:59:59
  1999-01-01 =>
BERLIN after 2026-03-28 22:00:00
  hourly => 2026-03-28 23:00:00, 2026-03-29 00:00:00, 2026-03-29 01:00:00
  *:30 => 2026-03-28 22:30:00, 2026-03-28 23:30:00, 2026-03-29 00:30:00
  03:00 => 2026-03-29 01:00:00, 2026-03-30 01:00:00, 2026-03-31 01:00:00
  01:59:59 => 2026-03-29 00:59:59, 2026-03-29 23:59:59, 2026-03-30 23:59:59
  Sun 08:00 => 2026-03-29 06:00:00, 2026-04-05 06:00:00, 2026-04-12 06:00:00
  *:0/20 => 2026-03-28 22:20:00, 2026-03-28 22:40:00, 2026-03-28 23:00:00
BERLIN after 2026-10-24 22:30:00
  02:30 => 2026-10-25 00:30:00, 2026-10-26 01:30:00, 2026-10-27 01:30:00
  2..3:00 => 2026-10-25 00:00:00, 2026-10-25 02:00:00, 2026-10-26 01:00:00
  03:00 => 2026-10-25 02:00:00, 2026-10-26 02:00:00, 2026-10-27 02:00:00
  weekly => 2026-10-25 23:00:00, 2026-11-01 23:00:00, 2026-11-08 23:00:00
  Sun *-10~07/1 02:00 => 2026-10-25 00:00:00, 2027-10-31 00:00:00, 2028-10-29 00:00:00
";

fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

fn utc(text: &str) -> Timestamp {
    Offset::UTC.to_timestamp(text.parse::<DateTime>().unwrap()).unwrap()
}

/// The first few moments after one, in UTC.
fn moments(expression: &str, after: &str, zone: &TimeZone, count: usize) -> String {
    let calendar: Calendar = expression.parse().unwrap();
    let first = next(&calendar, utc(after), zone);
    let all = std::iter::successors(first, |at| next(&calendar, *at, zone));
    let text = |at: Timestamp| Offset::UTC.to_datetime(at).to_string().replace('T', " ");
    all.take(count).map(text).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_next_moments_are_those_that_systemd_finds() {
    let (mut zone, mut after) = (TimeZone::UTC, "");
    for line in FACTS.trim().lines() {
        if let Some((name, base)) = line.split_once(" after ") {
            zone = if name == "BERLIN" { berlin() } else { TimeZone::UTC };
            after = base;
            continue;
        }
        let (expression, wanted) = line.trim().split_once(" =>").unwrap();
        assert_eq!(moments(expression, after, &zone, 3), wanted.trim(), "{expression}");
    }
}

#[test]
fn a_time_that_the_clock_leaves_out_comes_at_the_first_moment_after() {
    let wanted = "2026-03-28 01:30:00, 2026-03-29 01:00:00, 2026-03-30 00:30:00";
    assert_eq!(moments("02:30", "2026-03-28 00:00:00", &berlin(), 3), wanted);
    // Several of them are one.
    let wanted = "2026-03-29 00:45:00, 2026-03-29 01:00:00, 2026-03-29 01:15:00";
    assert_eq!(moments("0..22:0/15", "2026-03-29 00:30:00", &berlin(), 3), wanted);
}

#[test]
fn a_time_that_the_clock_shows_twice_comes_once() {
    let wanted = "2026-10-25 00:30:00, 2026-10-26 01:30:00";
    assert_eq!(moments("02:30", "2026-10-24 12:00:00", &berlin(), 2), wanted);
    // Asked in the second hour, it was in the first.
    let wanted = "2026-10-26 01:30:00, 2026-10-27 01:30:00";
    assert_eq!(moments("02:30", "2026-10-25 01:10:00", &berlin(), 2), wanted);
}

#[test]
fn what_comes_each_hour_goes_on_when_the_clock_is_put_forward_or_back() {
    let wanted = "2026-03-29 00:30:00, 2026-03-29 01:30:00, 2026-03-29 02:30:00";
    assert_eq!(moments("*:30", "2026-03-29 00:00:00", &berlin(), 3), wanted);
    let wanted = "2026-10-25 00:30:00, 2026-10-25 01:30:00, 2026-10-25 02:30:00";
    assert_eq!(moments("*:30", "2026-10-25 00:00:00", &berlin(), 3), wanted);
    let wanted = "2026-10-25 00:50:00, 2026-10-25 01:00:00, 2026-10-25 01:10:00";
    assert_eq!(moments("*:0/10", "2026-10-25 00:40:00", &berlin(), 3), wanted);
}

#[test]
fn fractions_of_the_present_second_do_not_matter() {
    let calendar: Calendar = "12:30:01".parse().unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let find = |text: &str| next(&calendar, at(text), &TimeZone::UTC);
    assert_eq!(find("2026-01-31T12:30:00.999Z"), Some(at("2026-01-31T12:30:01Z")));
    assert_eq!(find("2026-01-31T12:30:01.001Z"), Some(at("2026-02-01T12:30:01Z")));
    assert_eq!(find("1960-01-01T00:00:00.5Z"), Some(at("1970-01-01T12:30:01Z")));
}

#[test]
fn what_never_comes_again_is_found_out_quickly() {
    let started = Timestamp::now();
    for expression in ["*-02-30", "Mon 2199-12-31", "Tue,Wed *-02,04,06-31 *:*:*", "1970-01-01"] {
        assert_eq!(moments(expression, "2026-01-31 12:30:00", &berlin(), 1), "", "{expression}");
    }
    let far = [Timestamp::MIN, Timestamp::MAX];
    for expression in ["*:*:*", "Mon *-02-29", "2199-12-31"] {
        let calendar: Calendar = expression.parse().unwrap();
        assert_eq!(next(&calendar, far[1], &berlin()), None);
        assert!(next(&calendar, far[0], &berlin()).is_some(), "{expression}");
    }
    assert!(Timestamp::now().duration_since(started).as_secs() < 5);
}

/// Whether an expression in whole minutes means this minute: slow and simple.
fn means(calendar: &Calendar, at: Timestamp, zone: &TimeZone) -> bool {
    let here = zone.to_datetime(at);
    let matches = |t: DateTime| {
        let small = |n: i8| u8::try_from(n).unwrap();
        let begins = small(t.date().first_of_month().weekday().to_monday_zero_offset());
        let (day, length) = (small(t.day()), small(t.date().days_in_month()));
        let year = u16::try_from(t.year()).unwrap();
        calendar.year_from(year) == Some(year)
            && calendar.month_from(small(t.month())) == Some(small(t.month()))
            && calendar.day_from(day, length, begins) == Some(day)
            && calendar.hour_from(small(t.hour())) == Some(small(t.hour()))
            && calendar.minute_from(small(t.minute())) == Some(small(t.minute()))
    };
    let first = zone.to_ambiguous_timestamp(here).earlier().unwrap() == at;
    let mut left_out = zone.to_datetime(at - 1.minute()) + 1.minute();
    let mut made_up = false;
    while left_out < here {
        made_up |= matches(left_out);
        left_out += 1.minute();
    }
    if calendar.is_every_hour() { matches(here) } else { made_up || (matches(here) && first) }
}

/// Expressions in whole minutes that come often enough.
fn expression() -> impl Strategy<Value = String> {
    let days = prop_oneof![Just(""), Just("Sun "), Just("Mon..Sat "), Just("Sat,Sun ")];
    let dates = prop_oneof![Just("*-*-*"), Just("*-*~1..9"), Just("*-*-01..07"), Just("*-03,10-*")];
    let hours = prop_oneof![
        Just("*".to_owned()),
        (0..4_u8, 1..5_u8).prop_map(|(a, b)| format!("{a}/{b}")),
        (0..24_u8).prop_map(|a| a.to_string()),
    ];
    let minutes = prop_oneof![
        Just("*".to_owned()),
        (0..59_u8).prop_map(|a| a.to_string()),
        (0..29_u8, 7..30_u8).prop_map(|(a, b)| format!("{a}/{b}")),
    ];
    (days, dates, hours, minutes).prop_map(|(d, date, h, m)| format!("{d}{date} {h}:{m}"))
}

/// Minutes before or after a change of the clock, in a zone that has it.
fn place() -> impl Strategy<Value = (TimeZone, Timestamp)> {
    // Lord Howe goes by half an hour; the last one, made up, by a whole day.
    let zones = prop_oneof![
        Just("CET-1CEST,M3.5.0,M10.5.0/3"),
        Just("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"),
        Just("EST5EDT,M3.2.0,M11.1.0"),
        Just("AAA-12BBB12,M3.5.0,M10.5.0/3"),
    ];
    (zones, 0..12_u8, -3000..3000_i64).prop_map(|(text, which, minutes)| {
        let zone = TimeZone::posix(text).unwrap();
        let change = zone.following(utc("2026-01-01 00:00:00")).nth(which.into()).unwrap();
        let at = change.timestamp() + minutes.minutes();
        (zone, at)
    })
}

proptest! {
    #[test]
    fn what_is_found_matches_is_later_and_nothing_between_matches(
        expression in expression(), (zone, after) in place()
    ) {
        let calendar: Calendar = expression.parse().unwrap();
        let found = next(&calendar, after, &zone);
        prop_assert!(found.is_none_or(|found| found > after));
        // Two days are enough to go over the change.
        for minute in 1..2 * 24 * 60 {
            let at = after + minute.minutes();
            prop_assert_eq!(means(&calendar, at, &zone), found == Some(at), "{} in {:?}", at, &zone);
            if found == Some(at) {
                break;
            }
        }
    }

    #[test]
    fn no_moment_makes_it_panic(
        text in "(Mon )?(20[0-9][0-9]|[*])-([*]|[0-9]{1,2})[-~]([*]|[0-9]{1,2}) ([*]|[0-9]{1,2}):[*]:[0-9]",
        after in -377_705_023_201_i64..=253_402_207_200,
    ) {
        if let Ok(calendar) = text.parse::<Calendar>() {
            let after = Timestamp::from_second(after).unwrap();
            prop_assert!(next(&calendar, after, &berlin()).is_none_or(|found| found > after));
        }
    }
}
