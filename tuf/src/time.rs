//! Dates as metadata has them: `2026-11-23T09:30:00Z`, to the second, in UTC.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Days of 400 years.
const ERA: u64 = 146_097;

/// Days from the 1st of March of the year 0 to 1970.
const EPOCH: u64 = 719_468;

/// The last second that has four digits of a year.
const LAST: u64 = 253_402_300_799;

/// A moment: seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// So many seconds after 1970, but at most the end of the year 9999.
    #[must_use]
    pub fn new(seconds: u64) -> Self {
        Self(seconds.min(LAST))
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// So many days later.
    #[must_use]
    pub fn after(self, days: u64) -> Self {
        Self::new(self.0.saturating_add(days.saturating_mul(DAY)))
    }

    /// Reads the one spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shape = b"dddd-dd-ddTdd:dd:ddZ";
        let fits = |(byte, shape): (&u8, &u8)| {
            if *shape == b'd' { byte.is_ascii_digit() } else { byte == shape }
        };
        if bytes.len() != shape.len() || !bytes.iter().zip(shape).all(fits) {
            return None;
        }
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let days = days(year, month, day)?;
        let time = Self(days * DAY + hour * 3600 + minute * 60 + second);
        // Whatever does not exist (the 31st of April, 25 o'clock) is printed as something else.
        (time.to_string() == text).then_some(time)
    }
}

/// Days since 1970 of a date; of one that does not exist, those of another.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let month = (month + 9) % 12; // from March on
    let of_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
    (era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(EPOCH)
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / DAY + EPOCH, self.0 % DAY);
        let (era, of_era) = (days / ERA, days % ERA);
        let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * years + years / 4 - years / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = years + era * 400 + u64::from(month <= 2);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || de::Error::custom(format!("`{text}` is no date like 2026-01-31T12:00:00Z"));
        Self::parse(&text).ok_or_else(wrong)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-23T09:30:00Z", 1_795_426_200),
            ("9999-12-31T23:59:59Z", LAST),
        ] {
            assert_eq!(Time::parse(text), Some(Time(seconds)));
            assert_eq!(Time(seconds).to_string(), text);
        }
        for bad in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01t00:00:00Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "2026-01-01T00:00:00.5Z",
            "",
        ] {
            assert_eq!(Time::parse(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read(seconds in 0..=LAST) {
            proptest::prop_assert_eq!(Time::parse(&Time(seconds).to_string()), Some(Time(seconds)));
        }

        #[test]
        fn any_text_is_read_or_not(text in "[0-9TZ:-]{18,21}") {
            let _any = Time::parse(&text);
        }
    }
}
