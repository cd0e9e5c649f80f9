//! The boot record: which root slot starts, and how often an unconfirmed one may still try.
//!
//! ```text
//! partition   | copy 0, 4 KiB | copy 1, 4 KiB |        written in turn, so one copy is always whole
//! copy        magic 8 · sequence 8 · slot a · slot b · zeros · CRC-32C 4
//! slot        version 32 · root hash 32 · tries 1 · flags 1 · zeros 6
//!
//! update:  write the other slot ─► put(new, tries) ─► boot counts tries down ─► confirm
//!                                                          └── 0 left: the other slot again
//! ```
//!
//! Invariant: a torn write damages at most the copy that is being written; the newer whole copy
//! wins. Nothing here reads a disk: callers pass both copies and write back what they get.

use std::fmt;

/// Bytes of one copy; a disk writes this much at once.
pub const COPY: usize = 4096;

/// Bytes of the record: both copies.
pub const SIZE: usize = 2 * COPY;

/// Boots an unconfirmed slot gets before the other one is taken.
pub const TRIES: u8 = 3;

/// First bytes of a copy; the digit is the version of the format.
const MAGIC: [u8; 8] = *b"ENSBOOT1";

/// Bytes of a slot.
const SLOT: usize = 72;

/// Flag bits of a slot.
const FILLED: u8 = 1;
const CONFIRMED: u8 = 2;

/// One of the two root partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id {
    /// `root-a`
    A,
    /// `root-b`
    B,
}

impl Id {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Name of its partition.
    #[must_use]
    pub fn partition(self) -> &'static str {
        match self {
            Self::A => "root-a",
            Self::B => "root-b",
        }
    }
}

/// What is in a root partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    version: [u8; 32],
    /// Root of its dm-verity tree; zeros without one.
    pub root_hash: [u8; 32],
    /// Boots left while it is not confirmed.
    pub tries: u8,
    /// It booted, and the device was healthy.
    pub confirmed: bool,
}

impl Slot {
    /// A new slot. The version is cut to the 32 bytes there are.
    #[must_use]
    pub fn new(version: &str, root_hash: [u8; 32], tries: u8, confirmed: bool) -> Self {
        let mut bytes = [0; 32];
        let cut = (0..=32.min(version.len())).rev().find(|i| version.is_char_boundary(*i));
        let text = cut.and_then(|cut| version.get(..cut)).unwrap_or_default();
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self { version: bytes, root_hash, tries, confirmed }
    }

    /// Its version, up to the first zero or what is not UTF-8.
    #[must_use]
    pub fn version(&self) -> &str {
        let text = self.version.split(|b| *b == 0).next().unwrap_or_default();
        match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(e) => {
                let valid = text.get(..e.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(valid).unwrap_or_default()
            }
        }
    }

    fn bootable(&self) -> bool {
        self.confirmed || self.tries > 0
    }
}

/// The record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootCtl {
    /// Counts up with every write.
    pub sequence: u64,
    /// The slot to prefer.
    pub preferred: Id,
    /// What is in `root-a`; `None` when empty.
    pub a: Option<Slot>,
    /// What is in `root-b`; `None` when empty.
    pub b: Option<Slot>,
}

/// What to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The slot.
    pub id: Id,
    /// What is in it.
    pub slot: Slot,
    /// The record to write before it boots, when a try was counted.
    pub write: Option<BootCtl>,
}

/// Why nothing can be booted by this record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBootCtl {
    /// Neither copy is whole.
    Broken,
    /// Both slots are empty, or unconfirmed with no try left.
    NoSlot,
}

impl fmt::Display for BadBootCtl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => {
                "bootctl is damaged: neither copy has a right checksum; write the image again"
            }
            Self::NoSlot => {
                "bootctl names no slot to boot: both are empty or failed too often; \
                 write the image again"
            }
        })
    }
}

impl std::error::Error for BadBootCtl {}

impl BootCtl {
    /// The record of a new device: slot A, confirmed.
    #[must_use]
    pub fn new(version: &str, root_hash: [u8; 32]) -> Self {
        let slot = Slot::new(version, root_hash, 0, true);
        Self { sequence: 1, preferred: Id::A, a: Some(slot), b: None }
    }

    /// The record of a new device without a verity tree.
    #[must_use]
    pub fn first(version: &str) -> Self {
        Self::new(version, [0; 32])
    }

