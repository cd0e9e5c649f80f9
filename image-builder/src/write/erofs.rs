//! EROFS, uncompressed: the root file system of a device.
//!
//! ```text
//! block 0        1 …                              …                      last
//! │ superblock │ inodes, each with its inline tail │ whole blocks of files  │
//! ```
//!
//! Everything is an extended inode (64 bytes). The last part of a file, a link or a directory lies
//! behind its inode where both fit into one block (flat-inline), else all of it lies in whole
//! blocks (flat-plain). The root comes first, so its number fits the superblock's 16 bits.
//! The layout is computed first (`layout`), then everything is written once, front to back.
//!
//! Format: `Documentation/filesystems/erofs.rst` and `fs/erofs/erofs_fs.h` of Linux. No extended
//! attributes, no chunks, no compression (see [`super::compressed`]).

mod layout;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use uuid::Uuid;

use self::layout::{BLOCK, Body, INODE, Inode, Layout, SLOT};
use super::source::Source;
use super::{Partial, Time};
use crate::tree::{Kind, Node, Tree};

/// Bytes of a volume label.
pub const MAX_LABEL: usize = 16;

/// Bytes gathered before they are written.
const BUFFER: usize = 256 << 10;

/// What a volume is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its UUID.
    pub uuid: Uuid,
    /// Its label: at most [`MAX_LABEL`] bytes (15 when compressed).
    pub label: String,
    /// The time of the volume and of all files.
    pub time: Time,
}

/// Writes `tree` as the file `path` and says how many bytes it has.
///
/// # Errors
/// The tree holds something EROFS cannot, a content cannot be read, `path` cannot be written.
pub fn write(tree: &Tree, volume: &Volume, path: &Path) -> Result<u64> {
    let image = Partial::create(path)?;
    let len = stream(tree, volume, image.file())
        .with_context(|| format!("cannot write the EROFS image {}", path.display()))?;
    image.finish()?;
    Ok(len)
}

/// Writes `tree` into `out`, front to back, and says how many bytes that were.
///
/// # Errors
/// As [`write()`].
pub fn stream(tree: &Tree, volume: &Volume, out: impl Write) -> Result<u64> {
    let entries = tree.entries()?;
    let layout = Layout::of(&entries)?;
    let mut source = Source::new();
    let mut out = Counted { out: BufWriter::with_capacity(BUFFER, out), at: 0 };

    out.write_all(&superblock(&layout, volume)?)?;
    for inode in &layout.inodes {
        out.pad_to(inode.at)?;
        out.write_all(&header(inode, volume.time)?)?;
        write_body(&mut source, inode, inode.size - inode.tail, inode.tail, &mut out)?;
    }
    for inode in layout.inodes.iter().filter(|i| i.size > i.tail) {
        out.pad_to(u64::from(inode.block) * BLOCK)?;
        write_body(&mut source, inode, 0, inode.size - inode.tail, &mut out)?;
    }
    out.pad_to(u64::from(layout.blocks) * BLOCK)?;
    out.flush()?;
    Ok(out.at)
}

fn write_body(
    source: &mut Source,
    inode: &Inode<'_>,
    at: u64,
    len: u64,
    out: &mut impl Write,
) -> Result<()> {
    match &inode.body {
        Body::Bytes(bytes) => {
            let (from, to) = (usize::try_from(at)?, usize::try_from(at + len)?);
            Ok(out.write_all(bytes.get(from..to).context("an inode longer than its bytes")?)?)
        }
        Body::File(content) => source
            .copy(content, at, len, out)
            .with_context(|| format!("cannot put {} into the image", inode.path)),
        Body::None => Ok(()),
    }
}

