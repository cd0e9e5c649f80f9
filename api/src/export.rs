//! The journal export format: how records lie in the files of journal and travel to who reads them.
//!
//! ```text
//! record = field+ empty-line
//! field  = NAME '=' text '\n'                              text: printable UTF-8, one line
//!        | NAME '\n' length(u64, little end) bytes '\n'    anything
//! ```
//!
//! Invariant: what [`put`] and [`end`] write, [`decode`] and [`Decoder`] give back unchanged; any
//! other bytes are a [`Fault`], never a panic, and never more memory than [`MAX_RECORD`].
//! The format is systemd's: its `systemd-journal-remote` reads it, and so do we.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::BufRead;
use std::ops::Range;

/// Longest field name in bytes, as in systemd.
pub const MAX_NAME: usize = 64;

/// Most fields of one record, as in systemd.
pub const MAX_FIELDS: usize = 1024;

/// Longest record in bytes, framing included: the longest entry journal takes (16 MiB) and room
/// for what it adds to it.
pub const MAX_RECORD: usize = 17 << 20;

/// When journal received it, in microseconds since 1970.
pub const REALTIME: &str = "__REALTIME_TIMESTAMP";

/// When journal received it, in microseconds since the kernel booted (`CLOCK_MONOTONIC`).
pub const MONOTONIC: &str = "__MONOTONIC_TIMESTAMP";

/// Its place in the log; see [`Record::cursor`].
pub const CURSOR: &str = "__CURSOR";

/// Why bytes are not records. Nothing after them can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A line starts with something that is not a field name.
    Name,
    /// The byte after a binary value is not a line end.
    Frame,
    /// More than [`MAX_FIELDS`] fields.
    ManyFields,
    /// Longer than [`MAX_RECORD`].
    Long,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a line starts with something that is not a field name",
            Self::Frame => "a binary value does not end where its length says",
            Self::ManyFields => "a record has more than 1024 fields",
            Self::Long => "a record is longer than 17 MiB",
        })
    }
}

impl std::error::Error for Fault {}

/// One record, as it lies in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Names and values in the order they were written. A name may come more than once.
    pub fields: Vec<(&'a str, &'a [u8])>,
    /// The whole record in export format, its empty line included.
    pub raw: &'a [u8],
}

impl<'a> Record<'a> {
    /// The first value under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    /// The first value under this name, if it is UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// The first value under this name, if it is a decimal number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// `PRIORITY`, 0 (the device is unusable) to 7 (debug); 6 when it has none.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.get("PRIORITY").and_then(priority).unwrap_or(DEFAULT_PRIORITY)
    }

    /// [`CURSOR`]: opaque; records after it can be asked for.
    #[must_use]
    pub fn cursor(&self) -> Option<&'a str> {
        self.text(CURSOR)
    }
}

/// The priority of a record that has none: 6, info.
pub const DEFAULT_PRIORITY: u8 = 6;

/// A value of `PRIORITY`: one digit, 0 to 7.
#[must_use]
pub fn priority(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'0'..=b'7'] => Some(digit - b'0'),
        _ => None,
    }
}

/// Whether a name is one: 1 to 64 of `A-Z`, `0-9`, `_`, not a digit first.
#[must_use]
pub fn is_name(name: &[u8]) -> bool {
    let part = |b: &u8| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    name.len() <= MAX_NAME
        && name.first().is_some_and(|b| !b.is_ascii_digit())
        && name.iter().all(part)
}

/// Bytes around a name and a value, at most.
const BINARY: usize = 10;

/// Writes one field. A name that [`is_name`] refuses is left out, and the answer is `false`: the
/// format cannot be broken by what somebody chose as a name.
pub fn put(out: &mut Vec<u8>, name: &str, value: &[u8]) -> bool {
    let named = is_name(name.as_bytes());
    if named {
        put_own(out, name, value);
    }
    named
}

