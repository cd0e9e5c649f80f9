//! From text to [`Calendar`], word by word: `[weekdays] [date] [time] [zone]`.
//!
//! What systemd accepts is accepted, with two exceptions: fractions of a second, and `@SECONDS`,
//! which is no time that comes again. Every mistake names the word it is in.

use std::str::FromStr;

use super::{
    BadCalendar, Calendar, DAY, DAY_FROM_END, EVERY_WEEKDAY, HOUR, MAX_TEXT, MINUTE, MONTH, Part,
    SECOND, WEEKDAYS, YEAR, Zone, bit,
};

type Read<T> = Result<T, BadCalendar>;

/// Words that stand for a whole expression.
const SHORT: &[(&str, &str)] = &[
    ("minutely", "*:*"),
    ("hourly", "*:00"),
    ("daily", "00:00"),
    ("weekly", "Mon 00:00"),
    ("monthly", "*-01 00:00"),
    ("quarterly", "01,04,07,10-01 00:00"),
    ("semiannually", "01,07-01 00:00"),
    ("semi-annually", "01,07-01 00:00"),
    ("biannually", "01,07-01 00:00"),
    ("bi-annually", "01,07-01 00:00"),
    ("yearly", "01-01 00:00"),
    ("annually", "01-01 00:00"),
];

/// Days of the week in full.
const FULL: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const EXAMPLES: &str = "for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`";

impl FromStr for Calendar {
    type Err = BadCalendar;

    fn from_str(text: &str) -> Read<Self> {
        if text.len() > MAX_TEXT {
            return bad(format!("more than {MAX_TEXT} bytes for a time"), EXAMPLES);
        }
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let zone = match words.last().and_then(|word| zone(word)) {
            Some(zone) => {
                words.pop();
                zone
            }
            None => Zone::Device,
        };
        let whole = |word: &str| SHORT.iter().find(|(short, _)| short.eq_ignore_ascii_case(word));
        if let Some((word, meant)) = words.first().and_then(|word| whole(word)) {
            if let Some(more) = words.get(1) {
                return bad(
                    format!("`{more}` follows `{word}`, which says it all"),
                    "leave one of them out; only a time zone may follow: `UTC`, `Europe/Berlin`",
                );
            }
            words = meant.split(' ').collect();
        }
        Self::from_words(&words, zone)
    }
}

impl Calendar {
    fn from_words(words: &[&str], zone: Zone) -> Read<Self> {
        let mut rest = words.iter().copied().peekable();
        let mut found = Self {
            weekdays: EVERY_WEEKDAY,
            years: Vec::new(),
            months: narrow(MONTH.all()),
            days: narrow(DAY.all()),
            from_end: false,
            hours: 1,
            minutes: 1,
            seconds: 1,
            zone,
        };
        if rest.peek().is_none() {
            return bad("there is no time in it", EXAMPLES);
        }
        if let Some(word) = rest.next_if(|word| word.starts_with(|c: char| c.is_alphabetic())) {
            found.weekdays = weekdays(word)?;
        }
        if let Some(word) = rest.next_if(|word| !word.contains(':')) {
            found.date(word)?;
        }
        if let Some(word) = rest.next_if(|word| word.contains(':')) {
            found.time(word)?;
        }
        match rest.next() {
            None => Ok(found),
            Some(word) if word.starts_with(|c: char| c.is_alphabetic()) => bad(
                format!("`{word}` is no time zone"),
                "the last word may be `UTC` or a place like `Europe/Berlin`",
            ),
            Some(word) => bad(
                format!("`{word}` is one word too many"),
                "weekdays, date, time and time zone, in this order, each at most once",
            ),
        }
    }

