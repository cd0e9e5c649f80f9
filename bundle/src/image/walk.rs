//! From the root to every file.
//!
//! Directories are read in the order in which they were found, so the names of one lie side by side, parents in
//! front. Each directory is found once, so there is no way round in circles.

use std::collections::HashMap;
use std::ops::Range;

use super::INODE;
use super::directory::{Blocks, Name};
use super::inode::{self, Inode, Type};
use super::room::{self, Taken};
use super::superblock::Volume;
use crate::read::{self, ReadAt};
use crate::refused::{Fault, Kind, Refused};
use crate::{BLOCK, MAX_DEPTH, MAX_FILES};

/// What the image's pieces are called where a path is not known.
const IMAGE: &str = "the image";

/// A name.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: usize,
    pub(super) name: String,
    /// Index of its inode.
    pub(super) inode: usize,
    pub(super) depth: usize,
    /// What it holds: indices of nodes.
    pub(super) below: Range<usize>,
}

/// All of an image.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) inodes: Vec<Inode>,
    /// The first node of each inode.
    pub(super) first: Vec<usize>,
}

impl Tree {
    /// The path of a node, without a `/` in front.
    pub(super) fn path(&self, node: usize) -> String {
        let parent = |node: &&Node| self.nodes.get(node.parent);
        let up = std::iter::successors(self.nodes.get(node), parent);
        let mut names: Vec<_> =
            up.take_while(|node| node.depth > 0).map(|node| node.name.as_str()).collect();
        names.reverse();
        names.join("/")
    }

    /// A node as a refusal calls it.
    fn named(&self, node: usize) -> String {
        if node == 0 { "the root directory".into() } else { format!("{:?}", self.path(node)) }
    }
}

/// Reads everything of an image but what files hold.
pub(super) fn walk(file: &dyn ReadAt, volume: &Volume) -> Result<Tree, Refused> {
    let mut walk = Walk {
        volume,
        cache: Cache::new(file),
        tree: Tree { nodes: Vec::new(), inodes: Vec::new(), first: Vec::new() },
        known: HashMap::new(),
        found: Vec::new(),
        nids: Vec::new(),
    };
    walk.add(0, 0, Name { name: String::new(), nid: volume.root, kind: 2 })?;
    let mut next = 0;
    while let Some(node) = walk.tree.nodes.get(next) {
        let inode = node.inode;
        match walk.tree.inodes.get(inode).map(|inode| inode.kind) {
            Some(Type::Directory) => walk.directory(next)?,
            Some(Type::Link) => walk.link(next)?,
            _ => {}
        }
        next += 1;
    }
    walk.finish(file)
}

struct Walk<'a> {
    volume: &'a Volume,
    cache: Cache<'a>,
    tree: Tree,
    /// Index of an inode by its number.
    known: HashMap<u64, usize>,
    /// Names found of each inode; of a directory, those that it has in Linux.
    found: Vec<u32>,
    /// Number of each inode.
    nids: Vec<u64>,
}

