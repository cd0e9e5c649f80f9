//! journald's native protocol: what `sd_journal_send` and systemd-journal-logger write.
//!
//! A payload holds entries, parted by empty lines, of fields as in the export format. It is one
//! datagram, or too long for that and in a sealed memfd that comes along with an empty datagram.
//!
//! As journald does: lines that start with `.` or `#` are skipped, and a field with a bad name or
//! one that starts with `_` is dropped while the others of its entry stay.

use std::borrow::Cow;
use std::fmt;

use api::export;

use super::{ENTRY_FIELDS, Entry, Field};

/// Longest datagram in bytes.
pub const MAX_DATAGRAM: usize = 768 << 10;

/// Longest payload in a memfd, in bytes.
pub const MAX_MEMFD: usize = 16 << 20;

/// Most entries of one payload. Each costs a record of some hundred bytes: with two-byte entries one
/// memfd would write a gigabyte, and nobody else would be heard meanwhile.
pub const MAX_ENTRIES: usize = 1024;

/// Why a payload, or the rest of it, was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Longer than [`MAX_DATAGRAM`] or [`MAX_MEMFD`], or with more descriptors than one.
    Long,
    /// The descriptor is no sealed memfd: its sender could change it while we read.
    NotSealed,
    /// The memfd could not be read.
    Unreadable,
    /// A binary value is longer than the payload.
    Cut,
    /// More than [`ENTRY_FIELDS`] fields.
    ManyFields,
    /// More than [`MAX_ENTRIES`] entries.
    ManyEntries,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Long => "longer than 768 KiB (16 MiB in a memfd) or several descriptors",
            Self::NotSealed => "the descriptor is not a sealed memfd",
            Self::Unreadable => "its memfd cannot be read",
            Self::Cut => "a binary value is longer than the message",
            Self::ManyFields => "more than 1000 fields",
            Self::ManyEntries => "more than 1024 entries at once",
        })
    }
}

/// The entries of one payload. Ends after the first that is refused.
#[derive(Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    given: usize,
}

/// Reads a payload.
#[must_use]
pub fn parse(payload: &[u8]) -> Entries<'_> {
    Entries { rest: payload, given: 0 }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut entry = Entry::default();
        while !self.rest.is_empty() {
            let (line, rest) = split(self.rest);
            self.rest = rest;
            if line.is_empty() {
                if entry.fields.is_empty() {
                    continue;
                }
                break;
            }
            match self.field(line) {
                Ok(Some(field)) if entry.fields.len() < ENTRY_FIELDS => entry.fields.push(field),
                Ok(None) => {}
                Ok(Some(_)) => return self.refuse(Refused::ManyFields),
                Err(refused) => return self.refuse(refused),
            }
        }
        if entry.fields.is_empty() {
            return None;
        }
        self.given += 1;
        if self.given > MAX_ENTRIES {
            return self.refuse(Refused::ManyEntries);
        }
        Some(Ok(entry))
    }
}

impl<'a> Entries<'a> {
    fn refuse(&mut self, why: Refused) -> Option<Result<Entry<'a>, Refused>> {
        self.rest = &[];
        Some(Err(why))
    }

    /// The field that this line is or begins. None: it is one we drop.
    fn field(&mut self, line: &'a [u8]) -> Result<Option<Field<'a>>, Refused> {
        if matches!(line.first(), Some(b'.' | b'#')) {
            return Ok(None);
        }
        let (name, value) = match line.iter().position(|b| *b == b'=') {
            Some(at) => (line.get(..at), line.get(at + 1..)),
            None => (Some(line), Some(self.binary()?)),
        };
        let name = name.filter(|n| export::is_name(n) && !n.starts_with(b"_"));
        Ok(name.and_then(|n| std::str::from_utf8(n).ok()).zip(value.map(Cow::Borrowed)))
    }

    /// Takes `length(u64, little end) bytes '\n'`; the last line end may be missing.
    fn binary(&mut self) -> Result<&'a [u8], Refused> {
        let (length, rest) = self.rest.split_first_chunk().ok_or(Refused::Cut)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| Refused::Cut)?;
        let (value, rest) = rest.split_at_checked(length).ok_or(Refused::Cut)?;
        self.rest = match rest {
            [] => rest,
            [b'\n', rest @ ..] => rest,
            _ => return Err(Refused::Cut),
        };
        Ok(value)
    }
}

