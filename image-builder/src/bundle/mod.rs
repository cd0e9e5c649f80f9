//! Bundles: from a maker's files to the one file that is an app.
//!
//! ```text
//! [source] ─ directory, binary, debian, oci, python, node, cargo ─► Tree ─ fits the manifest? ─► EROFS ─┬─ assemble ─► sign ─► NAME.bundle
//! [runtime] ─ below ──────────────────────────────────────┘                                             │
//! bundle.toml ─ what its source adds (PYTHONPATH) ─ canonical text ─────────────────────────────────────┘
//! ```
//!
//! Invariants: the same files, manifest and key give the same bytes, whoever builds, where and when: every file
//! belongs to root, has one of two modes and the time of images. What devices refuse is not written.

mod below;
mod crates;
pub mod debian;
pub mod device;
mod elf;
mod files;
pub mod keys;
mod node;
pub mod oci;
pub mod outside;
mod python;
mod rooted;

use std::path::Path;

use anyhow::{Context, Result, bail};
use bundle::{Digest, PublicKey, SecretKey};
use model::bundle::{Ability, BUNDLES, Layout, Manifest};
use model::resource::{self, Named};
use model::text;
use model::text::bundle::{Origin, Source};
use sha2::{Digest as _, Sha256};

use self::below::View;
use self::files::Links;
use crate::packages::cache::Cache;
use crate::packages::resolve::Relock;
use crate::progress::Progress;
use crate::recipe::TIME;
use crate::tree::{Kind, Node, Tree};
use crate::workspace::Workspace;
use crate::write::erofs::{self, Volume};
use crate::write::{Partial, content_uuid};

/// What file systems of bundles are called.
const LABEL: &str = "bundle";

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

/// What sources use of this host.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The project, for what is built in it.
    pub workspace: &'a Workspace,
    /// Fetched packages, layers of images.
    pub cache: &'a Cache,
    /// When lock files are renewed.
    pub relock: Relock,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

impl std::fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

/// A bundle that can be written.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What it is, with what its source adds.
    pub manifest: Manifest,
    /// Its files.
    pub tree: Tree,
}

/// The files of a bundle, and what they add to what it says.
///
/// # Errors
/// They cannot be read, found or built, do not fit the manifest, or are such that devices refuse them.
pub fn prepare(manifest: &Manifest, source: &Source, sources: &Sources<'_>) -> Result<Prepared> {
    let below = below::find(manifest, source, sources)?;
    let below = below.as_ref();
    let mut manifest = manifest.clone();
    let exclude = &source.exclude;
    let architectures = manifest.requires.architectures.as_slice();
    let note = |line: &str| sources.progress.note(line);
    let mut tree = match &source.origin {
        Origin::Directory(path) if manifest.layout == Layout::Root => {
            let tree = files::directory(Path::new(path), exclude, Links::OfRoot)?;
            rooted::fit(&tree, &[rooted::DEVICES_OWN], &[])?
        }
        Origin::Directory(path) => files::directory(Path::new(path), exclude, Links::Inside)?,
        Origin::Binary(path) => files::binary(Path::new(path), architectures)?,
        Origin::Debian(packages) => debian::tree(packages, source, architectures, below, sources)?,
        Origin::Oci(path) => oci::tree(Path::new(path), exclude, architectures, sources)?,
        Origin::Python { path, wheels } => {
            python::tree((path, wheels), exclude, &mut manifest, below, &note)?
        }
        Origin::Node(path) => node::tree(Path::new(path), exclude, architectures)?,
        Origin::Cargo(wanted) => crates::tree(wanted, architectures, sources)?,
    };
    if let Some(files) = &source.files {
        below::lay_over(&mut tree, &files::directory(Path::new(files), &[], Links::Inside)?)?;
    }
    if manifest.layout == Layout::Root {
        for name in rooted::unseen(&tree) {
            note(&format!(
                "programs do not see /{name} of the bundle: it is at {BUNDLES}/{}/{name}",
                manifest.id
            ));
        }
    }
    fits(&manifest, View { upper: &tree, lower: below.map(|below| &below.tree) })?;
    Ok(Prepared { manifest, tree })
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
fn fits(manifest: &Manifest, view: View<'_>) -> Result<()> {
    let own = View { lower: None, ..view };
    let mut named = Named::new();
    if let Some(directory) = &manifest.resources {
        let files = own.upper.iter().filter(|(_, node)| is_file(&node.kind)).map(|(path, _)| path);
        named = resources(directory, files)?;
        if named.is_empty() {
            bail!(
                "[resources] directory: no file is in `{directory}` of the bundle: `{directory}/base/NAME` would be one"
            );
        }
    }
    if let Some(icon) = &manifest.icon
        && !own.find(icon).is_some_and(|(_, node)| is_file(&node.kind))
        && !named.contains_key(icon.as_str())
    {
        let nor = if named.is_empty() { "" } else { ", nor among its resources" };
        bail!("the icon `{icon}` is not among the files of the bundle{nor}");
    }
    for ability in &manifest.abilities {
        program(ability, manifest, view)?;
    }
    Ok(())
}

/// The resources of a bundle with these files.
///
/// # Errors
/// One of them is in a directory that no device looks into.
pub fn resources<'a>(directory: &str, files: impl Iterator<Item = &'a str>) -> Result<Named> {
    let below = files.filter_map(|path| path.strip_prefix(directory)?.strip_prefix('/'));
    resource::named(below).with_context(|| format!("resources in `{directory}` of the bundle"))
}

