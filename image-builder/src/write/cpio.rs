//! A cpio archive (newc form): the initramfs that a kernel unpacks.
//!
//! Uncompressed: unpacking costs time on the device, and much of it under emulation. Inode
//! numbers count the entries. The first name of a file carries its bytes, later names carry none.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

use super::source::Source;
use super::{Partial, Time};
use crate::tree::{Entry, Kind, Tree};

/// The archive's length is a multiple of this.
const BLOCK: u64 = 512;

/// The last entry's name.
const TRAILER: &str = "TRAILER!!!";

/// Writes `tree` as the file `path`.
///
/// # Errors
/// As [`stream`], or `path` cannot be written.
pub fn write(tree: &Tree, time: Time, path: &Path) -> Result<()> {
    let archive = Partial::create(path)?;
    stream(tree, time, BufWriter::with_capacity(256 << 10, archive.file()))
        .with_context(|| format!("cannot write the archive {}", path.display()))?;
    archive.finish()
}

/// Writes `tree` into `out`.
///
/// # Errors
/// The tree cannot be written as one (a file over 4 GiB), a content cannot be read, `out` fails.
pub fn stream(tree: &Tree, time: Time, mut out: impl Write) -> Result<()> {
    let entries = tree.entries()?;
    let mut source = Source::new();
    let mut written = 0;
    for (i, entry) in entries.iter().enumerate() {
        written += write_entry(&mut source, entry, entry.first == i, time, &mut out)
            .with_context(|| format!("cannot put {} into the archive", entry.path))?;
    }
    let last = Header { name: TRAILER, links: 1, ..Header::default() };
    written += last.write(&mut out)?;
    pad(written, BLOCK, &mut out)?;
    Ok(out.flush()?)
}

fn write_entry(
    source: &mut Source,
    entry: &Entry<'_>,
    is_first: bool,
    time: Time,
    out: &mut impl Write,
) -> Result<u64> {
    let node = entry.node;
    let mut header = Header {
        name: if entry.path.is_empty() { "." } else { entry.path },
        number: u32::try_from(entry.first + 1)?,
        uid: node.uid,
        gid: node.gid,
        links: entry.names,
        time,
        ..Header::default()
    };
    let file_type = match &node.kind {
        Kind::File(_) | Kind::Hardlink(_) => 0o100_000,
        Kind::Directory => {
            header.links = 2;
            0o040_000
        }
        Kind::Symlink(to) => {
            header.size = u32::try_from(to.len())?;
            0o120_000
        }
        Kind::Device { block, major, minor } => {
            header.device = (*major, *minor);
            if *block { 0o060_000 } else { 0o020_000 }
        }
    };
    header.mode = file_type | u32::from(node.mode);
    match &node.kind {
        Kind::File(content) if is_first => {
            header.size = u32::try_from(content.len())
                .context("a file of an initramfs is at most 4 GiB: put it into the root")?;
            let len = header.write(out)?;
            source.copy(content, 0, content.len(), out)?;
            Ok(len + content.len() + pad(content.len(), 4, out)?)
        }
        Kind::Symlink(to) => {
            let (len, size) = (header.write(out)?, u64::from(header.size));
            out.write_all(to.as_bytes())?;
            Ok(len + size + pad(size, 4, out)?)
        }
        _ => header.write(out),
    }
}

/// What stands before each entry.
#[derive(Debug, Default)]
struct Header<'a> {
    name: &'a str,
    number: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    time: Time,
    size: u32,
    device: (u32, u32),
}

impl Header<'_> {
    /// Writes it and the name, and says how many bytes that were.
    fn write(&self, out: &mut impl Write) -> Result<u64> {
        let Self { number, mode, uid, gid, links, time, size, device: (major, minor), .. } = self;
        let name_len = self.name.len() + 1;
        let text = format!(
            "070701{number:08x}{mode:08x}{uid:08x}{gid:08x}{links:08x}{time:08x}{size:08x}\
             {:08x}{:08x}{major:08x}{minor:08x}{name_len:08x}{:08x}{}\0",
            0, 0, 0, self.name
        );
        out.write_all(text.as_bytes())?;
        let len = u64::try_from(text.len())?;
        Ok(len + pad(len, 4, out)?)
    }
}

/// Zeros up to a multiple of `to` after `len` bytes; says how many.
fn pad(len: u64, to: u64, out: &mut impl Write) -> Result<u64> {
    let over = len.next_multiple_of(to) - len;
    out.write_all(&vec![0; usize::try_from(over)?])?;
    Ok(over)
}
