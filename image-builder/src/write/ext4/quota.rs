//! Quotas of projects: what services store is counted, and limited. And what else mkext4 does not switch on.
//!
//! ```text
//! block of 1 KiB   0 header │ 1 ─► 2 ─► 3 ─► 4 (a tree of ids, one byte of the id each) ─► 5 entries │
//! superblock       features `quota` and `project`, the inode of this file, which no directory names
//! ```
//!
//! mkext4 knows nothing of it: a file is made room for ([`declare`]), and when all is written it is
//! filled with what the volume holds, taken out of its directory and told to the superblocks
//! ([`finish`]). Every file of a new volume belongs to project 0, so one entry is enough; the kernel
//! adds the others. Invariant: `e2fsck` finds that the counts are right.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail};
use mkext4::reader::{Fs, ReadAt};
use mkext4::spec::{BLOCK_SIZE, DirentIter, FIRST_INO, INODE_SIZE, ROOT_INO, Superblock};
use mkext4::{FsBuilder, InodeHandle, Meta, ROOT, csum};

use super::super::Time;

/// What the file is called until it is hidden.
const NAME: &str = ".project-quota";

/// Length of a block of the file, whatever the volume's is.
const BLOCK: usize = 1024;

/// Blocks: the header, four levels of the tree, entries.
const BLOCKS: u32 = 6;

/// Length of the file.
const LENGTH: usize = BLOCK * 6;

/// What the file of projects begins with, and its version with 64-bit numbers.
const HEADER: [u32; 2] = [0xd9c0_3f14, 1];

/// How long a soft limit may be passed: a week, as everywhere. Nobody sets one.
const GRACE: u32 = 7 * 24 * 60 * 60;

/// `EXT4_FEATURE_RO_COMPAT_QUOTA` and `…_PROJECT`; and `…_VERITY`, so that files can be sealed (fs-verity).
const FEATURES: u32 = 0x100 | 0x2000 | 0x8000;

/// `EXT4_FEATURE_INCOMPAT_ENCRYPT`, so that directories can be encrypted (fscrypt). Nothing is as long as nobody asks.
const ENCRYPT: u32 = 0x1_0000;

/// How contents and names are encrypted at first, as `tune2fs -O encrypt` says it: AES-256-XTS and AES-256-CTS.
const ENCRYPTIONS: [u8; 4] = [1, 4, 0, 0];

/// Where a superblock has its features that a reader must know.
const SB_MUST: usize = 0x60;

/// Where a superblock has its features that a reader need not know.
const SB_FEATURES: usize = 0x64;

/// Where it has what encrypts.
const SB_ENCRYPTIONS: usize = 0x254;

/// Where it has the inode of this file.
const SB_INODE: usize = 0x26c;

/// Where it has its checksum.
const SB_CHECKSUM: usize = 0x3fc;

/// `EXT4_IMMUTABLE_FL`.
const IMMUTABLE: u32 = 0x10;

/// Makes room for the file.
pub(super) fn declare(builder: &mut FsBuilder, time: Time) -> Result<InodeHandle> {
    let meta = Meta::new(0o600, 0, 0, (i64::from(time), 0));
    let length = u64::try_from(LENGTH)?;
    builder.file(ROOT, NAME, meta, length).with_context(|| format!("{NAME} is ours: take it out"))
}

/// What is in the file until [`finish`] knows better.
pub(super) fn room() -> Vec<u8> {
    vec![0; LENGTH]
}

/// Fills the file, hides it, and switches quotas on in the volume at `offset` of `file`.
///
/// # Errors
/// The volume is not as mkext4 writes it, or cannot be read or written.
pub(super) fn finish(file: &File, offset: u64) -> Result<()> {
    let part = Part { file, offset };
    let fs = Fs::open(part)?;
    let inode = fs.lookup(ROOT_INO, NAME.as_bytes())?.context("the file of quotas is missing")?;
    let volume = Volume { part, fs, inode };
    volume.fill(&content(volume.used()?))?;
    volume.hide()?;
    volume.make_immutable()?;
    volume.announce()
}

/// A volume in a file.
#[derive(Clone, Copy)]
struct Part<'f> {
    file: &'f File,
    offset: u64,
}

impl ReadAt for Part<'_> {
    fn read_exact_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        FileExt::read_exact_at(self.file, bytes, self.offset + at)
    }
}

impl Part<'_> {
    fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        Ok(self.file.write_all_at(bytes, self.offset + at)?)
    }
}

/// A volume that is written, with the inode of the file.
struct Volume<'f> {
    part: Part<'f>,
    fs: Fs<Part<'f>>,
    inode: u32,
}

