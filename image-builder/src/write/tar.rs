//! A tar stream (GNU form), for container images and for `mkfs.erofs`.
//!
//! Entries come in byte order of their paths; the first name of a file carries its bytes and later
//! names are hard links to it. Names over 100 bytes use GNU's long-name entries. Targets of links
//! are written byte for byte.

use std::io::Write;

use ::tar::{EntryType, Header};
use anyhow::{Context, Result, ensure};

use super::Time;
use super::source::Source;
use crate::tree::{Entry, Kind, Tree};

/// Bytes of a tar record.
pub(super) const RECORD: u64 = 512;

/// Writes `tree` into `out`, with two empty records at the end.
///
/// # Errors
/// The tree cannot be written as one, a content cannot be read, `out` fails.
pub fn stream(tree: &Tree, time: Time, mut out: impl Write) -> Result<()> {
    let entries = tree.entries()?;
    let mut source = Source::new();
    for (i, entry) in entries.iter().enumerate() {
        let link = (entry.first != i).then(|| entries[entry.first].path);
        write_entry(&mut source, entry, link, time, &mut out)
            .with_context(|| format!("cannot put {} into the archive", entry.path))?;
    }
    finish(&mut out)
}

fn write_entry(
    source: &mut Source,
    entry: &Entry<'_>,
    hardlink: Option<&str>,
    time: Time,
    out: &mut impl Write,
) -> Result<()> {
    let node = entry.node;
    let mut header = Header::new_gnu();
    header.set_mode(u32::from(node.mode));
    header.set_uid(u64::from(node.uid));
    header.set_gid(u64::from(node.gid));
    header.set_mtime(u64::from(time));
    header.set_size(0);
    let mut name = entry.path.to_owned();
    let mut target = "";
    let kind = match &node.kind {
        Kind::File(_) | Kind::Hardlink(_) if hardlink.is_some() => {
            target = hardlink.unwrap_or_default();
            EntryType::Link
        }
        Kind::File(_) | Kind::Hardlink(_) => EntryType::Regular,
        Kind::Directory => {
            name = if name.is_empty() { "./".to_owned() } else { format!("{name}/") };
            EntryType::Directory
        }
        Kind::Symlink(to) => {
            target = to;
            EntryType::Symlink
        }
        Kind::Device { block, major, minor } => {
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
            if *block { EntryType::Block } else { EntryType::Char }
        }
    };
    header.set_entry_type(kind);
    set_name(&mut header, &name, target, out)?;
    match &node.kind {
        Kind::File(content) if hardlink.is_none() => {
            header.set_size(content.len());
            write_header(&mut header, out)?;
            source.copy(content, 0, content.len(), out)?;
            pad(content.len(), out)
        }
        _ => write_header(&mut header, out),
    }
}

/// Puts both names into `header`; those that are too long go before it, whole.
fn set_name(header: &mut Header, name: &str, target: &str, out: &mut impl Write) -> Result<()> {
    let gnu = header.as_gnu_mut().context("a GNU header is one")?;
    for (field, text, kind) in [
        (&mut gnu.linkname, target, EntryType::GNULongLink),
        (&mut gnu.name, name, EntryType::GNULongName),
    ] {
        if text.len() > field.len() {
            let mut long = Header::new_gnu();
            put(&mut long.as_old_mut().name, "././@LongLink");
            long.set_entry_type(kind);
            long.set_mode(0o644);
            long.set_uid(0);
            long.set_gid(0);
            long.set_mtime(0);
            let len = u64::try_from(text.len())? + 1;
            long.set_size(len);
            write_header(&mut long, out)?;
            out.write_all(text.as_bytes())?;
            out.write_all(&[0])?;
            pad(len, out)?;
        }
        put(field, text);
    }
    Ok(())
}

/// As many bytes of `text` as `field` holds.
fn put(field: &mut [u8], text: &str) {
    for (to, from) in field.iter_mut().zip(text.bytes()) {
        *to = from;
    }
}

fn write_header(header: &mut Header, out: &mut impl Write) -> Result<()> {
    header.set_cksum();
    Ok(out.write_all(header.as_bytes())?)
}

/// Zeros up to a whole record after `len` bytes.
fn pad(len: u64, out: &mut impl Write) -> Result<()> {
    let over = usize::try_from(len.next_multiple_of(RECORD) - len)?;
    Ok(out.write_all(&vec![0; over])?)
}

/// The end of an archive.
fn finish(out: &mut impl Write) -> Result<()> {
    out.write_all(&[0; 1024])?;
    Ok(out.flush()?)
}

/// A plain file of an archive that is not a tree: its header alone.
pub(super) fn file_header(name: &str, len: u64, time: Time) -> Result<Header> {
    ensure!(name.len() <= 100, "the archive member {name} has too long a name");
    let mut header = Header::new_gnu();
    put(&mut header.as_old_mut().name, name);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(u64::from(time));
    header.set_size(len);
    header.set_cksum();
    Ok(header)
}

/// A plain file of an archive that is not a tree, whole.
pub(super) fn file(name: &str, bytes: &[u8], time: Time, out: &mut impl Write) -> Result<()> {
    let len = u64::try_from(bytes.len())?;
    out.write_all(file_header(name, len, time)?.as_bytes())?;
    out.write_all(bytes)?;
    pad(len, out)
}

/// Ends an archive made of [`file`]s.
pub(super) fn end(out: &mut impl Write) -> Result<()> {
    finish(out)
}