    /// `2026-12-24`, `12-24`, `*-02~01`.
    fn date(&mut self, word: &str) -> Read<()> {
        const HELP: &str = "a date is `year-month-day` or `month-day`, `*` for any, and a time has \
                            a `:`, like `08:00`";
        if word.starts_with('@') {
            return bad(format!("`{word}` comes only once, long ago or not"), EXAMPLES);
        }
        let Some((front, day)) = word.rsplit_once(['-', '~']) else {
            return bad(format!("`{word}` is neither a date nor a time"), HELP);
        };
        self.from_end = word.as_bytes().get(front.len()) == Some(&b'~') && day != "*";
        let (year, month) = front.split_once('-').unwrap_or(("*", front));
        if [year, month, day].iter().any(|part| part.is_empty() || part.contains(['-', '~'])) {
            return bad(format!("`{word}` is not a date"), HELP);
        }
        let years = numbers(word, year, YEAR)?;
        let all = years.len() == usize::from(YEAR.to - YEAR.from) + 1;
        self.years = if all { Vec::new() } else { years };
        self.months = narrow(bits(word, month, MONTH)?);
        let days = if self.from_end { DAY_FROM_END } else { DAY };
        self.days = narrow(bits(word, day, days)?);
        Ok(())
    }

    /// `08:00`, `08:00:30`.
    fn time(&mut self, word: &str) -> Read<()> {
        let parts: Vec<&str> = word.split(':').collect();
        let (hour, minute, second) = match parts.as_slice() {
            [hour, minute] => (*hour, *minute, "0"),
            [hour, minute, second] => (*hour, *minute, *second),
            _ => {
                return bad(
                    format!("`{word}` is not a time"),
                    "a time is `hour:minute` or `hour:minute:second`, `*` for any",
                );
            }
        };
        self.hours = narrow(bits(word, hour, HOUR)?);
        self.minutes = bits(word, minute, MINUTE)?;
        self.seconds = bits(word, second, SECOND)?;
        Ok(())
    }
}

/// `UTC` or `Area/City`. Whether there is such a place is for who has the rules of time zones.
fn zone(word: &str) -> Option<Zone> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-');
    let part = |p: &str| p.starts_with(|c: char| c.is_ascii_alphabetic()) && p.bytes().all(legal);
    if word.eq_ignore_ascii_case("UTC") {
        return Some(Zone::Utc);
    }
    let parts: Vec<&str> = word.split('/').collect();
    let fits = (2..=3).contains(&parts.len()) && parts.iter().all(|p| part(p));
    fits.then(|| Zone::Place(word.to_owned()))
}

/// `Mon`, `Mon..Fri`, `Sat,Sun`.
fn weekdays(word: &str) -> Read<u8> {
    let day = |name: &str| {
        let at = |names: &[&str; 7]| names.iter().position(|day| day.eq_ignore_ascii_case(name));
        at(&WEEKDAYS).or(at(&FULL)).and_then(|at| u16::try_from(at).ok())
    };
    let known = |name: &str| {
        day(name).ok_or_else(|| BadCalendar {
            message: match name {
                "" => format!("`{word}` lacks a weekday"),
                _ if name == word => format!("`{word}` is no weekday"),
                _ => format!("`{name}` in `{word}` is no weekday"),
            },
            help: format!("weekdays are {}; {EXAMPLES}", WEEKDAYS.join(", ")),
        })
    };
    let mut bits = 0;
    // A comma at the end is systemd's.
    for item in word.strip_suffix(',').unwrap_or(word).split(',') {
        let (from, to) = match item.split_once("..").or_else(|| item.split_once('-')) {
            Some((from, to)) => (known(from)?, known(to)?),
            None => (known(item)?, known(item)?),
        };
        if from > to {
            let help = "a week begins with Monday: write `Sat,Sun,Mon` for `Sat..Mon`";
            return bad(format!("`{item}` goes backwards"), help);
        }
        bits |= (from..=to).fold(0, |bits, day| bits | bit(day));
    }
    Ok(u8::try_from(bits).unwrap_or(EVERY_WEEKDAY))
}

fn bits(word: &str, text: &str, part: Part) -> Read<u64> {
    Ok(numbers(word, text, part)?.into_iter().fold(0, |bits, n| bits | bit(n)))
}

