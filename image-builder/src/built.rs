//! What a build gives: the files that a runner needs, and the device they were made from.
//!
//! `ens build --out DIR` writes the same as a directory with [`DESCRIPTION`] in it, so that
//! `ens run DIR` needs no sources.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use model::device::Device;
use serde::{Deserialize, Serialize};

use crate::steps::Held;

/// The file that describes a built directory.
pub const DESCRIPTION: &str = "ensemble.json";

/// Longest [`DESCRIPTION`] we read, in bytes.
const MAX_DESCRIPTION: u64 = 16 << 20;

/// A built device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Built {
    /// What it was made from.
    pub device: Device,
    /// Its files.
    pub parts: Parts,
    /// Keeps those of its files that are results of a step.
    #[serde(skip)]
    pub held: Held,
}

/// The files of a [`Built`]; relative to its directory in a [`DESCRIPTION`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parts {
    /// For a machine, started with its kernel directly.
    Machine {
        /// Raw disk image; runners never write to it.
        disk: PathBuf,
        /// Kernel.
        kernel: PathBuf,
        /// Initramfs with stage-0.
        initramfs: PathBuf,
        /// Kernel command line.
        cmdline: String,
    },
    /// For namespaces on the host's kernel.
    Container {
        /// Directory of the root; runners never write to it.
        root: PathBuf,
    },
}

/// What kind of thing is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flavor {
    /// A disk, a kernel, an initramfs.
    Machine,
    /// A root directory.
    Container,
}

impl Built {
    /// What kind of thing it is.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        match self.parts {
            Parts::Machine { .. } => Flavor::Machine,
            Parts::Container { .. } => Flavor::Container,
        }
    }

    /// Opens what `ens build --out` wrote: the directory, or any file in it.
    ///
    /// # Errors
    /// There is no description, it is of another version, or a file it names is missing.
    pub fn open(path: &Path) -> Result<Self> {
        let directory = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let file = directory.join(DESCRIPTION);
        let describe = || format!("reading {}: is this made by `ens build --out`?", file.display());
        if fs::metadata(&file).with_context(describe)?.len() > MAX_DESCRIPTION {
            bail!("{} is larger than any description", file.display());
        }
        let text = fs::read(&file).with_context(describe)?;
        let mut built: Self = serde_json::from_slice(&text).with_context(|| {
            format!("{} is of another version of ens; build the image again", file.display())
        })?;
        let directory = directory.canonicalize()?;
        for part in built.parts.paths_mut() {
            *part = directory.join(&*part);
            if !part.exists() {
                bail!("{} names {}, which is missing", file.display(), part.display());
            }
        }
        Ok(built)
    }
}

impl Parts {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Machine { disk, kernel, initramfs, .. } => vec![disk, kernel, initramfs],
            Self::Container { root } => vec![root],
        }
    }
}
