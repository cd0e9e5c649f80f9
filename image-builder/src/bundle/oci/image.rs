//! From an archive to a configuration and layers: the formats of OCI and of Docker.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::archive::Archive;
use crate::packages::lock::hex;

/// Most layers of an image; Docker makes 127 at most.
const MAX_LAYERS: usize = 128;

/// Deepest index within an index.
const MAX_DEPTH: usize = 3;

/// Most indexes of one archive.
const MAX_INDEXES: usize = 64;

/// Go's names of processors, by which images are named, with the kernel's.
const PROCESSORS: &[(&str, &str)] =
    &[("amd64", "x86_64"), ("arm64", "aarch64"), ("arm", "armv7l"), ("riscv64", "riscv64")];

/// An image.
#[derive(Debug)]
pub(super) struct Image {
    /// What it lies in.
    pub(super) archive: Archive,
    /// How it is started.
    pub(super) config: Config,
    /// What it is made of, the lowest first.
    pub(super) layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// Where it is in the archive.
    pub(super) path: String,
    /// SHA-256 of the file there, if something says it.
    pub(super) sum: Option<String>,
    /// SHA-256 of the tar.
    pub(super) tar: String,
}

/// How an image is started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Config {
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    config: Started,
    rootfs: Root,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Root {
    diff_ids: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Started {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    exposed_ports: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Config {
    /// The processor it is for, in the kernel's spelling where that is known.
    #[must_use]
    pub fn processor(&self) -> &str {
        processor(&self.architecture)
    }

    /// Program and arguments.
    #[must_use]
    pub fn exec(&self) -> Vec<String> {
        let parts = [&self.config.entrypoint, &self.config.cmd];
        parts.into_iter().flatten().flatten().cloned().collect()
    }

    /// Variables.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let pairs = self.config.env.iter().flatten().filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Where it starts.
    #[must_use]
    pub fn directory(&self) -> &str {
        self.config.working_dir.as_deref().filter(|path| !path.is_empty()).unwrap_or("/")
    }

    /// Whether others connect to it by the network.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.config.exposed_ports.as_ref().is_some_and(|ports| !ports.is_empty())
    }
}

/// A processor in the kernel's spelling where that is known.
fn processor(go: &str) -> &str {
    PROCESSORS.iter().find(|(name, _)| *name == go).map_or(go, |(_, kernel)| kernel)
}

impl Image {
    /// Finds out what is in an archive; of several images, the one for one of these processors.
    pub(super) fn open(path: &Path, processors: &[String]) -> Result<Self> {
        let archive = Archive::open(path)?;
        let (config, layers) = if archive.has("index.json") {
            oci(&archive, processors)?
        } else if archive.has("manifest.json") {
            docker(&archive)?
        } else {
            bail!(
                "it has neither index.json nor manifest.json: `podman save` or `docker save` write images"
            );
        };
        ensure!(
            config.os.is_empty() || config.os == "linux",
            "it is for {}",
            config.os.escape_debug()
        );
        let tars = &config.rootfs.diff_ids;
        ensure!(tars.len() == layers.len(), "{} layers, and sums of {}", layers.len(), tars.len());
        ensure!(
            layers.len() <= MAX_LAYERS,
            "{} layers are over the limit of {MAX_LAYERS}",
            layers.len()
        );
        let layers = layers
            .into_iter()
            .zip(tars)
            .map(|((path, sum), tar)| Ok(Layer { path, sum, tar: sha256(tar)? }));
        let layers = layers.collect::<Result<Vec<_>>>()?;
        Ok(Self { archive, config, layers })
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType", default)]
    media: String,
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
    #[serde(default)]
    variant: String,
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

type Layers = Vec<(String, Option<String>)>;

/// An OCI layout.
fn oci(archive: &Archive, processors: &[String]) -> Result<(Config, Layers)> {
    let mut all = Vec::new();
    let index: Index = json(&archive.small("index.json")?, "index.json")?;
    images(archive, index, (&mut 1, MAX_DEPTH), &mut all)?;
    let manifest: Manifest =
        json(&blob(archive, &chosen(&all, processors)?.digest)?, "its manifest")?;
    let config = json(&blob(archive, &manifest.config.digest)?, "its configuration")?;
    let layer = |layer: &Descriptor| {
        let sum = sha256(&layer.digest)?;
        Ok((format!("blobs/sha256/{sum}"), Some(sum)))
    };
    Ok((config, manifest.layers.iter().map(layer).collect::<Result<_>>()?))
}

/// All images of an index and of those in it, each once; `read` counts indexes.
fn images(
    archive: &Archive,
    index: Index,
    (read, depth): (&mut usize, usize),
    all: &mut Vec<Descriptor>,
) -> Result<()> {
    for one in index.manifests {
        // Attestations are for no platform.
        if one.platform.as_ref().is_some_and(|on| on.os == "unknown") {
            continue;
        }
        if !one.media.contains("index") && !one.media.contains("manifest.list") {
            if !all.iter().any(|known| known.digest == one.digest) {
                all.push(one);
            }
            continue;
        }
        *read += 1;
        ensure!(depth > 0 && *read <= MAX_INDEXES, "indexes in indexes, too many");
        let inner = json(&blob(archive, &one.digest)?, "its index")?;
        images(archive, inner, (read, depth - 1), all)?;
    }
    Ok(())
}

/// The one image, or the one of several that is for one of these processors.
fn chosen<'a>(images: &'a [Descriptor], processors: &[String]) -> Result<&'a Descriptor> {
    if let [one] = images {
        return Ok(one);
    }
    ensure!(!images.is_empty(), "there is no image in it");
    let fits = |one: &&Descriptor| {
        let on = one.platform.as_ref().filter(|on| on.os == "linux");
        on.is_some_and(|on| processors.iter().any(|wanted| wanted == processor(&on.architecture)))
    };
    let there = || images.iter().map(Descriptor::shown).collect::<Vec<_>>().join(", ");
    let wanted = processors.join(" or ");
    match images.iter().filter(fits).collect::<Vec<_>>().as_slice() {
        [one] => Ok(one),
        [] if processors.is_empty() => bail!(
            "it has several images, {}: [requires] architectures says which one is meant",
            there()
        ),
        [] => bail!("it has no image for {wanted}; it has {}", there()),
        several => bail!(
            "it has {} images for {wanted}: {}: name one processor in [requires] architectures, or save one image",
            several.len(),
            there()
        ),
    }
}

impl Descriptor {
    /// What it is for.
    fn shown(&self) -> String {
        let Some(on) = &self.platform else { return "one for who knows what".to_owned() };
        let words = [&on.os, &on.architecture, &on.variant];
        let words: Vec<&str> =
            words.into_iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        words.join("/").escape_debug().to_string()
    }
}

/// What is called by its sum.
fn blob(archive: &Archive, digest: &str) -> Result<Vec<u8>> {
    let sum = sha256(digest)?;
    let bytes = archive.small(&format!("blobs/sha256/{sum}"))?;
    ensure!(
        hex(&Sha256::digest(&bytes)) == sum,
        "blobs/sha256/{sum} has another sum: the image is damaged"
    );
    Ok(bytes)
}

/// The digits of a sum.
fn sha256(digest: &str) -> Result<String> {
    let digits = digest
        .strip_prefix("sha256:")
        .with_context(|| format!("`{}` is no SHA-256", digest.escape_debug()))?;
    let legal = digits.len() == 64
        && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    ensure!(legal, "`{}` is no SHA-256", digest.escape_debug());
    Ok(digits.to_owned())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

/// What Docker writes.
fn docker(archive: &Archive) -> Result<(Config, Layers)> {
    let saved: Vec<Saved> = json(&archive.small("manifest.json")?, "manifest.json")?;
    let [saved] = saved.as_slice() else {
        bail!("there are {} images in it: save one of them", saved.len());
    };
    let config = json(&archive.small(&saved.config)?, "its configuration")?;
    Ok((config, saved.layers.iter().map(|path| (path.clone(), None)).collect()))
}

fn json<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).with_context(|| format!("{what} is not what an image has"))
}
