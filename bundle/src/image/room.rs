//! Every byte of the image is of one inode or body, or is one of few zeros between them.
//!
//! So nothing overlaps, nothing is hidden between files, and no two images that differ hold the same.

use crate::BLOCK;
use crate::read::ReadAt;
use crate::refused::{Kind, Refused};

use super::walk::Cache;

/// Bytes of an inode, with its tail, or of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Taken {
    pub(super) at: u64,
    pub(super) end: u64,
    /// Whose it is: an index of inodes.
    pub(super) inode: usize,
}

/// Whether all that is `taken`, with the block in front, is the image of `length` bytes. `path` names inodes.
pub(super) fn check(
    file: &dyn ReadAt,
    length: u64,
    mut taken: Vec<Taken>,
    path: &dyn Fn(usize) -> String,
) -> Result<(), Refused> {
    const WHAT: &str = "the image";
    taken.sort_unstable();
    let mut cache = Cache::new(file);
    let mut last = (BLOCK, None::<usize>);
    let end = Taken { at: length, end: length, inode: usize::MAX };
    for next in taken.into_iter().chain([end]) {
        let (at, owner) = last;
        let Some(gap) = next.at.checked_sub(at) else {
            let other = owner.map_or_else(|| "the superblock".into(), path);
            let why = format!("its bytes are also those of {other}");
            return Err(Refused::new(Kind::Damaged, path(next.inode), Some(next.at), why));
        };
        if gap >= BLOCK {
            let why = format!("{gap} bytes that are of no file");
            return Err(Refused::damaged(WHAT, at, why));
        }
        if !cache.are_zeros(at, gap, WHAT)? {
            return Err(Refused::damaged(WHAT, at, "there is something between two files"));
        }
        last = (next.end, Some(next.inode));
    }
    Ok(())
}
