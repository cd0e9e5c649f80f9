//! Lines that a service writes to stdout and stderr.
//!
//! ```text
//! bytes ──► Lines ──► line, why it ended ──► Entry        `<3>text`: priority 3, as the kernel does
//! ```
//!
//! Invariant: a stream never holds more than [`LINE_MAX`] bytes here, whatever is written into it.

use super::Entry;

/// Longest line in bytes, as in journald; a longer one becomes several records.
pub const LINE_MAX: usize = 48 << 10;

/// Why a line ended, if not by a line end; the words are those of journald's `_LINE_BREAK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// It was [`LINE_MAX`] long.
    Full,
    /// A zero byte.
    Nul,
    /// The stream ended, or nothing came for a while.
    Eof,
}

impl Break {
    /// The word in the record.
    #[must_use]
    pub fn word(self) -> &'static [u8] {
        match self {
            Self::Full => b"line-max",
            Self::Nul => b"nul",
            Self::Eof => b"eof",
        }
    }
}

/// Splits the bytes of a stream into lines.
#[derive(Debug, Default)]
pub struct Lines {
    /// The line that has not ended.
    open: Vec<u8>,
}

impl Lines {
    /// Takes what arrived and gives each line that ended.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8], Option<Break>)) {
        while !bytes.is_empty() {
            let room = LINE_MAX - self.open.len();
            let window = bytes.get(..room).unwrap_or(bytes);
            let (taken, skip, why) = match window.iter().position(|b| matches!(b, b'\n' | 0)) {
                Some(at) => (at, 1, (window.get(at) == Some(&0)).then_some(Break::Nul)),
                None if window.len() == room => (room, 0, Some(Break::Full)),
                None => {
                    self.open.extend_from_slice(bytes);
                    return;
                }
            };
            let line = window.get(..taken).unwrap_or_default();
            if self.open.is_empty() {
                each(line, why);
            } else {
                self.open.extend_from_slice(line);
                each(&std::mem::take(&mut self.open), why);
            }
            bytes = bytes.get(taken + skip..).unwrap_or_default();
        }
    }

    /// Ends the open line, if there is one.
    pub fn finish(&mut self, mut each: impl FnMut(&[u8], Option<Break>)) {
        if self.is_open() {
            each(&std::mem::take(&mut self.open), Some(Break::Eof));
        }
    }

    /// Whether a line has begun and not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }
}

/// Reads one line. None: it is empty.
#[must_use]
pub fn parse(line: &[u8], why: Option<Break>) -> Option<Entry<'_>> {
    let (priority, text) = match line {
        [b'<', digit @ b'0'..=b'7', b'>', text @ ..] => (*digit, text),
        _ => (b'6', line),
    };
    let text = text.trim_ascii_end();
    if text.is_empty() {
        return None;
    }
    let entry = Entry::default().with("PRIORITY", vec![priority]);
    let entry = match why {
        Some(why) => entry.with("_LINE_BREAK", why.word()),
        None => entry,
    };
    Some(entry.with("MESSAGE", text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    type Ended = Vec<(Vec<u8>, Option<Break>)>;

    fn split(pieces: &[&[u8]]) -> Ended {
        let (mut lines, mut all) = (Lines::default(), Vec::new());
        let mut keep = |line: &[u8], why| all.push((line.to_vec(), why));
        for piece in pieces {
            lines.push(piece, &mut keep);
            assert!(lines.open.len() < LINE_MAX);
        }
        lines.finish(keep);
        all
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let all = split(&[b"one\ntw", b"o\n\nnul\0", b"last"]);
        let line = |text: &str, why| (text.as_bytes().to_vec(), why);
        assert_eq!(
            all,
            [
                line("one", None),
                line("two", None),
                line("", None),
                line("nul", Some(Break::Nul)),
                line("last", Some(Break::Eof))
            ]
        );
    }

    #[test]
    fn an_endless_line_is_cut_in_records() {
        let all = split(&[&vec![b'x'; LINE_MAX + 5], b"y\n"]);
        assert_eq!(all[0], (vec![b'x'; LINE_MAX], Some(Break::Full)));
        assert_eq!(all[1], (b"xxxxxy".to_vec(), None));
    }

    #[test]
    fn a_prefix_sets_the_priority() {
        let read = |line: &'static str| {
            let entry = parse(line.as_bytes(), None)?;
            Some((entry.priority(), entry.fields.last()?.1.clone().into_owned()))
        };
        assert_eq!(read("<3>broken \r"), Some((3, b"broken".to_vec())));
        assert_eq!(read("fine"), Some((6, b"fine".to_vec())));
        assert_eq!(read("<9>odd"), Some((6, b"<9>odd".to_vec())));
        assert_eq!(read("<4>"), None);
        assert_eq!(read("  "), None);
    }

    proptest! {
        #[test]
        fn no_byte_of_a_stream_is_lost(bytes in vec(any::<u8>(), 0..200), piece in 1_usize..20) {
            let pieces: Vec<_> = bytes.chunks(piece).collect();
            let mut joined = Vec::new();
            for (line, why) in split(&pieces) {
                let _ = parse(&line, why);
                joined.extend(line);
                match why {
                    None => joined.push(b'\n'),
                    Some(Break::Nul) => joined.push(0),
                    Some(Break::Eof | Break::Full) => {}
                }
            }
            prop_assert_eq!(joined, bytes);
        }
    }
}
