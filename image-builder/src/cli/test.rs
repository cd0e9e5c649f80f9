//! `ens test`: everything that must hold.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use model::case::Ring;
use model::text::LoadedCase;

use super::{print, test_podman, verify};
use crate::doctor;
use crate::programs;
use crate::progress::{self, Progress};
use crate::verify::Verdict;
use crate::workspace::Workspace;

/// Cases that always run in machines too: a boot, a restart of what matters most, an app, limits and encryption that only a
/// kernel of our own enforces, a disk of our own.
const SMOKE: &[&str] =
    &["ready", "kill-servicemgr", "limits", "state-full", "app-process", "app-sealed"];

/// Tests inside the crates: all, and those of what only programs of their own hold, which is built for
/// nothing else.
const PURE: [(&str, &[&str]); 2] = [
    ("tests inside the crates", &["--workspace"]),
    ("tests of making and learning sandboxes", &["--package=sandbox", "--features=compile,learn"]),
];

/// What is checked of devices that run together.
const TOGETHER: &[&str] =
    &["run", "phone", "tv", "--headless", "--on", "phone", "--", "ping", "-c1", "tv.local"];

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
    /// Run every case in machines as well, and an OCI image in podman
    #[arg(long)]
    full: bool,

    /// Run only what has this in its name
    filter: Option<String>,
}

impl Test {
    pub(super) fn run(self) -> Result<u8> {
        let progress = progress::to_stderr(false);
        let workspace = Workspace::find()?;
        let uses = [
            doctor::For::Build,
            doctor::For::Sandbox,
            doctor::For::Container,
            doctor::For::Machine,
        ];
        let full: &[doctor::For] = if self.full { &[doctor::For::Full] } else { &[] };
        doctor::provide(&[&uses[..], &[doctor::For::Test], full].concat(), &*progress)?;
        if self.filter.is_none() {
            // Tests inside the crates run devices too, and each has a time in which it must end.
            programs::build(&workspace, &*progress)?;
            programs::build_sandbox(&workspace, &*progress)?;
        }
        let pure = self.pure(&workspace, &*progress)?;
        let cases = verify::load(&workspace, &self.folders(&workspace)?, None)?;
        let lacking = doctor::cables();
        let jobs = self.jobs(&cases, lacking.is_none());
        if let Some(why) = lacking {
            progress.note(&format!("{why}: cases with several devices run in machines"));
        }
        progress.note("cases on devices");
        let mut verdicts = verify::all(&workspace, &jobs, true, &*progress)?;
        if "two-devices".contains(self.filter()) {
            verdicts.push(together()?);
        }
        if self.full && "podman".contains(self.filter()) {
            let began = now();
            let failure = test_podman::check(&workspace).err().map(|e| format!("{e:#}"));
            verdicts.push(outside("podman", "container", began, failure));
        }
        print(&summary(&verdicts, pure));
        let failed = verdicts.iter().any(|v| v.failure.is_some());
        Ok(u8::from(failed || !pure))
    }

    /// What runs where. `cables`: containers can have a network with each other.
    fn jobs<'a>(&self, cases: &'a [LoadedCase], cables: bool) -> Vec<(&'a LoadedCase, Ring)> {
        let contained = |case: &LoadedCase| {
            case.case.on.contains(&Ring::Container) && (cables || !case.case.together)
        };
        let in_machine = |case: &LoadedCase| {
            let smoke = self.full || SMOKE.contains(&case.case.name.as_str());
            let instead = case.case.on.contains(&Ring::Container) && !contained(case);
            case.case.on.contains(&Ring::Machine) && (smoke || instead)
        };
        let containers = cases.iter().filter(|case| contained(case));
        let machines = cases.iter().filter(|case| in_machine(case));
        let containers = containers.map(|case| (case, Ring::Container));
        containers.chain(machines.map(|case| (case, Ring::Machine))).collect()
    }

    fn filter(&self) -> &str {
        self.filter.as_deref().unwrap_or_default()
    }

    fn folders(&self, workspace: &Workspace) -> Result<Vec<PathBuf>> {
        let mut folders = verify::shipped(workspace)?;
        folders.retain(|folder| {
            folder.file_name().is_some_and(|n| n.to_string_lossy().contains(self.filter()))
        });
        Ok(folders)
    }

    /// The tests inside the crates.
    fn pure(&self, workspace: &Workspace, progress: &dyn Progress) -> Result<bool> {
        let run: &[&str] = match has_nextest() {
            true => &["nextest", "run", "--no-tests", "pass"],
            false => &["test", "--quiet"],
        };
        let mut all = true;
        for (about, what) in PURE {
            progress.note(about);
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let mut command = Command::new(cargo);
            command.args(run).args(what).args(self.filter.as_deref());
            command.current_dir(workspace.root());
            sys::process::die_with_parent(&mut command);
            all &= command.status().context("starting cargo")?.success();
        }
        Ok(all)
    }
}

