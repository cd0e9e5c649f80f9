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

use super::Sources;
use super::rooted::{self, DEVICES_OWN};
use crate::tree::Tree;

pub use image::Config;
use image::Image;

/// The files of an image.
pub(super) fn tree(
    path: &Path,
    exclude: &[String],
    architectures: &[String],
    sources: &Sources<'_>,
) -> Result<Tree> {
    let image = open(path)?;
    let processor = image.config.processor();
    if !architectures.iter().any(|one| one == processor) {
        bail!(
            "{} is for {processor}, and bundle.toml does not say so: [requires] architectures = [\"{processor}\"]",
            path.display()
        );
    }
    files(path, &image, exclude, sources)
}

/// How an image is started, and the files it has.
///
/// # Errors
/// It is no image, or a damaged one.
pub fn read(path: &Path, sources: &Sources<'_>) -> Result<(Config, Tree)> {
    let image = open(path)?;
    let tree = files(path, &image, &[], sources)?;
    Ok((image.config, tree))
}

fn open(path: &Path) -> Result<Image> {
    Image::open(path).with_context(|| format!("reading the image {}", path.display()))
}

fn files(path: &Path, image: &Image, exclude: &[String], sources: &Sources<'_>) -> Result<Tree> {
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
