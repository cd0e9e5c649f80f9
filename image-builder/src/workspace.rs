//! Where things are on the build host: the project, what we make, devices by name.
//!
//! ```text
//! ROOT/configs/devices/NAME.toml      ROOT/target/ens/{cache,build,run,verify}
//! ```
//!
//! The root is the nearest directory above the current one with `configs/devices` in it, else the
//! one that this program was built from.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::packages::similar;

/// Directory of devices, relative to the root.
const DEVICES: &str = "configs/devices";

/// Directories of runs that are kept for their consoles.
const KEPT_RUNS: usize = 20;

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    root: PathBuf,
}

/// What a DEVICE on the command line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This TOML.
    Toml(PathBuf),
    /// Something built, see [`crate::built::Built::open`].
    Built(PathBuf),
}

impl Workspace {
    /// The project around the current directory; without any, a place of this user's for what we make,
    /// so that built devices run where there are no sources.
    ///
    /// # Errors
    /// There is no current directory, or no home.
    pub fn find() -> Result<Self> {
        let here = std::env::current_dir().context("finding the current directory")?;
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let mut candidates = here.ancestors().chain(built_from);
        if let Some(root) = candidates.find(|dir| dir.join(DEVICES).is_dir()) {
            return Ok(Self { root: root.to_owned() });
        }
        let home = std::env::home_dir().context("no configs/devices here or above, and no home")?;
        Ok(Self { root: home.join(".cache/ensemble/nowhere") })
    }

    /// The project at `root`.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A directory of ours under `target/ens`; nothing in it is precious.
    #[must_use]
    pub fn ours(&self, name: &str) -> PathBuf {
        self.target().join("ens").join(name)
    }

    /// Cargo's target directory.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR")
            .filter(|dir| !dir.is_empty())
            .map_or_else(|| self.root.join("target"), |dir| self.root.join(dir))
    }

    /// What `device` means: a file, something built, or a name in `configs/devices`.
    ///
    /// # Errors
    /// Nothing is called that; the devices there are, and the nearest name, are in the text.
    pub fn device(&self, device: &OsStr) -> Result<Found> {
        let path = Path::new(device);
        if path.is_file() && path.extension() == Some(OsStr::new("toml")) {
            return Ok(Found::Toml(path.to_owned()));
        }
        let is_path = path.components().count() > 1 || path.is_file();
        if is_path && path.exists() || path.join(crate::built::DESCRIPTION).is_file() {
            return Ok(Found::Built(path.to_owned()));
        }
        let toml = self.root.join(DEVICES).join(path).with_extension("toml");
        if !is_path && toml.is_file() {
            return Ok(Found::Toml(toml));
        }
        let shown = device.to_string_lossy();
        let names = self.devices();
        if names.is_empty() {
            bail!(
                "`{shown}` is no TOML and nothing built, and there is no {DEVICES} here or above: \
                 run this inside a clone of Ensemble"
            );
        }
        let near = similar(&shown, names.iter().map(String::as_str));
        let near = near.first().map_or(String::new(), |near| format!(" (did you mean {near}?)"));
        bail!("no device is called `{shown}`{near}: there are {}", names.join(", "))
    }

    /// Names of the devices in `configs/devices`.
    #[must_use]
    pub fn devices(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(DEVICES)).into_iter().flatten().flatten();
        let name = |path: PathBuf| {
            let stem = path.file_stem()?.to_str()?.to_owned();
            (path.extension()? == "toml").then_some(stem)
        };
        let mut names: Vec<String> = entries.filter_map(|e| name(e.path())).collect();
        names.sort();
        names
    }

    /// A new directory for a run of `name`; those of runs long over are removed.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn run_directory(&self, name: &str) -> Result<PathBuf> {
        let runs = self.ours("run");
        fs::create_dir_all(&runs).with_context(|| format!("making {}", runs.display()))?;
        sweep(&runs);
        let path = runs.join(format!("{name}-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        path.canonicalize().with_context(|| format!("finding {}", path.display()))
    }
}

/// Removes all but the newest [`KEPT_RUNS`] directories of runs that are over.
fn sweep(runs: &Path) {
    let over = |path: &Path| {
        let pid = path.file_name()?.to_str()?.rsplit('-').next()?.parse().ok()?;
        (!sys::process::exists(pid)).then(|| fs::metadata(path).ok()?.modified().ok()).flatten()
    };
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    let mut old: Vec<_> = entries.filter_map(|e| Some((over(&e.path())?, e.path()))).collect();
    old.sort();
    let extra = old.len().saturating_sub(KEPT_RUNS);
    for (_, path) in old.into_iter().take(extra) {
        // One that cannot be removed now is tried again by the next run.
        let _later = fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(DEVICES)).unwrap();
        for name in ["phone.toml", "tv.toml", "notes.txt"] {
            fs::write(dir.path().join(DEVICES).join(name), "").unwrap();
        }
        let workspace = Workspace::at(dir.path().to_owned());
        (dir, workspace)
    }

    #[test]
    fn a_device_is_found_by_name_by_path_and_as_an_image() {
        let (dir, workspace) = project();
        let phone = dir.path().join(DEVICES).join("phone.toml");
        assert_eq!(workspace.device("phone".as_ref()).unwrap(), Found::Toml(phone.clone()));
        assert_eq!(workspace.device(phone.as_ref()).unwrap(), Found::Toml(phone));
        let image = dir.path().join("disk.img");
        fs::write(&image, "").unwrap();
        assert_eq!(workspace.device(image.as_ref()).unwrap(), Found::Built(image));
    }

    #[test]
    fn a_typing_mistake_gets_the_nearest_name() {
        let (_dir, workspace) = project();
        let error = workspace.device("phnoe".as_ref()).unwrap_err().to_string();
        assert_eq!(error, "no device is called `phnoe` (did you mean phone?): there are phone, tv");
        let error = workspace.device("car".as_ref()).unwrap_err().to_string();
        assert_eq!(error, "no device is called `car`: there are phone, tv");
        let error =
            Workspace::at("/nowhere".into()).device("car".as_ref()).unwrap_err().to_string();
        assert!(error.ends_with("run this inside a clone of Ensemble"), "{error}");
    }
}
