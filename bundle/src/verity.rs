//! fs-verity's tree of hashes and its digest, computed while the content goes by.
//!
//! ```text
//! content   4096 4096 4096 … ─► level 0: 128 hashes a block ─► level 1 ─► … ─► one block: its hash is the root
//! in the file    │ last level │ … │ level 1 │ level 0 │   as Linux stores it
//! digest         SHA-256 of struct fsverity_descriptor, which holds the root and the length
//! ```
//!
//! Invariant: a block of each level is in memory, however long the content is. Format:
//! `Documentation/filesystems/fsverity.rst` of Linux.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::BLOCK;
use crate::refused::Refused;

/// Bytes of a hash.
const HASH: usize = 32;

/// Bytes of a block.
const BYTES: usize = 4096;

/// What names the content of a bundle: fs-verity's digest of it, as the kernel measures it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; HASH]);

impl Digest {
    /// A digest that somebody else computed: the kernel.
    #[must_use]
    pub fn new(bytes: [u8; HASH]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; HASH] {
        &self.0
    }

    /// The digest of a content of `length` bytes with this root: the hash of `struct fsverity_descriptor`.
    pub(crate) fn of(root: &[u8; HASH], length: u64) -> Self {
        const VERSION: u8 = 1;
        const SHA256: u8 = 1;
        let mut descriptor = Sha256::new();
        descriptor.update([VERSION, SHA256, 12, 0, 0, 0, 0, 0]);
        descriptor.update(length.to_le_bytes());
        descriptor.update(root);
        descriptor.update([0; 256 - 8 - 8 - HASH]);
        Self(descriptor.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no digest: it takes 64 digits of 0-9 and a-f")]
pub struct BadDigest(String);

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let bad = || BadDigest(text.chars().take(80).collect());
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(bad()),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes: Vec<u8> = pairs
            .iter()
            .map(|[high, low]| Ok(digit(*high)? << 4 | digit(*low)?))
            .collect::<Result<_, _>>()?;
        let bytes = bytes.try_into().map_err(|_| bad())?;
        if rest.is_empty() { Ok(Self(bytes)) } else { Err(bad()) }
    }
}

/// Blocks of each level over a content of so many bytes, the lowest first; none over one block.
fn levels(content: u64) -> Vec<u64> {
    const HASHES: u64 = 128;
    let more = |blocks: &u64| (*blocks > 1).then(|| blocks.div_ceil(HASHES));
    std::iter::successors(more(&content.div_ceil(BLOCK)), more).collect()
}

/// Bytes of the tree over a content of so many bytes.
pub(crate) fn tree_length(content: u64) -> u64 {
    levels(content).iter().sum::<u64>() * BLOCK
}

/// The root of a tree that begins with this block.
pub(crate) fn root(first_block: &[u8]) -> [u8; HASH] {
    Sha256::digest(first_block).into()
}

/// A block of the tree that is full.
#[derive(Debug)]
pub(crate) struct Full<'a> {
    /// Where it lies in the tree, in bytes.
    pub(crate) at: u64,
    /// What it holds.
    pub(crate) bytes: &'a [u8],
    /// The first block of the content that it has a hash of, in the lowest level.
    pub(crate) of: Option<u64>,
}

struct Level {
    at: u64,
    done: u64,
    block: Vec<u8>,
}

/// Makes the tree; its blocks are given away as soon as they are full.
pub(crate) struct Hasher<'s> {
    length: u64,
    levels: Vec<Level>,
    root: [u8; HASH],
    full: &'s mut dyn FnMut(Full<'_>) -> Result<(), Refused>,
}

impl<'s> Hasher<'s> {
    /// For a content of `length` bytes.
    pub(crate) fn new(
        length: u64,
        full: &'s mut dyn FnMut(Full<'_>) -> Result<(), Refused>,
    ) -> Self {
        let mut at = tree_length(length);
        let place = |blocks: u64| {
            at -= blocks * BLOCK;
            Level { at, done: 0, block: Vec::with_capacity(BYTES) }
        };
        let levels = levels(length).into_iter().map(place).collect();
        Self { length, levels, root: [0; HASH], full }
    }

    /// The next blocks of the content: whole ones.
    pub(crate) fn update(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        bytes.chunks(BYTES).try_for_each(|block| self.put(0, root(block)))
    }

    fn put(&mut self, number: usize, hash: [u8; HASH]) -> Result<(), Refused> {
        let Some(level) = self.levels.get_mut(number) else {
            self.root = hash;
            return Ok(());
        };
        level.block.extend_from_slice(&hash);
        if level.block.len() == BYTES { self.flush(number) } else { Ok(()) }
    }

    fn flush(&mut self, number: usize) -> Result<(), Refused> {
        let Some(level) = self.levels.get_mut(number).filter(|level| !level.block.is_empty())
        else {
            return Ok(());
        };
        level.block.resize(BYTES, 0);
        let of = (number == 0).then(|| level.done * 128);
        let at = level.at + level.done * BLOCK;
        (self.full)(Full { at, bytes: &level.block, of })?;
        let hash = root(&level.block);
        level.done += 1;
        level.block.clear();
        self.put(number + 1, hash)
    }

    /// The digest of all.
    pub(crate) fn finish(mut self) -> Result<Digest, Refused> {
        (0..self.levels.len()).try_for_each(|number| self.flush(number))?;
        Ok(Digest::of(&self.root, self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest::new(std::array::from_fn(|i| u8::try_from(i * 8).unwrap()));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for bad in ["", "0", &"0".repeat(63), &"0".repeat(65), &"0".repeat(66), &"G".repeat(64)] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn levels_are_those_of_linux() {
        let blocks = |n: u64| levels(n * BLOCK);
        assert_eq!(blocks(0), []);
        assert_eq!(blocks(1), []);
        assert_eq!(blocks(2), [1]);
        assert_eq!(blocks(128), [1]);
        assert_eq!(blocks(129), [2, 1]);
        assert_eq!(blocks(128 * 128 + 1), [129, 2, 1]);
    }
}
