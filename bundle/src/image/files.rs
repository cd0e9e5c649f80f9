//! The files of an image that was checked: found, read, taken out.

use std::fmt;
use std::io::{self, Read};

use super::inode::{Inode, Type};
use super::walk::{Node, Tree};
use crate::read::{self, ReadAt};
use crate::refused::{Kind, Refused};

/// All files of an image.
pub struct Files<'f> {
    file: &'f dyn ReadAt,
    tree: Tree,
}

impl fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries().map(|entry| entry.path())).finish()
    }
}

/// A file, directory or link of an image.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    files: &'a Files<'a>,
    index: usize,
    node: &'a Node,
    inode: &'a Inode,
}

/// What an entry is.
#[derive(Debug)]
pub enum Item<'a> {
    /// A directory.
    Directory,
    /// A file, and its bytes.
    File(Reader<'a>),
    /// Another name of the file that was given before at this path.
    Same(String),
    /// A symbolic link to this target.
    Link(String),
}

impl<'f> Files<'f> {
    pub(super) fn new(file: &'f dyn ReadAt, tree: Tree) -> Self {
        Self { file, tree }
    }

    /// How many there are, without the root.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tree.nodes.len().saturating_sub(1)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let files = self.tree.inodes.iter().filter(|inode| inode.kind == Type::File);
        files.map(|inode| inode.size).sum()
    }

    /// All entries but the root, directories before what is in them.
    pub fn entries(&self) -> Entries<'_> {
        Entries { files: self, next: 1 }
    }

    /// The entry at this path; links are not followed. The root is the empty path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Entry<'_>> {
        let mut at = 0;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let below = self.tree.nodes.get(at)?.below.clone();
            let names = self.tree.nodes.get(below.clone())?;
            at = below.start + names.binary_search_by(|node| node.name.as_str().cmp(name)).ok()?;
        }
        self.entry(at)
    }

    /// The bytes of the file at this path, of which there may be `most`.
    ///
    /// # Errors
    /// There is no such file, it is larger, or it cannot be read.
    pub fn read(&self, path: &str, most: u64) -> Result<Vec<u8>, Refused> {
        let refused = |kind, why: String| Refused::new(kind, format!("{path:?}"), None, why);
        let entry = self.find(path).filter(|entry| entry.inode.kind == Type::File);
        let Some(entry) = entry else {
            return Err(refused(Kind::Damaged, "there is no such file in the bundle".into()));
        };
        if entry.size() > most {
            let why = format!("{} bytes: at most {most}", entry.size());
            return Err(refused(Kind::TooLarge, why));
        }
        self.bytes_of(entry.inode, path)
    }

    /// Gives every entry to `each`, directories before what is in them.
    ///
    /// # Errors
    /// Those of `each`, and of reading.
    pub fn unpack<E: From<Refused>>(
        &self,
        mut each: impl FnMut(Entry<'_>, Item<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.entries().try_for_each(|entry| each(entry, entry.item()?))
    }

    fn entry(&self, index: usize) -> Option<Entry<'_>> {
        let node = self.tree.nodes.get(index)?;
        Some(Entry { files: self, index, node, inode: self.tree.inodes.get(node.inode)? })
    }

    fn bytes_of(&self, inode: &Inode, path: &str) -> Result<Vec<u8>, Refused> {
        let mut bytes = Vec::new();
        let read = Reader { file: self.file, inode: inode.clone(), at: 0 }.read_to_end(&mut bytes);
        read.map_err(|error| read::unreadable(path, inode.at, &error))?;
        Ok(bytes)
    }
}

impl<'a> Entry<'a> {
    /// Its path in the image, without a `/` in front.
    #[must_use]
    pub fn path(&self) -> String {
        self.files.tree.path(self.index)
    }

    /// The last part of its path.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.node.name
    }

    /// Permission bits.
    #[must_use]
    pub fn mode(&self) -> u16 {
        self.inode.mode
    }

    /// Bytes that it holds; of a link, of its target.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.inode.size
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.inode.kind == Type::Directory
    }

    /// Whether it is a file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.inode.kind == Type::File
    }

    /// Whether it is a file that everybody can execute.
    #[must_use]
    pub fn is_program(&self) -> bool {
        self.is_file() && self.inode.mode & 0o111 == 0o111
    }

    /// Where it leads, if it is a link.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn target(&self) -> Result<Option<String>, Refused> {
        if self.inode.kind != Type::Link {
            return Ok(None);
        }
        let bytes = self.files.bytes_of(self.inode, &self.node.name)?;
        let changed = |_| Refused::damaged(self.path(), self.inode.at, "it changed since");
        String::from_utf8(bytes).map(Some).map_err(changed)
    }

    /// What it is, with all that belongs to it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn item(&self) -> Result<Item<'a>, Refused> {
        let first = self.files.tree.first.get(self.node.inode).copied();
        Ok(match self.inode.kind {
            Type::Directory => Item::Directory,
            Type::Link => Item::Link(self.target()?.unwrap_or_default()),
            Type::File if first != Some(self.index) => {
                Item::Same(self.files.tree.path(first.unwrap_or(0)))
            }
            Type::File => {
                Item::File(Reader { file: self.files.file, inode: self.inode.clone(), at: 0 })
            }
        })
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:o} {}", self.path(), self.mode(), self.size())
    }
}

/// Goes through entries.
#[derive(Debug)]
pub struct Entries<'a> {
    files: &'a Files<'a>,
    next: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let entry = self.files.entry(self.next)?;
        self.next += 1;
        Some(entry)
    }
}

/// Reads the bytes of one file.
pub struct Reader<'a> {
    file: &'a dyn ReadAt,
    inode: Inode,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (place, left) = self.inode.bytes_at(self.at);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let Some(bytes) = bytes.get_mut(..most).filter(|bytes| !bytes.is_empty()) else {
            return Ok(0);
        };
        let read = self.file.read_at(place, bytes)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += u64::try_from(read).map_err(io::Error::other)?;
        Ok(read)
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes read", self.at, self.inode.size)
    }
}