impl Walk<'_> {
    /// Adds a name below `parent`.
    fn add(&mut self, parent: usize, depth: usize, name: Name) -> Result<(), Refused> {
        let node = self.tree.nodes.len();
        let Name { name, nid, kind } = name;
        let inode = self.known.get(&nid).copied().unwrap_or(self.tree.inodes.len());
        self.tree.nodes.push(Node { parent, name, inode, depth, below: 0..0 });
        let own = inode::place(self.volume, nid).ok();
        let at = own.or(self.inode_of(parent).map(|(inode, ..)| inode.at)).unwrap_or(BLOCK);
        let refuse = |walk: &Self, fault: Fault| fault.of(walk.tree.named(node), at);
        if u64::try_from(node).is_ok_and(|node| node > MAX_FILES) {
            let why = format!("more than {MAX_FILES} files and directories");
            return Err(refuse(self, Fault { kind: Kind::TooLarge, why }));
        }
        if depth > MAX_DEPTH {
            let why = format!("directories more than {MAX_DEPTH} deep");
            return Err(refuse(self, Fault { kind: Kind::TooLarge, why }));
        }
        if inode == self.tree.inodes.len() {
            let read = inode::place(self.volume, nid).map_err(|fault| refuse(self, fault))?;
            let bytes = self.cache.block_at(read, INODE, IMAGE)?;
            let read = Inode::parse(self.volume, read, bytes);
            let read = read.map_err(|fault| refuse(self, fault))?;
            self.tree.inodes.push(read);
            self.tree.first.push(node);
            self.known.insert(nid, inode);
            self.found.push(0);
            self.nids.push(nid);
        } else if self.kind(inode) != Some(Type::File) {
            return Err(refuse(self, Fault::damaged("it has another name, and is no file")));
        }
        if self.kind(inode).map(Type::number) != Some(kind) {
            return Err(refuse(self, Fault::damaged("its directory says it is something else")));
        }
        let is_directory = self.kind(inode) == Some(Type::Directory);
        *self.found.get_mut(inode).unwrap_or(&mut 0) += if is_directory { 2 } else { 1 };
        Ok(())
    }

    fn kind(&self, inode: usize) -> Option<Type> {
        self.tree.inodes.get(inode).map(|inode| inode.kind)
    }

    /// Adds all that is in the directory `node`.
    fn directory(&mut self, node: usize) -> Result<(), Refused> {
        let Some((inode, depth, parent)) = self.inode_of(node) else { return Ok(()) };
        let refuse = |walk: &Self, fault: Fault| fault.of(walk.tree.named(node), inode.at);
        let begin = self.tree.nodes.len();
        let mut blocks = Blocks::default();
        let (mut own, mut up) = (None, None);
        let mut at = 0;
        while at < inode.size {
            let (place, left) = inode.bytes_at(at);
            let bytes = self.cache.block_at(place, left.min(BLOCK), IMAGE)?;
            let names = blocks.next(bytes).map_err(|fault| refuse(self, fault))?;
            at += left.min(BLOCK);
            for name in names {
                match name.name.as_str() {
                    "." => own = Some((name.nid, name.kind)),
                    ".." => up = Some((name.nid, name.kind)),
                    _ => self.add(node, depth + 1, name)?,
                }
            }
        }
        let is = |walk: &Self, node: usize| {
            let inode = walk.tree.nodes.get(node).map(|node| node.inode);
            inode.and_then(|inode| walk.nids.get(inode)).map(|nid| (*nid, 2))
        };
        if own.is_none() || own != is(self, node) || up.is_none() || up != is(self, parent) {
            return Err(refuse(
                self,
                Fault::damaged("its `.` or `..` is not itself or what it is in"),
            ));
        }
        let end = self.tree.nodes.len();
        let below = self.tree.nodes.get(begin..end).unwrap_or_default();
        let directories =
            below.iter().filter(|node| self.kind(node.inode) == Some(Type::Directory));
        let directories = u32::try_from(directories.count()).unwrap_or(u32::MAX);
        if let Some(node) = self.tree.nodes.get_mut(node) {
            node.below = begin..end;
            *self.found.get_mut(node.inode).unwrap_or(&mut 0) += directories;
        }
        Ok(())
    }

    fn inode_of(&self, node: usize) -> Option<(Inode, usize, usize)> {
        let node = self.tree.nodes.get(node)?;
        Some((self.tree.inodes.get(node.inode)?.clone(), node.depth, node.parent))
    }

    /// The link `node` leads nowhere but into the image.
    fn link(&mut self, node: usize) -> Result<(), Refused> {
        let Some((inode, depth, _)) = self.inode_of(node) else { return Ok(()) };
        let (place, left) = inode.bytes_at(0);
        let bytes = self.cache.block_at(place, left, IMAGE)?;
        let checked = target(bytes, depth.saturating_sub(1));
        checked.map_err(|fault| fault.of(self.tree.named(node), inode.at))
    }

    /// What can be said only of all together.
    fn finish(self, file: &dyn ReadAt) -> Result<Tree, Refused> {
        let Self { volume, tree, found, .. } = self;
        let name = |inode: usize| tree.named(tree.first.get(inode).copied().unwrap_or(0));
        if u64::try_from(tree.inodes.len()).ok() != Some(volume.inodes) {
            let why = format!("it says {} inodes, and has {}", volume.inodes, tree.inodes.len());
            return Err(Refused::damaged("the superblock of the image", 1024 + 16, why));
        }
        let mut numbers: Vec<u32> = tree.inodes.iter().map(|inode| inode.number).collect();
        numbers.sort_unstable();
        if numbers.first() == Some(&0) || numbers.array_windows().any(|[a, b]| a == b) {
            return Err(Refused::new(
                Kind::Damaged,
                IMAGE,
                None,
                "two files have one number, or 0",
            ));
        }
        let mut taken = Vec::with_capacity(tree.inodes.len() * 2);
        for (index, (inode, found)) in tree.inodes.iter().zip(found).enumerate() {
            if inode.links != found {
                let why = format!("it says {} names, and has {found}", inode.links);
                return Err(Refused::damaged(name(index), inode.at, why));
            }
            let end = inode.at + INODE + inode.tail;
            taken.push(Taken { at: inode.at, end, inode: index });
            let whole = inode.size - inode.tail;
            if whole > 0 {
                let (at, end) = (inode.body, inode.body + whole);
                taken.push(Taken { at, end, inode: index });
            }
        }
        room::check(file, volume.length, taken, &name)?;
        Ok(tree)
    }
}

