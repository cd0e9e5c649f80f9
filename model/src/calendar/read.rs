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
