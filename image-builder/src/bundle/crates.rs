//! A program that cargo builds, as the file of a bundle: static, and the same wherever it is built.
//!
//! ```text
//! workspace, package, profile ─ cargo build ─► PROGRAM ─ needs no other file? ─► Tree
//! ```

use std::path::Path;

use anyhow::{Context, Result, bail};
use model::text::bundle::Crate;

use super::{Sources, elf, files};
use crate::programs::{self, Wanted};
use crate::tree::Tree;

/// Rust's names of processors with the C library that is linked in, by the kernel's names.
const TRIPLES: &[(&str, &str)] = &[
    ("x86_64", programs::TRIPLE),
    ("aarch64", "aarch64-unknown-linux-gnu"),
    ("riscv64", "riscv64gc-unknown-linux-gnu"),
    ("armv7l", "armv7-unknown-linux-gnueabihf"),
];

/// The programs of a package, at the top of the bundle.
pub(super) fn tree(
    wanted: &Crate,
    architectures: &[String],
    sources: &Sources<'_>,
) -> Result<Tree> {
    let [architecture] = architectures else {
        bail!(
            "cargo builds for one processor: say which in bundle.toml: [requires] architectures = [\"x86_64\"]"
        );
    };
    let triple = TRIPLES.iter().find(|(name, _)| name == architecture).map(|(_, triple)| *triple);
    let triple =
        triple.with_context(|| format!("Rust's name of {architecture} is not known here"))?;
    let path = Path::new(&wanted.path);
    let root = std::path::absolute(path).with_context(|| format!("finding {}", path.display()))?;
    let order = Wanted { root: &root, package: &wanted.package, profile: &wanted.profile, triple };
    let step = sources.progress.step(&format!("Compiling {}", wanted.package));
    let built = programs::build_for_app(&order, &*step)?;
    let chosen: Vec<_> = built
        .iter()
        .filter(|(name, _)| wanted.program.as_ref().is_none_or(|one| one == *name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = built.keys().map(String::as_str).collect();
        match &wanted.program {
            Some(program) => bail!(
                "cargo made no program `{program}` of {}: it made {}",
                wanted.package,
                names.join(", ")
            ),
            None => bail!(
                "cargo made no program of {}: an app needs a [[bin]] or src/main.rs",
                wanted.package
            ),
        }
    }
    let mut tree = Tree::new();
    for (name, file) in chosen {
        elf::runs_alone(file, architectures)?;
        let about =
            std::fs::metadata(file).with_context(|| format!("reading {}", file.display()))?;
        tree.insert(name, files::file(file, &about))?;
    }
    Ok(tree)
}
