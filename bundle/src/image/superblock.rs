//! Block 0 of an image: one of few numbers, and zeros.

use super::{INODE, SLOT};
use crate::read::{self, ReadAt, field};
use crate::refused::{Fault, Kind, Refused};
use crate::{BLOCK, HEADER, MAX_FILES};

/// What the first block is called in a refusal.
const WHAT: &str = "the superblock of the image";

/// What the superblock says.
#[derive(Debug)]
pub(super) struct Volume {
    /// Bytes of the image.
    pub(super) length: u64,
    /// Number of the root.
    pub(super) root: u64,
    /// How many inodes there are.
    pub(super) inodes: u64,
    /// The time of all files.
    pub(super) time: u64,
}

/// Reads the superblock of an image of `length` bytes.
pub(super) fn read(file: &dyn ReadAt, length: u64) -> Result<Volume, Refused> {
    let mut block = vec![0; 4096 - HEADER];
    let at = u64::try_from(HEADER).unwrap_or(BLOCK);
    read::exactly(file, at, &mut block, WHAT)?;
    parse(&mut block, length).map_err(|fault| fault.of(WHAT, at))
}

/// The block without what is in front of the superblock.
fn parse(block: &mut [u8], length: u64) -> Result<Volume, Fault> {
    const MAGIC: u32 = 0xE0F5_E1E2;
    const FEATURES: u32 = 1 | 2; // a checksum; times of files are those of modification
    const BLOCK_BITS: u8 = 12;
    const USED: usize = 80;
    let number = |at| u32::from_le_bytes(field(block, at));
    if number(0) != MAGIC {
        return Err(Fault::damaged("it is no EROFS"));
    }
    let checksum = number(4);
    let volume = Volume {
        length,
        root: u64::from(u16::from_le_bytes(field(block, 14))),
        inodes: u64::from_le_bytes(field(block, 16)),
        time: u64::from_le_bytes(field(block, 24)),
    };
    let blocks = u64::from(number(36));
    let plain = number(8) == FEATURES
        && block.get(12..14) == Some(&[BLOCK_BITS, 0])
        && [32, 40, 44].iter().all(|at| number(*at) == 0)
        && block.iter().skip(USED).all(|byte| *byte == 0);
    if !plain {
        return Err(Fault::damaged(
            "it has features, options or addresses that images of bundles do not: write it with `ens bundle build`",
        ));
    }
    if let Some(place) = block.get_mut(4..8) {
        place.fill(0);
    }
    // The kernel's crc32c is not inverted at the end.
    if !crc32c::crc32c(block) != checksum {
        return Err(Fault::damaged("its checksum is another"));
    }
    if blocks.checked_mul(BLOCK) != Some(length) {
        let why = format!("it says {blocks} blocks, and the image has {}", length / BLOCK);
        return Err(Fault::damaged(why));
    }
    if volume.inodes > MAX_FILES + 1 {
        let why = format!("{} files and directories: at most {MAX_FILES}", volume.inodes - 1);
        return Err(Fault { kind: Kind::TooLarge, why });
    }
    if volume.root * SLOT < BLOCK || volume.root * SLOT + INODE > length {
        return Err(Fault::damaged("its root lies outside of the image"));
    }
    Ok(volume)
}
