//! Reading a file of the log that may be torn or damaged.
//!
//! ```text
//! whole ── bytes do not parse ──► lost ── empty line, then `__CURSOR=` ──► whole
//! ```
//!
//! A power cut tears the end of the file that was written; what is after the last whole record is
//! cut off. Damage with whole records behind it is something else, and nothing is cut then.

use std::io::{self, Read};

use api::export::{Decoder, Record};

use super::cursor::Cursor;

/// What each record of ours begins with.
const MARK: &[u8] = b"__CURSOR=";

/// Bytes read at once.
pub const CHUNK: usize = 64 << 10;

/// The records among bytes that may be damaged.
#[derive(Debug, Default)]
pub struct Records {
    decoder: Decoder,
    lost: bool,
    /// Places where records were lost to damage.
    pub damages: u64,
}

impl Records {
    /// Adds bytes; take all records first.
    pub fn push(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes);
    }

    /// The next record. None: more bytes are needed.
    pub fn take(&mut self) -> Option<Record<'_>> {
        loop {
            self.lost = self.lost && !self.decoder.skip_to(MARK);
            if self.lost {
                return None;
            }
            match self.decoder.advance() {
                Ok(true) => return Some(self.decoder.record()),
                Ok(false) => return None,
                Err(_) => {
                    self.damages += 1;
                    self.lost = true;
                }
            }
        }
    }

    fn rest(&self) -> u64 {
        u64::try_from(self.decoder.rest()).unwrap_or(u64::MAX)
    }
}

/// What is in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail {
    /// Bytes up to the end of the last record before any damage.
    pub whole: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// The last record.
    pub last: Option<Cursor>,
    /// There are whole records behind the first damage.
    pub damaged: bool,
}

/// Reads a file to its end.
///
/// # Errors
/// Those of `file`.
pub fn check(mut file: impl Read) -> io::Result<Tail> {
    let mut tail = Tail::default();
    let mut records = Records::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match file.read(&mut chunk) {
            Ok(0) => return Ok(tail),
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        records.push(chunk.get(..count).unwrap_or_default());
        tail.bytes += u64::try_from(count).unwrap_or(0);
        while let Some(record) = records.take() {
            tail.records += 1;
            tail.last = record.cursor().and_then(Cursor::parse).or(tail.last);
            if records.damages == 0 {
                tail.whole = tail.bytes - records.rest();
            } else {
                tail.damaged = true;
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::as_conversions, reason = "small numbers")]
mod tests {
    use super::*;
    use api::export;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn file(values: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), vec![0]);
        for (number, value) in (1..).zip(values) {
            let cursor = Cursor { log: "0".repeat(32), number };
            export::put(&mut bytes, export::CURSOR, cursor.to_string().as_bytes());
            export::put(&mut bytes, "MESSAGE", value);
            export::end(&mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn zeros_that_a_power_cut_left_are_no_records() {
        let (mut bytes, ends) = file(&[b"one".to_vec(), b"two".to_vec()]);
        bytes.extend([0; 5000]);
        let tail = check(&*bytes).unwrap();
        assert_eq!((tail.records, tail.whole, tail.damaged), (2, ends[2] as u64, false));
        assert_eq!(tail.last.unwrap().number, 2);
    }

    #[test]
    fn damage_in_the_middle_costs_one_record() {
        let (mut bytes, ends) = file(&[b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
        bytes[ends[1]] = b'x';
        let tail = check(&*bytes).unwrap();
        assert_eq!((tail.records, tail.whole, tail.damaged), (2, ends[1] as u64, true));
        assert_eq!(tail.last.unwrap().number, 3);
    }

    proptest! {
        #[test]
        fn a_cut_at_any_byte_loses_at_most_the_last_record(
            values in vec(vec(any::<u8>(), 0..50), 0..6), cut in any::<prop::sample::Index>()
        ) {
            let (bytes, ends) = file(&values);
            let cut = cut.index(bytes.len() + 1);
            let whole = ends.iter().rposition(|end| *end <= cut).unwrap();
            let tail = check(&bytes[..cut]).unwrap();
            prop_assert_eq!(tail.records, whole as u64);
            prop_assert_eq!(tail.whole, ends[whole] as u64);
            prop_assert!(!tail.damaged);
        }

        #[test]
        fn any_bytes_are_a_file(bytes in vec(any::<u8>(), 0..400)) {
            let tail = check(&*bytes).unwrap();
            prop_assert!(tail.whole <= tail.bytes);
        }
    }
}