fn has_nextest() -> bool {
    let mut command = Command::new("cargo-nextest");
    command.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Two devices on one network, by what people type.
fn together() -> Result<Verdict> {
    let began = now();
    let mut command = Command::new("/proc/self/exe");
    sys::process::die_with_parent(&mut command);
    let output = command.args(TOGETHER).output().context("starting ens")?;
    let said = [output.stdout, output.stderr].concat();
    let failure = (!output.status.success()).then(|| {
        let said = String::from_utf8_lossy(&said).into_owned();
        format!("`ens {}` ended with {}:\n{}", TOGETHER.join(" "), output.status, said.trim_end())
    });
    Ok(outside("two-devices", "machine", began, failure))
}

/// The verdict, told, of what is no case.
fn outside(name: &str, place: &'static str, began: Instant, failure: Option<String>) -> Verdict {
    let seconds = began.elapsed().as_secs_f64();
    let verdict = Verdict { case: name.to_owned(), place, failure, seconds, kept: Vec::new() };
    print(&verdict.told());
    verdict
}

/// The last line.
fn summary(verdicts: &[Verdict], pure: bool) -> String {
    let cases = crate::verify::summary(verdicts);
    if pure { cases } else { format!("{cases}; tests inside the crates failed, see above") }
}

#[expect(clippy::disallowed_methods, reason = "people want to know how long it took")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_containers_have_no_network_devices_meet_in_machines() {
        let workspace = Workspace::at(concat!(env!("CARGO_MANIFEST_DIR"), "/..").into());
        let folders = verify::shipped(&workspace).unwrap();
        let cases = verify::load(&workspace, &folders, None).map_err(|e| e.to_string()).unwrap();
        let test = Test { full: false, filter: None };
        let place = |cables| {
            let jobs = test.jobs(&cases, cables).into_iter();
            jobs.filter(|(c, _)| c.case.name == "together")
                .map(|(_, ring)| ring)
                .collect::<Vec<_>>()
        };
        assert_eq!(place(true), [Ring::Container]);
        assert_eq!(place(false), [Ring::Machine]);
        let lost = cases
            .iter()
            .filter(|c| !test.jobs(&cases, false).iter().any(|(j, _)| j.case.name == c.case.name));
        let lost: Vec<&str> = lost
            .filter(|c| c.case.on.contains(&Ring::Container))
            .map(|c| c.case.name.as_str())
            .collect();
        assert_eq!(lost, Vec::<&str>::new(), "they would run nowhere");
    }

    #[test]
    fn the_smoke_set_is_there_and_runs_in_machines() {
        let workspace = Workspace::at(concat!(env!("CARGO_MANIFEST_DIR"), "/..").into());
        let folders = verify::shipped(&workspace).unwrap();
        let cases = verify::load(&workspace, &folders, None).map_err(|e| e.to_string()).unwrap();
        for name in SMOKE {
            let case = cases.iter().find(|c| c.case.name == *name);
            assert!(case.is_some_and(|c| c.case.on.contains(&Ring::Machine)), "{name}");
        }
    }
}
