//! One wheel: a ZIP file with packages of Python, read as if from anyone.
//!
//! ```text
//! PACKAGE/…                          ─► site/PACKAGE/…
//! X.data/{purelib,platlib}/…         ─► site/…
//! X.data/scripts/NAME                ─► bin/NAME, for the Python of the view
//! X.data/data/…                      ─► …
//! X.dist-info/entry_points.txt       ─► bin/NAME that calls it
//! ```
//!
//! Every file is as `RECORD` says. Refused: paths that lead out, links, what is encrypted, more than the limits.

use std::io::{Read, Seek};

use anyhow::{Context, Result, bail, ensure};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::record;
use crate::tree::{Kind, Node, Tree};

/// Where packages of Python are in a bundle.
pub(super) const SITE: &str = "site";

/// The program that scripts are for.
const PYTHON: &str = "#!/usr/bin/python3";

/// Most bytes of one wheel when it is unpacked: it is held in memory.
const MAX_WHEEL: u64 = 1 << 30;

/// Most names of files in one wheel.
const MAX_NAMES: usize = 100_000;

/// What is in a wheel.
#[derive(Debug)]
pub(super) struct Wheel {
    /// Its files, where a bundle has them.
    pub(super) tree: Tree,
    /// `METADATA`.
    pub(super) metadata: String,
}

/// Reads a wheel.
pub(super) fn read(file: impl Read + Seek) -> Result<Wheel> {
    let mut archive = ZipArchive::new(file).context("it is no ZIP file, or a damaged one")?;
    ensure!(archive.len() <= MAX_NAMES, "more than {MAX_NAMES} files");
    let own = own(&archive)?;
    let text = |archive: &mut ZipArchive<_>, name: &str| text(archive, &format!("{own}/{name}"));
    let sums = text(&mut archive, "RECORD")?.context("it has no RECORD")?;
    let sums = record::sums(&sums).context("its RECORD")?;
    let about = text(&mut archive, "WHEEL")?.context("it has no file WHEEL")?;
    let version = field(&about, "Wheel-Version").unwrap_or_default();
    ensure!(
        version.split('.').next() == Some("1"),
        "version {version} of the format; 1 is known here"
    );
    let metadata = text(&mut archive, "METADATA")?.context("it has no METADATA")?;
    let scripts = text(&mut archive, "entry_points.txt")?.unwrap_or_default();
    let mut wheel = Wheel { tree: Tree::new(), metadata };
    let mut left = MAX_WHEEL;
    for index in 0..archive.len() {
        let mut file =
            archive.by_index(index).context("an entry that is encrypted, or of an unknown kind")?;
        let name = file.name().context("a name that is no text")?.into_owned();
        let shown = || format!("{}", name.escape_debug());
        let Some((bytes, mode)) = content(&mut file, &mut left).with_context(shown)? else {
            continue;
        };
        record::check(&sums, &own, &name, &bytes).with_context(shown)?;
        put(&mut wheel.tree, &own, &name, bytes, mode).with_context(shown)?;
    }
    for name in sums.keys() {
        ensure!(
            archive.index_for_name(name).is_some(),
            "{}: RECORD has it, and it is missing",
            name.escape_debug()
        );
    }
    for (name, from, what) in programs(&scripts) {
        let text = format!(
            "{PYTHON}\nimport sys\nfrom {from} import {what_first}\nsys.exit({what}())\n",
            what_first = what.split('.').next().unwrap_or(&what)
        );
        wheel.tree.insert(&format!("bin/{name}"), Node::file(0o755, text.as_str()))?;
    }
    Ok(wheel)
}

/// The one directory that describes it.
fn own<R: Read + Seek>(archive: &ZipArchive<R>) -> Result<String> {
    let names = archive
        .file_names()
        .filter_map(|name| name.ok()?.strip_suffix("/RECORD").map(str::to_owned));
    let mut found = names.filter(|own| own.ends_with(".dist-info") && !own.contains('/'));
    match (found.next(), found.next()) {
        (Some(own), None) => Ok(own),
        _ => bail!("a wheel has one directory NAME.dist-info with a RECORD"),
    }
}

fn text<R: Read + Seek>(archive: &mut ZipArchive<R>, name: &str) -> Result<Option<String>> {
    /// Longest description that is read.
    const MAX_TEXT: u64 = 64 << 20;
    let Some(index) = archive.index_for_name(name) else { return Ok(None) };
    let mut text = String::new();
    let file = archive.by_index(index).with_context(|| name.to_owned())?;
    file.take(MAX_TEXT).read_to_string(&mut text).with_context(|| format!("reading {name}"))?;
    Ok(Some(text))
}

