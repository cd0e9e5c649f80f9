//! What makers send, read as a build reads it: one way in for each, to be tried with bytes that nobody would send (`fuzz/`).
//!
//! Invariant: whatever comes, these return: files, or a reason. A panic, or an answer that does not come, is a fault.

use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result};
use model::text::bundle::parse;

use super::{oci, python};
use crate::tree::Tree;

/// The manifest of a bundle that has any files.
const MANIFEST: &str =
    "id = \"org.example.any\"\nversion = \"1.0.0\"\nname = \"Any\"\nkind = \"runtime\"\n";

/// A wheel whose file is called `name`: its files as a bundle has them, and what it needs.
///
/// # Errors
/// It is none, or damaged.
pub fn wheel(name: &str, zip: &[u8]) -> Result<(Tree, Vec<String>)> {
    python::one(name, Cursor::new(zip))
}

/// `RECORD` of a wheel.
///
/// # Errors
/// It is none.
pub fn record(text: &str) -> Result<()> {
    python::record(text)
}

/// The image in an archive, or in a directory: how many layers it has. They are not unpacked.
///
/// # Errors
/// It is none, or damaged.
pub fn image(path: &Path, processors: &[String]) -> Result<usize> {
    oci::looked_at(path, processors)
}

/// The files of layers, each a tar, the lowest first.
///
/// # Errors
/// They are none, or have what no bundle has.
pub fn layers(tars: &[&Path]) -> Result<Tree> {
    oci::laid(tars)
}

/// The first bytes of a layer that may be compressed, at most so many.
///
/// # Errors
/// It is damaged.
pub fn unpacked(mut layer: &[u8], most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    oci::decompressed(&mut layer)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bundle with these files, as the file `out`, which nobody has signed.
///
/// # Errors
/// They are such that devices refuse them.
pub fn written(tree: &Tree, out: &Path) -> Result<()> {
    let manifest = parse("any", MANIFEST).ok().context("the manifest here is one")?;
    super::write(&manifest, tree, out, None).map(drop)
}