/// Writes one field whose name is one for sure: a constant of ours.
pub fn put_own(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    debug_assert!(is_name(name.as_bytes()), "{name} is no name");
    out.reserve(name.len() + value.len() + BINARY);
    out.extend_from_slice(name.as_bytes());
    if is_text(value) {
        out.push(b'=');
    } else {
        out.push(b'\n');
        // A usize is at most 64 bits on everything we run on.
        out.extend(u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes());
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Writes a number as a field. The name as with [`put_own`].
pub fn put_number(out: &mut Vec<u8>, name: &str, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    put_own(out, name, digits.get(digits.len() - used..).unwrap_or_default());
}

/// Ends a record.
pub fn end(out: &mut Vec<u8>) {
    out.push(b'\n');
}

/// Whether a value is written as text: printable UTF-8 on one line. Tabs are.
#[must_use]
pub fn is_text(value: &[u8]) -> bool {
    let (words, rest) = value.as_chunks();
    let plain = |b: &u8| (b' '..=b'~').contains(b) || *b == b'\t';
    words.iter().all(|word| is_plain(*word)) && rest.iter().all(plain)
        || value.iter().all(plain)
        || std::str::from_utf8(value).is_ok_and(|s| s.chars().all(|c| c == '\t' || !c.is_control()))
}

/// Whether eight bytes are all printable ASCII.
fn is_plain(word: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOP: u64 = ONES * 0x80;
    let word = u64::from_ne_bytes(word);
    // The top bit of a byte: it is above 0x7f; it is 0x7f; it is below a blank. A sum that carries into its
    // neighbour, or a difference that borrows of it, has set its own already.
    let (high, delete, low) = (word, word.wrapping_add(ONES), word.wrapping_sub(ONES * 0x20));
    (high | delete | low) & TOP == 0
}

/// The first record in `bytes`, and how many bytes it and empty lines before it take. None: there
/// is no whole one, more bytes may complete it.
///
/// # Errors
/// [`Fault`]: these bytes are no record and will not become one.
pub fn decode(bytes: &[u8]) -> Result<Option<(Record<'_>, usize)>, Fault> {
    let mut scan = Scan::default();
    Ok(scan.advance(bytes)?.then(|| (scan.record(bytes), scan.at)))
}

/// Takes bytes as they come, gives records.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Bytes before are given or skipped.
    start: usize,
    scan: Scan,
    /// The record given last: where its bytes begin, and its fields.
    given: (usize, Scan),
}

impl Decoder {
    /// Adds what arrived. Take all records before adding more: what is not a whole record yet is
    /// bounded by [`MAX_RECORD`], what waits to be taken is not.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.given = (0, Scan::default());
        self.bytes.extend_from_slice(bytes);
    }

    /// The next record. None: more bytes are needed.
    ///
    /// # Errors
    /// [`Fault`]: the stream is broken here; it stays so until [`Decoder::skip_to`].
    pub fn take(&mut self) -> Result<Option<Record<'_>>, Fault> {
        Ok(if self.advance()? { Some(self.record()) } else { None })
    }

    /// Goes to the next record, which [`Decoder::record`] then is. False: more bytes are needed.
    ///
    /// # Errors
    /// As [`Decoder::take`].
    pub fn advance(&mut self) -> Result<bool, Fault> {
        if !self.scan.advance(self.bytes.get(self.start..).unwrap_or_default())? {
            return Ok(false);
        }
        let scan = std::mem::take(&mut self.scan);
        let begin = self.start;
        self.start += scan.at;
        self.given = (begin, scan);
        Ok(true)
    }

    /// The record that [`Decoder::advance`] went to; one without fields if it did not.
    #[must_use]
    pub fn record(&self) -> Record<'_> {
        let (begin, scan) = &self.given;
        scan.record(self.bytes.get(*begin..).unwrap_or_default())
    }

    /// Goes on behind a [`Fault`], at the next empty line after which a line starts with `mark`.
    /// False: there is none yet; add bytes and call again.
    pub fn skip_to(&mut self, mark: &[u8]) -> bool {
        self.scan = Scan::default();
        let wanted = [b"\n\n", mark].concat();
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        let found = rest.windows(wanted.len()).position(|window| window == wanted);
        let keep = wanted.len() - 1;
        self.start += found.map_or(rest.len().saturating_sub(keep), |at| at + 2);
        found.is_some()
    }

    /// Bytes that are not a whole record. Not 0 at the end of a stream: it was cut.
    #[must_use]
    pub fn rest(&self) -> usize {
        self.bytes.len() - self.start
    }
}

