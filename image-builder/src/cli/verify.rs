//! `ens verify`: black-box cases on real devices.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use clap::Args;
use model::case::Ring;
use model::text::{LoadedCase, load_case_on};

use super::{USAGE, bad_toml, devices, print, with_code};
use crate::doctor;
use crate::host_files::HostFiles;
use crate::progress::{self, Progress};
use crate::verify::{self, Verdict};
use crate::workspace::Workspace;

/// Where our own cases are, relative to the root.
const CASES: &str = "tests/cases";

/// Run test cases of services on a device
///
/// CASE is a folder with a case.toml: what the device gets besides, and steps with what is
/// expected of them (`ens new case NAME` writes one to start from). Each case gets a freshly booted
/// device: a container, or a machine with --machine or when the case asks for one. Exit status 1
/// when a case failed; its console and log stay in target/ens/verify.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens verify headless tests/cases/*
  ens verify --machine phone my-cases/web-restarts
  ens verify --json headless my-case | jq '.[] | select(.failure)'")]
pub(super) struct Verify {
    /// The device, by name in configs/devices or path to a TOML
    device: String,

    /// Folders with a case.toml
    #[arg(required = true)]
    case: Vec<PathBuf>,

    /// In machines, as far as the cases can run there
    #[arg(long)]
    machine: bool,

    /// Print an array of verdicts: case, place, failure, seconds, kept
    #[arg(long)]
    json: bool,

    /// Say which steps of the builds ran, and why
    #[arg(short, long)]
    verbose: bool,
}

impl Verify {
    pub(super) fn run(self) -> Result<u8> {
        let progress = progress::to_stderr(self.verbose);
        let workspace = Workspace::find()?;
        let ring = if self.machine { Ring::Machine } else { Ring::Container };
        let device = absolute(&self.device)?;
        let cases = load(&workspace, &self.case, Some(&device))?;
        let cases: Vec<_> = cases.iter().map(|case| (case, verify::ring(case, ring))).collect();
        let verdicts = all(&workspace, &cases, !self.json, &*progress)?;
        if self.json {
            print(&serde_json::to_string_pretty(&verdicts)?);
        } else {
            print(&verify::summary(&verdicts));
        }
        Ok(u8::from(verdicts.iter().any(|v| v.failure.is_some())))
    }
}

/// A path as seen from anywhere; a name stays.
fn absolute(device: &str) -> Result<String> {
    if !Path::new(device).is_file() {
        return Ok(device.to_owned());
    }
    let path = std::path::absolute(device)?;
    path.to_str().map(str::to_owned).context("the path of the device is not UTF-8")
}

/// Reads the cases in these folders, to run on `device` or each on its own.
pub(super) fn load(
    workspace: &Workspace,
    folders: &[PathBuf],
    device: Option<&str>,
) -> Result<Vec<LoadedCase>> {
    let files = HostFiles::of(workspace);
    let load = |folder: &PathBuf| {
        let path = folder.to_str().context("the path of a case is not UTF-8")?;
        load_case_on(&files, path, device).map_err(|report| bad_toml(&report))
    };
    folders.iter().map(load).collect()
}

/// Runs cases, each where it says; with `told`, says what came of each.
pub(super) fn all(
    workspace: &Workspace,
    cases: &[(&LoadedCase, Ring)],
    told: bool,
    progress: &dyn Progress,
) -> Result<Vec<Verdict>> {
    let mut needs = vec![doctor::For::Build];
    for (_, ring) in cases {
        let need = match ring {
            Ring::Container => doctor::For::Container,
            Ring::Machine => doctor::For::Machine,
        };
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    doctor::provide(&needs, progress)?;
    sys::interrupts::install().context("watching for Ctrl-C")?;
    let building = Mutex::new(());
    let make = |loaded: &_, flavor| {
        // One at a time: they would wait for the same packages and programs.
        let _one = building.lock().unwrap_or_else(PoisonError::into_inner);
        devices::make(workspace, loaded, flavor, false, progress).map_err(|e| with_code(e, USAGE))
    };
    let say = |verdict: &Verdict| {
        if told {
            print(&verdict.told());
        }
    };
    verify::all(workspace, cases, &make, progress, &say)
}

/// The folders of our own cases.
pub(super) fn shipped(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let directory = workspace.root().join(CASES);
    let entries = fs::read_dir(&directory).with_context(|| format!("reading {CASES}"))?;
    let mut cases: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("case.toml").is_file())
        .collect();
    cases.sort();
    Ok(cases)
}
