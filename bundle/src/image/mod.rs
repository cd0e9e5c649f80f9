//! What is in the image of a bundle: a reader of EROFS that takes only what our writer writes.
//!
//! ```text
//! superblock ─► root ─► walk: every directory, every inode ─► room: every byte of the image is of one of them
//! ```
//!
//! One spelling is right for everything: uncompressed, extended inodes, the last part of a body behind its inode
//! exactly where it fits, no attributes, all times those of the volume, names in order, blocks of directories full.
//! Invariant: whoever has a [`Files`] has seen all of the image that Linux would; nothing in it is a device, belongs to
//! anyone but root, can be written by others, gives rights, or leads out of it. Memory is that of the names.

mod directory;
mod files;
mod inode;
mod room;
mod superblock;
mod walk;

pub use files::{Entries, Entry, Files, Item, Reader};

use crate::read::ReadAt;
use crate::refused::Refused;

/// Inodes lie on multiples of this; an inode's number is its place divided by it.
const SLOT: u64 = 32;

/// Bytes of an extended inode.
const INODE: u64 = 64;

/// Reads the image of `length` bytes that `file` begins with.
pub(crate) fn files(file: &dyn ReadAt, length: u64) -> Result<Files<'_>, Refused> {
    let volume = superblock::read(file, length)?;
    let tree = walk::walk(file, &volume)?;
    Ok(Files::new(file, tree))
}
