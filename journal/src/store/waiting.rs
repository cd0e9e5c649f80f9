//! Records in memory that are not in a file yet, one after the other.

use super::{RING, SYNC_AT_ONCE, WRITE_AT};

/// The records. Invariant: their numbers go up.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: Vec<u8>,
    /// Where each record ends in `bytes`, and its number.
    ends: Vec<(usize, u64)>,
    urgent: bool,
}

impl Waiting {
    /// Adds the record that `encode` writes.
    pub(super) fn push(&mut self, number: u64, priority: u8, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.bytes);
        self.ends.push((self.bytes.len(), number));
        self.urgent |= priority <= SYNC_AT_ONCE;
    }

    /// All of them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// Whether one is of priority [`SYNC_AT_ONCE`] or more urgent.
    pub(super) fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Those from this number on.
    pub(super) fn from(&self, number: u64) -> &[u8] {
        let skip = self.ends.partition_point(|(_, n)| *n < number);
        self.bytes.get(self.end_of(skip)..).unwrap_or_default()
    }

    /// Where the first `count` of them end.
    fn end_of(&self, count: usize) -> usize {
        count.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |(end, _)| *end)
    }

    /// Forgets all; keeps the memory for the next ones, unless that is a lot.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(2 * WRITE_AT);
        self.ends.clear();
        self.urgent = false;
    }

    /// Loses the oldest if they are more than [`RING`] bytes; how many.
    pub(super) fn bound(&mut self) -> usize {
        if self.bytes.len() <= RING {
            return 0;
        }
        // A quarter at once, so that a full ring does not move with each record.
        let cut = self.bytes.len() - RING / 4 * 3;
        let gone = self.ends.partition_point(|(end, _)| *end < cut) + 1;
        let gone = gone.min(self.ends.len());
        let end = self.end_of(gone);
        self.bytes.drain(..end);
        self.ends.drain(..gone);
        for (other, _) in &mut self.ends {
            *other -= end;
        }
        gone
    }
}
