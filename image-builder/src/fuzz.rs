//! Building and running what is in `fuzz/`.
//!
//! ```text
//! fuzz/targets/NAME.rs ─ cargo, with counters ─► target/fuzz/build ─► libFuzzer ─► target/fuzz/crashes/NAME
//!                    seeds, fuzz/corpus/NAME, target/fuzz/corpus/NAME ──┘  └─► target/fuzz/corpus/NAME
//! ```
//!
//! The compiler that builds everything else builds this too: counting what is reached is a pass of LLVM
//! that it has. Our code there is safe Rust, so no sanitizer is needed to see a fault: it is a panic, an
//! answer that does not come, or too much memory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::programs::TRIPLE;
use crate::workspace::Workspace;

/// The counters that libFuzzer reads.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Memory that a target may take, in MiB: many times what a device has for it.
const MEMORY: u32 = 2048;

/// Seconds after which one input hangs; on a busy machine too.
const HANG: u32 = 20;

/// Lines of the log that are shown of a crash.
const SHOWN: usize = 30;

/// A target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// What it tries, in a line.
    pub about: String,
}

/// What a target did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Inputs that were tried.
    pub tried: u64,
    /// Inputs kept because they reach something new.
    pub kept: usize,
    /// The input that is a fault, with the end of what the fuzzer said.
    pub crash: Option<(PathBuf, String)>,
}

/// All targets, by name.
///
/// # Errors
/// There are no sources here.
pub fn targets(workspace: &Workspace) -> Result<Vec<Target>> {
    let directory = workspace.root().join("fuzz/targets");
    let entries = fs::read_dir(&directory)
        .with_context(|| format!("reading {}: fuzzing needs the sources", directory.display()))?;
    let mut all = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|e| e == "rs"))
        else {
            continue;
        };
        let text = fs::read_to_string(&path)?;
        let about = text.lines().next().and_then(|line| line.strip_prefix("//! "));
        all.push(Target {
            name: name.to_string_lossy().into_owned(),
            about: about.unwrap_or_default().to_owned(),
        });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// Builds a target; what cargo says is printed.
///
/// # Errors
/// cargo is missing or fails.
pub fn build(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let directory = place(workspace, "build");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--release", "--target", TRIPLE, "--bin", name]);
    // Another directory and other flags than those of everything else, so neither disturbs the other.
    command.current_dir(workspace.root().join("fuzz"));
    command.env("CARGO_TARGET_DIR", &directory).env("RUSTFLAGS", FLAGS);
    command.env_remove("CARGO_ENCODED_RUSTFLAGS");
    sys::process::die_with_parent(&mut command);
    if !command.status().context("starting cargo")?.success() {
        bail!("cargo could not build {name}: see above, and `ens doctor`");
    }
    Ok(directory.join(TRIPLE).join("release").join(name))
}

/// Tries inputs for `time`, or until one is a fault.
///
/// # Errors
/// The program does not start, or its directories can't be made.
pub fn run(workspace: &Workspace, name: &str, program: &Path, time: Duration) -> Result<Ran> {
    let [corpus, seeds, crashes, logs] =
        ["corpus", "seeds", "crashes", "logs"].map(|kind| place(workspace, kind));
    let (corpus, seeds, crashes) = (corpus.join(name), seeds.join(name), crashes.join(name));
    // Seeds of an older version may be none any more.
    let _none = fs::remove_dir_all(&seeds);
    for directory in [&corpus, &seeds, &crashes, &logs] {
        fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    }
    let before = faults(&crashes);
    let log = logs.join(name);
    let mut command = Command::new(program);
    command.args([&corpus, &seeds]);
    let shipped = workspace.root().join("fuzz/corpus").join(name);
    command.args(shipped.is_dir().then_some(&shipped));
    command.arg(format!("-max_total_time={}", time.as_secs().max(1)));
    command.arg(format!("-rss_limit_mb={MEMORY}")).arg(format!("-timeout={HANG}"));
    command.arg(format!("-artifact_prefix={}/", crashes.display())).arg("-print_final_stats=1");
    command.env("FUZZ_SEEDS", &seeds).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::create(&log).with_context(|| format!("making {}", log.display()))?);
    sys::process::die_with_parent(&mut command);
    let status = command.status().with_context(|| format!("starting {}", program.display()))?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let crash = faults(&crashes).into_iter().find(|path| !before.contains(path));
    if crash.is_none() && !status.success() {
        bail!("{name} ended with {status}: {}", end(&said));
    }
    Ok(Ran {
        tried: tried(&said),
        kept: fs::read_dir(&corpus)?.count(),
        crash: crash.map(|path| (path, end(&said))),
    })
}

/// Tries one input; what is said about it is printed. Gives whether it is a fault.
///
/// # Errors
/// The program does not start.
pub fn try_one(program: &Path, input: &Path) -> Result<bool> {
    let mut command = Command::new(program);
    command.arg(input).arg(format!("-timeout={HANG}")).stdin(Stdio::null());
    sys::process::die_with_parent(&mut command);
    let status = command.status().with_context(|| format!("starting {}", program.display()))?;
    Ok(!status.success())
}

fn place(workspace: &Workspace, kind: &str) -> PathBuf {
    let target = workspace.target().join("fuzz").join(kind);
    std::path::absolute(&target).unwrap_or(target)
}

fn faults(directory: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|e| e.path()).collect();
    all.sort();
    all
}

/// The number of inputs, as libFuzzer says it at the end; of a crash, as it said it last.
fn tried(said: &str) -> u64 {
    let last = said.lines().rev().find_map(|line| {
        let stat = line.strip_prefix("stat::number_of_executed_units:");
        let line = stat.or_else(|| line.strip_prefix('#'))?;
        line.split_ascii_whitespace().next()?.trim_end_matches(':').parse().ok()
    });
    last.unwrap_or(0)
}

fn end(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_counted_also_up_to_a_crash() {
        let done =
            "#2\tINITED cov: 3\n#99\tDONE\nstat::number_of_executed_units: 1234\nstat::x: 5\n";
        assert_eq!(tried(done), 1234);
        assert_eq!(tried("INFO: Seed: 1\n#2\tINITED\n#77\tNEW cov: 8\nthread panicked\n"), 77);
        assert_eq!(tried("no such file"), 0);
    }

    #[test]
    fn every_target_says_what_it_tries_and_is_built() {
        let workspace = Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        let manifest = fs::read_to_string(workspace.root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets(&workspace).unwrap();
        assert!(targets.len() > 5, "{targets:?}");
        for Target { name, about } in targets {
            assert!(!about.is_empty(), "{name}: its first line is no //!");
            assert!(
                manifest.contains(&format!("path = \"targets/{name}.rs\"")),
                "{name}: no [[bin]]"
            );
        }
    }
}
