//! Looks at the header of each message as it passes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::server::{Limits, bad};

/// Bytes that say how long a message is.
const HEADER: usize = 16;

/// Between the socket and the library.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: Limits,
    header: Vec<u8>,
    /// Bytes of the present message that are still to come.
    left: usize,
    unanswered: Arc<AtomicUsize>,
}

impl Meter {
    pub(crate) fn new(limits: Limits, unanswered: Arc<AtomicUsize>) -> Self {
        Self { limits, header: Vec::new(), left: 0, unanswered }
    }

    /// Whether these bytes, which come next, may pass.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let wanted = if self.left > 0 { self.left } else { HEADER - self.header.len() };
            let (now, later) = bytes.split_at(wanted.min(bytes.len()));
            bytes = later;
            if self.left > 0 {
                self.left -= now.len();
                continue;
            }
            self.header.extend(now);
            if self.header.len() == HEADER {
                self.left = length(&self.header, self.limits.message)
                    .ok_or_else(|| bad("a message too long"))?;
                self.header.clear();
                self.count()?;
            }
        }
        Ok(())
    }

    fn count(&self) -> io::Result<()> {
        let Some(most) = self.limits.unanswered else { return Ok(()) };
        if self.unanswered.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(bad("too many calls at once"));
        }
        Ok(())
    }
}

/// Bytes of a message after its header, unless they are too many.
fn length(header: &[u8], most: usize) -> Option<usize> {
    let number = |at: usize| {
        let bytes: [u8; 4] = header.get(at..at + 4)?.try_into().ok()?;
        let little = header.first() == Some(&b'l');
        let n = if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        usize::try_from(n).ok().filter(|n| *n <= most)
    };
    let (body, fields) = (number(4)?, number(12)?);
    Some(fields.next_multiple_of(8) + body).filter(|n| *n <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Descriptors;

    const LIMITS: Limits =
        Limits { message: 16 << 10, unanswered: Some(16), descriptors: Descriptors::Refused };

    fn meter(limits: Limits) -> Meter {
        Meter::new(limits, Arc::default())
    }

    fn header(fields: u32, body: u32) -> Vec<u8> {
        let numbers = [body, 1, fields].map(u32::to_le_bytes).concat();
        [&b"l\x01\0\x01"[..], &numbers].concat()
    }

    #[test]
    fn messages_pass_if_they_are_short_and_answered() {
        let mut meter = meter(LIMITS);
        let message = [header(5, 3), vec![b'\n'; 11]].concat();
        for _ in 0..16 {
            message.chunks(7).for_each(|piece| meter.pass(piece).unwrap());
        }
        meter.unanswered.store(0, Ordering::Relaxed);
        meter.pass(&message.repeat(16)).unwrap();
        assert!(meter.pass(&message).is_err(), "nobody reads the answers");
        for long in [header(0, 1 << 20), header(u32::MAX, 1), header(1 << 14, 1)] {
            assert!(Meter::new(LIMITS, Arc::default()).pass(&long).is_err());
        }
    }

    #[test]
    fn who_is_asked_for_one_message_at_a_time_may_send_any_number() {
        let mut meter = meter(Limits { unanswered: None, ..LIMITS });
        meter.pass(&[header(8, 0), vec![0; 8]].concat().repeat(1000)).unwrap();
        assert_eq!(meter.unanswered.load(Ordering::Relaxed), 0);
    }
}
