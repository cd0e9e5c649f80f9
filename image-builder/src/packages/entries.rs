//! The content of a package as entries of an image, each file a slice of the cached tar.
//!
//! What an image cannot have is an error: paths with `..` or that are absolute, device nodes, sockets,
//! sparse files, sizes beyond the archive, links to nothing. `bin`, `sbin`, `lib*` go below `usr`.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tar::EntryType;

use crate::tree::{Content, Kind, Node};

/// Parts of packages that no device needs: everything at or below these paths.
pub const DROPPED: &[&str] = &[
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/doc",
    "usr/share/doc-base",
    "usr/share/info",
    "usr/share/initramfs-tools",
    "usr/share/lintian",
    "usr/share/linda",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
    "usr/share/zsh",
];

/// Directories of the root that are links to the same name below `usr`.
pub const MERGED: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Most entries of one package. The largest of Debian has about 100,000.
pub const MAX_ENTRIES: usize = 1_000_000;

/// One path a package brings.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where, as in a [`crate::tree::Tree`].
    pub path: String,
    /// What.
    pub node: Node,
}

/// The entries of the tar file at `path`.
///
/// # Errors
/// It cannot be read, or it has what no image can have.
pub fn entries(path: &Path) -> Result<Vec<Entry>> {
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let shared = Arc::new(path.to_owned());
    let mut archive = tar::Archive::new(Windowed::new(file));
    let (mut all, mut files) = (Vec::new(), HashSet::new());
    for entry in archive.entries_with_seek()? {
        let entry = entry.context("the archive is damaged: remove it from the cache")?;
        ensure!(all.len() < MAX_ENTRIES, "more than {MAX_ENTRIES} entries");
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let one =
            one(&entry, &shared, end).with_context(|| format!("`{}`", shown.escape_debug()))?;
        let Some(one) = one else { continue };
        match &one.node.kind {
            Kind::File(_) => drop(files.insert(one.path.clone())),
            Kind::Hardlink(to) if !files.contains(to) => {
                bail!("`{}` is a hard link to `{to}`, which is no file before it", one.path)
            }
            Kind::Hardlink(_) => drop(files.insert(one.path.clone())),
            _ => {}
        }
        all.push(one);
    }
    Ok(all)
}

/// One entry of the tar as one of an image; nothing if it is left out.
fn one<R: Read>(entry: &tar::Entry<'_, R>, file: &Arc<PathBuf>, end: u64) -> Result<Option<Entry>> {
    let Some(path) = plain(&entry.path_bytes())? else { return Ok(None) };
    let header = entry.header();
    let (offset, len) = (entry.raw_file_position(), entry.size());
    let kind = match header.entry_type() {
        EntryType::Directory => Kind::Directory,
        EntryType::Regular => {
            let whole = offset.checked_add(len).is_some_and(|last| last <= end);
            ensure!(whole, "its {len} bytes are more than the archive has");
            Kind::File(Content::Slice { file: Arc::clone(file), offset, len })
        }
        EntryType::Symlink => Kind::Symlink(target(entry)?),
        EntryType::Link => {
            let to = plain(target(entry)?.as_bytes())?;
            Kind::Hardlink(to.context("it is a hard link to something left out")?)
        }
        EntryType::XGlobalHeader => return Ok(None),
        other => bail!("an entry of type {other:?}: an image has files, directories and links"),
    };
    if MERGED.contains(&path.as_str()) {
        // A directory, or the link that base-files ships: the root has the link anyway.
        return Ok(None);
    }
    let mode = u16::try_from(header.mode()? & 0o7777)?;
    let id = |id: u64| u32::try_from(id).context("an owner over 32 bits");
    let node = Node { mode, uid: id(header.uid()?)?, gid: id(header.gid()?)?, kind };
    Ok(Some(Entry { path: below_usr(&path), node }))
}

fn target<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String> {
    let bytes = entry.link_name_bytes().context("a link without a target")?;
    let target = String::from_utf8(bytes.into_owned()).context("a target that is not UTF-8")?;
    ensure!(!target.is_empty() && !target.contains('\0'), "a target that is no path");
    Ok(target)
}

/// The path without `./` and a final `/`, merged; nothing for the root and what is [`DROPPED`].
fn plain(bytes: &[u8]) -> Result<Option<String>> {
    let path = str::from_utf8(bytes).context("a path that is not UTF-8")?;
    ensure!(!path.starts_with('/'), "an absolute path");
    let path = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
    if matches!(path, "" | ".") {
        return Ok(None);
    }
    ensure!(!path.contains('\0'), "a path with NUL");
    ensure!(
        !path.split('/').any(|p| matches!(p, "" | "." | "..")),
        "a path with `.`, `..` or empty parts"
    );
    let merged = below_usr(path);
    let dropped = DROPPED.iter().any(|d| is_at_or_below(&merged, d));
    Ok((!dropped).then(|| if MERGED.contains(&path) { path.to_owned() } else { merged }))
}

fn below_usr(path: &str) -> String {
    let first = path.split('/').next().unwrap_or_default();
    if MERGED.contains(&first) { format!("usr/{path}") } else { path.to_owned() }
}

fn is_at_or_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A file read in windows: headers of small files lie close together, large files are skipped.
struct Windowed {
    file: File,
    window: Vec<u8>,
    /// Where the window begins in the file.
    start: u64,
    at: u64,
}

impl Windowed {
    /// Size of a window.
    const SIZE: usize = 1 << 12;

    fn new(file: File) -> Self {
        Self { file, window: Vec::new(), start: 0, at: 0 }
    }

    fn rest(&self) -> &[u8] {
        let skip = self.at.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.window.get(skip..)).unwrap_or_default()
    }
}

impl Read for Windowed {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.rest().is_empty() {
            self.window.resize(Self::SIZE, 0);
            let count = std::os::unix::fs::FileExt::read_at(&self.file, &mut self.window, self.at)?;
            self.window.truncate(count);
            self.start = self.at;
        }
        let count = self.rest().read(to)?;
        self.at += u64::try_from(count).map_err(io::Error::other)?;
        Ok(count)
    }
}

impl Seek for Windowed {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.checked_add_signed(by).ok_or_else(too_far)?,
            SeekFrom::End(by) => {
                self.file.metadata()?.len().checked_add_signed(by).ok_or_else(too_far)?
            }
        };
        Ok(self.at)
    }
}

fn too_far() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a place outside of the file")
}
