//! One build as the tests want it: which devices, from which TOML, into which step cache.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use image_builder::build::{Builder, Order};
use image_builder::built::{Built, Flavor};
use image_builder::host_files::HostFiles;
use image_builder::packages::cache::Cache;
use image_builder::packages::resolve::{self, Relock};
use image_builder::programs::Programs;
use image_builder::progress::Silent;
use image_builder::workspace::Workspace;
use model::text::{Loaded, load_device};

/// The project.
pub(crate) fn workspace() -> Workspace {
    Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned())
}

/// Names of the devices that ship, but for the one that others inherit.
pub(crate) fn devices() -> Vec<String> {
    workspace().devices().into_iter().filter(|name| name != "base").collect()
}

/// Small files in place of our programs: a build only copies them.
pub(crate) fn stand_ins(directory: &Path) -> Programs {
    fs::create_dir_all(directory).unwrap();
    let names = [
        "ability-manager",
        "init",
        "servicemgr",
        "journal",
        "store",
        "softbus",
        "remote",
        "ensctl",
        "ensctl-brief",
        "debug-agent",
    ];
    let one = |name: &str| {
        let path = directory.join(name);
        fs::write(&path, name.repeat(1000)).unwrap();
        (name.to_owned(), path)
    };
    names.map(one).into_iter().collect::<BTreeMap<String, PathBuf>>()
}

/// Reads a device with the services of the project.
pub(crate) fn load(toml: &Path) -> Loaded {
    let loaded = load_device(&HostFiles::of(&workspace()), toml.to_str().unwrap());
    loaded.unwrap_or_else(|report| panic!("{}", report.render(false)))
}

/// Does `work` with a builder; the lock must be there.
pub(crate) fn with<T>(
    cache: &Cache,
    toml: &Path,
    scratch: &Path,
    work: impl FnOnce(&Builder<'_>, &Order<'_>) -> T,
) -> T {
    with_loaded(cache, &load(toml), toml, scratch, work)
}

/// The same for a device that was read before.
pub(crate) fn with_loaded<T>(
    cache: &Cache,
    loaded: &Loaded,
    toml: &Path,
    scratch: &Path,
    work: impl FnOnce(&Builder<'_>, &Order<'_>) -> T,
) -> T {
    let programs = stand_ins(&scratch.join("programs"));
    let steps = scratch.join("steps");
    let builder = Builder {
        workspace: &workspace(),
        cache,
        steps: &steps,
        programs: &programs,
        progress: &Silent,
        verbose: false,
    };
    let lock = resolve::lock_path(toml);
    work(&builder, &Order { loaded, lock: &lock, relock: Relock::Never })
}

/// Builds for a machine or a container.
pub(crate) fn build(toml: &Path, scratch: &Path, flavor: Flavor) -> Result<Built> {
    let cache = Cache::of_user(&workspace());
    with(&cache, toml, scratch, |builder, order| builder.build(order, flavor))
}