/// Block 0, with its checksum.
fn superblock(layout: &Layout<'_>, volume: &Volume) -> Result<Vec<u8>> {
    const AT: usize = 1024;
    const MAGIC: u32 = 0xE0F5_E1E2;
    const CHECKSUM: u32 = 1; // feature_compat: the superblock has a checksum
    const MTIME: u32 = 2; // feature_compat: times of inodes are those of modification
    ensure!(
        volume.label.len() <= MAX_LABEL,
        "the label `{}` is over {MAX_LABEL} bytes: choose a shorter one",
        volume.label
    );
    let root = layout.inodes.first().context("a tree has a root")?;
    let mut b = Fields::new(BLOCK)?;
    b.put(AT, &MAGIC.to_le_bytes());
    b.put(AT + 8, &(CHECKSUM | MTIME).to_le_bytes());
    b.put(AT + 12, &[u8::try_from(BLOCK.ilog2())?]);
    b.put(AT + 14, &u16::try_from(root.at / SLOT)?.to_le_bytes());
    b.put(AT + 16, &u64::try_from(layout.inodes.len())?.to_le_bytes());
    b.put(AT + 24, &u64::from(volume.time).to_le_bytes());
    b.put(AT + 36, &layout.blocks.to_le_bytes());
    // meta_blkaddr at +40 stays 0: inode numbers count slots from the start of the volume.
    b.put(AT + 48, volume.uuid.as_bytes());
    b.put(AT + 64, volume.label.as_bytes());
    // The kernel's crc32c is not inverted at the end.
    let checksum = !crc32c::crc32c(b.0.get(AT..).unwrap_or_default());
    b.put(AT + 4, &checksum.to_le_bytes());
    Ok(b.0)
}

/// The 64 bytes of an extended inode.
fn header(inode: &Inode<'_>, time: Time) -> Result<Vec<u8>> {
    const EXTENDED: u16 = 1;
    const FLAT_INLINE: u16 = 2 << 1;
    let format = if inode.tail > 0 { EXTENDED | FLAT_INLINE } else { EXTENDED };
    let node = inode.node;
    let place = match node.kind {
        Kind::Device { major, minor, .. } => device(inode.path, major, minor)?,
        _ => inode.block,
    };
    let mut b = Fields::new(INODE)?;
    b.put(0, &format.to_le_bytes());
    b.put(4, &(file_type(node).0 | node.mode).to_le_bytes());
    b.put(8, &inode.size.to_le_bytes());
    b.put(16, &place.to_le_bytes());
    b.put(20, &inode.number.to_le_bytes());
    b.put(24, &node.uid.to_le_bytes());
    b.put(28, &node.gid.to_le_bytes());
    b.put(32, &u64::from(time).to_le_bytes());
    b.put(44, &inode.links.to_le_bytes());
    Ok(b.0)
}

/// `S_IF…` of the mode, and the type in a directory.
fn file_type(node: &Node) -> (u16, u8) {
    match node.kind {
        Kind::File(_) | Kind::Hardlink(_) => (0o100_000, 1),
        Kind::Directory => (0o040_000, 2),
        Kind::Device { block: false, .. } => (0o020_000, 3),
        Kind::Device { block: true, .. } => (0o060_000, 4),
        Kind::Symlink(_) => (0o120_000, 7),
    }
}

/// A device number as Linux stores it in 32 bits.
fn device(path: &str, major: u32, minor: u32) -> Result<u32> {
    ensure!(
        major < 1 << 12 && minor < 1 << 20,
        "the device {path} has number {major}:{minor}: Linux has up to 4095:1048575"
    );
    Ok((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
}

/// Zeros to put fields into.
struct Fields(Vec<u8>);

impl Fields {
    fn new(len: u64) -> Result<Self> {
        Ok(Self(vec![0; usize::try_from(len)?]))
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        for (to, from) in self.0.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    }
}

/// A stream that knows where it is.
struct Counted<W: Write> {
    out: W,
    at: u64,
}

impl<W: Write> Counted<W> {
    /// Zeros up to `at`.
    fn pad_to(&mut self, at: u64) -> io::Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while self.at < at {
            let n = usize::try_from(at - self.at).unwrap_or(ZEROS.len()).min(ZEROS.len());
            self.write_all(ZEROS.get(..n).unwrap_or(&ZEROS))?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.out.write(buf)?;
        self.at += u64::try_from(n).map_err(io::Error::other)?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