/// Whether a link in a directory `depth` below the root stays in the image.
///
/// `..` may be in front only: a link's own directory is a real one, so what follows goes down from there, and
/// through other links only as these do. Behind a name it could go up from where a link led.
fn target(target: &[u8], depth: usize) -> Result<(), Fault> {
    let text = std::str::from_utf8(target).ok().filter(|text| !text.contains(char::is_control));
    let Some(text) = text else {
        return Err(Fault::forbidden("its target is not UTF-8 or has control characters"));
    };
    if text.starts_with('/') {
        let why = format!("it leads to {text:?}, out of the bundle: make it relative");
        return Err(Fault::forbidden(why));
    }
    let mut words = text.split('/').filter(|word| !matches!(*word, "" | ".")).peekable();
    let mut up = 0;
    while words.next_if_eq(&"..").is_some() {
        up += 1;
    }
    if up > depth {
        let why = format!("it leads to {text:?}, out of the bundle");
        return Err(Fault::forbidden(why));
    }
    if words.any(|word| word == "..") {
        let why = format!("it leads to {text:?}: `..` may be in front only");
        return Err(Fault::forbidden(why));
    }
    Ok(())
}

/// Reads pieces that lie near each other with few calls.
pub(super) struct Cache<'a> {
    file: &'a dyn ReadAt,
    at: u64,
    bytes: Vec<u8>,
    other: Vec<u8>,
}

impl<'a> Cache<'a> {
    /// Bytes read at once.
    const PIECE: u64 = 64 << 10;

    pub(super) fn new(file: &'a dyn ReadAt) -> Self {
        Self { file, at: 0, bytes: Vec::new(), other: Vec::new() }
    }

    /// `length` bytes at `at`, at most a block.
    pub(super) fn block_at(&mut self, at: u64, length: u64, what: &str) -> Result<&[u8], Refused> {
        let length = usize::try_from(length.min(BLOCK)).unwrap_or(0);
        let within = |cache: &Self| {
            let from = usize::try_from(at.checked_sub(cache.at)?).ok()?;
            Some(from..from + length).filter(|range| range.end <= cache.bytes.len())
        };
        if within(self).is_none() {
            self.fill(at)?;
        }
        if let Some(range) = within(self) {
            return Ok(self.bytes.get(range).unwrap_or_default());
        }
        // At the end of a piece, or of the file.
        self.other.resize(length, 0);
        read::exactly(self.file, at, &mut self.other, what)?;
        Ok(&self.other)
    }

    /// Whether there are `length` zeros at `at`: less than a block.
    pub(super) fn are_zeros(&mut self, at: u64, length: u64, what: &str) -> Result<bool, Refused> {
        Ok(self.block_at(at, length, what)?.iter().all(|byte| *byte == 0))
    }

    /// Takes the piece that `at` lies in, as far as it can be read at once.
    fn fill(&mut self, at: u64) -> Result<(), Refused> {
        self.at = at - at % Self::PIECE;
        self.bytes.resize(usize::try_from(Self::PIECE).unwrap_or(0), 0);
        let read = self.file.read_at(self.at, &mut self.bytes);
        let read = read.map_err(|error| read::unreadable(IMAGE, at, &error))?;
        self.bytes.truncate(read);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_the_bundle() {
        for (good, depth) in
            [("a", 0), ("a/b", 0), ("../a", 1), ("./../../a/", 2), ("..", 1), (".", 0), ("a//b", 0)]
        {
            assert!(target(good.as_bytes(), depth).is_ok(), "{good}");
        }
        for (bad, depth) in [
            ("/", 3),
            ("/etc/passwd", 3),
            ("..", 0),
            ("../../a", 1),
            ("a/..", 3),
            ("a\0b", 3),
            ("a\nb", 3),
        ] {
            assert!(target(bad.as_bytes(), depth).is_err(), "{bad}");
        }
        assert!(target(&[0xff], 0).is_err());
    }
}
