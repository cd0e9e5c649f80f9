//! The image of a container as the files of a bundle.
//!
//! ```text
//! archive ─► index, manifest, config ─► layers, sums checked ─► cache ─ layer on layer ─► Tree ─► without what is the device's
//! ```
//!
//! Reads what `podman save` and `docker save` write: OCI layouts (a tar or a directory) and Docker's archives. It
//! comes from anybody: sizes are limited, and what is named by a sum must have it. Owners, rights and capabilities
//! of files are not kept: an app has one user, and its device gives the rights.

mod archive;
mod image;
mod layers;
#[cfg(test)]
mod tests;
mod unpack;

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::below::View;
use super::rooted::{self, DEVICES_OWN};
use super::{Sources, files};
use crate::tree::Tree;

/// Where programs of an image are looked for that says nothing else.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

pub use image::Config;
use image::Image;
pub(super) use unpack::decompressed;

/// The files of an image.
pub(super) fn tree(
    path: &Path,
    exclude: &[String],
    architectures: &[String],
    sources: &Sources<'_>,
) -> Result<Tree> {
    let image = open(path, architectures)?;
    let processor = image.config.processor();
    if !architectures.iter().any(|one| one == processor) {
        bail!(
            "{} is for {processor}, and bundle.toml does not say so: [requires] architectures = [\"{processor}\"]",
            path.display()
        );
    }
    unpacked(path, &image, exclude, sources)
}

/// How an image is started, and the files it has. Of several images it is the one for this host's processor.
///
/// # Errors
/// It is no image, or a damaged one.
pub fn read(path: &Path, sources: &Sources<'_>) -> Result<(Config, Tree)> {
    let image = open(path, &[std::env::consts::ARCH.to_owned()])?;
    let tree = unpacked(path, &image, &[], sources)?;
    Ok((image.config, tree))
}

/// Program and arguments with which an image starts in a bundle: its program by its path, in the directory that it
/// says; empty if it says nothing.
#[must_use]
pub fn started(config: &Config, tree: &Tree) -> Vec<String> {
    let mut exec = config.exec();
    let Some(program) = exec.first_mut() else { return exec };
    let view = View { upper: tree, lower: None };
    let is_there = |path: &str| view.find(path).is_some_and(|(_, node)| super::is_file(&node.kind));
    let (directory, variables) = (config.directory(), config.environment());
    if program.starts_with("./") || program.starts_with("../") {
        let path = format!("{}/{program}", directory.trim_end_matches('/'));
        *program =
            format!("/{}", files::joined("", path.trim_start_matches('/')).unwrap_or_default());
    } else if !program.contains('/') {
        let path =
            variables.iter().find(|(name, _)| name == "PATH").map_or(PATH, |(_, value)| value);
        let mut found = path.split(':').map(|place| format!("{place}/{program}"));
        if let Some(found) = found.find(|path| is_there(path)) {
            *program = found;
        }
    }
    if directory == "/" || !is_there("/bin/sh") {
        return exec;
    }
    let go = format!("cd '{}' && exec \"$@\"", directory.replace('\'', r"'\''"));
    ["/bin/sh", "-c", &go, "sh"].map(str::to_owned).into_iter().chain(exec).collect()
}

/// How many layers an image has.
pub(super) fn looked_at(path: &Path, processors: &[String]) -> Result<usize> {
    let image = Image::open(path, processors)?;
    Ok(image.layers.len())
}

/// The files of layers, each a tar.
pub(super) fn laid(tars: &[&Path]) -> Result<Tree> {
    let mut tree = Tree::new();
    tars.iter().try_for_each(|tar| layers::apply(&mut tree, tar))?;
    layers::share(&mut tree)?;
    rooted::fit(&tree, &[DEVICES_OWN], &[])
}

fn open(path: &Path, processors: &[String]) -> Result<Image> {
    Image::open(path, processors).with_context(|| format!("reading the image {}", path.display()))
}

fn unpacked(path: &Path, image: &Image, exclude: &[String], sources: &Sources<'_>) -> Result<Tree> {
    let reading = || format!("reading the image {}", path.display());
    let mut tree = Tree::new();
    let fresh = |layer: &image::Layer| !sources.cache.layer(&layer.tar).exists();
    let unpacking = || sources.progress.step(&format!("Unpacking {}", path.display()));
    let step = image.layers.iter().any(fresh).then(unpacking);
    let mut left = unpack::MAX_IMAGE;
    for (number, layer) in image.layers.iter().enumerate() {
        if let Some(step) = &step {
            step.say(&format!("layer {} of {}", number + 1, image.layers.len()));
        }
        let file = unpack::layer(&image.archive, layer, sources.cache, &mut left);
        let file = file.with_context(|| format!("layer {}", number + 1)).with_context(reading)?;
        let applied = layers::apply(&mut tree, &file);
        applied.with_context(|| format!("layer {}", number + 1)).with_context(reading)?;
    }
    layers::share(&mut tree)?;
    rooted::fit(&tree, &[DEVICES_OWN, &[".dockerenv"]], exclude).with_context(reading)
}
