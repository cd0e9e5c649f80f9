//! A file system as data: what packages, TOML and programs put together and writers turn into bytes.
//!
//! ```text
//! packages, files, users ──insert──► Tree ──► erofs | ext4 | cpio | tar | a directory
//! ```
//!
//! Paths are relative, without `./` or a leading `/`; the root is "". Every parent is in the tree.
//! Nothing here reads or writes a file except [`Content::read`].

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

/// The largest file we take into memory at once.
pub const MAX_FILE: u64 = 4 << 30;

/// The longest name of one entry, in bytes: what Linux and every file system we write can hold.
pub const MAX_NAME: usize = 255;

/// The longest target of a symbolic link, in bytes: what Linux can follow.
pub const MAX_TARGET: usize = 4095;

/// A file system.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Node {
    /// Permission bits with set-id and sticky bits (`0o7777`).
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// What it is.
    pub kind: Kind,
}

/// What a [`Node`] is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link with its target.
    Symlink(String),
    /// Another name of the file at this path of the tree.
    Hardlink(String),
    /// A device node.
    Device {
        /// Block device, else character device.
        block: bool,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// The bytes of a file: here, or a slice of a file of the host's cache.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory.
    Bytes(Arc<[u8]>),
    /// `len` bytes at `offset` of `file`.
    Slice {
        /// The host file.
        file: Arc<PathBuf>,
        /// Where the bytes begin.
        offset: u64,
        /// How many.
        len: u64,
    },
}

impl Content {
    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(b) => u64::try_from(b.len()).unwrap_or(u64::MAX),
            Self::Slice { len, .. } => *len,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// At most this many bytes of its beginning.
    ///
    /// # Errors
    /// As [`Content::read`].
    pub fn begin(&self, most: u64) -> io::Result<Arc<[u8]>> {
        match self {
            Self::Bytes(bytes) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.get(..most).unwrap_or_default().into())
            }
            Self::Slice { file, offset, len } => {
                let part =
                    Self::Slice { file: Arc::clone(file), offset: *offset, len: most.min(*len) };
                part.read()
            }
        }
    }

    /// All bytes.
    ///
    /// # Errors
    /// The host file cannot be read, is shorter than promised, or is over [`MAX_FILE`].
    pub fn read(&self) -> io::Result<Arc<[u8]>> {
        match self {
            Self::Bytes(b) => Ok(Arc::clone(b)),
            Self::Slice { len, .. } if *len > MAX_FILE => {
                Err(io::Error::other(format!("a file of {len} bytes; at most {MAX_FILE}")))
            }
            Self::Slice { file, offset, len } => {
                let mut buf = vec![0; usize::try_from(*len).map_err(io::Error::other)?];
                File::open(file.as_path())?.read_exact_at(&mut buf, *offset)?;
                Ok(buf.into())
            }
        }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().into())
    }
}

impl Node {
    /// A directory of root.
    #[must_use]
    pub fn directory(mode: u16) -> Self {
        Self { mode, uid: 0, gid: 0, kind: Kind::Directory }
    }

    /// A file of root.
    #[must_use]
    pub fn file(mode: u16, content: impl Into<Content>) -> Self {
        Self { mode, uid: 0, gid: 0, kind: Kind::File(content.into()) }
    }

    /// A symbolic link.
    #[must_use]
    pub fn symlink(target: impl Into<String>) -> Self {
        Self { mode: 0o777, uid: 0, gid: 0, kind: Kind::Symlink(target.into()) }
    }

    /// The same node with another owner.
    #[must_use]
    pub fn owned_by(self, uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..self }
    }
}

impl Tree {
    /// A tree with only its root directory.
    #[must_use]
    pub fn new() -> Self {
        Self { nodes: BTreeMap::from([(String::new(), Node::directory(0o755))]) }
    }

    /// Puts `node` at `path`, with directories of root (0755) above it where they are missing.
    /// A directory over a directory keeps the children; anything else replaces what was there.
    ///
    /// # Errors
    /// The path is absolute, has `.`/`..`/empty parts, or leads through something not a directory.
    pub fn insert(&mut self, path: &str, node: Node) -> Result<(), BadPath> {
        let bad = |why: &'static str| Err(BadPath { path: path.to_owned(), why });
        if !path.is_empty() && path.split('/').any(|p| matches!(p, "" | "." | "..")) {
            return bad("a path inside the image has no empty, `.` or `..` parts");
        }
        if path.contains('\0') {
            return bad("a path has no NUL");
        }
        if path.is_empty() && !matches!(node.kind, Kind::Directory) {
            return bad("the root is a directory");
        }
        for (at, _) in path.match_indices('/') {
            let parent = &path[..at];
            match self.nodes.get(parent).map(|n| &n.kind) {
                None => drop(self.nodes.insert(parent.to_owned(), Node::directory(0o755))),
                Some(Kind::Directory) => {}
                Some(_) => return bad("it leads through something that is not a directory"),
            }
        }
        if self.is_directory(path)
            && !matches!(node.kind, Kind::Directory)
            && self.children(path).next().is_some()
        {
            return bad("a directory that is not empty is there already");
        }
        self.nodes.insert(path.to_owned(), node);
        Ok(())
    }

