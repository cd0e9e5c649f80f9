//! The next moment that a calendar expression means, in a time zone. Pure: the clock and the rules
//! of the zone come from outside.
//!
//! ```text
//! local clock   01:00 ── 02:00 ─┐                     03:00 ─┐
//! put forward                   └─► 03:00 ──     put back    └─► 02:00 ── 03:00
//! a time of day  one that was left out comes at   comes once, the first time
//!                the first moment after
//! each hour      goes on with what is there       comes both times
//! ```
//!
//! Invariant: what is found is later than `after`, and nothing between them matches. The work is
//! bounded: nothing is looked for after [`LAST_YEAR`](model::calendar::LAST_YEAR), and a zone
//! changes its clock a few times a year.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use model::calendar::Calendar;

/// Seconds of a day, an hour and a minute.
const DAY: i64 = 86_400;
const HOUR: i64 = 3600;
const MINUTE: i64 = 60;

/// Changes of the clock that are looked through: those of the 230 years that can match, and more.
const MAX_CHANGES: usize = 2000;

/// The first moment after `after`, or `None`: never again. `zone` is the one that the expression
/// means.
#[must_use]
pub fn next(calendar: &Calendar, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    // The local clock is counted in seconds as if it were UTC.
    let after = floor(after);
    let offset = offset_at(zone, after)?;
    let mut from = after + 1 + offset;
    if let Some(change) = Change::before(zone, after)
        && change.is_back()
        && !calendar.is_every_hour()
    {
        from = from.max(change.old);
    }
    let mut found = local(calendar, from)?;
    let mut offset = offset;
    let mut at = after;
    for _ in 0..MAX_CHANGES {
        let Some(change) = Change::after(zone, at) else { break };
        if found - offset < change.at {
            break;
        }
        if !change.is_back() && found < change.new && !calendar.is_every_hour() {
            return moment(change.at);
        }
        if calendar.is_every_hour() {
            found = local(calendar, change.new)?;
        }
        (at, offset) = (change.at, change.new - change.at);
    }
    moment(found - offset)
}

/// A change of the clock of a zone, in seconds.
#[derive(Debug, Clone, Copy)]
struct Change {
    /// When.
    at: i64,
    /// What the local clock would have shown,
    old: i64,
    /// and what it shows.
    new: i64,
}

impl Change {
    /// The last one that was not later than `at`.
    fn before(zone: &TimeZone, at: i64) -> Option<Self> {
        Self::new(zone, zone.preceding(moment(at + 1)?).next()?.timestamp())
    }

    /// The next one.
    fn after(zone: &TimeZone, at: i64) -> Option<Self> {
        Self::new(zone, zone.following(moment(at)?).next()?.timestamp())
    }

    fn new(zone: &TimeZone, at: Timestamp) -> Option<Self> {
        let at = floor(at);
        let (old, new) = (at + offset_at(zone, at - 1)?, at + offset_at(zone, at)?);
        Some(Self { at, old, new })
    }

    fn is_back(self) -> bool {
        self.new < self.old
    }
}

/// The first matching second of a local clock from this one on.
fn local(calendar: &Calendar, from: i64) -> Option<i64> {
    let from = civil(from)?;
    let today = date(calendar, from.date())?;
    if today == from.date()
        && let Some(time) = time(calendar, [from.hour(), from.minute(), from.second()])
    {
        return Some(seconds(today)? + time);
    }
    let day = if today == from.date() { date(calendar, today.tomorrow().ok()?)? } else { today };
    Some(seconds(day)? + time(calendar, [0, 0, 0])?)
}

/// The first matching day from this one on.
fn date(calendar: &Calendar, from: Date) -> Option<Date> {
    let mut start =
        (u16::try_from(from.year()).unwrap_or(0), small(from.month()), small(from.day()));
    loop {
        let year = calendar.year_from(start.0)?;
        if year > start.0 {
            start = (year, 1, 1);
        }
        while let Some(month) = calendar.month_from(start.1) {
            let first = Date::new(year.try_into().ok()?, month.try_into().ok()?, 1).ok()?;
            let day = if month > start.1 { 1 } else { start.2 };
            let weekday = small(first.weekday().to_monday_zero_offset());
            if let Some(day) = calendar.day_from(day, small(first.days_in_month()), weekday) {
                return Date::new(first.year(), first.month(), day.try_into().ok()?).ok();
            }
            start = (year, month + 1, 1);
        }
        start = (year + 1, 1, 1);
    }
}

/// The first matching second of a day from this time on.
fn time(calendar: &Calendar, from: [i8; 3]) -> Option<i64> {
    let [hour, minute, second] = from.map(small);
    let sum = |h: u8, m: u8, s: u8| i64::from(h) * HOUR + i64::from(m) * MINUTE + i64::from(s);
    if calendar.hour_from(hour) == Some(hour) {
        if calendar.minute_from(minute) == Some(minute)
            && let Some(second) = calendar.second_from(second)
        {
            return Some(sum(hour, minute, second));
        }
        if let Some(minute) = calendar.minute_from(minute + 1) {
            return Some(sum(hour, minute, calendar.second_from(0)?));
        }
    }
    let hour = calendar.hour_from(hour + 1)?;
    Some(sum(hour, calendar.minute_from(0)?, calendar.second_from(0)?))
}

fn civil(local: i64) -> Option<DateTime> {
    Some(Offset::UTC.to_datetime(moment(local)?))
}

fn seconds(day: Date) -> Option<i64> {
    let at = Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
    Some(floor(at).div_euclid(DAY) * DAY)
}

fn offset_at(zone: &TimeZone, at: i64) -> Option<i64> {
    Some(zone.to_offset(moment(at)?).seconds().into())
}

fn moment(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// Whole seconds, also before 1970.
fn floor(at: Timestamp) -> i64 {
    at.as_second() - i64::from(at.subsec_nanosecond() < 0)
}

/// A part of a date or time; jiff has none below zero.
fn small(number: i8) -> u8 {
    u8::try_from(number).unwrap_or(0)
}