/// The first line, and what comes after it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
    (bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn first(payload: &[u8]) -> Vec<(String, String)> {
        let entry = parse(payload).next().unwrap().unwrap();
        let text = |v: &[u8]| String::from_utf8_lossy(v).into_owned();
        entry.fields.iter().map(|(n, v)| ((*n).to_owned(), text(v))).collect()
    }

    #[test]
    fn text_and_binary_fields_are_read() {
        let payload = b"PRIORITY=3\nMESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nCODE_LINE=7";
        assert_eq!(
            first(payload),
            [
                ("PRIORITY".into(), "3".into()),
                ("MESSAGE".into(), "a\nb".into()),
                ("CODE_LINE".into(), "7".into())
            ]
        );
        assert_eq!(parse(payload).next().unwrap().unwrap().priority(), 3);
    }

    #[test]
    fn nobody_can_write_trusted_fields_or_break_the_format_by_a_name() {
        let payload =
            b"_PID=1\n__CURSOR=x\nlower=1\n=2\nA B=3\n.ctl\n#x=1\n_UID\n\x01\0\0\0\0\0\0\0x\n\
            1A=2\nMESSAGE=kept\n";
        assert_eq!(first(payload), [("MESSAGE".into(), "kept".into())]);
    }

    #[test]
    fn one_payload_may_hold_several_entries_and_an_empty_one_holds_none() {
        let all: Vec<_> = parse(b"\n\nMESSAGE=a\n\nMESSAGE=b\n\n\n").map(Result::unwrap).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(parse(b"").count(), 0);
        assert_eq!(parse(b"\n").count(), 0);
        assert_eq!(parse(b"_X=1").count(), 0);
    }

    #[test]
    fn what_lies_about_its_size_is_refused_and_what_came_before_it_is_kept() {
        let refused = |payload: &[u8]| parse(payload).last().unwrap().unwrap_err();
        assert_eq!(refused(b"MESSAGE\n\x09\0\0\0\0\0\0\0short"), Refused::Cut);
        assert_eq!(refused(b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffx"), Refused::Cut);
        assert_eq!(refused(b"MESSAGE"), Refused::Cut);
        assert_eq!(refused(b"MESSAGE\n\x01\0\0\0\0\0\0\0xy"), Refused::Cut);
        assert_eq!(refused("A=1\n".repeat(ENTRY_FIELDS + 1).as_bytes()), Refused::ManyFields);
        assert_eq!(refused(&b"A=1\n\n".repeat(2 * MAX_ENTRIES)), Refused::ManyEntries);
        assert_eq!(parse(&b"A=1\n\n".repeat(2 * MAX_ENTRIES)).count(), MAX_ENTRIES + 1);
        let mut mixed = parse(b"MESSAGE=good\n\nMESSAGE\n\x09");
        assert!(mixed.next().unwrap().is_ok() && mixed.next().unwrap().is_err());
        assert!(mixed.next().is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_give_entries_or_a_refusal(bytes in vec(any::<u8>(), 0..300)) {
            prop_assert!(parse(&bytes).count() <= bytes.len());
        }

        #[test]
        fn any_lines_give_only_valid_untrusted_names(text in "([A-Z_=\n.#]{0,9}\n?\u{1}?\0?){0,30}") {
            for entry in parse(text.as_bytes()).flatten() {
                for (name, _) in entry.fields {
                    prop_assert!(export::is_name(name.as_bytes()) && !name.starts_with('_'));
                }
            }
        }

        #[test]
        fn what_is_written_in_export_format_is_read(values in vec(vec(any::<u8>(), 0..40), 1..9)) {
            let mut payload = Vec::new();
            for value in &values {
                export::put(&mut payload, "VALUE", value);
            }
            let entry = parse(&payload).next().unwrap().unwrap();
            let got: Vec<_> = entry.fields.iter().map(|(_, v)| v.to_vec()).collect();
            prop_assert_eq!(got, values);
        }
    }
}