impl Volume<'_> {
    /// What all files take: bytes, and how many they are. Those of the file system itself do not count.
    fn used(&self) -> Result<(u64, u64)> {
        let sb = self.fs.superblock();
        // mkext4 takes inodes in their order.
        let last = sb.inodes_count - sb.free_inodes_count;
        let (mut bytes, mut files) = (0, 0);
        for number in (FIRST_INO..=last).chain([ROOT_INO]).filter(|number| *number != self.inode) {
            bytes += self.fs.inode(number)?.blocks * 512;
            files += 1;
        }
        Ok((bytes, files))
    }

    /// Writes the file where it lies.
    fn fill(&self, content: &[u8]) -> Result<()> {
        let extents = self.fs.extents(self.inode, &self.fs.inode(self.inode)?)?;
        for (number, piece) in (0..).zip(content.chunks(BLOCK_SIZE)) {
            let block = self.fs.file_block(&extents, number);
            self.part.write(self.place(block.context("the file of quotas has a hole")?)?, piece)?;
        }
        Ok(())
    }

    /// Takes the file out of its directory: the entry before takes its place, or it names nothing.
    fn hide(&self) -> Result<()> {
        let root = self.fs.inode(ROOT_INO)?;
        let seed = csum::inode_seed(self.fs.fs_seed(), ROOT_INO, root.generation);
        for extent in self.fs.extents(ROOT_INO, &root)? {
            for number in extent.physical..extent.physical + u64::from(extent.len) {
                let mut block = Bytes(self.fs.read_block(number)?);
                if !block.without(self.inode)? {
                    continue;
                }
                let sum = csum::dirent_block(seed, &block.0);
                block.put(BLOCK_SIZE - 4, &sum.to_le_bytes());
                return self.part.write(self.place(number)?, &block.0);
            }
        }
        bail!("no directory names the file of quotas")
    }

    /// Nobody changes it but the kernel.
    fn make_immutable(&self) -> Result<()> {
        let mut inode = self.fs.inode(self.inode)?;
        inode.flags |= IMMUTABLE;
        let mut slot = vec![0; INODE_SIZE];
        inode.encode(&mut slot);
        inode.checksum = csum::inode(self.fs.fs_seed(), self.inode, inode.generation, &slot);
        inode.encode(&mut slot);
        let sb = self.fs.superblock();
        let (group, index) =
            ((self.inode - 1) / sb.inodes_per_group, (self.inode - 1) % sb.inodes_per_group);
        let table = self.fs.group_desc(u64::from(group))?.inode_table;
        self.part.write(self.place(table)? + u64::from(index) * u64::try_from(INODE_SIZE)?, &slot)
    }

    /// Tells the superblock and its copies.
    fn announce(&self) -> Result<()> {
        let sb = self.fs.superblock();
        for group in (0..sb.group_count()).filter(|group| has_copy(*group)) {
            let block = group * u64::from(sb.blocks_per_group);
            let at = if group == 0 { 1024 } else { self.place(block)? };
            let mut bytes = Bytes(vec![0; Superblock::LEN]);
            self.part.read_exact_at(at, &mut bytes.0)?;
            let now = Superblock::decode(&bytes.0)?;
            bytes.put(SB_FEATURES, &(now.feature_ro_compat | FEATURES).to_le_bytes());
            bytes.put(SB_MUST, &(now.feature_incompat | ENCRYPT).to_le_bytes());
            bytes.put(SB_ENCRYPTIONS, &ENCRYPTIONS);
            bytes.put(SB_INODE, &self.inode.to_le_bytes());
            let sum = csum::superblock(&bytes.0);
            bytes.put(SB_CHECKSUM, &sum.to_le_bytes());
            self.part.write(at, &bytes.0)?;
        }
        Ok(())
    }

    fn place(&self, block: u64) -> Result<u64> {
        Ok(block * u64::try_from(BLOCK_SIZE)?)
    }
}

/// Whether a group has a superblock: 0, 1 and powers of 3, 5 and 7.
fn has_copy(group: u64) -> bool {
    let power =
        |of: u64| std::iter::successors(Some(1), move |n| Some(n * of)).take_while(|n| *n <= group);
    group == 0 || [3, 5, 7].into_iter().any(|of| power(of).any(|n| n == group))
}

/// The file: a tree that leads to the one entry, that of project 0.
fn content((bytes, files): (u64, u64)) -> Vec<u8> {
    let last = BLOCKS - 1;
    let mut all = Bytes(room());
    let info = [GRACE, GRACE, 0, BLOCKS, 0, last];
    for (at, word) in (0..).step_by(4).zip(HEADER.into_iter().chain(info)) {
        all.put(at, &word.to_le_bytes());
    }
    for (block, below) in (1..).zip(2..=last) {
        all.put(block * BLOCK, &below.to_le_bytes());
    }
    let entries = LENGTH - BLOCK;
    all.put(entries + 8, &1_u16.to_le_bytes());
    // An entry of 72 bytes after 16 of header: the id is 0, and so are all limits.
    all.put(entries + 16 + 24, &files.to_le_bytes());
    all.put(entries + 16 + 48, &bytes.to_le_bytes());
    all.0
}

/// Bytes of a block.
struct Bytes(Vec<u8>);

impl Bytes {
    /// What does not fit is not written; all places here are within.
    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// Takes the entry of this inode out of a block of a directory, if it is there.
    fn without(&mut self, inode: u32) -> Result<bool> {
        let mut before: Option<(usize, u16)> = None;
        let mut found = None;
        for entry in DirentIter::new(&self.0) {
            let entry = entry?;
            if entry.inode == inode {
                found = Some((entry.offset, entry.rec_len));
                break;
            }
            before = Some((entry.offset, entry.rec_len));
        }
        match (found, before) {
            (None, _) => return Ok(false),
            (Some((at, length)), Some((earlier, own))) if earlier + usize::from(own) == at => {
                self.put(earlier + 4, &(own + length).to_le_bytes());
            }
            (Some((at, _)), _) => self.put(at, &0_u32.to_le_bytes()),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn superblocks_are_where_powers_are() {
        let all: Vec<u64> = (0..130).filter(|group| has_copy(*group)).collect();
        assert_eq!(all, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }

    #[test]
    fn the_tree_leads_to_the_entry_of_project_0() {
        let file = content((4096, 3));
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(4), word(20), word(28)), (HEADER[0], 1, 6, 5));
        assert_eq!([1, 2, 3, 4].map(|block| word(block * BLOCK)), [2, 3, 4, 5]);
        assert_eq!((word(5 * BLOCK + 40), word(5 * BLOCK + 64)), (3, 4096));
    }
}