    /// The node at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Takes the node at `path` and all below it away; the root itself stays.
    pub fn remove(&mut self, path: &str) {
        if path.is_empty() {
            return self.nodes.retain(|p, _| p.is_empty());
        }
        let below = format!("{path}/");
        self.nodes.retain(|p, _| p != path && !p.starts_with(&below));
    }

    /// Whether a directory is at `path`.
    #[must_use]
    pub fn is_directory(&self, path: &str) -> bool {
        matches!(self.nodes.get(path), Some(Node { kind: Kind::Directory, .. }))
    }

    /// All nodes, parents before children, in byte order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(p, n)| (p.as_str(), n))
    }

    /// Full paths of what is directly below `path`.
    pub fn children<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        self.nodes
            .range(below.clone()..)
            .map(|(p, _)| p.as_str())
            .take_while(move |p| p.starts_with(&below))
            .filter(move |p| !p.is_empty() && !p[child_start(path)..].contains('/'))
    }

    /// How many nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether not even the root is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// One path of a tree that was found in order, as writers want it: hard links resolved.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The full path.
    pub path: &'a str,
    /// Its last part.
    pub name: &'a str,
    /// Index of the directory it is in; the root is in itself.
    pub parent: usize,
    /// What it is. Another name of a file has that file's node, so this is never a
    /// [`Kind::Hardlink`].
    pub node: &'a Node,
    /// Index of the first entry that is this file: its own, except for later names.
    pub first: usize,
    /// How many names it has.
    pub names: u32,
}

impl Tree {
    /// Every path, parents before children, in byte order, after checking what only the whole
    /// tree can tell.
    ///
    /// # Errors
    /// The first hard link that leads to no file, name or target that Linux cannot hold, or mode
    /// with more than permission bits.
    pub fn entries(&self) -> Result<Vec<Entry<'_>>, BadPath> {
        let mut entries: Vec<Entry<'_>> = Vec::with_capacity(self.nodes.len());
        let mut at: HashMap<&str, usize> = HashMap::with_capacity(self.nodes.len());
        let mut firsts: HashMap<&str, usize> = HashMap::new();
        let mut names: HashMap<usize, u32> = HashMap::new();
        for (i, (path, node)) in self.iter().enumerate() {
            let bad = |why| BadPath { path: path.to_owned(), why };
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            let file = self.file_of(path, node).ok_or_else(|| {
                bad("a hard link that leads to no file: put the file it names into the image")
            })?;
            check(name, node).map_err(bad)?;
            let first = match file {
                Some(file) => *firsts.entry(file).or_insert(i),
                None => i,
            };
            *names.entry(first).or_insert(0) += 1;
            let node = file.and_then(|f| self.get(f)).unwrap_or(node);
            let parent = at.get(above).copied().unwrap_or(0);
            at.insert(path, i);
            entries.push(Entry { path, name, parent, node, first, names: 1 });
        }
        for entry in &mut entries {
            entry.names = names.get(&entry.first).copied().unwrap_or(1);
        }
        Ok(entries)
    }

    /// The path that holds the file of this node, or that it is no file; nothing for a hard link
    /// to anything but a file.
    fn file_of<'a>(&'a self, path: &'a str, node: &'a Node) -> Option<Option<&'a str>> {
        match &node.kind {
            Kind::File(_) => Some(Some(path)),
            Kind::Hardlink(to) => match self.get(to)?.kind {
                Kind::File(_) => Some(Some(to)),
                _ => None,
            },
            _ => Some(None),
        }
    }
}

fn check(name: &str, node: &Node) -> Result<(), &'static str> {
    if name.len() > MAX_NAME {
        return Err("a name is at most 255 bytes");
    }
    if node.mode > 0o7777 {
        return Err("a mode is at most 0o7777");
    }
    if let Kind::Symlink(target) = &node.kind
        && (target.is_empty() || target.len() > MAX_TARGET || target.contains('\0'))
    {
        return Err("a symbolic link leads to 1 to 4095 bytes without NUL");
    }
    Ok(())
}

fn child_start(parent: &str) -> usize {
    if parent.is_empty() { 0 } else { parent.len() + 1 }
}

/// A path that a [`Tree`] refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPath {
    /// The path.
    pub path: String,
    /// Why.
    pub why: &'static str,
}

impl std::fmt::Display for BadPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.path.escape_debug(), self.why)
    }
}

impl std::error::Error for BadPath {}
