//! `ens bench build`: processor seconds of builds, from nothing cached to nothing changed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use model::device::{File, FileContent};
use model::text::Loaded;

use super::{devices, print};
use crate::build::{Builder, Order};
use crate::built::Flavor;
use crate::doctor;
use crate::packages::cache::Cache;
use crate::packages::resolve::{self, Relock};
use crate::progress::{self, Progress, Silent};
use crate::recipe;
use crate::workspace::Workspace;
use crate::{profiles, programs};

/// Measure builds of an image, in processor seconds
///
/// Time of the processor in our own code and in the kernel for us; compiling the device's programs
/// is done before and does not count. Packages come from the cache.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bench build
  ens bench build headless --json")]
pub(super) struct Build {
    /// Name in configs/devices, or path to a TOML
    #[arg(default_value = "phone")]
    device: OsString,

    /// Print the seconds as JSON
    #[arg(long)]
    json: bool,
}

/// What is measured, in order: each builds on what the one before left.
const CASES: [&str; 5] = [
    "nothing but the package files",
    "packages unpacked, no step done",
    "one file changed",
    "one service changed",
    "nothing changed",
];

impl Build {
    pub(super) fn run(&self) -> Result<u8> {
        let progress = progress::to_stderr(false);
        let workspace = Workspace::find()?;
        doctor::provide(&[doctor::For::Build], &*progress)?;
        let toml = devices::toml(&workspace, &self.device)?;
        let loaded = devices::load(&workspace, &toml, None)?;
        devices::make(&workspace, &loaded, Flavor::Machine, false, &*progress)?;
        let directory = workspace.ours("bench-build");
        let measured = measure(&workspace, loaded, &directory, &*progress);
        fs::remove_dir_all(&directory)
            .with_context(|| format!("removing {}", directory.display()))?;
        let measured = measured?;
        if self.json {
            let all: BTreeMap<&str, f64> = CASES.into_iter().zip(measured).collect();
            print(&serde_json::to_string_pretty(&all)?);
        } else {
            let line = |(case, seconds): (&str, &f64)| format!("{seconds:8.2} s  {case}");
            print(&CASES.into_iter().zip(&measured).map(line).collect::<Vec<_>>().join("\n"));
        }
        Ok(0)
    }
}

/// The processor seconds of each of [`CASES`].
fn measure(
    workspace: &Workspace,
    mut loaded: Loaded,
    directory: &Path,
    progress: &dyn Progress,
) -> Result<Vec<f64>> {
    let mut programs = programs::build(workspace, progress)?;
    profiles::compile(workspace, &mut loaded, &mut programs, progress)?;
    let lock = devices::lock_file(&loaded)?;
    let (cache, steps) = (Cache::new(directory.join("cache")), directory.join("steps"));
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    link_packages(&Cache::of_user(workspace), &cache, &loaded, &lock)?;
    let source = directory.join("file");
    let text = source.to_str().context("the path of the project is not UTF-8")?;
    let content = FileContent::Source(text.to_owned());
    let file = File { path: "/etc/bench".to_owned(), content, mode: 0o644, uid: 0, gid: 0 };
    loaded.device.files.push(file);

    let builder = Builder {
        workspace,
        cache: &cache,
        steps: &steps,
        programs: &programs,
        progress: &Silent,
        verbose: false,
    };
    let mut measured = Vec::new();
    for (case, name) in CASES.into_iter().enumerate() {
        match case {
            0 => fs::write(&source, "one")?,
            1 => fs::remove_dir_all(&steps)?,
            2 => fs::write(&source, "two")?,
            3 => change_service(&mut loaded),
            _ => {}
        }
        let _step = progress.step(name);
        let before = sys::process::cpu_time()?;
        let order = Order { loaded: &loaded, lock: &lock, relock: Relock::Never };
        builder.build(&order, Flavor::Machine)?;
        measured.push((sys::process::cpu_time()? - before).as_secs_f64());
    }
    Ok(measured)
}

fn change_service(loaded: &mut Loaded) {
    if let Some(service) = loaded.plan.services.first_mut() {
        service.about.push('!');
    }
}

/// Gives `to` the package files of the device, and nothing made of them.
fn link_packages(from: &Cache, to: &Cache, loaded: &Loaded, lock: &Path) -> Result<()> {
    let request = recipe::request(&loaded.device);
    let lock = resolve::lock(from, &request, lock, Relock::Never, &Silent)?;
    for package in &lock.packages {
        let file = to.deb(package);
        fs::create_dir_all(file.parent().unwrap_or(&file))?;
        std::os::unix::fs::symlink(std::path::absolute(from.deb(package))?, &file)
            .with_context(|| format!("making {}", file.display()))?;
    }
    Ok(())
}
