//! ext4: the state partition.
//!
//! Made by the crate mkext4, whose bytes are stable only within one version: it is pinned, and a
//! new version means new images. Space that holds nothing is a hole of the file, so the size costs
//! nothing. What projects (services) store can be limited: see `quota`.

mod quota;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use mkext4::{FsBuilder, InodeHandle, Meta, Options, ROOT, RegionSink, SpecialKind};
use uuid::Uuid;

use super::source::Source;
use super::{Partial, Time};
use crate::tree::{Content, Entry, Kind, Tree};

/// Bytes of a volume label.
pub const MAX_LABEL: usize = 16;

/// The smallest volume: room for the journal and some files.
pub const MIN_SIZE: u64 = 8 << 20;

/// Blocks of the volume only root can use, in percent: daemons can still write when apps have
/// filled the rest.
const RESERVED_PERCENT: u8 = 1;

/// What a volume is called, and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its UUID.
    pub uuid: Uuid,
    /// Its label: at most [`MAX_LABEL`] bytes.
    pub label: String,
    /// The time of the volume and of all files.
    pub time: Time,
    /// Its bytes: a multiple of 4096, at least [`MIN_SIZE`].
    pub size: u64,
}

/// Writes `tree` as the file `path`.
///
/// # Errors
/// The tree does not fit, a content cannot be read, `path` cannot be written.
pub fn write(tree: &Tree, volume: &Volume, path: &Path) -> Result<()> {
    let image = Partial::create(path)?;
    image.file().set_len(volume.size).context("cannot make the file so large")?;
    write_at(tree, volume, image.file(), 0)
        .with_context(|| format!("cannot write the ext4 image {}", path.display()))?;
    image.finish()
}

/// Writes `tree` into `file` from `offset` on, where `file` (which can be read too) must hold
/// `volume.size` zeros.
///
/// # Errors
/// As [`write()`].
pub fn write_at(tree: &Tree, volume: &Volume, file: &File, offset: u64) -> Result<()> {
    let Volume { uuid, label, time, size } = volume;
    ensure!(
        label.len() <= MAX_LABEL,
        "the label `{label}` is over {MAX_LABEL} bytes: choose a shorter one"
    );
    ensure!(
        *size >= MIN_SIZE && size.is_multiple_of(4096),
        "a volume of {size} bytes: it takes a multiple of 4096, at least {MIN_SIZE}"
    );
    let mut options = Options::new(*size, *uuid.as_bytes(), i64::from(*time));
    options.label = Some(label.clone());
    options.reserved_percent = RESERVED_PERCENT;
    let mut builder = FsBuilder::new(options)?;
    let files = declare(&mut builder, &tree.entries()?, *time)?;
    let quota = quota::declare(&mut builder, *time)?;

    let layout = builder
        .seal()
        .with_context(|| format!("the files do not fit into {} MiB: make it larger", size >> 20))?;
    let mut sink = Sink { file, offset };
    let mut writer = layout.writer(&mut sink)?;
    let mut source = Source::new();
    for (handle, content, path) in files {
        writer
            .fill(handle, &mut source.reader(content, 0)?)
            .with_context(|| format!("cannot put {path} into the image"))?;
    }
    writer.fill(quota, &mut quota::room().as_slice())?;
    writer.finish()?;
    quota::finish(file, offset).context("cannot switch quotas on")
}

/// Tells `builder` of every entry; says which of them take bytes.
fn declare<'a>(
    builder: &mut FsBuilder,
    entries: &[Entry<'a>],
    time: Time,
) -> Result<Vec<(InodeHandle, &'a Content, &'a str)>> {
    let mut handles = Vec::with_capacity(entries.len());
    let mut files = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        let node = entry.node;
        let meta = Meta::new(node.mode, node.uid, node.gid, (i64::from(time), 0));
        let parent = handles.get(entry.parent).copied().unwrap_or(ROOT);
        let name = entry.name;
        let handle = match &node.kind {
            Kind::Directory if i == 0 => builder.set_meta(ROOT, meta).map(|()| ROOT),
            Kind::Directory => builder.mkdir(parent, name, meta),
            Kind::Symlink(to) => builder.symlink(parent, name, to, meta),
            Kind::Device { block, major, minor } => {
                let (major, minor) = (*major, *minor);
                let char = SpecialKind::Char { major, minor };
                let block = block.then_some(SpecialKind::Block { major, minor });
                builder.mknod(parent, name, meta, block.unwrap_or(char))
            }
            Kind::File(_) | Kind::Hardlink(_) if entry.first != i => {
                let first = handles.get(entry.first).copied().unwrap_or(ROOT);
                builder.hardlink(parent, name, first).map(|()| first)
            }
            Kind::File(content) => builder.file(parent, name, meta, content.len()),
            Kind::Hardlink(_) => Ok(ROOT), // never in entries
        }
        .with_context(|| format!("ext4 cannot hold {}", entry.path))?;
        if let Kind::File(content) = &node.kind
            && entry.first == i
            && !content.is_empty()
        {
            files.push((handle, content, entry.path));
        }
        handles.push(handle);
    }
    Ok(files)
}

/// Writes regions at their place and leaves zeros as holes.
struct Sink<'a> {
    file: &'a File,
    offset: u64,
}

impl RegionSink for Sink<'_> {
    fn data(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.offset + at)
    }

    fn zeros(&mut self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
}
