//! A program in Python with wheels: what `pip install` would do, without running anything.
//!
//! ```text
//! wheels/*.whl ─ fit the Python of the runtime? ─ RECORD ─► site/, bin/ ─┐
//! own directory ─────────────────────────────────────────────────────────┴─► Tree, PYTHONPATH
//! ```

mod record;
mod tags;
#[cfg(test)]
mod tests;
mod wheel;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use model::bundle::{BUNDLES, Manifest};

use super::below::{Below, View};
use super::files::{self, Links};
use crate::tree::Tree;

use self::tags::{Name, Target};
use self::wheel::SITE;

/// Variable that says where packages of Python are.
const PATH: &str = "PYTHONPATH";

/// The program of Python.
const PROGRAM: &str = "usr/bin/python3";

/// The files of a bundle with its wheels. Its abilities are told where these are; `note` is told what may be missing.
pub(super) fn tree(
    (path, wheels): (&str, &[String]),
    exclude: &[String],
    manifest: &mut Manifest,
    below: Option<&Below>,
    note: &dyn Fn(&str),
) -> Result<Tree> {
    let mut tree = Tree::new();
    let target = target(manifest, below)?;
    let mut needs = BTreeMap::new();
    let mut packages = Vec::new();
    for file in expanded(wheels)? {
        let shown = || format!("the wheel {}", file.display());
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = Name::parse(name).with_context(shown)?;
        if let Err(why) = name.fits(&target) {
            bail!("{}: {why}: {}", shown(), download(&target));
        }
        let opened = fs::File::open(&file).with_context(shown)?;
        let wheel = wheel::read(BufReader::new(opened)).with_context(shown)?;
        wheel::join(&mut tree, &wheel.tree).with_context(shown)?;
        for need in needed(&wheel.metadata) {
            needs.entry(need).or_insert_with(|| name.package.clone());
        }
        packages.push(name.package);
    }
    packages.extend(below.map(installed).unwrap_or_default());
    for (need, by) in needs.iter().filter(|(need, _)| !packages.contains(need)) {
        note(&format!(
            "{by} needs the Python package {need}, which is neither among the wheels nor in the runtime"
        ));
    }
    let mut own = files::directory(Path::new(path), exclude, Links::Inside)?;
    without_empty(&mut own, Path::new(path), wheels);
    super::below::lay_over(&mut tree, &own)?;
    if tree.is_directory(SITE) {
        let site = format!("{BUNDLES}/{}/{SITE}", manifest.id);
        for ability in &mut manifest.abilities {
            ability.environment.entry(PATH.to_owned()).or_insert_with(|| site.clone());
        }
    }
    Ok(tree)
}

/// One wheel for a device that nobody knows: its files, and what it needs.
pub(super) fn one(name: &str, zip: impl Read + Seek) -> Result<(Tree, Vec<String>)> {
    let any = Target { minor: Some(13), glibc: Some(41), architecture: Some("x86_64".to_owned()) };
    if let Err(why) = Name::parse(name)?.fits(&any) {
        bail!(why);
    }
    let wheel = wheel::read(zip)?;
    Ok((wheel.tree, needed(&wheel.metadata)))
}

/// `RECORD` of a wheel.
pub(super) fn record(text: &str) -> Result<()> {
    record::sums(text).map(drop)
}

/// The Python that will run it.
fn target(manifest: &Manifest, below: Option<&Below>) -> Result<Target> {
    let architecture = match manifest.requires.architectures.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    };
    let Some(below) = below else { return Ok(Target { minor: None, glibc: None, architecture }) };
    let view = View { upper: &below.tree, lower: None };
    let program = view.find(PROGRAM).map(|(path, _)| path);
    let minor =
        program.as_deref().and_then(|path| path.strip_prefix("usr/bin/python3.")?.parse().ok());
    if minor.is_none() {
        bail!(
            "the runtime {} has no Python 3: there is no /{PROGRAM} that leads to one",
            below.shown()
        );
    }
    let glibc = below
        .package("libc6")
        .and_then(|v| v.strip_prefix("2.")?.split(['-', '.', '+']).next()?.parse().ok());
    Ok(Target { minor, glibc, architecture })
}

/// How to get wheels that fit.
fn download(target: &Target) -> String {
    let python =
        target.minor.map(|minor| format!(" --python-version 3.{minor}")).unwrap_or_default();
    let on = target
        .architecture
        .as_ref()
        .map(|on| format!(" --platform manylinux_2_28_{on}"))
        .unwrap_or_default();
    format!(
        "`pip download --only-binary=:all:{python}{on} --dest wheels NAME` finds those that fit"
    )
}

/// The files that are meant, in the order of their names.
fn expanded(wheels: &[String]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for wanted in wheels {
        let path = Path::new(wanted);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.contains('*') {
            all.push(path.to_owned());
            continue;
        }
        let directory =
            path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let entries =
            fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let found: Vec<String> =
            names.filter(|n| n.ends_with(".whl") && files::matches(name, n)).collect();
        if found.is_empty() {
            bail!(
                "no wheel is called {wanted}: `pip download --only-binary=:all: --dest wheels NAME` fetches them"
            );
        }
        all.extend(found.into_iter().map(|name| directory.join(name)));
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// What a wheel needs in any case: the names of `Requires-Dist` without a condition.
fn needed(metadata: &str) -> Vec<String> {
    let always = wheel::fields(metadata, "Requires-Dist").filter(|need| !need.contains(';'));
    let name = |need: &str| {
        let end = need
            .find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
            .unwrap_or(need.len());
        tags::package(need.get(..end).unwrap_or_default())
    };
    always.map(name).filter(|name| !name.is_empty()).collect()
}

/// Packages of Python that a runtime has.
fn installed(below: &Below) -> Vec<String> {
    let view = View { upper: &below.tree, lower: None };
    let names = view.names("usr/lib/python3/dist-packages");
    let own = names.into_iter().filter_map(|name| {
        name.strip_suffix(".dist-info").or_else(|| name.strip_suffix(".egg-info"))
    });
    own.map(|name| tags::package(name.split('-').next().unwrap_or_default())).collect()
}

/// Takes directories away that had nothing but wheels.
fn without_empty(tree: &mut Tree, path: &Path, wheels: &[String]) {
    for wanted in wheels {
        let directory = Path::new(wanted).parent().and_then(|parent| {
            if path == Path::new(".") { Some(parent) } else { parent.strip_prefix(path).ok() }
        });
        let Some(inside) = directory.and_then(Path::to_str).filter(|inside| !inside.is_empty())
        else {
            continue;
        };
        if tree.is_directory(inside) && tree.children(inside).next().is_none() {
            tree.remove(inside);
        }
    }
}
