//! Times on the calendar, as systemd writes them: `Mon..Fri *-*-* 08:00:00`, `daily`, `*:0/15`.
//!
//! ```text
//! text --read--> Calendar: a set for each part --shown as--> [weekdays ]year-month-day time[ zone]
//! ```
//!
//! It says which moments match, never when the next one is: that needs the rules of a time zone.
//! Invariant: every set is within the range of its part. Seconds are whole.

mod read;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

/// First year that can match.
pub const FIRST_YEAR: u16 = 1970;

/// Last year that can match: whoever looks for the next moment stops here.
pub const LAST_YEAR: u16 = 2199;

/// Longest expression, in bytes: every normal form is shorter.
pub const MAX_TEXT: usize = 2048;

/// Days of the week as they are written, Monday first.
pub(super) const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Moments on the calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Bit 0 is Monday.
    weekdays: u8,
    /// Sorted; empty is every year.
    years: Vec<u16>,
    /// Bit 1 is January.
    months: u16,
    /// Bit 1 is the first day of the month, or the last.
    days: u32,
    /// Days are counted from the end of the month.
    from_end: bool,
    hours: u32,
    minutes: u64,
    seconds: u64,
    zone: Zone,
}

/// Whose clock a [`Calendar`] means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Zone {
    /// That of the device.
    Device,
    /// Coordinated universal time.
    Utc,
    /// That of this place, as `Area/City`.
    Place(String),
}

/// Why a text is not a [`Calendar`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCalendar {
    /// What is wrong, at which word.
    pub message: String,
    /// What to write.
    pub help: String,
}

/// The numbers that a part of a [`Calendar`] may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) from: u16,
    pub(super) to: u16,
}

pub(super) const YEAR: Part = Part { name: "year", from: FIRST_YEAR, to: LAST_YEAR };
pub(super) const MONTH: Part = Part { name: "month", from: 1, to: 12 };
pub(super) const DAY: Part = Part { name: "day", from: 1, to: 31 };
/// Every month has so many.
pub(super) const DAY_FROM_END: Part = Part { name: "day from the end", from: 1, to: 28 };
pub(super) const HOUR: Part = Part { name: "hour", from: 0, to: 23 };
pub(super) const MINUTE: Part = Part { name: "minute", from: 0, to: 59 };
pub(super) const SECOND: Part = Part { name: "second", from: 0, to: 59 };

/// Every weekday, as bits.
pub(super) const EVERY_WEEKDAY: u8 = 0x7f;

impl Part {
    /// All its numbers, as bits.
    pub(super) fn all(self) -> u64 {
        (self.from..=self.to).fold(0, |bits, n| bits | bit(n))
    }
}

impl Calendar {
    /// The first year from this one on that matches.
    #[must_use]
    pub fn year_from(&self, year: u16) -> Option<u16> {
        let year = year.max(FIRST_YEAR);
        let found = match self.years.as_slice() {
            [] => Some(year),
            years => years.iter().copied().find(|known| *known >= year),
        };
        found.filter(|year| *year <= LAST_YEAR)
    }

    /// The first month (1 to 12) from this one on that matches.
    #[must_use]
    pub fn month_from(&self, month: u8) -> Option<u8> {
        first(self.months.into(), month)
    }

    /// The first day (1 to 31) from this one on that matches, in a month of `length` days that
    /// begins at this weekday (0 is Monday).
    #[must_use]
    pub fn day_from(&self, day: u8, length: u8, begins: u8) -> Option<u8> {
        let length = length.min(31);
        (day.max(1)..=length).find(|day| {
            let weekday = (u32::from(begins) + u32::from(*day) - 1) % 7;
            let number = if self.from_end { length + 1 - day } else { *day };
            u32::from(self.weekdays) >> weekday & 1 == 1 && self.days >> number & 1 == 1
        })
    }

    /// The first hour from this one on that matches.
    #[must_use]
    pub fn hour_from(&self, hour: u8) -> Option<u8> {
        first(self.hours.into(), hour)
    }

    /// The first minute from this one on that matches.
    #[must_use]
    pub fn minute_from(&self, minute: u8) -> Option<u8> {
        first(self.minutes, minute)
    }