/// The numbers of a list like `1,5..10/2`, sorted.
fn numbers(word: &str, text: &str, part: Part) -> Read<Vec<u16>> {
    if text == "*" {
        return Ok((part.from..=part.to).collect());
    }
    let mut all = Vec::new();
    for item in text.split(',') {
        all.extend(run(word, item, part)?);
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The numbers of `5`, `5..10`, `5/2` or `5..10/2`.
fn run(word: &str, item: &str, part: Part) -> Read<Vec<u16>> {
    let name = part.name;
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    if range == "*" {
        let help = format!("begin with a number: `{}/{}`", part.from, step.unwrap_or("2"));
        return bad(format!("`{item}` in `{word}` is no {name}"), help);
    }
    let (from, to) = match range.split_once("..") {
        Some((from, to)) => (number(word, from, part)?, Some(number(word, to, part)?)),
        None => (number(word, range, part)?, None),
    };
    if to.is_some_and(|to| to < from) {
        let help = format!("the smaller {name} comes first; two lists are joined by a comma");
        return bad(format!("`{range}` in `{word}` goes backwards"), help);
    }
    let Some(step) = step else { return Ok((from..=to.unwrap_or(from)).collect()) };
    let step = match step.parse::<u16>() {
        Ok(n) if n > 0 && plain(step) => usize::from(n),
        _ => {
            let help = format!("after `/` comes how many to go on by, like `{}/2`", part.from);
            return bad(format!("`/{step}` in `{word}` is no step"), help);
        }
    };
    // Days from the end go on towards the end.
    let down = to.is_none() && name == DAY_FROM_END.name;
    let found: Vec<u16> = match to {
        _ if down => (part.from..=from).rev().step_by(step).collect(),
        to => (from..=to.unwrap_or(part.to)).step_by(step).collect(),
    };
    if to.is_none() && found.len() == 1 {
        let last = if down { part.from } else { part.to };
        let help = format!("the last {name} is {last}: leave `/{step}` out");
        return bad(format!("`{item}` in `{word}` never goes on"), help);
    }
    Ok(found)
}

fn number(word: &str, text: &str, part: Part) -> Read<u16> {
    let Part { name, from, to } = part;
    if name == SECOND.name && text.contains('.') {
        let help = "a service starts at whole seconds: leave the fraction out";
        return bad(format!("`{text}` in `{word}` has a fraction"), help);
    }
    let number = text.parse::<u16>().ok().filter(|_| plain(text));
    // Years as people used to write them.
    let number = number.map(|n| match n {
        0..70 if name == YEAR.name => n + 2000,
        70..100 if name == YEAR.name => n + 1900,
        n => n,
    });
    match number {
        Some(n) if (from..=to).contains(&n) => Ok(n),
        Some(_) => bad(format!("there is no {name} {text} (in `{word}`)"), reach(part)),
        None => bad(format!("`{text}` in `{word}` is no {name}"), reach(part)),
    }
}

fn reach(part: Part) -> String {
    format!("{} to {}, or `*` for any", part.from, part.to)
}

fn plain(text: &str) -> bool {
    (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Bits of a part that fit its type, as every part but minutes and seconds does.
fn narrow<T: TryFrom<u64> + Default>(bits: u64) -> T {
    T::try_from(bits).unwrap_or_default()
}

fn bad<T>(message: impl Into<String>, help: impl Into<String>) -> Read<T> {
    Err(BadCalendar { message: message.into(), help: help.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(text: &str) -> String {
        text.parse::<Calendar>().map_or_else(|e| panic!("{text}: {e}"), |c| c.to_string())
    }

    #[test]
    fn what_systemd_reads_has_the_same_normal_form() {
        for (text, wanted) in [
            ("Mon..Fri *-*-* 08:00:00", "Mon..Fri *-*-* 08:00:00"),
            ("Mon-Fri", "Mon..Fri *-*-* 00:00:00"),
            ("mon,", "Mon *-*-* 00:00:00"),
            ("Wed", "Wed *-*-* 00:00:00"),
            ("Tuesday 10:00", "Tue *-*-* 10:00:00"),
            ("Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00"),
            ("Mon..Sun 10:00", "*-*-* 10:00:00"),
            ("26-12-24", "2026-12-24 00:00:00"),
            ("10-15", "*-10-15 00:00:00"),
            ("12-24..26 18:00", "*-12-24..26 18:00:00"),
            ("2026-1..6-1", "2026-01..06-01 00:00:00"),
            ("2027/2-01-01", "2027/2-01-01 00:00:00"),
            ("*-*-*", "*-*-* 00:00:00"),
            ("*-*~*", "*-*-* 00:00:00"),
            ("*~01", "*-*~01 00:00:00"),
            ("*-*-1,5..10/2", "*-*-01,05..09/2 00:00:00"),
            ("*-02~3..7", "*-02~03..07 00:00:00"),
            ("*-*-01..31/40", "*-*-01 00:00:00"),
            ("*:*", "*-*-* *:*:00"),
            ("*:0/15", "*-*-* *:00/15:00"),
            ("*:0..10/15", "*-*-* *:00:00"),
            ("*:*:0/10", "*-*-* *:*:00/10"),
            ("10:00:*", "*-*-* 10:00:*"),
            ("5..5:00", "*-*-* 05:00:00"),
            ("minutely UTC", "*-*-* *:*:00 UTC"),
            ("hourly", "*-*-* *:00:00"),
            ("daily", "*-*-* 00:00:00"),
            ("Weekly", "Mon *-*-* 00:00:00"),
            ("monthly", "*-*-01 00:00:00"),
            ("semi-annually", "*-01,07-01 00:00:00"),
            ("yearly", "*-01-01 00:00:00"),
            ("08:00 Europe/Berlin", "*-*-* 08:00:00 Europe/Berlin"),
        ] {
            assert_eq!(normal(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_the_same_set_has_one_normal_form_and_systemd_has_another() {
        for (text, wanted) in [
            ("quarterly", "*-01/3-01 00:00:00"),
            ("*:0/1", "*-*-* *:*:00"),
            ("*:0,15,30,45", "*-*-* *:00/15:00"),
            ("*-*-1,5..10", "*-*-01,05..10 00:00:00"),
            ("*-*~07/1", "*-*~01..07 00:00:00"),
            ("*-02~07/2", "*-02~01..07/2 00:00:00"),
            ("1..3,2:00", "*-*-* 01..03:00:00"),
        ] {
            assert_eq!(normal(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_word_and_a_way_out() {
        let texts = "|UTC|daily 10:00|daily CET|Mod 10:00|Sat..Mon|Mon,,Tue|10|10:00 10:00|\
                     2026-12-24 10|8-10:00|24:00|00:00:60|00:00:59.5|*/2:00|*:0/0|*:0/60|*:20..10|\
                     *-*-31/5|*~01/3|*-*~31|2500-01-01|*-13-01|@1769862600|1:2:3:4|*--1|+1:00|Mon..|\
                     2026-12-24T08:00:00|0x10:00|*-*|-1";
        let all: Vec<String> = texts
            .split('|')
            .map(|text| match text.parse::<Calendar>() {
                Ok(fine) => format!("{text} IS FINE: {fine}"),
                Err(why) => why.to_string(),
            })
            .collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
        there is no time in it: for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
        there is no time in it: for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
        `10:00` follows `daily`, which says it all: leave one of them out; only a time zone may follow: `UTC`, `Europe/Berlin`
        `CET` follows `daily`, which says it all: leave one of them out; only a time zone may follow: `UTC`, `Europe/Berlin`
        `Mod` is no weekday: weekdays are Mon, Tue, Wed, Thu, Fri, Sat, Sun; for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
        `Sat..Mon` goes backwards: a week begins with Monday: write `Sat,Sun,Mon` for `Sat..Mon`
        `Mon,,Tue` lacks a weekday: weekdays are Mon, Tue, Wed, Thu, Fri, Sat, Sun; for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
        `10` is neither a date nor a time: a date is `year-month-day` or `month-day`, `*` for any, and a time has a `:`, like `08:00`
        `10:00` is one word too many: weekdays, date, time and time zone, in this order, each at most once
        `10` is one word too many: weekdays, date, time and time zone, in this order, each at most once
        `8-10` in `8-10:00` is no hour: 0 to 23, or `*` for any
        there is no hour 24 (in `24:00`): 0 to 23, or `*` for any
        there is no second 60 (in `00:00:60`): 0 to 59, or `*` for any
        `59.5` in `00:00:59.5` has a fraction: a service starts at whole seconds: leave the fraction out
        `*/2` in `*/2:00` is no hour: begin with a number: `0/2`
        `/0` in `*:0/0` is no step: after `/` comes how many to go on by, like `0/2`
        `0/60` in `*:0/60` never goes on: the last minute is 59: leave `/60` out
        `20..10` in `*:20..10` goes backwards: the smaller minute comes first; two lists are joined by a comma
        `31/5` in `*-*-31/5` never goes on: the last day is 31: leave `/5` out
        `01/3` in `*~01/3` never goes on: the last day from the end is 1: leave `/3` out
        there is no day from the end 31 (in `*-*~31`): 1 to 28, or `*` for any
        there is no year 2500 (in `2500-01-01`): 1970 to 2199, or `*` for any
        there is no month 13 (in `*-13-01`): 1 to 12, or `*` for any
        `@1769862600` comes only once, long ago or not: for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
        `1:2:3:4` is not a time: a time is `hour:minute` or `hour:minute:second`, `*` for any
        `*--1` is not a date: a date is `year-month-day` or `month-day`, `*` for any, and a time has a `:`, like `08:00`
        `+1` in `+1:00` is no hour: 0 to 23, or `*` for any
        `Mon..` lacks a weekday: weekdays are Mon, Tue, Wed, Thu, Fri, Sat, Sun; for example `Mon..Fri 08:00`, `*-*-01 00:00`, `*:0/15` or `daily`
        `2026-12-24T08` in `2026-12-24T08:00:00` is no hour: 0 to 23, or `*` for any
        `0x10` in `0x10:00` is no hour: 0 to 23, or `*` for any
        *-* IS FINE: *-*-* 00:00:00
        `-1` is not a date: a date is `year-month-day` or `month-day`, `*` for any, and a time has a `:`, like `08:00`
        "#);
    }

    fn expression() -> impl Strategy<Value = String> {
        let list = |one: &'static str| format!("(\\*|{one}(,{one}){{0,2}})");
        let two = list("[0-5]?[0-9](\\.\\.[0-5]?[0-9])?(/[1-9])?");
        let days = "((Mon|Tue|Sat)(\\.\\.(Wed|Sun))?(,Sun)? )?";
        let year = list("20[0-9][0-9](/[1-9])?");
        let zone = "( UTC| Europe/Berlin)?";
        let all = format!("{days}{year}-{two}[-~]{two} {two}:{two}(:{two})?{zone}");
        proptest::string::string_regex(&all).unwrap()
    }

    proptest! {
        #[test]
        fn the_normal_form_reads_back_as_the_same_value(text in expression()) {
            if let Ok(calendar) = text.parse::<Calendar>() {
                prop_assert_eq!(calendar.to_string().parse::<Calendar>(), Ok(calendar.clone()));
                let bytes = postcard::to_stdvec(&calendar).unwrap();
                prop_assert_eq!(postcard::from_bytes::<Calendar>(&bytes), Ok(calendar));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "([MonFri0-9*:/~.,@ -]|\\PC){0,40}") {
            let _ = text.parse::<Calendar>();
        }

        #[test]
        fn no_question_makes_it_panic(text in expression(), a: u8, b: u8, c: u8, year: u16) {
            if let Ok(calendar) = text.parse::<Calendar>() {
                let _ = (calendar.day_from(a, b, c), calendar.year_from(year));
                let _ = (calendar.hour_from(a), calendar.second_from(b), calendar.month_from(c));
            }
        }
    }
}
