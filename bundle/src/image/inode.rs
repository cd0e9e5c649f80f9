//! An inode: 64 bytes, each of which has one right value or is checked.

use super::superblock::Volume;
use super::{INODE, SLOT};
use crate::read::field;
use crate::refused::{Fault, Kind};
use crate::{BLOCK, MAX_TARGET};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    File,
    Directory,
    Link,
}

impl Type {
    /// The number in directories.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::File => 1,
            Self::Directory => 2,
            Self::Link => 7,
        }
    }
}

/// A file, directory or link, and where its body lies.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) kind: Type,
    /// Permission bits.
    pub(super) mode: u16,
    /// Bytes of its body.
    pub(super) size: u64,
    /// How many of them lie behind the inode.
    pub(super) tail: u64,
    /// Where it lies.
    pub(super) at: u64,
    /// Where the rest of its body lies.
    pub(super) body: u64,
    /// Names that it says it has.
    pub(super) links: u32,
    /// What `stat` shows as its number.
    pub(super) number: u32,
}

/// Where an inode of this number lies, if it can be there.
pub(super) fn place(volume: &Volume, nid: u64) -> Result<u64, Fault> {
    let at = nid.checked_mul(SLOT).filter(|at| *at >= BLOCK && *at <= volume.length - INODE);
    let at = at.ok_or_else(|| Fault::damaged("its inode lies outside of the image"))?;
    if at % BLOCK > BLOCK - INODE {
        return Err(Fault::damaged("its inode is in two blocks"));
    }
    Ok(at)
}

impl Inode {
    /// The inode in these bytes, which lie at `at`.
    pub(super) fn parse(volume: &Volume, at: u64, bytes: &[u8]) -> Result<Self, Fault> {
        const EXTENDED: u16 = 1;
        const FLAT_INLINE: u16 = 2 << 1;
        let short = |at| u16::from_le_bytes(field(bytes, at));
        let number = |at| u32::from_le_bytes(field(bytes, at));
        let long = |at| u64::from_le_bytes(field(bytes, at));
        let (kind, mode) = mode(short(4))?;
        let size = long(8);
        let rest = size % BLOCK;
        let tail = if INODE + rest <= BLOCK { rest } else { 0 };
        if short(0) != EXTENDED | if tail > 0 { FLAT_INLINE } else { 0 } {
            return Err(Fault::damaged(
                "its form is none that images of bundles have: compressed, in chunks, compact, or its end is \
                 elsewhere; write the image with `ens bundle build`",
            ));
        }
        if [short(2), short(6)] != [0, 0] || bytes.iter().skip(48).any(|byte| *byte != 0) {
            return Err(Fault::damaged("it has attributes or fields that files of bundles do not"));
        }
        if (number(24), number(28)) != (0, 0) {
            let why = format!("it belongs to {}:{}, and must to root", number(24), number(28));
            return Err(Fault::forbidden(why));
        }
        if long(32) != volume.time || number(40) != 0 {
            return Err(Fault::damaged("its time is not that of the image"));
        }
        let first = u64::from(number(16));
        let inode = Self {
            kind,
            mode,
            size,
            tail,
            at,
            body: first * BLOCK,
            links: number(44),
            number: number(20),
        };
        inode.check_room(volume)?;
        Ok(inode)
    }

    /// Its body lies within the image, and is not too large for what it is.
    fn check_room(&self, volume: &Volume) -> Result<(), Fault> {
        let whole = self.size - self.tail;
        let end = self.body.checked_add(whole).filter(|end| *end <= volume.length);
        if end.is_none() || (whole > 0) != (self.body >= BLOCK) {
            let why = format!("its {} bytes are not in the image: a hole, or cut off", self.size);
            return Err(Fault::damaged(why));
        }
        if self.at % BLOCK + INODE + self.tail > BLOCK {
            return Err(Fault::damaged("its inode is in two blocks"));
        }
        match self.kind {
            Type::Link if self.size > MAX_TARGET => {
                let why = format!("a target of {} bytes: at most {MAX_TARGET}", self.size);
                Err(Fault { kind: Kind::TooLarge, why })
            }
            Type::Link | Type::Directory if self.size == 0 => Err(Fault::damaged("it is empty")),
            _ => Ok(()),
        }
    }

    /// Where the byte `at` of its body lies, and how many follow there.
    pub(super) fn bytes_at(&self, at: u64) -> (u64, u64) {
        let whole = self.size - self.tail;
        if at < whole {
            (self.body + at, whole - at)
        } else {
            (self.at + INODE + (at - whole), self.size.saturating_sub(at))
        }
    }
}

/// What it is, and its permission bits.
fn mode(mode: u16) -> Result<(Type, u16), Fault> {
    let bits = mode & 0o7777;
    let kind = match mode & 0o170_000 {
        0o100_000 => Type::File,
        0o040_000 => Type::Directory,
        0o120_000 => Type::Link,
        other => return Err(Fault::forbidden(special(other))),
    };
    match kind {
        _ if bits & 0o6000 != 0 => Err(Fault::forbidden(
            "it is set-user-id or set-group-id: no file of a bundle gives rights",
        )),
        Type::Link if bits != 0o777 => Err(Fault::damaged("a link has mode 0777")),
        Type::Link => Ok((kind, bits)),
        _ if bits & 0o1022 != 0 => Err(Fault::forbidden(format!(
            "its mode is {bits:04o}: nobody but root may write it, and it is not sticky"
        ))),
        _ => Ok((kind, bits)),
    }
}

fn special(kind: u16) -> &'static str {
    match kind {
        0o010_000 => "it is a pipe: a bundle has files, directories and links",
        0o020_000 | 0o060_000 => "it is a device: a bundle has files, directories and links",
        0o140_000 => "it is a socket: a bundle has files, directories and links",
        _ => "it is of no kind: a bundle has files, directories and links",
    }
}
