//! Reads an EROFS image the way Linux does, from the format's documentation and not from the
//! writer: directories are searched by name, blocks are found by address. Panics on anything odd.

use std::collections::BTreeMap;

use image_builder::tree::{Content, Kind, Node};

const BLOCK: usize = 4096;

/// What a path is, with the numbers of its inode.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) node: Node,
    pub(crate) ino: u32,
    pub(crate) links: u32,
    pub(crate) time: u64,
}

pub(crate) struct Image<'a> {
    bytes: &'a [u8],
    meta: usize,
}

fn u16_at(b: &[u8], at: usize) -> usize {
    u16::from_le_bytes(b[at..at + 2].try_into().unwrap()).into()
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(b[at..at + 4].try_into().unwrap())
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(b[at..at + 8].try_into().unwrap())
}

fn size(n: impl TryInto<usize>) -> usize {
    n.try_into().unwrap_or_else(|_| panic!("too large a number"))
}

impl<'a> Image<'a> {
    /// Everything in the image by path.
    pub(crate) fn read(bytes: &'a [u8]) -> BTreeMap<String, Found> {
        let sb = &bytes[1024..];
        assert_eq!(u32_at(sb, 0), 0xE0F5_E1E2, "magic");
        let mut block = bytes[1024..BLOCK].to_vec();
        block[4..8].fill(0);
        assert_eq!(u32_at(sb, 4), !crc32c::crc32c(&block), "checksum");
        assert_eq!(size(u32_at(sb, 36)) * BLOCK, bytes.len(), "blocks");
        let image = Self { bytes, meta: size(u32_at(sb, 40)) * BLOCK };
        let mut found = BTreeMap::new();
        let root = u64::try_from(u16_at(sb, 14)).unwrap();
        image.walk(String::new(), root, root, &mut found);
        let inos: std::collections::BTreeSet<u32> = found.values().map(|f| f.ino).collect();
        assert_eq!(u64_at(sb, 16), u64::try_from(inos.len()).unwrap(), "count of inodes");
        found
    }

    fn walk(&self, path: String, nid: u64, up: u64, found: &mut BTreeMap<String, Found>) {
        let (inode, body, kind) = self.inode(nid);
        if matches!(kind, Kind::Directory) {
            let names = Self::names(&body);
            assert!(names.is_sorted_by(|a, b| a.0 < b.0), "{path}: order of {names:?}");
            for (name, child, file_type) in names {
                let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                match name.as_str() {
                    "." => assert_eq!(child, nid, "{path}: ."),
                    ".." => assert_eq!(child, up, "{path}: .."),
                    _ => self.walk(below.clone(), child, nid, found),
                }
                if let Some(node) = found.get(&below) {
                    assert_eq!(file_type, type_of(&node.node.kind), "{below}: type");
                }
            }
        }
        let mode = u16::try_from(u16_at(inode, 4) & 0o7777).unwrap();
        let node = Node { mode, uid: u32_at(inode, 24), gid: u32_at(inode, 28), kind };
        let (ino, links, time) = (u32_at(inode, 20), u32_at(inode, 44), u64_at(inode, 32));
        found.insert(path, Found { node, ino, links, time });
    }

    fn inode(&self, nid: u64) -> (&'a [u8], Vec<u8>, Kind) {
        let at = self.meta + size(nid) * 32;
        let inode = &self.bytes[at..at + 64];
        let len = size(u64_at(inode, 8));
        let mut body = Vec::new();
        let block = size(u32_at(inode, 16)) * BLOCK;
        match u16_at(inode, 0) {
            1 if len > 0 && u16_at(inode, 4) & 0o170_000 != 0o020_000 => {
                body.extend_from_slice(&self.bytes[block..block + len]);
            }
            1 => {}
            5 => {
                let tail = len % BLOCK;
                let start = at + 64;
                assert_eq!(
                    start / BLOCK,
                    (start + tail - 1) / BLOCK,
                    "an inline tail in one block"
                );
                body.extend_from_slice(&self.bytes[block..block + len - tail]);
                body.extend_from_slice(&self.bytes[start..start + tail]);
            }
            format => panic!("format {format}"),
        }
        let rdev = u32_at(inode, 16);
        let kind = match u16_at(inode, 4) & 0o170_000 {
            0o040_000 => Kind::Directory,
            0o100_000 => Kind::File(Content::from(body.clone())),
            0o120_000 => Kind::Symlink(String::from_utf8(body.clone()).unwrap()),
            format @ (0o020_000 | 0o060_000) => Kind::Device {
                block: format == 0o060_000,
                major: (rdev & 0xfff00) >> 8,
                minor: (rdev & 0xff) | ((rdev >> 12) & 0xfff00),
            },
            other => panic!("mode {other:o}"),
        };
        (inode, body, kind)
    }

    fn names(body: &[u8]) -> Vec<(String, u64, u8)> {
        let mut names = Vec::new();
        for block in body.chunks(BLOCK) {
            let count = u16_at(block, 8) / 12;
            for i in 0..count {
                let start = u16_at(block, i * 12 + 8);
                let end = if i + 1 < count { u16_at(block, i * 12 + 20) } else { block.len() };
                let name = block[start..end].split(|b| *b == 0).next().unwrap();
                let name = String::from_utf8(name.to_vec()).unwrap();
                names.push((name, u64_at(block, i * 12), block[i * 12 + 10]));
            }
        }
        names
    }
}

fn type_of(kind: &Kind) -> u8 {
    match kind {
        Kind::File(_) | Kind::Hardlink(_) => 1,
        Kind::Directory => 2,
        Kind::Device { block: false, .. } => 3,
        Kind::Device { block: true, .. } => 4,
        Kind::Symlink(_) => 7,
    }
}