fn is_file(kind: &Kind) -> bool {
    matches!(kind, Kind::File(_) | Kind::Hardlink(_))
}

fn program(ability: &Ability, manifest: &Manifest, view: View<'_>) -> Result<()> {
    let Some(program) = ability.exec.first() else { return Ok(()) };
    let (name, own) = (&ability.name, format!("{BUNDLES}/{}/", manifest.id));
    let of_root = manifest.layout == Layout::Root || manifest.runtime.is_some();
    let (found, whose) = match (program.strip_prefix('/'), program.strip_prefix(&own)) {
        (None, _) => {
            (View { lower: None, ..view }.find(program), "a program of the device begins with `/`")
        }
        (_, Some(inside)) => {
            (View { lower: None, ..view }.find(inside), "that is where its own files are")
        }
        (Some(inside), _) if of_root => {
            (view.find(inside), "its programs see no others of the device")
        }
        _ => return Ok(()),
    };
    match found {
        Some((_, node)) if !is_file(&node.kind) => {
            bail!("ability {name}: `{program}` is no file, so it cannot be started")
        }
        Some((_, node)) if node.mode & 0o111 == 0 => bail!(
            "ability {name}: nobody may execute `{program}`: chmod +x it, or name the program that reads it"
        ),
        Some((_, node)) if of_root => interpreted(node, view)
            .with_context(|| format!("ability {name}: `{program}` cannot be started")),
        Some(_) => Ok(()),
        None => {
            let runtime = if view.lower.is_some() { " and its runtime" } else { "" };
            bail!(
                "ability {name}: `{program}` is not among the files of the bundle{runtime} ({whose})"
            )
        }
    }
}

/// Whether the program that reads a script is in the view.
fn interpreted(node: &Node, view: View<'_>) -> Result<()> {
    /// As much of the first line as Linux reads.
    const MAX_LINE: u64 = 255;
    let Kind::File(content) = &node.kind else { return Ok(()) };
    let begin = content.begin(MAX_LINE).context("reading it")?;
    let line = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(line) = line.strip_prefix(b"#!") else { return Ok(()) };
    let line = String::from_utf8_lossy(line);
    let Some(reader) = line.split_whitespace().next() else { return Ok(()) };
    if view.find(reader.trim_start_matches('/')).is_none() {
        bail!(
            "it is a script for {reader}, which is neither in the bundle nor in what lies below it"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::text::bundle::parse;

    use super::*;

    #[test]
    fn an_icon_is_a_file_of_the_bundle_or_a_resource() {
        let text = "id = \"org.example.x\"\nversion = \"1.0.0\"\nname = \"X\"\nicon = \"media/icon.png\"\n\
                    [resources]\ndirectory = \"resources\"\n[[ability]]\nname = \"main\"\nexec = [\"/bin/true\"]\n";
        let manifest = parse("x", text).unwrap();
        let told = |files: &[&str]| {
            let mut tree = Tree::new();
            for file in files.iter().chain(&["resources/base/page.html"]) {
                tree.insert(file, Node::file(0o644, "")).unwrap();
            }
            let fits = fits(&manifest, View { upper: &tree, lower: None });
            fits.map_err(|why| format!("{why:#}")).err().unwrap_or_default()
        };
        assert_eq!(told(&["media/icon.png"]), "");
        assert_eq!(told(&["resources/base/media/icon.png", "resources/xldpi/media/icon.png"]), "");
        assert_eq!(
            told(&["resources/base/icon.png"]),
            "the icon `media/icon.png` is not among the files of the bundle, nor among its resources"
        );
    }

    #[test]
    fn what_reads_a_script_must_be_where_its_programs_look() {
        let text = "id = \"org.example.x\"\nversion = \"1.0.0\"\nname = \"X\"\nlayout = \"root\"\n\
                    [[ability]]\nname = \"main\"\nexec = [\"/app/run\"]\n";
        let manifest = parse("x", text).unwrap();
        let told = |script: &str, lower: Option<&Tree>| {
            let mut tree = Tree::new();
            tree.insert("app/run", Node::file(0o755, script)).unwrap();
            tree.insert("bin", Node::symlink("usr/bin")).unwrap();
            tree.insert("usr/bin/sh", Node::file(0o755, "")).unwrap();
            let fits = fits(&manifest, View { upper: &tree, lower });
            fits.map_err(|why| format!("{why:#}")).err().unwrap_or_default()
        };
        let mut below = Tree::new();
        below.insert("usr/bin/env", Node::file(0o755, "")).unwrap();
        for script in ["#!/bin/sh -e\n", "#! /usr/bin/sh", "code", "#!\n", ""] {
            assert_eq!(told(script, None), "", "{script}");
        }
        assert_eq!(told("#!/usr/bin/env python3\n", Some(&below)), "");
        assert_eq!(
            told("#!/usr/bin/env python3\n", None),
            "ability main: `/app/run` cannot be started: it is a script for /usr/bin/env, which is neither in the \
             bundle nor in what lies below it"
        );
    }
}