/// How far a record is understood: never looks at a byte twice, however small the pieces are.
#[derive(Debug, Default)]
struct Scan {
    /// Where the record's first field starts.
    begin: usize,
    /// All before is understood.
    at: usize,
    /// Bytes after `at` known to hold no line end.
    seen: usize,
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl Scan {
    /// Goes on in `bytes`, which only grew since the last call. True: a record is whole, and ends
    /// at `at`.
    fn advance(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        loop {
            let Some(line) = line_end(bytes, self.at + self.seen) else {
                self.seen = bytes.len().saturating_sub(self.at);
                return self.fits(bytes.len()).map(|()| false);
            };
            if line == self.at {
                self.at += 1;
                if !self.fields.is_empty() {
                    return self.fits(self.at).map(|()| true);
                }
                self.begin = self.at;
                continue;
            }
            let head = bytes.get(self.at..line).unwrap_or_default();
            let equals = head.iter().take(MAX_NAME + 1).position(|b| *b == b'=');
            let name = self.at..self.at + equals.unwrap_or(head.len());
            if !is_name(bytes.get(name.clone()).unwrap_or_default()) {
                return Err(Fault::Name);
            }
            let value = match equals {
                Some(at) => self.at + at + 1..line,
                None => match binary(bytes, line + 1, self.begin)? {
                    Some(value) => value,
                    None => {
                        self.seen = line - self.at;
                        return self.fits(bytes.len()).map(|()| false);
                    }
                },
            };
            if self.fields.len() >= MAX_FIELDS {
                return Err(Fault::ManyFields);
            }
            self.at = value.end + 1;
            self.seen = 0;
            self.fields.push((name, value));
        }
    }

    /// A record that reaches to `end` is not too long.
    fn fits(&self, end: usize) -> Result<(), Fault> {
        if end - self.begin > MAX_RECORD { Err(Fault::Long) } else { Ok(()) }
    }

    fn record<'a>(&self, bytes: &'a [u8]) -> Record<'a> {
        let part = |range: &Range<usize>| bytes.get(range.clone()).unwrap_or_default();
        // `is_name` has seen to it that names are ASCII.
        let name = |range: &Range<usize>| std::str::from_utf8(part(range)).unwrap_or_default();
        Record {
            fields: self.fields.iter().map(|(n, v)| (name(n), part(v))).collect(),
            raw: part(&(self.begin..self.at)),
        }
    }
}

/// Where the next `\n` is, from `from` on.
fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut rest = bytes.get(from..)?;
    // On a slice this is a memchr that cannot fail, the fastest one in std.
    let skipped = rest.skip_until(b'\n').ok()?;
    let last = from + skipped.checked_sub(1)?;
    (bytes.get(last) == Some(&b'\n')).then_some(last)
}

/// Where the value is whose length starts at `at`. None: it is not all there.
fn binary(bytes: &[u8], at: usize, begin: usize) -> Result<Option<Range<usize>>, Fault> {
    let Some((length, _)) = bytes.get(at..).and_then(|b| b.split_first_chunk()) else {
        return Ok(None);
    };
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| Fault::Long)?;
    let start = at + 8;
    if length > MAX_RECORD || start + length - begin > MAX_RECORD {
        return Err(Fault::Long);
    }
    match bytes.get(start + length) {
        None => Ok(None),
        Some(b'\n') => Ok(Some(start..start + length)),
        Some(_) => Err(Fault::Frame),
    }
}
