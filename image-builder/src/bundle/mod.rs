//! Bundles: from a maker's files to the one file that is an app.
//!
//! ```text
//! [source] ─ files ─► Tree ─ fits the manifest? ─► EROFS ─┬─ assemble ─► sign ─► NAME.bundle
//! bundle.toml ─────── canonical text ─────────────────────┘
//! ```
//!
//! Invariants: the same files, manifest and key give the same bytes, whoever builds, where and when: every file
//! belongs to root, has one of two modes and the time of images. What devices refuse is not written.

pub mod device;
mod elf;
mod files;
pub mod keys;

use std::path::Path;

use anyhow::{Context, Result, bail};
use bundle::{Digest, PublicKey, SecretKey};
use model::bundle::{Ability, Manifest};
use model::text;
use model::text::bundle::Source;
use sha2::{Digest as _, Sha256};

use crate::recipe::TIME;
use crate::tree::{Kind, Tree};
use crate::write::erofs::{self, Volume};
use crate::write::{Partial, content_uuid};

/// What file systems of bundles are called.
const LABEL: &str = "bundle";

/// Links that are followed from a program's name to the program.
const MAX_LINKS: usize = 8;

/// What was built.
#[derive(Debug, Clone)]
pub struct Made {
    /// What all of it is called by.
    pub digest: Digest,
    /// Bytes of the file.
    pub bytes: u64,
    /// Files, directories and links in it.
    pub files: usize,
    /// Who signed it.
    pub signed: Option<PublicKey>,
}

/// The files of a bundle.
///
/// # Errors
/// They cannot be read, do not fit the manifest, or are such that devices refuse them.
pub fn tree(manifest: &Manifest, source: &Source) -> Result<Tree> {
    let tree = files::tree(source, &manifest.requires.architectures)?;
    fits(manifest, &tree)?;
    Ok(tree)
}

/// Writes a bundle as the file `out`, and signs it.
///
/// # Errors
/// A file cannot be read, or is such that devices refuse it; `out` cannot be written.
pub fn write(
    manifest: &Manifest,
    tree: &Tree,
    out: &Path,
    key: Option<&SecretKey>,
) -> Result<Made> {
    let text = text::bundle::write(manifest);
    let uuid = content_uuid("bundle", &Sha256::digest(&text).into());
    let volume = Volume { uuid, label: LABEL.to_owned(), time: TIME };
    let directory = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let image = tempfile::tempfile_in(directory)
        .with_context(|| format!("cannot write in {}", directory.display()))?;
    erofs::stream(tree, &volume, &image)?;
    let partial = Partial::create(out)?;
    let mut digest = bundle::assemble(&image, &text, partial.file())?;
    if let Some(key) = key {
        digest = bundle::sign(partial.file(), key)?;
    }
    let bytes = partial.file().metadata().context("looking at the bundle")?.len();
    partial.finish()?;
    let signed = key.map(SecretKey::public);
    Ok(Made { digest, bytes, files: tree.len().saturating_sub(1), signed })
}

/// Whether what the manifest names is there.
fn fits(manifest: &Manifest, tree: &Tree) -> Result<()> {
    if let Some(icon) = &manifest.icon
        && !matches!(found(tree, icon), Some(Kind::File(_)))
    {
        bail!("the icon `{icon}` is not among the files of the bundle");
    }
    for ability in &manifest.abilities {
        program(ability, tree)?;
    }
    Ok(())
}

fn program(ability: &Ability, tree: &Tree) -> Result<()> {
    let Some(program) = ability.exec.first().filter(|program| !program.starts_with('/')) else {
        return Ok(());
    };
    let name = &ability.name;
    let path = followed(tree, program);
    match path.as_deref().and_then(|path| tree.get(path)) {
        Some(node) if !matches!(node.kind, Kind::File(_)) => {
            bail!("ability {name}: `{program}` is no file, so it cannot be started")
        }
        Some(node) if node.mode & 0o111 == 0 => bail!(
            "ability {name}: nobody may execute `{program}`: chmod +x it, or name the program that reads it"
        ),
        Some(_) => Ok(()),
        None => bail!(
            "ability {name}: `{program}` is not among the files of the bundle (a program of the device begins \
             with `/`)"
        ),
    }
}

fn found<'t>(tree: &'t Tree, path: &str) -> Option<&'t Kind> {
    Some(&tree.get(&followed(tree, path)?)?.kind)
}

/// Where the links lead that begin at `path`; the way there has none.
fn followed(tree: &Tree, path: &str) -> Option<String> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Kind::Symlink(target) = &tree.get(&path)?.kind else { return Some(path) };
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        path = files::joined(above, target)?;
    }
    None
}