/// The bytes of a file and whether it is a program; nothing for a directory.
fn content<R: Read>(file: &mut ZipFile<'_, R>, left: &mut u64) -> Result<Option<(Vec<u8>, u16)>> {
    let name = file.name().context("a name that is no text")?;
    let plain = name.strip_suffix('/').unwrap_or(&name);
    let bad = |part: &str| matches!(part, "" | "." | "..");
    ensure!(
        !plain.split('/').any(bad) && !plain.contains(['\\', '\0']),
        "a path in a wheel has no `..`, no empty part and no `\\`"
    );
    if file.is_dir() {
        return Ok(None);
    }
    ensure!(!file.is_symlink(), "it is a link, which a wheel does not have");
    let mode = if file.unix_mode().unwrap_or(0) & 0o111 == 0 { 0o644 } else { 0o755 };
    let mut bytes = Vec::new();
    file.take(*left + 1).read_to_end(&mut bytes).context("it is damaged")?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    *left = left
        .checked_sub(size)
        .with_context(|| format!("more than {MAX_WHEEL} bytes when unpacked"))?;
    Ok(Some((bytes, mode)))
}

/// Puts a file where a bundle has it.
fn put(tree: &mut Tree, own: &str, name: &str, mut bytes: Vec<u8>, mode: u16) -> Result<()> {
    let data =
        own.strip_suffix(".dist-info").map(|stem| format!("{stem}.data/")).unwrap_or_default();
    let (path, mode) = match name.strip_prefix(&data).and_then(|rest| rest.split_once('/')) {
        None => (format!("{SITE}/{name}"), mode),
        Some(("purelib" | "platlib", rest)) => (format!("{SITE}/{rest}"), mode),
        Some(("data", rest)) => (rest.to_owned(), mode),
        Some(("headers", _)) => return Ok(()),
        Some(("scripts", rest)) => {
            bytes = for_python(bytes);
            (format!("bin/{rest}"), 0o755)
        }
        Some((other, _)) => bail!("nothing is known of {data}{}", other.escape_debug()),
    };
    Ok(tree.insert(&path, Node::file(mode, bytes))?)
}

/// A script whose first line says `python`, for the Python there is.
fn for_python(bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let first = bytes.get(..end).unwrap_or_default();
    if first != b"#!python" && first != b"#!pythonw" {
        return bytes;
    }
    [PYTHON.as_bytes(), bytes.get(end..).unwrap_or_default()].concat()
}

/// A field of `WHEEL` or `METADATA`.
pub(super) fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    fields(text, name).next()
}

/// The same, of which there may be several.
pub(super) fn fields<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let head = text.lines().take_while(|line| !line.is_empty());
    head.filter_map(move |line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}

/// Programs of `entry_points.txt`: name, module, what is called in it.
fn programs(text: &str) -> Vec<(String, String, String)> {
    let mut section = "";
    let mut programs = Vec::new();
    for line in
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
    {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if matches!(section, "console_scripts" | "gui_scripts") {
            programs.extend(program(line));
        }
    }
    programs
}

/// `NAME = MODULE:CALLED [EXTRAS]`; nothing if it is not such a line.
fn program(line: &str) -> Option<(String, String, String)> {
    let (name, object) = line.split_once('=')?;
    let object = object.split('[').next().unwrap_or_default();
    let (module, called) = object.split_once(':')?;
    let (name, module, called) = (name.trim(), module.trim(), called.trim());
    let word = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
    };
    let file = !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_alphanumeric() || "._-+".contains(c));
    (file && word(module) && word(called))
        .then(|| (name.to_owned(), module.to_owned(), called.to_owned()))
}

/// Lays the files of a wheel into those of others, which must not have the same with other bytes.
pub(super) fn join(into: &mut Tree, wheel: &Tree) -> Result<()> {
    for (path, node) in wheel.iter().filter(|(path, _)| !path.is_empty()) {
        match (into.get(path).map(|there| &there.kind), &node.kind) {
            (Some(Kind::Directory), Kind::Directory) => {}
            (Some(Kind::File(a)), Kind::File(b)) if a.read()? == b.read()? => {}
            (Some(_), _) => bail!("another wheel has {path} too, with other bytes"),
            (None, _) => into.insert(path, node.clone())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_made_of_what_a_wheel_declares() {
        let text = "[console_scripts]\nhttp = httpie.__main__:main\n bad name = a:b\n../x = a:b\nevil = a:b);import os\n\
                    [gui_scripts]\nui=pkg.ui:App.run [extra]\n[other]\nx = y:z\n";
        let found: Vec<_> = programs(text)
            .into_iter()
            .map(|(name, from, what)| format!("{name} {from} {what}"))
            .collect();
        assert_eq!(found, ["http httpie.__main__ main", "ui pkg.ui App.run"]);
    }

    #[test]
    fn scripts_for_any_python_are_for_the_one_there_is() {
        assert_eq!(for_python(b"#!python\nx".to_vec()), b"#!/usr/bin/python3\nx");
        assert_eq!(for_python(b"#!python".to_vec()), b"#!/usr/bin/python3");
        assert_eq!(for_python(b"#!/bin/sh\nx".to_vec()), b"#!/bin/sh\nx");
    }
}
