//! The values of our TOML that are numbers with a meaning: sizes, times, shares, modes, ids.

use std::time::Duration;

use super::value::{Checked, bad};

/// Longest time anybody may ask for: a week.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(7 * 24 * 3600);

/// Largest user number: 65534 is `nobody`, 65535 means "no change" to old interfaces.
pub(crate) const MAX_UID: u32 = 65533;

/// `64K`, `64M`, `2G`, or plain bytes.
pub(crate) fn size(text: &str) -> Checked<u64> {
    const HELP: &str = "a size is a number with K, M or G, like \"64M\"";
    let (digits, unit) = split_unit(text);
    let shift = match unit {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return bad(format!("`{text}` is not a size"), HELP),
    };
    let Ok(number) = digits.parse::<u64>() else {
        return bad(format!("`{text}` is not a size"), HELP);
    };
    match number.checked_mul(1_u64 << shift).filter(|bytes| i64::try_from(*bytes).is_ok()) {
        Some(bytes) => Ok(bytes),
        None => bad(format!("`{text}` is larger than any memory or disk"), HELP),
    }
}

/// A [`size`] as people write it.
pub(crate) fn size_text(bytes: u64) -> String {
    let units = [(30, "G"), (20, "M"), (10, "K")];
    let fits = |shift: &u32| bytes != 0 && bytes.trailing_zeros() >= *shift;
    match units.iter().find(|(shift, _)| fits(shift)) {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => bytes.to_string(),
    }
}

/// A [`duration`] as people write it.
pub(crate) fn duration_text(time: Duration) -> String {
    let millis = time.as_millis();
    let units = [(3_600_000, "h"), (60_000, "min"), (1000, "s")];
    match units.iter().find(|(of, _)| millis != 0 && millis.is_multiple_of(*of)) {
        Some((of, unit)) => format!("{}{unit}", millis / of),
        None => format!("{millis}ms"),
    }
}

/// `500ms`, `10s`, `2min`, `1h`.
pub(crate) fn duration(text: &str) -> Checked<Duration> {
    const HELP: &str = "a time is a number with ms, s, min or h, like \"500ms\" or \"10s\"";
    let (digits, unit) = split_unit(text);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return bad(format!("`{text}` is not a time"), HELP),
    };
    let Ok(number) = digits.parse::<u64>() else {
        return bad(format!("`{text}` is not a time"), HELP);
    };
    let time = number.checked_mul(millis).map(Duration::from_millis);
    match time.filter(|t| *t <= MAX_DURATION) {
        Some(time) => Ok(time),
        None => bad(format!("`{text}` is too long"), "the longest time is a week (168h)"),
    }
}

/// A [`duration`] that is not zero.
pub(crate) fn timeout(text: &str) -> Checked<Duration> {
    match duration(text)? {
        Duration::ZERO => bad("a limit of no time at all", "leave the key out for the default"),
        time => Ok(time),
    }
}

/// `50%` of one CPU.
pub(crate) fn percent(text: &str) -> Checked<u32> {
    let number = text.strip_suffix('%').and_then(|n| n.parse().ok());
    match number.filter(|n| (1..=100_000).contains(n)) {
        Some(number) => Ok(number),
        None => bad(
            format!("`{text}` is not a share of CPU time"),
            "percent of one CPU, like \"50%\"; two whole CPUs are \"200%\"",
        ),
    }
}

/// `20%` of a whole; `help` says of which.
pub(crate) fn share(text: &str, help: &str) -> Checked<u32> {
    let number = text.strip_suffix('%').and_then(|n| n.parse().ok());
    match number.filter(|n| *n <= 100) {
        Some(number) => Ok(number),
        None => bad(format!("`{text}` is not a part of 100%"), help),
    }
}

/// `0644`: permission bits in octal.
pub(crate) fn mode(text: &str) -> Checked<u32> {
    let shaped = (3..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match u32::from_str_radix(text, 8).ok().filter(|m| shaped && *m <= 0o7777) {
        Some(mode) => Ok(mode),
        None => bad(format!("`{text}` is not a file mode"), "three or four octal digits: \"0644\""),
    }
}

/// A number of a user or a group that is not root's.
pub(crate) fn uid(number: i64) -> Checked<u32> {
    match u32::try_from(number).ok().filter(|n| (1..=MAX_UID).contains(n)) {
        Some(uid) => Ok(uid),
        None => {
            bad(format!("{number} is not a free user number"), "1 to 65533; people's begin at 1000")
        }
    }
}

/// The owner of a file: root may be one.
pub(crate) fn owner(number: i64) -> Checked<u32> {
    if number == 0 { Ok(0) } else { uid(number) }
}

fn split_unit(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size_text(64 << 20), "64M");
        assert_eq!(size_text(4097), "4097");
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        for wrong in ["", "M", "64 M", "64MB", "-1", "99999999999999999999", "17179869184G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "5", "1.5s", "5 s", "169h", "-1s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn modes_are_octal_text() {
        assert_eq!(mode("0644"), Ok(0o644));
        assert_eq!(mode("4755"), Ok(0o4755));
        for wrong in ["", "0", "rw-r--r--", "0888", "17777", "+644"] {
            assert!(mode(wrong).is_err(), "{wrong}");
        }
    }
}
