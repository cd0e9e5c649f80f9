//! An OCI image layout in one tar file, which `podman load` and `skopeo` read.
//!
//! One layer, uncompressed: its digest is also its diff id, and it is streamed into the archive
//! once. The header before it is written last, when the digest that names it is known.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::date::Date;
use super::tar::{self, RECORD};
use super::{Partial, Time};
use crate::tree::Tree;

/// Names that begin with this would delete files of lower layers.
const WHITEOUT: &str = ".wh.";

/// How a container of the image starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `name:tag`, as `podman load` shows it.
    pub name: String,
    /// The architecture in Go's words: `amd64`, `arm64`.
    pub architecture: String,
    /// The program and its arguments.
    pub entrypoint: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The signal that asks it to stop (`SIGTERM`, `SIGRTMIN+3`).
    pub stop_signal: String,
    /// The time of the image and of all files.
    pub time: Time,
}

/// Writes `tree` as the archive `path`.
///
/// # Errors
/// The tree has a name that means deletion in a layer, a content cannot be read, `path` cannot be
/// written.
pub fn write(tree: &Tree, config: &Config, path: &Path) -> Result<()> {
    if let Some((path, _)) = tree.iter().find(|(p, _)| is_whiteout(p)) {
        ensure!(false, "{path}: an OCI image cannot hold a name that begins with {WHITEOUT}");
    }
    let archive = Partial::create(path)?;
    write_into(tree, config, archive.file())
        .with_context(|| format!("cannot write the OCI archive {}", path.display()))?;
    archive.finish()
}

fn is_whiteout(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(WHITEOUT))
}

fn write_into(tree: &Tree, config: &Config, file: &File) -> Result<()> {
    let time = config.time;
    let mut out = BufWriter::with_capacity(256 << 10, file);
    out.write_all(&[0; 512])?; // the layer's header
    let mut layer = Hashed { out: &mut out, hash: Sha256::new(), len: 0 };
    tar::stream(tree, time, &mut layer)?;
    let layer = Blob { digest: hex(&layer.hash.finalize()), len: layer.len };
    // Tar streams are whole records, so no padding follows.
    ensure!(layer.len.is_multiple_of(RECORD), "a tar stream has whole records");

    let image = image(config, &layer);
    let image_blob = put(&image, time, &mut out)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": image_blob.descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [layer.descriptor("application/vnd.oci.image.layer.v1.tar")],
    });
    let mut descriptor =
        put(&manifest, time, &mut out)?.descriptor("application/vnd.oci.image.manifest.v1+json");
    descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": config.name });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [descriptor],
    });
    tar::file("index.json", &serde_json::to_vec(&index)?, time, &mut out)?;
    let version = json!({ "imageLayoutVersion": "1.0.0" });
    tar::file("oci-layout", &serde_json::to_vec(&version)?, time, &mut out)?;
    tar::end(&mut out)?;
    drop(out);

    let header = tar::file_header(&layer.path(), layer.len, time)?;
    Ok(file.write_all_at(header.as_bytes(), 0)?)
}

/// The image's configuration.
fn image(config: &Config, layer: &Blob) -> Value {
    let created = Date::at(config.time).rfc3339();
    json!({
        "created": created,
        "architecture": config.architecture,
        "os": "linux",
        "config": {
            "Entrypoint": config.entrypoint,
            "Labels": config.labels,
            "StopSignal": config.stop_signal,
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", layer.digest)] },
        "history": [{ "created": created, "created_by": "ens build" }],
    })
}

/// Something named by its digest.
struct Blob {
    digest: String,
    len: u64,
}

impl Blob {
    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({
            "mediaType": media_type,
            "digest": format!("sha256:{}", self.digest),
            "size": self.len,
        })
    }
}

/// Adds `value` to the archive under its digest.
fn put(value: &Value, time: Time, out: &mut impl Write) -> Result<Blob> {
    let bytes = serde_json::to_vec(value)?;
    let blob = Blob { digest: hex(&Sha256::digest(&bytes)), len: u64::try_from(bytes.len())? };
    tar::file(&blob.path(), &bytes, time, out)?;
    Ok(blob)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Hashes and counts what it passes on.
struct Hashed<W> {
    out: W,
    hash: Sha256,
    len: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.out.write(buf)?;
        self.hash.update(buf.get(..n).unwrap_or_default());
        self.len += u64::try_from(n).map_err(io::Error::other)?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
