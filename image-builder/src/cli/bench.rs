//! `ens bench`: numbers that can be repeated.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use model::sandbox::Profile;
use model::service::Service;

use super::bench_apps::Apps;
use super::bench_build::Build;
use super::bench_peers::Peers;
use super::bench_sandbox::Sandbox;
use super::bench_softbus::Softbus;
use super::bench_wants::Wants;
use super::{devices, print};
use crate::bench::{self, MAX_SERVICES, Mode, Programs};
use crate::bench_daemon;
use crate::doctor;
use crate::programs;
use crate::progress::{self, Progress};
use crate::tree::Content;
use crate::workspace::Workspace;

/// The device whose kernel is used.
const DEVICE: &str = "headless";

/// Measure
#[derive(Debug, Args)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Apps(Apps),
    Boot(Boot),
    Build(Build),
    Peers(Peers),
    Sandbox(Sandbox),
    Softbus(Softbus),
    Wants(Wants),
}

/// Count instructions from PID 1 to all services ready
///
/// Measured in an emulated machine, so the same inputs give the same numbers on any host; against
/// a PID 1 that only forks and executes the same programs along the same graph, without and with a
/// cgroup for each.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bench boot
  ens bench boot --services 10,50 --json")]
struct Boot {
    /// Numbers of services
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [10, 100, 500])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SERVICES)))]
    services: Vec<u32>,

    /// Print the numbers as JSON: by number of services, then by mode
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(super) fn run(self) -> Result<u8> {
        match self.what {
            What::Apps(apps) => apps.run(),
            What::Boot(boot) => boot.run(),
            What::Build(build) => build.run(),
            What::Peers(peers) => peers.run(),
            What::Sandbox(sandbox) => sandbox.run(),
            What::Softbus(softbus) => softbus.run(),
            What::Wants(wants) => wants.run(),
        }
    }
}

impl Boot {
    fn run(&self) -> Result<u8> {
        let progress = progress::to_stderr(false);
        let workspace = Workspace::find()?;
        doctor::provide(&[doctor::For::Build, doctor::For::Machine], &*progress)?;
        let kernel = kernel(&workspace, &*progress)?;
        let programs = all_programs(&workspace, &*progress)?;
        let journal = journal(&workspace)?;
        let mut rows: BTreeMap<u32, BTreeMap<Mode, _>> = BTreeMap::new();
        let directory = workspace.ours("bench");
        fs::create_dir_all(&directory)?;
        for count in self.services.iter().copied() {
            let initramfs = directory.join(format!("{count}.cpio"));
            bench::initramfs(&programs, &bench::plan(journal.clone(), count)?, &initramfs)?;
            for mode in Mode::ALL {
                let _step = progress.step(&format!("{count} services, {mode:?}"));
                let measured = bench::run(&kernel, &initramfs, mode, count)?;
                rows.entry(count).or_default().insert(mode, measured);
            }
        }
        print(&if self.json { serde_json::to_string_pretty(&rows)? } else { bench::table(&rows) });
        Ok(0)
    }
}

/// The kernel of all machines.
pub(super) fn kernel(workspace: &Workspace, progress: &dyn Progress) -> Result<PathBuf> {
    let toml = devices::toml(workspace, DEVICE.as_ref())?;
    let device = devices::load(workspace, &toml, None)?;
    devices::kernel(workspace, &device, progress)
}

/// The journal, as devices have it but for its sandbox: what confines services has a bench of its own.
pub(super) fn journal(workspace: &Workspace) -> Result<Service> {
    let toml = devices::toml(workspace, DEVICE.as_ref())?;
    let device = devices::load(workspace, &toml, None)?;
    let journal = device.plan.services.into_iter().find(|s| s.name.as_str() == "journal");
    let mut journal = journal.with_context(|| format!("{DEVICE} has no journal"))?;
    journal.sandbox = Profile::default().into();
    Ok(journal)
}

/// Our programs and their places on a device.
pub(super) fn ours(
    workspace: &Workspace,
    progress: &dyn Progress,
) -> Result<Vec<(String, Content)>> {
    let ours = programs::build(workspace, progress)?;
    let places = [
        ("init", "usr/lib/ensemble/init"),
        ("servicemgr", "usr/lib/ensemble/servicemgr"),
        ("journal", "usr/lib/ensemble/journal"),
        ("ensctl-brief", "usr/bin/ensctl"),
        ("ensctl", "usr/lib/ensemble/ensctl"),
    ];
    contents(&ours, &places)
}

/// The program of every guest of `ens bench peers`.
pub(super) fn peer_program(workspace: &Workspace, progress: &dyn Progress) -> Result<Content> {
    let theirs = programs::build_crate(workspace, "tests", progress)?;
    let found = contents(&theirs, &[("bench-peer", "")])?;
    found.into_iter().next().map(|(_, content)| content).context("one program")
}

fn all_programs(workspace: &Workspace, progress: &dyn Progress) -> Result<Programs> {
    let theirs = programs::build_crate(workspace, "tests", progress)?;
    let places = [("bench-init", "init"), ("bench-report", "bench/report")];
    let mut files = contents(&theirs, &places)?;
    files.push((bench_daemon::PATH.to_owned(), bench_daemon::compile(&workspace.ours("bench"))?));
    files.extend(ours(workspace, progress)?);
    Ok(Programs { files })
}

/// Programs by their names, at their places.
pub(super) fn contents(
    from: &programs::Programs,
    places: &[(&str, &str)],
) -> Result<Vec<(String, Content)>> {
    let mut files = Vec::new();
    for (name, place) in places {
        let path: &PathBuf =
            from.get(*name).with_context(|| format!("cargo made no program {name}"))?;
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        files.push(((*place).to_owned(), Content::from(bytes)));
    }
    Ok(files)
}