    /// The newer whole copy.
    ///
    /// # Errors
    /// [`BadBootCtl::Broken`] when neither is whole.
    pub fn decode(record: &[u8]) -> Result<Self, BadBootCtl> {
        let copies = record.chunks_exact(COPY).take(2).filter_map(Self::decode_copy);
        copies.max_by_key(|copy| copy.sequence).ok_or(BadBootCtl::Broken)
    }

    fn decode_copy(copy: &[u8]) -> Option<Self> {
        let (body, crc) = copy.split_last_chunk()?;
        let rest = body.strip_prefix(&MAGIC)?;
        if u32::from_le_bytes(*crc) != crc32c(body) {
            return None;
        }
        let (sequence, rest) = rest.split_first_chunk()?;
        let (a, rest) = rest.split_first_chunk::<SLOT>()?;
        let (b, rest) = rest.split_first_chunk::<SLOT>()?;
        let preferred = if *rest.first()? == 0 { Id::A } else { Id::B };
        let sequence = u64::from_le_bytes(*sequence);
        Some(Self { sequence, preferred, a: decode_slot(a), b: decode_slot(b) })
    }

    /// One copy as bytes, to be written at [`Self::offset`].
    #[must_use]
    pub fn encode_copy(&self) -> [u8; COPY] {
        let mut copy = [0; COPY];
        let preferred = u8::from(self.preferred == Id::B);
        let (a, b) = (encode_slot(self.a.as_ref()), encode_slot(self.b.as_ref()));
        let bytes = MAGIC.into_iter().chain(self.sequence.to_le_bytes()).chain(a).chain(b);
        for (to, from) in copy.iter_mut().zip(bytes.chain([preferred])) {
            *to = from;
        }
        if let Some((body, crc)) = copy.split_last_chunk_mut::<4>() {
            *crc = crc32c(body).to_le_bytes();
        }
        copy
    }

    /// The whole record of a new device: the same copy twice.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_copy().repeat(2)
    }

    /// Where the copy of this sequence lies: the offset of the older one before it.
    #[must_use]
    pub fn offset(&self) -> u64 {
        if self.sequence.is_multiple_of(2) { 0 } else { 4096 }
    }

    /// What to boot, and what to write before: the preferred slot, else the other.
    ///
    /// # Errors
    /// [`BadBootCtl::NoSlot`] when neither may boot.
    pub fn choose(&self) -> Result<Choice, BadBootCtl> {
        let order = [self.preferred, self.preferred.other()];
        let found = order.into_iter().find_map(|id| {
            let slot = self.slot(id).filter(Slot::bootable)?;
            Some((id, slot))
        });
        let (id, slot) = found.ok_or(BadBootCtl::NoSlot)?;
        if slot.confirmed {
            return Ok(Choice { id, slot, write: None });
        }
        let slot = Slot { tries: slot.tries - 1, ..slot };
        Ok(Choice { id, slot, write: Some(self.with(id, slot)) })
    }

    /// The slot.
    #[must_use]
    pub fn slot(&self, id: Id) -> Option<Slot> {
        match id {
            Id::A => self.a,
            Id::B => self.b,
        }
    }

    /// The next record, with this in the slot.
    #[must_use]
    pub fn with(&self, id: Id, slot: Slot) -> Self {
        let mut next = Self { sequence: self.sequence.wrapping_add(1), ..*self };
        match id {
            Id::A => next.a = Some(slot),
            Id::B => next.b = Some(slot),
        }
        next
    }

    /// The next record after an update: this slot is preferred and has its tries.
    #[must_use]
    pub fn put(&self, id: Id, version: &str, root_hash: [u8; 32]) -> Self {
        let slot = Slot::new(version, root_hash, TRIES, false);
        Self { preferred: id, ..self.with(id, slot) }
    }

    /// The next record once the device was healthy with this slot; `None` when nothing changes.
    #[must_use]
    pub fn confirm(&self, id: Id) -> Option<Self> {
        let slot = self.slot(id).filter(|slot| !slot.confirmed)?;
        Some(self.with(id, Slot { confirmed: true, tries: 0, ..slot }))
    }
}

fn encode_slot(slot: Option<&Slot>) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    if let Some(slot) = slot {
        let flags = if slot.confirmed { FILLED | CONFIRMED } else { FILLED };
        let from = slot.version.into_iter().chain(slot.root_hash).chain([slot.tries, flags]);
        for (to, from) in bytes.iter_mut().zip(from) {
            *to = from;
        }
    }
    bytes
}