    /// The first second from this one on that matches.
    #[must_use]
    pub fn second_from(&self, second: u8) -> Option<u8> {
        first(self.seconds, second)
    }

    /// Whether it means each hour of a matching day: then it also means both when the clock is put
    /// back by an hour.
    #[must_use]
    pub fn is_every_hour(&self) -> bool {
        u64::from(self.hours) == HOUR.all()
    }

    /// Whose clock it means.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }
}

/// The normal form, which reads back as the same value.
impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.weekdays & EVERY_WEEKDAY != EVERY_WEEKDAY {
            write!(f, "{} ", weekdays(self.weekdays))?;
        }
        let year = if self.years.is_empty() { "*".to_owned() } else { numbers(&self.years, YEAR) };
        let month = set(self.months.into(), MONTH);
        let (mark, day) = match self.from_end {
            false => ('-', set(self.days.into(), DAY)),
            true => ('~', set(self.days.into(), DAY_FROM_END)),
        };
        let (hour, minute) = (set(self.hours.into(), HOUR), set(self.minutes, MINUTE));
        write!(f, "{year}-{month}{mark}{day} {hour}:{minute}:{}", set(self.seconds, SECOND))?;
        match &self.zone {
            Zone::Device => Ok(()),
            Zone::Utc => f.write_str(" UTC"),
            Zone::Place(name) => write!(f, " {name}"),
        }
    }
}

impl fmt::Display for BadCalendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.help)
    }
}

impl std::error::Error for BadCalendar {}

/// This number as a bit.
pub(super) fn bit(number: u16) -> u64 {
    1_u64.checked_shl(number.into()).unwrap_or(0)
}

/// The first bit that is set, from this one on.
fn first(bits: u64, from: u8) -> Option<u8> {
    let rest = bits.checked_shr(from.into()).filter(|rest| *rest != 0)?;
    u8::try_from(rest.trailing_zeros()).ok()?.checked_add(from)
}

/// `Mon..Wed,Sat,Sun`.
fn weekdays(bits: u8) -> String {
    let is = |day: usize| day < 7 && u32::from(bits) >> day & 1 == 1;
    let mut parts = Vec::new();
    let mut day = 0;
    while let Some(name) = WEEKDAYS.get(day) {
        let run = (day..7).take_while(|day| is(*day)).count();
        let last = WEEKDAYS.get((day + run).saturating_sub(1)).filter(|_| run > 2);
        match last {
            Some(last) => parts.push(format!("{name}..{last}")),
            None if run > 0 => parts.push((*name).to_owned()),
            None => {}
        }
        day += if last.is_some() { run } else { 1 };
    }
    parts.join(",")
}

/// A set of numbers as it is written; all of them are `*`.
fn set(bits: u64, part: Part) -> String {
    let every = part.name != DAY_FROM_END.name && bits == part.all();
    let inside: Vec<u16> = (part.from..=part.to).filter(|n| bits & bit(*n) != 0).collect();
    if every { "*".to_owned() } else { numbers(&inside, part) }
}

/// Sorted numbers as they are written: `01,05`, `08..17`, `00/15`.
fn numbers(all: &[u16], part: Part) -> String {
    let mut parts = Vec::new();
    let mut rest = all;
    while let [a, more @ ..] = rest {
        // As far as they go on by the same step.
        let step = more.first().map_or(0, |b| b.saturating_sub(*a));
        let same = |(n, place): (&u16, u16)| *n == a.saturating_add(step.saturating_mul(place));
        let many = 1 + more.iter().zip(1_u16..).take_while(|at| same(*at)).count();
        let last = rest.get(many - 1).copied().unwrap_or(*a);
        let open = part.name != DAY_FROM_END.name && last.saturating_add(step) > part.to;
        let taken = if many < 3 { 1 } else { many };
        parts.push(match (taken, step) {
            (1, _) => format!("{a:02}"),
            (_, 1) => format!("{a:02}..{last:02}"),
            _ if open => format!("{a:02}/{step}"),
            _ => format!("{a:02}..{last:02}/{step}"),
        });
        rest = rest.get(taken..).unwrap_or_default();
    }
    parts.join(",")
}
