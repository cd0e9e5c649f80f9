//! From a DEVICE on the command line to something built.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use api::paths::ATTACKS;
use model::device::{File, FileContent, Target};
use model::text::{Loaded, load_device};
use model::word::Word;

use super::{USAGE, bad_toml, print_error, with_code};
use crate::build::{Builder, Order};
use crate::built::{Built, Flavor};
use crate::bundle::{Sources, debian};
use crate::host_files::HostFiles;
use crate::packages::cache::Cache;
use crate::packages::resolve::{self, Relock};
use crate::progress::Progress;
use crate::workspace::{Found, Workspace};
use crate::{profiles, programs, recipe};

/// How a device is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// For a machine or a container.
    pub(super) flavor: Flavor,
    /// Target instead of the one in its TOML.
    pub(super) target: Option<&'a str>,
    /// Say why each step of the build ran.
    pub(super) verbose: bool,
}

/// Finds `device` and builds it if it is not built already.
pub(super) fn built(
    workspace: &Workspace,
    device: &OsStr,
    wanted: &Wanted,
    progress: &dyn Progress,
) -> Result<Built> {
    let toml = match named(workspace, device)? {
        Found::Toml(toml) => toml,
        Found::Built(path) => return opened(&path, wanted.flavor),
    };
    let loaded = load(workspace, &toml, wanted.target)?;
    make(workspace, &loaded, wanted.flavor, wanted.verbose, progress)
}

fn opened(path: &Path, flavor: Flavor) -> Result<Built> {
    let built = Built::open(path)?;
    if built.flavor() == flavor {
        return Ok(built);
    }
    match built.flavor() {
        Flavor::Machine => bail!("{} is for a machine: leave --container out", path.display()),
        Flavor::Container => bail!("{} is for a container: add --container", path.display()),
    }
}

/// Reads a device with all it refers to; warnings are printed.
pub(super) fn load(workspace: &Workspace, toml: &Path, target: Option<&str>) -> Result<Loaded> {
    let shown = toml.strip_prefix(workspace.root()).unwrap_or(toml);
    let here = std::env::current_dir().is_ok_and(|dir| dir == workspace.root());
    let path = if here { shown } else { toml };
    let path = path.to_str().context("the path of the device is not UTF-8")?;
    let mut loaded = load_device(&HostFiles::of(workspace), path).map_err(|r| bad_toml(&r))?;
    if let Some(word) = target {
        let target = Target::from_word(word).filter(|t| t.is_built());
        loaded.device.target = target.with_context(|| format!("--target {word}: not built yet"))?;
    }
    if !loaded.warnings.is_empty() {
        print_error(&loaded.warnings.render(stderr().is_terminal()));
    }
    Ok(loaded)
}

/// Builds a device as far as needed.
pub(super) fn make(
    workspace: &Workspace,
    loaded: &Loaded,
    flavor: Flavor,
    verbose: bool,
    progress: &dyn Progress,
) -> Result<Built> {
    with_builder(workspace, loaded, verbose, progress, |builder, order| {
        builder.build(order, flavor)
    })
}

/// Writes the root of a device as an OCI archive.
pub(super) fn oci(
    workspace: &Workspace,
    device: &OsStr,
    wanted: &Wanted,
    file: &Path,
    progress: &dyn Progress,
) -> Result<()> {
    let loaded = load(workspace, &toml(workspace, device)?, wanted.target)?;
    with_builder(workspace, &loaded, wanted.verbose, progress, |builder, order| {
        builder.oci(order, file)
    })
}

/// The kernel image of a device.
pub(super) fn kernel(
    workspace: &Workspace,
    loaded: &Loaded,
    progress: &dyn Progress,
) -> Result<PathBuf> {
    with_builder(workspace, loaded, false, progress, |builder, order| builder.kernel(order))
}