fn decode_slot(bytes: &[u8; SLOT]) -> Option<Slot> {
    let (version, rest) = bytes.split_first_chunk()?;
    let (root_hash, rest) = rest.split_first_chunk()?;
    let (tries, rest) = rest.split_first()?;
    let flags = rest.first()?;
    let confirmed = flags & CONFIRMED != 0;
    let slot = Slot { version: *version, root_hash: *root_hash, tries: *tries, confirmed };
    (flags & FILLED != 0).then_some(slot)
}

/// CRC-32C (Castagnoli), bit by bit: 8 KiB at boot are not worth a table.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ 0x82f6_3b78 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> BootCtl {
        BootCtl::new("1.0", [7; 32])
    }

    /// The partition after `next` was written over `record`.
    fn written(record: &[u8], next: &BootCtl) -> Vec<u8> {
        let mut record = record.to_vec();
        let at = usize::try_from(next.offset()).unwrap();
        record.splice(at..at + COPY, next.encode_copy());
        record
    }

    #[test]
    fn the_checksum_is_the_one_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn a_new_device_boots_slot_a_and_writes_nothing() {
        let record = BootCtl::decode(&device().encode()).unwrap();
        let choice = record.choose().unwrap();
        assert_eq!((choice.id, choice.slot.version(), choice.write), (Id::A, "1.0", None));
    }

    #[test]
    fn an_update_that_never_works_falls_back_after_its_tries() {
        let mut record = device().put(Id::B, "2.0", [8; 32]);
        for _ in 0..TRIES {
            let choice = record.choose().unwrap();
            assert_eq!((choice.id, choice.slot.version()), (Id::B, "2.0"));
            record = choice.write.unwrap();
        }
        assert_eq!(record.choose().unwrap().id, Id::A);
    }

    #[test]
    fn a_confirmed_update_stays_however_often_the_power_goes() {
        let record = device().put(Id::B, "2.0", [8; 32]);
        let record = record.choose().unwrap().write.unwrap().confirm(Id::B).unwrap();
        for _ in 0..20 {
            let choice = record.choose().unwrap();
            assert_eq!((choice.id, choice.write), (Id::B, None));
        }
        assert_eq!(record.confirm(Id::B), None);
    }

    #[test]
    fn a_torn_write_leaves_the_record_before_it() {
        let old = device();
        let next = old.put(Id::B, "2.0", [8; 32]);
        let record = written(&old.encode(), &next);
        assert_eq!(BootCtl::decode(&record), Ok(next));
        let start = usize::try_from(next.offset()).unwrap();
        for torn in [0, 9, 100, 170, COPY - 4] {
            let mut half = old.encode();
            half[start..start + torn].copy_from_slice(&record[start..start + torn]);
            half[start + torn] ^= 0xff;
            assert_eq!(BootCtl::decode(&half), Ok(old), "torn after {torn} bytes");
        }
    }

    #[test]
    fn writes_go_to_the_copies_in_turn() {
        let one = device();
        let two = one.put(Id::B, "2", [0; 32]);
        let three = two.confirm(Id::B).unwrap();
        assert_ne!(two.offset(), three.offset());
        let record = written(&written(&one.encode(), &two), &three);
        assert_eq!(BootCtl::decode(&record), Ok(three));
    }

    #[test]
    fn both_copies_broken_is_an_error_of_its_own() {
        assert_eq!(BootCtl::decode(&[0; SIZE]), Err(BadBootCtl::Broken));
        assert_eq!(BootCtl::decode(&[]), Err(BadBootCtl::Broken));
        let empty = BootCtl { a: None, ..device() };
        assert_eq!(empty.choose(), Err(BadBootCtl::NoSlot));
    }

    #[test]
    fn versions_are_cut_between_characters() {
        let version = |text: &str| Slot::new(text, [0; 32], 0, true).version().to_owned();
        assert_eq!(version(&"x".repeat(40)), "x".repeat(32));
        assert_eq!(version(&format!("{}ä", "x".repeat(31))), "x".repeat(31));
        let odd = Slot { version: [0xff; 32], ..Slot::new("", [0; 32], 0, true) };
        assert_eq!(odd.version(), "");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(0_u8.., 0..9000)) {
            if let Ok(record) = BootCtl::decode(&bytes) {
                let _ = record.choose();
            }
        }

        #[test]
        fn one_flipped_bit_never_goes_unnoticed(at in 0..COPY, bit in 0_u32..8) {
            let record = device();
            let mut copy = record.encode_copy();
            copy[at] ^= 1_u8 << bit;
            proptest::prop_assert_eq!(BootCtl::decode(&copy), Err(BadBootCtl::Broken));
        }
    }
}
