//! What was fetched and unpacked before, kept for the next build.
//!
//! ```text
//! CACHE/apt/KEY/          private roots of apt, one per set of mirrors, suite and architecture
//! CACHE/debs/SHA256.deb   package files, checked
//! CACHE/unpacked/SHA256.tar, SHA256.control   their contents, uncompressed
//! CACHE/modules/SHA256/NAME.ko                kernel modules, uncompressed
//! CACHE/layers/SHA256.tar                     layers of images of containers, uncompressed
//! ```
//!
//! Invariant: a file under its final name is whole: it is written under another name and renamed.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::lock::{Locked, hex};
use crate::workspace::Workspace;

/// How much of a file is read at once.
const CHUNK: usize = 1 << 18;

/// How the names of files begin that are being written.
const PARTIAL: &str = ".part-";

/// The cache below one directory.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache at `root`; directories are made when they are needed.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The one of all projects of this user, since packages are the same everywhere: the environment's
    /// `ENSEMBLE_CACHE`, else below the home directory, else below `workspace`.
    #[must_use]
    pub fn of_user(workspace: &Workspace) -> Self {
        let named = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let shared = named("ENSEMBLE_CACHE")
            .or_else(|| named("XDG_CACHE_HOME").map(|dir| dir.join("ensemble")))
            .or_else(|| named("HOME").map(|dir| dir.join(".cache/ensemble")));
        Self::new(shared.unwrap_or_else(|| workspace.ours("cache")))
    }

    /// Its directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the file of a package is or will be.
    #[must_use]
    pub fn deb(&self, package: &Locked) -> PathBuf {
        self.root.join("debs").join(format!("{}.deb", package.sha256))
    }

    /// Where the file of a package is while it is fetched.
    #[must_use]
    pub fn partial(&self, package: &Locked) -> PathBuf {
        self.root.join("debs/partial").join(format!("{}.deb", package.sha256))
    }

    /// Where the uncompressed content of a package is or will be.
    #[must_use]
    pub fn unpacked(&self, package: &Locked) -> PathBuf {
        self.root.join("unpacked").join(format!("{}.tar", package.sha256))
    }

    /// Where the control file of a package is or will be.
    #[must_use]
    pub fn control(&self, package: &Locked) -> PathBuf {
        self.root.join("unpacked").join(format!("{}.control", package.sha256))
    }

    /// Where the tar with this sum, a layer of an image, is or will be.
    #[must_use]
    pub fn layer(&self, sha256: &str) -> PathBuf {
        self.root.join("layers").join(format!("{sha256}.tar"))
    }

    /// Waits until no other `ens` fetches into this cache; the lock ends with the value.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn exclusively(&self) -> Result<File> {
        make_directory(&self.root)?;
        let path = self.root.join("lock");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("opening {}", path.display()))?;
        file.lock().with_context(|| format!("locking {}", path.display()))?;
        Ok(file)
    }

    /// Removes what a build that was stopped left half-way. Only for who is here exclusively.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn sweep(&self) -> Result<()> {
        let directory = self.root.join("unpacked");
        make_directory(&directory)?;
        for entry in
            fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))?
        {
            let path = entry?.path();
            if path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(PARTIAL)) {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Moves a fetched file to its final name if size and sum are those of the lock.
    ///
    /// # Errors
    /// They are not, and the file is removed; or it cannot be read or moved.
    pub fn accept(&self, package: &Locked) -> Result<()> {
        let from = self.partial(package);
        let (size, sum) = digest(&from)?;
        if (size, sum.as_str()) != (package.size, package.sha256.as_str()) {
            fs::remove_file(&from).with_context(|| format!("removing {}", from.display()))?;
            bail!(
                "{} {} ({}): the mirror gave {size} bytes with SHA-256 {sum}; {} bytes with {} were expected",
                package.name,
                package.version,
                package.filename,
                package.size,
                package.sha256
            );
        }
        let to = self.deb(package);
        fs::rename(&from, &to)
            .with_context(|| format!("renaming {} to {}", from.display(), to.display()))
    }
}

/// Makes a directory with those above it.
///
/// # Errors
/// It cannot be made.
pub fn make_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .with_context(|| format!("making the directory {}: is its place writable?", path.display()))
}

/// Writes a file so that it is whole or not there.
///
/// # Errors
/// `fill` fails, or the file cannot be written.
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    make_directory(directory)?;
    let place = || format!("writing {}", path.display());
    let ordinary = Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new()
        .prefix(PARTIAL)
        .permissions(ordinary)
        .tempfile_in(directory)
        .with_context(place)?;
    fill(file.as_file_mut()).with_context(place)?;
    file.persist(path).map_err(|e| e.error).with_context(place)?;
    Ok(())
}

/// Size and SHA-256 of a file.
///
/// # Errors
/// It cannot be read.
pub fn digest(path: &Path) -> Result<(u64, String)> {
    let read = || -> io::Result<(u64, String)> {
        let (mut file, mut sum, mut size) = (File::open(path)?, Sha256::new(), 0_u64);
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok((size, hex(&sum.finalize())));
            }
            sum.update(buffer.get(..count).unwrap_or_default());
            size += u64::try_from(count).unwrap_or(u64::MAX);
        }
    };
    read().with_context(|| format!("reading {}", path.display()))
}
