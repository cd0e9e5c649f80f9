//! What an image lies in: a tar, or a directory.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use tar::EntryType;

/// Longest index, manifest or configuration, in bytes.
const MAX_JSON: u64 = 4 << 20;

/// Most files of an archive: layers and what describes them.
const MAX_FILES: usize = 10_000;

/// How what is compressed as a whole begins, with what undoes it.
const COMPRESSED: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "gunzip"),
    (b"\x28\xb5\x2f\xfd", "zstd -d"),
    (b"\xfd7zXZ", "unxz"),
    (b"BZh", "bunzip2"),
];

/// Files by their path.
#[derive(Debug)]
pub(super) enum Archive {
    /// In a directory.
    Directory(PathBuf),
    /// In a tar: where each begins, and its length.
    Tar {
        /// The tar.
        file: PathBuf,
        /// By path.
        files: HashMap<String, (u64, u64)>,
        /// Links, from their path to the path that they lead to.
        links: HashMap<String, String>,
    },
}

impl Archive {
    /// Finds out what is in it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if fs::metadata(path)?.is_dir() {
            return Ok(Self::Directory(path.to_owned()));
        }
        let mut file = File::open(path)?;
        let mut begin = [0; 8];
        let count = file.read(&mut begin)?;
        let begin = begin.get(..count).unwrap_or_default();
        if let Some((_, undo)) = COMPRESSED.iter().find(|(magic, _)| begin.starts_with(magic)) {
            bail!("it is compressed as a whole: `{undo}` it first");
        }
        file.seek(SeekFrom::Start(0))?;
        let end = file.metadata()?.len();
        let mut archive = tar::Archive::new(BufReader::new(file));
        let (mut files, mut links) = (HashMap::new(), HashMap::new());
        for entry in archive.entries_with_seek()? {
            let entry = entry.context("it is no tar, or a damaged one")?;
            ensure!(
                files.len() + links.len() < MAX_FILES,
                "more than {MAX_FILES} files: not an image"
            );
            let Ok(path) = String::from_utf8(entry.path_bytes().into_owned()) else { continue };
            let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
            match entry.header().entry_type() {
                EntryType::Regular => {
                    let (at, length) = (entry.raw_file_position(), entry.size());
                    ensure!(
                        at.checked_add(length).is_some_and(|last| last <= end),
                        "it ends within {}",
                        path.escape_debug()
                    );
                    files.insert(path, (at, length));
                }
                EntryType::Symlink => {
                    let target = entry
                        .link_name_bytes()
                        .map(|name| String::from_utf8_lossy(&name).into_owned());
                    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
                    let target =
                        target.and_then(|target| super::super::files::joined(above, &target));
                    links.extend(target.map(|target| (path, target)));
                }
                _ => {}
            }
        }
        Ok(Self::Tar { file: path.to_owned(), files, links })
    }

    /// Whether there is a file.
    pub(super) fn has(&self, path: &str) -> bool {
        match self {
            Self::Directory(directory) => inside(path).is_ok() && directory.join(path).is_file(),
            Self::Tar { files, .. } => files.contains_key(path),
        }
    }

    /// Opens a file; its length is told.
    pub(super) fn file(&self, path: &str) -> Result<(Box<dyn Read>, u64)> {
        let missing = || format!("there is no {} in it", path.escape_debug());
        match self {
            Self::Directory(directory) => {
                inside(path)?;
                let file = File::open(directory.join(path)).with_context(missing)?;
                let length = file.metadata()?.len();
                Ok((Box::new(file), length))
            }
            Self::Tar { file, files, links } => {
                let path = links.get(path).map_or(path, String::as_str);
                let (at, length) = *files.get(path).with_context(missing)?;
                let mut file = File::open(file)?;
                file.seek(SeekFrom::Start(at))?;
                Ok((Box::new(file.take(length)), length))
            }
        }
    }

    /// A small file.
    pub(super) fn small(&self, path: &str) -> Result<Vec<u8>> {
        let (file, length) = self.file(path)?;
        ensure!(
            length <= MAX_JSON,
            "{}: {length} bytes are over the limit of {MAX_JSON}",
            path.escape_debug()
        );
        let mut bytes = Vec::new();
        file.take(MAX_JSON).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Whether a path stays where it is looked for.
fn inside(path: &str) -> Result<()> {
    let bad = |part: &str| matches!(part, "" | "." | "..");
    ensure!(
        !path.split('/').any(bad),
        "{}: a path within the image has no `..`",
        path.escape_debug()
    );
    Ok(())
}
