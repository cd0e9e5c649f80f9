//! `ens bench sandbox`: our sandboxes beside bubblewrap.

use std::fs;

use anyhow::Result;
use clap::Args;

use super::bench::{contents, kernel};
use super::{bad_toml, print};
use crate::bench_sandbox::{self, PROFILES, PROGRAMS};
use crate::doctor;
use crate::host_files::HostFiles;
use crate::packages::assemble::assemble;
use crate::packages::cache::Cache;
use crate::packages::obtain::obtain;
use crate::packages::resolve::{self, Relock};
use crate::progress::{self, Progress};
use crate::tree::Tree;
use crate::workspace::Workspace;
use crate::{profiles, programs};

/// Where the exact packages are named.
const LOCK: &str = "tests/peers/sandbox.lock";

/// Start programs in sandboxes, beside bubblewrap from Debian's packages
///
/// From the start of a program to its end, on an emulated machine that counts instructions: bare, as
/// services and apps are started, and by others with the same policy; each step of the sandbox of an app; calls
/// through the filter, opens under Landlock. The console is kept in target/ens/bench/sandbox.log.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bench sandbox
  ens bench sandbox --json")]
pub(super) struct Sandbox {
    /// Take the newest packages there are
    #[arg(long)]
    update: bool,

    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

impl Sandbox {
    pub(super) fn run(&self) -> Result<u8> {
        let progress = progress::to_stderr(false);
        let workspace = Workspace::find()?;
        doctor::provide(&[doctor::For::Build, doctor::For::Machine], &*progress)?;
        let kernel = kernel(&workspace, &*progress)?;
        let theirs = programs::build_crate(&workspace, "tests", &*progress)?;
        let mut plan = bench_sandbox::plan(load(&workspace)?)?;
        profiles::compile_plan(&workspace, &mut plan, &mut theirs.clone(), &*progress)?;
        let tree = self.packages(&workspace, &*progress)?;
        let tree = bench_sandbox::root(tree, &contents(&theirs, &PROGRAMS)?, &plan)?;
        let directory = workspace.ours("bench");
        fs::create_dir_all(&directory)?;
        let initramfs = directory.join("sandbox.cpio");
        bench_sandbox::initramfs(&tree, &initramfs)?;
        let step = progress.step("Starting programs in sandboxes");
        let measured = bench_sandbox::run(&kernel, &initramfs, &directory.join("sandbox.log"))?;
        drop(step);
        print(&if self.json {
            serde_json::to_string_pretty(&measured)?
        } else {
            bench_sandbox::table(&measured)
        });
        Ok(0)
    }

    fn packages(&self, workspace: &Workspace, progress: &dyn Progress) -> Result<Tree> {
        let (cache, request) = (Cache::of_user(workspace), bench_sandbox::request());
        let relock = if self.update { Relock::Always } else { Relock::WhenNeeded };
        let path = workspace.root().join(LOCK);
        let lock = resolve::lock(&cache, &request, &path, relock, progress)?;
        let wanted: Vec<_> = lock.packages.iter().collect();
        assemble(&obtain(&cache, &request, &wanted, progress)?)
    }
}

/// The profiles as they ship.
pub(super) fn load(workspace: &Workspace) -> Result<Vec<(&'static str, model::sandbox::Profile)>> {
    let directory = workspace.root().join("configs/sandbox").display().to_string();
    let files = HostFiles::of(workspace);
    let one = |name| {
        let loaded = model::text::sandbox::load(&files, std::slice::from_ref(&directory), name);
        Ok((name, loaded.map_err(|r| bad_toml(&r))?.profile))
    };
    PROFILES.into_iter().map(one).collect()
}
