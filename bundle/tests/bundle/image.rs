//! A second writer of images, small and willing: it writes what it is told, so that a test can spoil it.
//!
//! It lays everything out as `image-builder` does, which a test there compares with what the reader takes.

use std::collections::BTreeMap;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 4096;

/// The time of everything.
const TIME: u64 = 1_700_000_000;

/// What a file is.
#[derive(Debug, Clone)]
enum Body {
    Bytes(Vec<u8>),
    Directory,
    Link(String),
    Same(String),
}

/// What goes into an image.
#[derive(Debug, Clone)]
pub(crate) struct Files(BTreeMap<String, (u16, Body)>);

impl Files {
    /// Nothing but the root.
    pub(crate) fn new() -> Self {
        Self(BTreeMap::from([(String::new(), (0o040_755, Body::Directory))]))
    }

    /// A file, with the directories that it lies in.
    pub(crate) fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.with(path, 0o100_644, Body::Bytes(bytes.as_ref().to_vec()))
    }

    /// A directory.
    pub(crate) fn directory(self, path: &str) -> Self {
        self.with(path, 0o040_755, Body::Directory)
    }

    /// A symbolic link.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.with(path, 0o120_777, Body::Link(target.to_owned()))
    }

    /// Another name of a file.
    pub(crate) fn same(self, path: &str, file: &str) -> Self {
        self.with(path, 0, Body::Same(file.to_owned()))
    }

    fn with(mut self, path: &str, mode: u16, body: Body) -> Self {
        for (at, _) in path.match_indices('/') {
            let parent = path.get(..at).unwrap_or_default().to_owned();
            self.0.entry(parent).or_insert((0o040_755, Body::Directory));
        }
        self.0.insert(path.to_owned(), (mode, body));
        self
    }

    fn is_directory(&self, path: &str) -> bool {
        matches!(self.0.get(path), Some((_, Body::Directory)))
    }

    /// Names in a directory, in order, with the path that each leads to.
    fn names(&self, directory: &str) -> Vec<(String, String)> {
        let parent = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        let mut names = vec![(".".to_owned(), directory.to_owned()), ("..".into(), parent.into())];
        for path in self.0.keys().filter(|path| !path.is_empty()) {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            if above == directory {
                names.push((name.to_owned(), path.clone()));
            }
        }
        names.sort();
        names
    }

    /// The path whose inode this path has.
    fn first<'a>(&'a self, path: &'a str) -> &'a str {
        match self.0.get(path) {
            Some((_, Body::Same(file))) => file,
            _ => path,
        }
    }

    /// The image.
    pub(crate) fn write(&self) -> Image {
        let inodes: Vec<&String> = self.0.keys().filter(|path| self.first(path) == *path).collect();
        // Sizes first: those of directories do not depend on where anything lies.
        let nowhere = |_: &str| 0;
        let below = self.below();
        let sizes: Vec<usize> =
            inodes.iter().map(|path| self.body(path, &below, &nowhere).len()).collect();
        let (mut at, mut places) = (BLOCK, Vec::new());
        for size in &sizes {
            let length = 64 + tail(*size);
            if at / BLOCK != (at + length - 1) / BLOCK {
                at = at.next_multiple_of(BLOCK);
            }
            places.push(at);
            at = (at + length).next_multiple_of(32);
        }
        let by_path: BTreeMap<String, usize> =
            inodes.iter().map(|path| (*path).clone()).zip(places.iter().copied()).collect();
        let place = |path: &str| by_path.get(self.first(path)).copied().unwrap_or(0);
        let mut image = Image { bytes: vec![0; at.next_multiple_of(BLOCK)], at: BTreeMap::new() };
        for (index, (path, at)) in inodes.iter().zip(&places).enumerate() {
            let body = self.body(path, &below, &place);
            self.inode(&mut image, (index, path, *at), &body, &below);
        }
        image.superblock(inodes.len(), place(""));
        image.at = by_path;
        image
    }

    /// The names in each directory.
    fn below(&self) -> BTreeMap<&str, Vec<(String, String)>> {
        if self.0.len() < 1000 {
            let directories = self.0.keys().filter(|path| self.is_directory(path));
            return directories.map(|path| (path.as_str(), self.names(path))).collect();
        }
        // Many files: all of them in the root.
        BTreeMap::from([("", self.names(""))])
    }

    fn body(
        &self,
        path: &str,
        below: &BTreeMap<&str, Vec<(String, String)>>,
        place: &dyn Fn(&str) -> usize,
    ) -> Vec<u8> {
        match self.0.get(path) {
            Some((_, Body::Bytes(bytes))) => bytes.clone(),
            Some((_, Body::Link(target))) => target.clone().into_bytes(),
            Some((_, Body::Directory)) => {
                self.directory_bytes(below.get(path).map_or(&[], Vec::as_slice), place)
            }
            _ => Vec::new(),
        }
    }

    fn directory_bytes(
        &self,
        names: &[(String, String)],
        place: &dyn Fn(&str) -> usize,
    ) -> Vec<u8> {
        let (mut out, mut rest) = (Vec::new(), names);
        while !rest.is_empty() {
            out.resize(out.len().next_multiple_of(BLOCK), 0);
            let mut used = 0;
            let fits = |(name, _): &&(String, String)| {
                used += 12 + name.len();
                used <= BLOCK
            };
            let (now, later) = rest.split_at(rest.iter().take_while(fits).count());
            let mut at = now.len() * 12;
            for (name, path) in now {
                out.extend((u64::try_from(place(path)).unwrap_or(0) / 32).to_le_bytes());
                out.extend(u16::try_from(at).unwrap_or(0).to_le_bytes());
                out.extend([if self.is_directory(path) { 2 } else { self.kind(path) }, 0]);
                at += name.len();
            }
            now.iter().for_each(|(name, _)| out.extend(name.as_bytes()));
            rest = later;
        }
        out
    }

    fn kind(&self, path: &str) -> u8 {
        if matches!(self.0.get(path), Some((_, Body::Link(_)))) { 7 } else { 1 }
    }

    fn inode(
        &self,
        image: &mut Image,
        (index, path, at): (usize, &str, usize),
        body: &[u8],
        below: &BTreeMap<&str, Vec<(String, String)>>,
    ) {
        let inline = tail(body.len());
        let whole = body.len() - inline;
        let block = if whole > 0 { image.bytes.len() / BLOCK } else { 0 };
        image.bytes.extend(body.get(..whole).unwrap_or_default());
        image.bytes.resize(image.bytes.len().next_multiple_of(BLOCK), 0);
        let names = |path: &str| self.0.keys().filter(|name| self.first(name) == path).count();
        let links = if self.is_directory(path) {
            let names = below.get(path).map_or(&[][..], Vec::as_slice);
            names.iter().filter(|(_, path)| self.is_directory(path)).count()
        } else if self.0.len() < 1000 {
            names(path)
        } else {
            1
        };
        let mode = self.0.get(path).map_or(0, |(mode, _)| *mode);
        image.put(at, &[if inline > 0 { 5 } else { 1 }, 0, 0, 0]);
        image.put(at + 4, &mode.to_le_bytes());
        image.put(at + 8, &u64::try_from(body.len()).unwrap_or(0).to_le_bytes());
        image.put(at + 16, &u32::try_from(block).unwrap_or(0).to_le_bytes());
        image.put(at + 20, &u32::try_from(index + 1).unwrap_or(0).to_le_bytes());
        image.put(at + 32, &TIME.to_le_bytes());
        image.put(at + 44, &u32::try_from(links).unwrap_or(0).to_le_bytes());
        image.put(at + 64, body.get(whole..).unwrap_or_default());
    }
}

