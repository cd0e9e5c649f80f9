//! Places in the log: the `__CURSOR` of a record.

use std::fmt;

/// Length of [`Cursor::log`].
const LOG: usize = 32;

/// The place of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Which log: 32 hexadecimal digits, drawn when it began.
    pub log: String,
    /// Which record: counts up, with gaps.
    pub number: u64,
}

/// Writes a cursor as text.
///
/// # Errors
/// Those of `to`.
pub fn write(to: &mut impl fmt::Write, log: &str, number: u64) -> fmt::Result {
    write!(to, "s={log};i={number:x}")
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.log, self.number)
    }
}

impl Cursor {
    /// From its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (log, number) = text.strip_prefix("s=")?.split_once(";i=")?;
        let number = u64::from_str_radix(number, 16).ok()?;
        (log.len() == LOG && log.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| Self { log: log.to_owned(), number })
    }
}

/// The number alone, without a copy: what a reader asks of each record.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.split_once(";i=")?.1, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_what_it_says_and_nothing_else_is_one() {
        let cursor = Cursor { log: "0123456789abcdef0123456789abcdef".into(), number: 0x1f };
        let text = cursor.to_string();
        assert_eq!(text, "s=0123456789abcdef0123456789abcdef;i=1f");
        assert_eq!((number(&text), Cursor::parse(&text)), (Some(0x1f), Some(cursor)));
        for text in ["", "s=;i=1", "i=1", "s=0123456789abcdef0123456789abcdef;i=x", "s=1;i=2;i=3"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
