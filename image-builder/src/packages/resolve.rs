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
    let packages = locked_closure(&index, request, &request.packages)?;
    let tools = locked_closure(&index, request, &request.tools)?;
    Ok(Lock {
        request: fingerprint(request),
        suite: request.suite.clone(),
        architecture: request.architecture.clone(),
        packages,
        tools,
    })
}

/// These packages with all they depend on.
fn locked_closure(index: &Index<'_>, request: &Request, names: &[String]) -> Result<Vec<Locked>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let chosen = closure(index, names).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|p| format!("\n  {p}")).collect();
        anyhow::anyhow!("finding the packages in {}:{}", request.suite, lines.concat())
    })?;
    let packages: Vec<Locked> = chosen.into_iter().map(locked).collect();
    for package in &packages {
        package.check().with_context(|| format!("the package list of `{}`", package.name))?;
    }
    Ok(packages)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::fixture::{Item, cache, deb, put, tar};
    use super::super::lock::{Lock, fingerprint};
    use super::super::obtain::obtain;
    use super::{Relock, Request, lock, lock_path};
    use crate::progress::Silent;

    fn request(packages: &[&str]) -> Request {
        Request {
            suite: "trixie".into(),
            architecture: "amd64".into(),
            packages: packages.iter().map(ToString::to_string).collect(),
            tools: Vec::new(),
            mirror: None,
        }
    }

    #[test]
    fn with_a_lock_and_a_full_cache_neither_apt_nor_the_network_is_asked() {
        let (directory, cache) = cache();
        let demo = deb("Package: demo", "data.tar", &tar(&[Item::File("./usr/bin/demo", b"1")]));
        let locked = put(&cache, "demo", "1", &demo);
        let request = request(&["demo"]);
        let written = Lock {
            tools: Vec::new(),
            request: fingerprint(&request),
            suite: "trixie".into(),
            architecture: "amd64".into(),
            packages: vec![locked],
        };
        let path = directory.path().join("phone.lock");
        fs::write(&path, written.text()).unwrap();

        let read = lock(&cache, &request, &path, Relock::WhenNeeded, &Silent).unwrap();
        assert_eq!(read, written);
        let wanted: Vec<_> = read.packages.iter().collect();
        let packages = obtain(&cache, &request, &wanted, &Silent).unwrap();
        assert_eq!(packages[0].entries[0].path, "usr/bin/demo");

        // Unpacked once, the package file itself is not needed again.
        fs::remove_file(cache.deb(&read.packages[0])).unwrap();
        assert!(obtain(&cache, &request, &wanted, &Silent).is_ok());
        assert!(!directory.path().join("apt").exists());
    }

    #[test]
    fn a_lock_that_may_not_be_renewed_must_answer_the_request() {
        let (directory, cache) = cache();
        let path = directory.path().join("phone.lock");
        let try_it = || {
            format!(
                "{:#}",
                lock(&cache, &request(&["demo"]), &path, Relock::Never, &Silent).unwrap_err()
            )
        };
        let shown = path.display();
        assert_eq!(
            try_it(),
            format!("using the lock file {shown}: it is not there: run `ens lock --update`")
        );
        let other = request(&["other"]);
        let written = Lock {
            tools: Vec::new(),
            request: fingerprint(&other),
            suite: "trixie".into(),
            architecture: "amd64".into(),
            packages: vec![],
        };
        fs::write(&path, written.text()).unwrap();
        assert!(try_it().ends_with("it is for other packages: run `ens lock --update`"));
        fs::write(&path, "packages?").unwrap();
        assert!(try_it().contains("renew it with `ens lock --update`"));
    }

    #[test]
    fn the_lock_is_beside_the_device() {
        assert_eq!(
            lock_path(Path::new("configs/devices/phone.toml")),
            Path::new("configs/devices/phone.lock")
        );
    }
}
