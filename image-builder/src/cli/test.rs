//! `ens test`: everything that must hold.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::Args;
use model::case::Ring;

use super::verify;
use crate::doctor;
use crate::progress::{self, Progress};
use crate::workspace::Workspace;

/// Cases of the machine ring that always run: boot, restart, end.
const SMOKE: &[&str] = &["boots", "network", "power-cut"];

/// Run all tests: pure ones, then black-box cases in containers, then in machines
///
/// cargo-nextest is used where present, plain `cargo test` otherwise. Without --full only a smoke
/// set of the cases runs in machines.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens test
  ens test --full
  ens test journal        only tests and cases with `journal` in their name")]
pub(super) struct Test {
    /// Run every case in machines as well
    #[arg(long)]
    full: bool,

    /// Run only what has this in its name
    filter: Option<String>,
}

impl Test {
    pub(super) fn run(self) -> Result<u8> {
        let progress = progress::to_stderr(false);
        let workspace = Workspace::find()?;
        let uses = [doctor::For::Build, doctor::For::Container, doctor::For::Machine];
        doctor::provide(&[&uses[..], &[doctor::For::Test]].concat(), &*progress)?;
        let pure = self.pure(&workspace, &*progress)?;
        let filter = self.filter.as_deref().unwrap_or_default();
        let cases: Vec<_> = verify::shipped(&workspace)?
            .into_iter()
            .filter(|case| case.to_string_lossy().contains(filter))
            .collect();
        progress.note("cases in containers");
        let mut verdicts =
            verify::all(&workspace, &cases, None, Ring::Container, true, &*progress)?;
        let smoke = |case: &&PathBuf| {
            let name = case.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            self.full || SMOKE.contains(&name)
        };
        let machines: Vec<_> = cases.iter().filter(smoke).cloned().collect();
        progress.note("cases in machines");
        verdicts.extend(verify::all(&workspace, &machines, None, Ring::Machine, true, &*progress)?);
        let failed = verdicts.iter().any(|v| v.failure.is_some());
        Ok(u8::from(failed || !pure))
    }

    /// The tests inside the crates.
    fn pure(&self, workspace: &Workspace, progress: &dyn Progress) -> Result<bool> {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        if has_nextest() {
            command.args(["nextest", "run", "--workspace", "--no-tests", "pass"]);
            command.args(self.filter.as_deref());
        } else {
            command.args(["test", "--quiet", "--workspace"]).args(self.filter.as_deref());
        }
        progress.note("tests inside the crates");
        command.current_dir(workspace.root());
        sys::process::die_with_parent(&mut command);
        Ok(command.status().context("starting cargo")?.success())
    }
}

fn has_nextest() -> bool {
    let mut command = Command::new("cargo-nextest");
    command.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