/// Makes or renews the lock of a device; of its apps only what there is none of.
pub(super) fn lock(
    workspace: &Workspace,
    device: &OsStr,
    target: Option<&str>,
    update: bool,
    progress: &dyn Progress,
) -> Result<()> {
    let loaded = load(workspace, &toml(workspace, device)?, target)?;
    let cache = Cache::of_user(workspace);
    check_packages(&cache, &loaded)?;
    let relock = if update { Relock::Always } else { Relock::WhenNeeded };
    let request = recipe::request(&loaded.device);
    resolve::lock(&cache, &request, &lock_file(&loaded)?, relock, progress)?;
    // Of its apps only what lacks is locked: they belong to other devices too.
    let sources = Sources { workspace, cache: &cache, relock: Relock::WhenNeeded, progress };
    let mut apps = loaded.apps.bundles.iter();
    apps.try_for_each(|app| debian::lock(&app.manifest, &app.source, &sources))
}

/// What `device` means; a wrong name is wrong usage.
fn named(workspace: &Workspace, device: &OsStr) -> Result<Found> {
    workspace.device(device).map_err(|e| with_code(e, USAGE))
}

/// The TOML of `device`; something built has none.
pub(super) fn toml(workspace: &Workspace, device: &OsStr) -> Result<PathBuf> {
    match named(workspace, device)? {
        Found::Toml(toml) => Ok(toml),
        Found::Built(path) => bail!("{} is built already: name a TOML", path.display()),
    }
}

fn with_builder<T>(
    workspace: &Workspace,
    loaded: &Loaded,
    verbose: bool,
    progress: &dyn Progress,
    work: impl FnOnce(&Builder<'_>, &Order<'_>) -> Result<T>,
) -> Result<T> {
    let cache = Cache::of_user(workspace);
    check_packages(&cache, loaded)?;
    let mut programs = programs::build(workspace, progress)?;
    let lock = lock_file(loaded)?;
    let mut loaded = loaded.clone();
    if loaded.device.debug.agent {
        add_attacks(&mut loaded.device.files);
    }
    build_test_programs(workspace, &mut loaded.device.files, progress)?;
    profiles::compile(workspace, &mut loaded, &mut programs, progress)?;
    let steps = workspace.ours("steps");
    let builder =
        Builder { workspace, cache: &cache, steps: &steps, programs: &programs, progress, verbose };
    let relock = Relock::WhenNeeded;
    work(&builder, &Order { loaded: &loaded, lock: &lock, relock })
}

/// Devices for development have the attack set, for `ensctl sandbox score`.
fn add_attacks(files: &mut Vec<File>) {
    if files.iter().any(|file| file.path == ATTACKS) {
        return;
    }
    let content = FileContent::Program(programs::ATTACKS.to_owned());
    files.push(File { path: ATTACKS.to_owned(), content, mode: 0o755, uid: 0, gid: 0 });
}

/// Builds the programs of tests that are wanted: from here on they are files like others.
fn build_test_programs(
    workspace: &Workspace,
    files: &mut [File],
    progress: &dyn Progress,
) -> Result<()> {
    for file in files {
        if let FileContent::Program(name) = &file.content {
            let path = if name == programs::ATTACKS {
                programs::build_attacks(workspace, progress)?
            } else {
                let built = programs::build_crate(workspace, name, progress)?;
                built.get(name).cloned().with_context(|| format!("cargo made no program {name}"))?
            };
            let path = path.to_str().with_context(|| format!("{}: not UTF-8", path.display()))?;
            file.content = FileContent::Source(path.to_owned());
        }
    }
    Ok(())
}

/// Names of packages that are wrong, at their place in the TOML, as far as lists are there already.
fn check_packages(cache: &Cache, loaded: &Loaded) -> Result<()> {
    let request = recipe::request(&loaded.device);
    if resolve::read(&lock_file(loaded)?)?.is_some_and(|lock| lock.answers(&request)) {
        return Ok(());
    }
    let Some(names) = resolve::known_names(cache, &request) else { return Ok(()) };
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let all = names.iter().map(String::as_str);
    loaded.check_packages(|name| known.contains(name), all).map_err(|report| bad_toml(&report))
}

/// The lock of a device lies beside its TOML.
pub(super) fn lock_file(loaded: &Loaded) -> Result<PathBuf> {
    let name = format!("{}.toml", loaded.device.name);
    let mut files = loaded.files.iter().map(Path::new);
    let toml = files.find(|f| f.file_name().is_some_and(|n| n == name.as_str()));
    Ok(resolve::lock_path(toml.context("a device was read from a file")?))
}