/// How many bytes of a body lie behind its inode.
fn tail(size: usize) -> usize {
    if 64 + size % BLOCK <= BLOCK { size % BLOCK } else { 0 }
}

/// An image, and where its inodes are.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
    at: BTreeMap<String, usize>,
}

impl Image {
    /// Where the inode of this path lies.
    pub(crate) fn inode(&self, path: &str) -> usize {
        self.at.get(path).copied().unwrap_or(0)
    }

    /// Where these bytes are first, from the first inode on.
    pub(crate) fn find(&self, bytes: &[u8]) -> usize {
        let from = self.bytes.get(BLOCK..).unwrap_or_default();
        BLOCK + from.windows(bytes.len()).position(|window| window == bytes).unwrap_or(0)
    }

    /// Puts other bytes in the place.
    pub(crate) fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes.splice(at..at + bytes.len(), bytes.iter().copied());
    }

    fn superblock(&mut self, inodes: usize, root: usize) {
        self.put(1024, &0xE0F5_E1E2_u32.to_le_bytes());
        self.put(1024 + 8, &[3, 0, 0, 0, 12, 0]);
        self.put(1024 + 14, &u16::try_from(root / 32).unwrap_or(0).to_le_bytes());
        self.put(1024 + 16, &u64::try_from(inodes).unwrap_or(0).to_le_bytes());
        self.put(1024 + 24, &TIME.to_le_bytes());
        self.put(1024 + 48, b"sixteen bytes id");
        self.put(1024 + 64, b"bundle");
        self.seal();
    }

    /// Makes the superblock fit again.
    pub(crate) fn seal(&mut self) {
        let blocks = u32::try_from(self.bytes.len() / BLOCK).unwrap_or(0);
        self.put(1024 + 36, &blocks.to_le_bytes());
        self.put(1024 + 4, &[0; 4]);
        let sum = !crc32c::crc32c(self.bytes.get(1024..BLOCK).unwrap_or_default());
        self.put(1024 + 4, &sum.to_le_bytes());
    }

    /// The content with this image and a short manifest.
    pub(crate) fn content(&self) -> Vec<u8> {
        let manifest = b"version = 1\n";
        let mut all = self.bytes.clone();
        let length = u64::try_from(manifest.len()).unwrap_or(0);
        let image = u64::try_from(all.len()).unwrap_or(0);
        let header = [*b"ENSBNDL1", image.to_le_bytes(), length.to_le_bytes()].concat();
        all.splice(..header.len(), header);
        all.extend(manifest);
        all.resize(all.len().next_multiple_of(BLOCK), 0);
        all
    }
}
