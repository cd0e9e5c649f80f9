//! Where every inode and every block of an EROFS volume lies. Computes; writes nothing.
//!
//! Invariants: inodes are in ascending order and so are the blocks of their bodies; an inode with
//! its tail never crosses a block.

use std::borrow::Cow;

use anyhow::{Context, Result};

use super::file_type;
use crate::tree::{Content, Entry, Kind, Node};

/// Bytes of a block.
pub(super) const BLOCK: u64 = 4096;

/// Bytes of an extended inode.
pub(super) const INODE: u64 = 64;

/// Inodes lie on multiples of this; an inode's number is its place divided by it.
pub(super) const SLOT: u64 = 32;

/// Bytes of a directory entry without its name.
const DIRENT: usize = 12;

/// The whole volume.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) inodes: Vec<Inode<'a>>,
    pub(super) blocks: u32,
}

/// One inode and its place.
#[derive(Debug)]
pub(super) struct Inode<'a> {
    pub(super) path: &'a str,
    pub(super) node: &'a Node,
    pub(super) body: Body<'a>,
    /// Bytes of its body.
    pub(super) size: u64,
    /// How many of them lie behind the inode.
    pub(super) tail: u64,
    /// Where it lies, in bytes.
    pub(super) at: u64,
    /// The first block of the rest of its body.
    pub(super) block: u32,
    /// The number that `stat` shows.
    pub(super) number: u32,
    /// The number of links that `stat` shows.
    pub(super) links: u32,
}

/// What an inode holds.
#[derive(Debug)]
pub(super) enum Body<'a> {
    None,
    Bytes(Cow<'a, [u8]>),
    File(&'a Content),
}

/// A name in a directory.
struct Dirent<'a> {
    name: &'a str,
    nid: u64,
    kind: u8,
}

impl<'a> Layout<'a> {
    pub(super) fn of(entries: &[Entry<'a>]) -> Result<Self> {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); entries.len()];
        for (i, entry) in entries.iter().enumerate().skip(1) {
            children.get_mut(entry.parent).context("parents come first")?.push(i);
        }
        let mut inodes = Vec::with_capacity(entries.len());
        let mut inode_of = vec![0; entries.len()];
        let unknown = vec![0; entries.len()];
        for (i, entry) in entries.iter().enumerate() {
            if entry.first == i {
                inode_of[i] = inodes.len();
                inodes.push(inode(entries, &children, i, &unknown)?);
            } else {
                inode_of[i] = inode_of[entry.first];
            }
        }
        let blocks = place(&mut inodes)?;
        let nids: Vec<u64> = inode_of.iter().map(|&i| inodes[i].at / SLOT).collect();
        for (i, entry) in entries.iter().enumerate() {
            if matches!(entry.node.kind, Kind::Directory) {
                let bytes = directory(&dirents(entries, &children, i, &nids))?;
                inodes[inode_of[i]].body = Body::Bytes(bytes.into());
            }
        }
        Ok(Self { inodes, blocks })
    }
}

/// The inode of entry `i`, without a place; with `nids` still unknown, a directory has its size
/// but no body.
fn inode<'a>(
    entries: &[Entry<'a>],
    children: &[Vec<usize>],
    i: usize,
    nids: &[u64],
) -> Result<Inode<'a>> {
    let entry = &entries[i];
    let (body, size, links) = match &entry.node.kind {
        Kind::File(content) => (Body::File(content), content.len(), entry.names),
        Kind::Symlink(to) => {
            (Body::Bytes(to.as_bytes().into()), u64::try_from(to.len())?, entry.names)
        }
        Kind::Directory => {
            let is_dir = |c: &&usize| matches!(entries[**c].node.kind, Kind::Directory);
            let below = children[i].iter().filter(is_dir).count();
            let bytes = directory(&dirents(entries, children, i, nids))?;
            (Body::None, u64::try_from(bytes.len())?, 2 + u32::try_from(below)?)
        }
        Kind::Device { .. } | Kind::Hardlink(_) => (Body::None, 0, entry.names),
    };
    let tail = if INODE + size % BLOCK <= BLOCK { size % BLOCK } else { 0 };
    let (path, node, number) = (entry.path, entry.node, u32::try_from(i + 1)?);
    Ok(Inode { path, node, body, size, tail, at: 0, block: 0, number, links })
}

/// Gives every inode its place, and says how many blocks the volume has.
fn place(inodes: &mut [Inode<'_>]) -> Result<u32> {
    const TOO_LARGE: &str = "the tree is over 16 TiB, more than an EROFS volume can hold";
    let mut at = BLOCK; // after the superblock
    for inode in &mut *inodes {
        let len = INODE + inode.tail;
        if at / BLOCK != (at + len - 1) / BLOCK {
            at = at.next_multiple_of(BLOCK);
        }
        inode.at = at;
        at = (at + len).next_multiple_of(SLOT);
    }
    let mut block = at.div_ceil(BLOCK);
    for inode in inodes {
        let whole = (inode.size - inode.tail).div_ceil(BLOCK);
        if whole > 0 {
            inode.block = u32::try_from(block).context(TOO_LARGE)?;
            block = block.checked_add(whole).context(TOO_LARGE)?;
        }
    }
    u32::try_from(block).context(TOO_LARGE)
}

/// The names in directory `i`, `.` and `..` among them, in the order the kernel searches in.
fn dirents<'a>(
    entries: &[Entry<'a>],
    children: &[Vec<usize>],
    i: usize,
    nids: &[u64],
) -> Vec<Dirent<'a>> {
    const DIRECTORY: u8 = 2;
    let up = entries[i].parent;
    let mut names = Vec::with_capacity(children[i].len() + 2);
    names.push(Dirent { name: ".", nid: nids[i], kind: DIRECTORY });
    names.push(Dirent { name: "..", nid: nids[up], kind: DIRECTORY });
    names.extend(children[i].iter().map(|&c| Dirent {
        name: entries[c].name,
        nid: nids[c],
        kind: file_type(entries[c].node).1,
    }));
    names.sort_unstable_by_key(|d| d.name);
    names
}

/// A directory's bytes: in each block first all entries, then all names.
fn directory(names: &[Dirent<'_>]) -> Result<Vec<u8>> {
    let block = usize::try_from(BLOCK)?;
    let mut out = Vec::new();
    let mut rest = names;
    while !rest.is_empty() {
        out.resize(out.len().next_multiple_of(block), 0);
        let mut used = 0;
        let fits = |d: &&Dirent<'_>| {
            used += DIRENT + d.name.len();
            used <= block
        };
        let (now, later) = rest.split_at(rest.iter().take_while(fits).count());
        let mut name_at = now.len() * DIRENT;
        for d in now {
            out.extend_from_slice(&d.nid.to_le_bytes());
            out.extend_from_slice(&u16::try_from(name_at)?.to_le_bytes());
            out.extend_from_slice(&[d.kind, 0]);
            name_at += d.name.len();
        }
        now.iter().for_each(|d| out.extend_from_slice(d.name.as_bytes()));
        rest = later;
    }
    Ok(out)
}
