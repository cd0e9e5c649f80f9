//! The key of a developer: made once, in a file that only its owner can read.
//!
//! ```text
//! ~/.config/ensemble/developer.key (0600)     one line: ed25519-secret:…
//! ```
//!
//! Never overwrites a key: apps that were signed with it could not be updated any more.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bundle::{PublicKey, SecretKey};

/// Longest file of a key, in bytes: one line.
const MAX_FILE: u64 = 4096;

/// Where this user's key is.
///
/// # Errors
/// There is no home.
pub fn place() -> Result<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let config = match config {
        Some(config) => config,
        None => std::env::home_dir().context("no home to keep a key in: set HOME")?.join(".config"),
    };
    Ok(config.join("ensemble/developer.key"))
}

/// Makes a key at `path`, or finds the one that is there. Says whether it is new.
///
/// # Errors
/// It cannot be written, or something else is there.
pub fn make(path: &Path) -> Result<(PublicKey, bool)> {
    let writing = || format!("writing {}", path.display());
    if let Some(directory) = path.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.with_context(|| format!("making {}", directory.display()))?;
    }
    let mut random = [0; 32];
    sys::random::fill(&mut random).context("asking the kernel for random bytes")?;
    let key = SecretKey::from_random(&random);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match file {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return Ok((read(path)?.public(), false));
        }
        file => file.with_context(writing)?,
    };
    let written = writeln!(file, "{}", key.to_text()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key would stand in the way of a whole one.
        drop(fs::remove_file(path));
    }
    written.with_context(writing)?;
    Ok((key.public(), true))
}

/// Reads a key.
///
/// # Errors
/// It is not there, is no key, or others can read it.
pub fn read(path: &Path) -> Result<SecretKey> {
    let shown = path.display();
    let about = match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            bail!("there is no key at {shown}: `ens bundle key` makes one")
        }
        about => about.with_context(|| format!("reading {shown}"))?,
    };
    if about.permissions().mode() & 0o077 != 0 {
        bail!(
            "others can read the key {shown}: chmod 600 it, and use another one if somebody may have read it"
        );
    }
    if about.len() > MAX_FILE {
        bail!("{shown} is no key: it has {} bytes", about.len());
    }
    let text = fs::read_to_string(path).with_context(|| format!("reading {shown}"))?;
    text.parse().with_context(|| format!("{shown} is no key"))
}
