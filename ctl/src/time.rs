//! Times as people write and read them. The clock and the time zone come from outside.

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, Zoned};

/// Where the time zone of the device is.
pub const LOCALTIME: &str = "/etc/localtime";

/// The time zone in the bytes of [`LOCALTIME`]; UTC when there is none or it makes no sense.
#[must_use]
pub fn zone(bytes: Option<&[u8]>) -> TimeZone {
    bytes.and_then(|bytes| TimeZone::tzif("local", bytes).ok()).unwrap_or(TimeZone::UTC)
}

/// Nanoseconds as `0.080 s`, `1 min 3 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn span(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match seconds {
        0..60 => format!("{}.{:03} s", seconds, ns / 1_000_000 % 1000),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// Microseconds since 1970 as `Jan 31 12:30:00`.
#[must_use]
pub fn stamp(micros: u64, zone: &TimeZone) -> String {
    let at = i64::try_from(micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
    let Some(at) = at else { return "--- -- --:--:--".to_owned() };
    let at = zone.to_datetime(at);
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = usize::try_from(at.month() - 1).ok().and_then(|month| MONTHS.get(month));
    let (day, hour, minute, second) = (at.day(), at.hour(), at.minute(), at.second());
    format!("{} {day:02} {hour:02}:{minute:02}:{second:02}", month.unwrap_or(&"---"))
}

/// What somebody wrote after `--since`, in microseconds since 1970: `10 min ago`, `-2h`, `12:30`,
/// `today`, `yesterday`, `2026-01-31`, `2026-01-31 12:30:00`, `@1769862600`.
#[must_use]
pub fn since(text: &str, now: Timestamp, zone: &TimeZone) -> Option<u64> {
    let text = text.trim();
    let here = now.to_zoned(zone.clone());
    let at = match text {
        "now" => Some(now),
        "today" => here.start_of_day().ok().map(|day| day.timestamp()),
        "yesterday" => yesterday(&here),
        _ => absolute(text, &here, zone).or_else(|| relative(text, &here)),
    };
    at.map(|at| u64::try_from(at.as_microsecond()).unwrap_or_default())
}

fn yesterday(here: &Zoned) -> Option<Timestamp> {
    Some(here.checked_sub(1.day()).ok()?.start_of_day().ok()?.timestamp())
}

fn absolute(text: &str, here: &Zoned, zone: &TimeZone) -> Option<Timestamp> {
    if let Some(seconds) = text.strip_prefix('@') {
        return Timestamp::from_second(seconds.parse().ok()?).ok();
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    // A time of day would also be found in a date with a time.
    let at = match text.parse::<civil::DateTime>() {
        Ok(at) => at,
        Err(_) => here.date().to_datetime(text.parse::<civil::Time>().ok()?),
    };
    Some(zone.to_zoned(at).ok()?.timestamp())
}

/// Only the past makes sense: `-2h` is `2h ago`, and so is `2h`.
fn relative(text: &str, here: &Zoned) -> Option<Timestamp> {
    let ago = text.trim_start_matches('-').trim_end_matches("ago").trim();
    let span: Span = ago.parse().ok()?;
    here.checked_sub(span).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_long_as_they_need_to_be() {
        let seconds = |n: u64| span(n * 1_000_000_000);
        assert_eq!([span(0), span(80_400_000)], ["0.000 s", "0.080 s"]);
        assert_eq!([seconds(59), seconds(63)], ["59.000 s", "1 min 3 s"]);
        assert_eq!([seconds(7500), seconds(273_600)], ["2 h 5 min", "3 d 4 h"]);
    }

    #[test]
    fn a_time_is_shown_in_the_zone_of_the_device() {
        let at = 1_769_862_600_000_000;
        assert_eq!(stamp(at, &TimeZone::UTC), "Jan 31 12:30:00");
        let east = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(stamp(at, &east), "Jan 31 14:30:00");
        assert_eq!(stamp(u64::MAX, &east), "--- -- --:--:--");
        assert_eq!(zone(Some(b"nonsense")), TimeZone::UTC);
    }

    #[test]
    fn since_understands_what_people_write() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let now: Timestamp = "2026-01-31T12:30:00Z".parse().unwrap();
        let read = |text: &str| {
            let micros = since(text, now, &zone)?;
            Some(Timestamp::from_microsecond(i64::try_from(micros).unwrap()).unwrap().to_string())
        };
        for (text, wanted) in [
            ("now", "2026-01-31T12:30:00Z"),
            ("10 min ago", "2026-01-31T12:20:00Z"),
            ("1h 30m ago", "2026-01-31T11:00:00Z"),
            ("-2h", "2026-01-31T10:30:00Z"),
            ("2 days ago", "2026-01-29T12:30:00Z"),
            ("09:15", "2026-01-31T08:15:00Z"),
            ("today", "2026-01-30T23:00:00Z"),
            ("yesterday", "2026-01-29T23:00:00Z"),
            ("2026-01-02", "2026-01-01T23:00:00Z"),
            ("2026-01-02 03:04:05", "2026-01-02T02:04:05Z"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("@1769862600", "2026-01-31T12:30:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(wanted), "{text}");
        }
        for text in ["", "soon", "25:00", "2026-13-01", "@x", "9999999999999 years ago"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
