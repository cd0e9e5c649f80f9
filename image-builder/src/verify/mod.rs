//! Cases on real devices: built, booted, put through their steps, told.
//!
//! ```text
//! case.toml ─load─► device + its files ─make─► Built ─boot─► steps ─► Verdict
//!                                                               └ failed: console and log are kept
//! ```
//!
//! What a step means is decided in [`model::case`]; this only carries it out.

mod bed;
mod crash;
mod steps;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use model::case::{Case, Ring};
use model::text::{Loaded, LoadedCase};
use serde::Serialize;

use crate::built::{Built, Flavor};
use crate::progress::Progress;
use crate::run::guest::Stopped;
use crate::run::network::Network;
use crate::run::{Boot, Options};
use crate::workspace::Workspace;
use bed::{Bed, Device};

/// Cases that run at the same time: more only wait for each other's processors.
const LANES: u8 = 2;

/// What a device that starts again keeps: a file of a machine, a directory of a container.
const DISK: &str = "disk";

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
pub type Make<'a> = &'a (dyn Fn(&Loaded, Flavor) -> Result<Built> + Sync);

/// A case and where it runs.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The case.
    pub case: &'a LoadedCase,
    /// Where.
    pub ring: Ring,
}

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

/// Runs all cases, `LANES` at a time; `done` hears of each as it ends. The verdicts are in the
/// order of the cases.
///
/// # Errors
/// We were [`Stopped`].
pub fn all(
    workspace: &Workspace,
    cases: &[(&LoadedCase, Ring)],
    make: Make,
    progress: &dyn Progress,
    done: &(dyn Fn(&Verdict) + Sync),
) -> Result<Vec<Verdict>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Verdict)>> {
        let mut verdicts = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((case, ring)) = cases.get(at) else { return Ok(verdicts) };
            if sys::interrupts::count() > 0 {
                bail!(Stopped { signal: sys::interrupts::last() });
            }
            let job = Job { case, ring: *ring };
            let verdict = one(workspace, job, make, progress)?;
            done(&verdict);
            verdicts.push((at, verdict));
        }
    };
    let lanes: Vec<Result<_>> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(work)).collect();
        lanes.into_iter().filter_map(|lane| lane.join().ok()).collect()
    });
    let mut verdicts = Vec::new();
    for lane in lanes {
        verdicts.extend(lane?);
    }
    verdicts.sort_by_key(|(at, _)| *at);
    Ok(verdicts.into_iter().map(|(_, verdict)| verdict).collect())
}

/// Builds the device of a case and runs it there.
///
/// # Errors
/// Only when we were [`Stopped`]; all else that goes wrong is in the verdict.
pub fn one(
    workspace: &Workspace,
    job: Job,
    make: Make,
    progress: &dyn Progress,
) -> Result<Verdict> {
    let began = now();
    let name = &job.case.case.name;
    let place = if job.ring == Ring::Container { "container" } else { "machine" };
    let directory = workspace.ours("verify").join(format!("{name}-{place}"));
    let done = attempt(job, make, &directory, progress);
    let failure = match done {
        Ok(()) => None,
        Err(e) if e.is::<Stopped>() => return Err(e),
        Err(e) => Some(format!("{e:#}")),
    };
    let kept =
        if failure.is_some() { tidy(&job.case.case, &directory) } else { remove(&directory) };
    let seconds = began.elapsed().as_secs_f64();
    Ok(Verdict { case: name.clone(), place, failure, seconds, kept })
}

fn attempt(job: Job, make: Make, directory: &Path, progress: &dyn Progress) -> Result<()> {
    let Job { case, ring } = job;
    remove(directory);
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let directory = directory.canonicalize()?;
    let flavor = if ring == Ring::Container { Flavor::Container } else { Flavor::Machine };
    let step = progress.step(&format!("case {}", case.case.name));
    let built = case.loaded.iter().map(|loaded| make(loaded, flavor));
    let built = built.collect::<Result<Vec<Built>>>()?;
    let directories = directories(&case.case, &directory)?;
    let network = case.case.together.then(Network::new).transpose()?;
    let members = case.case.devices.iter().zip(&built).zip(&directories);
    let boots: Vec<(Boot, Options)> = (1..)
        .zip(members.enumerate())
        .map(|(place, (number, ((member, built), directory)))| {
            let options = Options {
                headless: true,
                persist: case.case.keeps_state(number).then(|| directory.join(DISK)),
                command: vec!["steps".into()],
                ..Options::default()
            };
            let boot = Boot {
                built,
                name: &member.name,
                place,
                network: network.as_ref(),
                interactive: false,
                directory,
            };
            (boot, options)
        })
        .collect();
    let devices = boots.iter().map(|(boot, options)| Device::new(boot, options)).collect();
    let bed = Bed::new(devices, network.as_ref());
    steps::run(&case.case, bed, &*step, progress)?;
    let crashed = boots.iter().find_map(|(boot, _)| crash::told(&boot.console()));
    crashed.map_or(Ok(()), |said| bail!("{said}: all steps went well, but it crashed"))
}

/// One directory for each device: that of the case, or one in it for each of several.
fn directories(case: &Case, directory: &Path) -> Result<Vec<PathBuf>> {
    if !case.together {
        return Ok(vec![directory.to_owned()]);
    }
    let each = case.devices.iter().map(|member| directory.join(&member.name));
    each.map(|path| {
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(path)
    })
    .collect()
}

/// Removes what only a running case needs, of each of its devices; gives what is worth reading.
fn tidy(case: &Case, directory: &Path) -> Vec<PathBuf> {
    let each: Vec<PathBuf> = match case.together {
        true => case.devices.iter().map(|member| directory.join(&member.name)).collect(),
        false => vec![directory.to_owned()],
    };
    each.iter().flat_map(|directory| tidy_one(directory)).collect()
}

fn tidy_one(directory: &Path) -> Vec<PathBuf> {
    for part in ["host", "base"] {
        // What cannot be removed now goes before the next run of the case.
        let _later = fs::remove_dir_all(directory.join(part));
    }
    let disk = directory.join(DISK);
    let _later = fs::remove_file(&disk).or_else(|_| fs::remove_dir_all(&disk));
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
