//! A layer as an uncompressed tar in the cache: unpacked once, under its sum.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::archive::Archive;
use super::image::Layer;
use crate::packages::cache::{Cache, write_whole};
use crate::packages::compression::Compression;
use crate::packages::lock::hex;

/// Most bytes of all layers of an image, uncompressed: four times what a bundle may have.
pub(super) const MAX_IMAGE: u64 = 16 << 30;

/// The tar of a layer; `left` is how many bytes it may have.
pub(super) fn layer(
    archive: &Archive,
    layer: &Layer,
    cache: &Cache,
    left: &mut u64,
) -> Result<PathBuf> {
    let path = cache.layer(&layer.tar);
    if let Ok(about) = std::fs::metadata(&path) {
        take(left, about.len())?;
        return Ok(path);
    }
    let mut length = 0;
    write_whole(&path, |file| {
        let (from, _) = archive.file(&layer.path)?;
        let mut packed = Summed::new(from);
        let mut unpacked = Summed::new(decompressed(&mut packed)?.take(*left + 1));
        length = io::copy(&mut unpacked, file).context("it is damaged")?;
        take(left, length)?;
        let found = unpacked.sum();
        ensure!(
            found == layer.tar,
            "its tar has the sum {found}, not {}: the image is damaged",
            layer.tar
        );
        drop(unpacked);
        // What is behind the compressed part counts too.
        io::copy(&mut packed, &mut io::sink())?;
        let found = packed.sum();
        ensure!(
            layer.sum.as_ref().is_none_or(|sum| *sum == found),
            "it has the sum {found}: the image is damaged"
        );
        Ok(file.flush()?)
    })?;
    Ok(path)
}

fn take(left: &mut u64, length: u64) -> Result<()> {
    *left = left
        .checked_sub(length)
        .with_context(|| format!("the layers have more than {MAX_IMAGE} bytes"))?;
    Ok(())
}

/// By how it begins: names and types of layers are not to be relied on.
pub(in super::super) fn decompressed<'a>(from: &'a mut impl Read) -> Result<Box<dyn Read + 'a>> {
    let mut begin = Vec::new();
    from.by_ref().take(4).read_to_end(&mut begin)?;
    let how = match begin.as_slice() {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        _ => Compression::None,
    };
    Ok(how.reader(io::Cursor::new(begin).chain(from))?)
}

/// Counts what is read into a sum.
struct Summed<R> {
    from: R,
    sum: Sha256,
}

impl<R> Summed<R> {
    fn new(from: R) -> Self {
        Self { from, sum: Sha256::new() }
    }

    fn sum(&self) -> String {
        hex(&self.sum.clone().finalize())
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(to)?;
        self.sum.update(to.get(..count).unwrap_or_default());
        Ok(count)
    }
}
