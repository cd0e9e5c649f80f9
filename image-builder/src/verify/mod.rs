//! Cases on real devices: built, booted, put through their steps, told.
//!
//! ```text
//! case.toml ─load─► device + its files ─make─► Built ─boot─► steps ─► Verdict
//!                                                               └ failed: console and log are kept
//! ```
//!
//! What a step means is decided in [`model::case`]; this only carries it out.

mod steps;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use model::case::{Act, Host, Ring};
use model::text::{Loaded, LoadedCase};
use serde::Serialize;

use crate::built::{Built, Flavor};
use crate::progress::Progress;
use crate::run::guest::Stopped;
use crate::run::{self, Boot, Options};
use crate::workspace::Workspace;

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The case.
    pub case: String,
    /// Where it ran: `container` or `machine`.
    pub place: &'static str,
    /// Why it failed; `None` when it passed.
    pub failure: Option<String>,
    /// How long it took, build included.
    pub seconds: f64,
    /// What is kept of a failed one: console and log.
    pub kept: Vec<PathBuf>,
}

/// Builds a device.
pub type Make<'a> = &'a dyn Fn(&Loaded, Flavor) -> Result<Built>;

impl Verdict {
    /// For people: one line when it passed.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { case, place, seconds, .. } = self;
        let Some(why) = &self.failure else {
            return format!("ok      {case} ({place}, {seconds:.1} s)");
        };
        let why = why.replace('\n', "\n        ");
        let kept: String =
            self.kept.iter().map(|path| format!("\n        see {}", path.display())).collect();
        format!("FAILED  {case} ({place}, {seconds:.1} s)\n        {why}{kept}")
    }
}

/// The last line of several.
#[must_use]
pub fn summary(verdicts: &[Verdict]) -> String {
    let failed = verdicts.iter().filter(|v| v.failure.is_some()).count();
    format!("{} passed, {failed} failed", verdicts.len() - failed)
}

/// Where `case` runs: in `wanted` if it can, else where it can.
#[must_use]
pub fn ring(case: &LoadedCase, wanted: Ring) -> Ring {
    let on = &case.case.on;
    if on.contains(&wanted) { wanted } else { on.first().copied().unwrap_or(wanted) }
}

/// Builds the device of `case` and runs it there.
///
/// # Errors
/// Only when we were [`Stopped`]; all else that goes wrong is in the verdict.
pub fn one(
    workspace: &Workspace,
    case: &LoadedCase,
    ring: Ring,
    make: Make,
    progress: &dyn Progress,
) -> Result<Verdict> {
    let began = now();
    let name = &case.case.name;
    let place = if ring == Ring::Container { "container" } else { "machine" };
    let directory = workspace.ours("verify").join(format!("{name}-{place}"));
    let done = attempt(case, ring, make, &directory, progress);
    let failure = match done {
        Ok(()) => None,
        Err(e) if e.is::<Stopped>() => return Err(e),
        Err(e) => Some(format!("{e:#}")),
    };
    let kept = if failure.is_some() { tidy(&directory) } else { remove(&directory) };
    let seconds = began.elapsed().as_secs_f64();
    Ok(Verdict { case: name.clone(), place, failure, seconds, kept })
}

fn attempt(
    case: &LoadedCase,
    ring: Ring,
    make: Make,
    directory: &Path,
    progress: &dyn Progress,
) -> Result<()> {
    remove(directory);
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let directory = directory.canonicalize()?;
    let flavor = if ring == Ring::Container { Flavor::Container } else { Flavor::Machine };
    let step = progress.step(&format!("case {}", case.case.name));
    let built = make(&case.loaded, flavor)?;
    let restarts = |act: &Act| matches!(act, Act::Host(Host::PowerCut | Host::Reboot));
    let persist = case.case.steps.iter().any(|step| restarts(&step.act));
    let options = Options {
        headless: true,
        persist: persist.then(|| directory.join("disk.img")),
        command: vec!["steps".into()],
        ..Options::default()
    };
    let name = case.loaded.device.name.as_str();
    let boot = Boot {
        built: &built,
        name,
        place: 1,
        port: None,
        interactive: false,
        directory: &directory,
    };
    steps::run(&case.case, &boot, &options, &*step, progress).map_err(|e| run::silent(e, &boot))
}

/// Removes what only a running case needs; gives what is worth reading.
fn tidy(directory: &Path) -> Vec<PathBuf> {
    for part in ["host", "base"] {
        // What cannot be removed now goes before the next run of the case.
        let _later = fs::remove_dir_all(directory.join(part));
    }
    let _later = fs::remove_file(directory.join("disk.img"));
    let kept = ["console.log", "qemu.log", "log.txt"].map(|name| directory.join(name));
    kept.into_iter().filter(|path| fs::metadata(path).is_ok_and(|m| m.len() > 0)).collect()
}

fn remove(directory: &Path) -> Vec<PathBuf> {
    // As above.
    let _later = fs::remove_dir_all(directory);
    Vec::new()
}

#[expect(clippy::disallowed_methods, reason = "people want to know how long a case took")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_case_says_why_and_what_to_read() {
        let verdict = |failure: Option<&str>| Verdict {
            case: "web-restarts".into(),
            place: "container",
            failure: failure.map(str::to_owned),
            seconds: 1.25,
            kept: failure.map(|_| "/t/console.log".into()).into_iter().collect(),
        };
        let all = [verdict(None), verdict(Some("line 12: exit status 1, expected 0\nstderr was:"))];
        let told: Vec<String> = all.iter().map(Verdict::told).collect();
        insta::assert_snapshot!(format!("{}\n{}", told.join("\n"), summary(&all)), @"
        ok      web-restarts (container, 1.2 s)
        FAILED  web-restarts (container, 1.2 s)
                line 12: exit status 1, expected 0
                stderr was:
                see /t/console.log
        1 passed, 1 failed
        ");
    }
}
