//! Layers upon each other: files that are added, and whiteouts that take others away.
//!
//! ```text
//! layer ─► 1. .wh.NAME, .wh..wh..opq ─ take away ─► Tree ◄─ add ─ 2. directories, files, links
//! ```
//!
//! A path goes through links that are there, as within a root directory: never out of it. Another name of a file is the
//! file itself, so that it stays when a later layer takes the first name away; [`share`] joins them in the end.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tar::EntryType;

use super::super::rooted::{DEVICES_OWN, followed};
use crate::tree::{Content, Kind, Node, Tree};

/// Most entries of one layer.
const MAX_ENTRIES: usize = 1_000_000;

/// What names of whiteouts begin with.
const WHITEOUT: &str = ".wh.";

/// What a directory has that hides all that lower layers have in it.
const OPAQUE: &str = ".wh..wh..opq";

/// What begins with this is of the file system that made the layer.
const INTERNAL: &str = ".wh..wh.";

/// An entry of a layer.
struct Entry {
    path: String,
    what: What,
}

enum What {
    Node(Node),
    /// Another name of what is at this path.
    Name(String),
}

/// Applies the layer in the file `tar`.
pub(super) fn apply(tree: &mut Tree, tar: &Path) -> Result<()> {
    let entries = entries(tar)?;
    let (gone, added): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| name(&entry.path).starts_with(WHITEOUT));
    for entry in &gone {
        take_away(tree, &entry.path).with_context(|| entry.path.clone())?;
    }
    for entry in added {
        let shown = entry.path.clone();
        add(tree, entry).with_context(|| format!("{}", shown.escape_debug()))?;
        ensure!(tree.len() <= MAX_ENTRIES, "more than {MAX_ENTRIES} files");
    }
    Ok(())
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn take_away(tree: &mut Tree, path: &str) -> Result<()> {
    let above = real(tree, path.rsplit_once('/').map_or("", |(above, _)| above))?;
    let name = name(path);
    if name == OPAQUE {
        let inside: Vec<String> = tree.children(&above).map(str::to_owned).collect();
        inside.iter().for_each(|path| tree.remove(path));
        return Ok(());
    }
    if name.starts_with(INTERNAL) {
        return Ok(());
    }
    let gone = name.strip_prefix(WHITEOUT).unwrap_or_default();
    ensure!(!matches!(gone, "" | "." | ".."), "it takes nothing away");
    tree.remove(&joined(&above, gone));
    Ok(())
}

fn add(tree: &mut Tree, Entry { path, what }: Entry) -> Result<()> {
    let above = real(tree, path.rsplit_once('/').map_or("", |(above, _)| above))?;
    let place = joined(&above, name(&path));
    let node = match what {
        What::Node(node) => node,
        What::Name(of) => {
            let above = real(tree, of.rsplit_once('/').map_or("", |(above, _)| above))?;
            let file = tree
                .get(&joined(&above, name(&of)))
                .filter(|node| matches!(node.kind, Kind::File(_)));
            file.with_context(|| {
                format!("another name of {}, which is no file", of.escape_debug())
            })?
            .clone()
        }
    };
    let stays = matches!(node.kind, Kind::Directory) && tree.is_directory(&place);
    if !stays {
        tree.remove(&place);
    }
    Ok(tree.insert(&place, node)?)
}

/// Where a directory is, with links followed.
fn real(tree: &Tree, directory: &str) -> Result<String> {
    let words: Vec<&str> = directory.split('/').collect();
    Ok(followed(tree, "", &words).context("links that lead in a circle")?.join("/"))
}

fn joined(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}

fn entries(tar: &Path) -> Result<Vec<Entry>> {
    let file = File::open(tar)?;
    let end = file.metadata()?.len();
    let shared = Arc::new(tar.to_owned());
    let mut archive = tar::Archive::new(BufReader::new(file));
    let mut all = Vec::new();
    for entry in archive.entries_with_seek()? {
        let entry = entry.context("it is no tar, or a damaged one")?;
        ensure!(all.len() < MAX_ENTRIES, "more than {MAX_ENTRIES} files");
        let shown = String::from_utf8_lossy(&entry.path_bytes()).escape_debug().to_string();
        all.extend(one(&entry, &shared, end).with_context(|| shown)?);
    }
    Ok(all)
}

/// An entry; nothing for what is not part of the files.
fn one<R: Read>(entry: &tar::Entry<'_, R>, tar: &Arc<PathBuf>, end: u64) -> Result<Option<Entry>> {
    let Some(path) = plain(&entry.path_bytes())? else { return Ok(None) };
    let header = entry.header();
    let target = || -> Result<String> {
        let bytes = entry.link_name_bytes().context("a link without a target")?;
        String::from_utf8(bytes.into_owned()).context("a target that is not UTF-8")
    };
    let kind = match header.entry_type() {
        EntryType::Directory => Kind::Directory,
        EntryType::Regular | EntryType::Continuous => {
            let (offset, len) = (entry.raw_file_position(), entry.size());
            let whole = offset.checked_add(len).is_some_and(|last| last <= end);
            ensure!(whole, "its {len} bytes are more than the layer has");
            Kind::File(Content::Slice { file: Arc::clone(tar), offset, len })
        }
        EntryType::Symlink => Kind::Symlink(target()?),
        EntryType::Link => {
            let of = plain(target()?.as_bytes())?.context("another name of the root")?;
            return Ok(Some(Entry { path, what: What::Name(of) }));
        }
        EntryType::Char | EntryType::Block | EntryType::Fifo => {
            let top = path.split('/').next().unwrap_or_default();
            ensure!(DEVICES_OWN.contains(&top), "a device or a pipe, which no bundle has");
            return Ok(None);
        }
        EntryType::XGlobalHeader => return Ok(None),
        other => bail!("an entry of type {other:?}: an image has files, directories and links"),
    };
    let mode = u16::try_from(header.mode()? & 0o7777)?;
    Ok(Some(Entry { path, what: What::Node(Node { mode, uid: 0, gid: 0, kind }) }))
}

/// The path from the root; nothing for the root itself.
fn plain(bytes: &[u8]) -> Result<Option<String>> {
    let path = str::from_utf8(bytes).context("a path that is not UTF-8")?;
    let words: Vec<&str> = path.split('/').filter(|word| !matches!(*word, "" | ".")).collect();
    ensure!(!words.contains(&"..") && !path.contains('\0'), "a path with `..`");
    Ok((!words.is_empty()).then(|| words.join("/")))
}

/// Makes what are the same bytes of one layer the names of one file.
pub(super) fn share(tree: &mut Tree) -> Result<()> {
    let mut first: HashMap<(Arc<PathBuf>, u64), String> = HashMap::new();
    let mut names = Vec::new();
    for (path, node) in tree.iter() {
        let Kind::File(Content::Slice { file, offset, len: 1.. }) = &node.kind else { continue };
        match first.get(&(Arc::clone(file), *offset)) {
            Some(to) => names
                .push((path.to_owned(), Node { kind: Kind::Hardlink(to.clone()), ..node.clone() })),
            None => drop(first.insert((Arc::clone(file), *offset), path.to_owned())),
        }
    }
    for (path, node) in names {
        tree.insert(&path, node)?;
    }
    Ok(())
}
