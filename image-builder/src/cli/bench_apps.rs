//! `ens bench apps`: how soon an app is in front, and what many apps cost.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;

use super::bench::{contents, kernel};
use super::bench_sandbox::load;
use super::{devices, print};
use crate::bench_apps::{self, GUESTS, MANY, PROGRAMS, ROOTED};
use crate::progress::{self, Progress};
use crate::recipe::{self, Program};
use crate::tree::{Content, Tree};
use crate::workspace::Workspace;
use crate::{bench_sandbox, doctor, profiles, programs};

/// The device whose services, profiles and modules the guests have.
const DEVICE: &str = "headless";

/// Start apps, and boot with many of them
///
/// From a call of ability-manager to its answer that the app is in front, on an emulated machine that counts
/// instructions, beside a bare fork and exec of the same program, read before and not; the boot with 200 bundles and with none; the
/// memory of ability-manager with 50 apps. The consoles are kept in target/ens/bench/apps.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bench apps
  ens bench apps --json")]
pub(super) struct Apps {
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

impl Apps {
    pub(super) fn run(&self) -> Result<u8> {
        let progress = progress::to_stderr(false);
        let workspace = Workspace::find()?;
        doctor::provide(&[doctor::For::Build, doctor::For::Machine], &*progress)?;
        let kernel = kernel(&workspace, &*progress)?;
        let modules = kernel.with_file_name("initramfs.cpio");
        let theirs = programs::build_crate(&workspace, "tests", &*progress)?;
        let theirs = contents(&theirs, &PROGRAMS)?;
        let tree = tree(&workspace, &theirs, &*progress)?;
        let directory = workspace.ours("bench/apps");
        fs::create_dir_all(&directory)?;
        let program = theirs.last().map(|(_, content)| content).context("the program of apps")?;
        let bundles = bundles(program, &directory)?;
        let mut all = Vec::new();
        for guest in GUESTS {
            let _step = progress.step(&format!("{} with {} bundles", guest.order, guest.bundles));
            let at = |extension| directory.join(format!("{}.{extension}", guest.order));
            let initramfs = at("cpio");
            bench_apps::initramfs(guest, tree.clone(), &bundles, &modules, &initramfs)?;
            let measured = bench_apps::run(&kernel, &initramfs, &at("log"));
            fs::remove_file(&initramfs).context("removing what was run")?;
            all.push(measured?);
        }
        print(&if self.json {
            serde_json::to_string_pretty(&all)?
        } else {
            bench_apps::table(&all)
        });
        Ok(0)
    }
}

/// The file system that all guests have in common.
fn tree(
    workspace: &Workspace,
    theirs: &[(String, Content)],
    progress: &dyn Progress,
) -> Result<Tree> {
    let toml = devices::toml(workspace, DEVICE.as_ref())?;
    let mut loaded = devices::load(workspace, &toml, None)?;
    loaded.plan = bench_apps::plan(&loaded)?;
    let mut built = programs::build(workspace, progress)?;
    profiles::compile(workspace, &mut loaded, &mut built, progress)?;
    let mut confined = bench_sandbox::plan(load(workspace)?)?;
    profiles::compile_plan(workspace, &mut confined, &mut built.clone(), progress)?;
    // Nobody runs commands of the host here.
    loaded.device.debug.agent = false;
    let mut ours: Vec<(Program, Content)> = Vec::new();
    for program in recipe::programs(&loaded.device, true) {
        let found = contents(&built, &[(program.binary, program.path)])?;
        ours.extend(found.into_iter().map(|(_, content)| (program, content)));
    }
    bench_apps::root(&loaded, ours, theirs, bench_sandbox::app(&confined)?)
}

/// The bundles of all apps, by the names of their files.
fn bundles(program: &Content, directory: &Path) -> Result<Vec<(String, Content)>> {
    let one = |id: &str, write: &dyn Fn(&Path) -> Result<()>| {
        let name = format!("{id}.bundle");
        let path = directory.join(&name);
        write(&path)?;
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        Ok((name, Content::from(bytes)))
    };
    let plain = (0..MANY).map(|number| {
        one(&format!("bench.apps.a{number}"), &|out| bench_apps::bundle(number, program, out))
    });
    let rooted = ROOTED.iter().map(|id| one(id, &|out| bench_apps::rooted(id, program, out)));
    plain.chain(rooted).collect()
}
