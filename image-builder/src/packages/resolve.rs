//! From a request to a lock: read it, or find the packages anew and write it.
//!
//! ```text
//! lock file ─ answers the request ─────────────────────────────────────────► Lock
//!     └ missing, or of another request ─► update lists ─► closure ─► write ─► Lock
//! ```

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::Request;
use super::apt::Apt;
use super::cache::{Cache, write_whole};
use super::closure::closure;
use super::index::{Entry, Index, List};
use super::lock::{Lock, Locked, MAX_LOCK, fingerprint};
use crate::progress::Progress;

/// When the packages are found anew, and the lock file written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relock {
    /// When there is no lock file, or it answers another request.
    WhenNeeded,
    /// In any case.
    Always,
    /// Never: a lock file that does not answer the request is an error.
    Never,
}

/// The lock file of the device whose TOML is `toml`.
#[must_use]
pub fn lock_path(toml: &Path) -> PathBuf {
    toml.with_extension("lock")
}

/// The lock for `request` in the file `path`.
///
/// # Errors
/// The file cannot be read or written, packages cannot be found, or the lists cannot be fetched.
pub fn lock(
    cache: &Cache,
    request: &Request,
    path: &Path,
    relock: Relock,
    progress: &dyn Progress,
) -> Result<Lock> {
    if relock != Relock::Always {
        match read(path)? {
            Some(lock) if lock.answers(request) => return Ok(lock),
            found if relock == Relock::Never => {
                let why =
                    if found.is_some() { "it is for other packages" } else { "it is not there" };
                bail!("using the lock file {}: {why}: run `ens lock --update`", path.display());
            }
            _ => {}
        }
    }
    let lock = resolve(cache, request, relock, progress)?;
    write_whole(path, |file| Ok(file.write_all(lock.text().as_bytes())?))?;
    progress.note(&format!("wrote {} ({} packages)", path.display(), lock.packages.len()));
    Ok(lock)
}

/// Reads a lock file; nothing when there is none.
///
/// # Errors
/// It cannot be read, or it is not one.
pub fn read(path: &Path) -> Result<Option<Lock>> {
    let reading = || format!("reading the lock file {}", path.display());
    let mut text = String::new();
    match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened
            .and_then(|f| f.take(MAX_LOCK + 1).read_to_string(&mut text))
            .with_context(reading)?,
    };
    let fits = u64::try_from(text.len()).is_ok_and(|len| len <= MAX_LOCK);
    ensure!(fits, "{}: it is over the limit of {MAX_LOCK} bytes", reading());
    let parsed = Lock::parse(&text);
    parsed.map(Some).with_context(|| format!("{}: renew it with `ens lock --update`", reading()))
}

fn resolve(
    cache: &Cache,
    request: &Request,
    relock: Relock,
    progress: &dyn Progress,
) -> Result<Lock> {
    let _alone = cache.exclusively()?;
    let apt = Apt::new(cache, request)?;
    if let Err(error) = apt.update(progress) {
        if relock == Relock::Always || apt.names().is_none() {
            return Err(error);
        }
        progress.note(&format!("going on with the package lists fetched before: {error:#}"));
    }
    choose(request, &apt.lists()?)
}

/// The lock for `request` from these lists. Pure.
///
/// # Errors
/// Every reason why the packages cannot be installed together.
pub fn choose(request: &Request, lists: &[List]) -> Result<Lock> {
    let index = Index::new(lists);
    let chosen = closure(&index, &request.packages).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|p| format!("\n  {p}")).collect();
        anyhow::anyhow!("finding the packages in {}:{}", request.suite, lines.concat())
    })?;
    let packages: Vec<Locked> = chosen.into_iter().map(locked).collect();
    for package in &packages {
        package.check().with_context(|| format!("the package list of `{}`", package.name))?;
    }
    Ok(Lock {
        request: fingerprint(request),
        suite: request.suite.clone(),
        architecture: request.architecture.clone(),
        packages,
    })
}

fn locked(entry: &Entry<'_>) -> Locked {
    Locked {
        name: entry.name.to_owned(),
        version: entry.version.to_owned(),
        archive: entry.archive,
        filename: entry.filename.to_owned(),
        size: entry.size,
        sha256: entry.sha256.to_owned(),
    }
}

/// The names of all packages that the suite of `request` has, as far as is known without the
/// network; nothing before the first update.
#[must_use]
pub fn known_names(cache: &Cache, request: &Request) -> Option<Vec<String>> {
    Apt::new(cache, request).ok()?.names()
}
