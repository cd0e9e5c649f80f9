//! `ens fuzz`: whatever comes from outside, tried with bytes that nobody would send.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use super::print;
use crate::doctor;
use crate::fuzz::{self, Ran, Target};
use crate::packages::similar;
use crate::progress;
use crate::workspace::Workspace;

/// Try our readers of files, messages and packets with random bytes
///
/// Each target runs for a while under libFuzzer, which keeps inputs that reach something new in
/// target/fuzz/corpus. An input that makes our code panic, hang or take too much memory is kept in
/// target/fuzz/crashes and shown. Exit status 0 when there was none, 1 when there was.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens fuzz                             every target for a minute
  ens fuzz profile service --time 10min
  ens fuzz notify --input target/fuzz/crashes/notify/crash-…
  ens fuzz --list

An input that was a fault belongs into fuzz/corpus/TARGET once it is mended, and into a test.")]
pub(super) struct Fuzz {
    /// Targets; all when absent
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,

    /// How long each of them runs: 30s, 10min, 8h
    #[arg(long, default_value = "60s", value_parser = time)]
    time: Duration,

    /// Try only this file
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// Say which targets there are
    #[arg(long, conflicts_with_all = ["targets", "input"])]
    list: bool,
}

impl Fuzz {
    pub(super) fn run(self) -> Result<u8> {
        let workspace = Workspace::find()?;
        let all = fuzz::targets(&workspace)?;
        if self.list {
            print(&listed(&all));
            return Ok(0);
        }
        let names = chosen(&all, &self.targets)?;
        let progress = progress::to_stderr(false);
        let uses = [doctor::For::Build, doctor::For::Sandbox, doctor::For::Fuzz];
        doctor::provide(&uses, &*progress)?;
        let mut faults = 0_u8;
        for name in names {
            let step = progress.step(&format!("Compiling {name} with counters"));
            let program = fuzz::build(&workspace, name)?;
            drop(step);
            if let Some(input) = &self.input {
                faults |= u8::from(fuzz::try_one(&program, input)?);
                continue;
            }
            let step = progress.step(&format!("Trying {name} for {} s", self.time.as_secs()));
            let ran = fuzz::run(&workspace, name, &program, self.time)?;
            drop(step);
            faults |= u8::from(ran.crash.is_some());
            print(&told(name, &ran));
        }
        Ok(faults)
    }
}

fn listed(all: &[Target]) -> String {
    let width = all.iter().map(|t| t.name.len()).max().unwrap_or(0);
    let line = |t: &Target| format!("{:width$}  {}", t.name, t.about);
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn chosen<'a>(all: &'a [Target], wanted: &'a [String]) -> Result<Vec<&'a str>> {
    let names: Vec<&str> = all.iter().map(|t| t.name.as_str()).collect();
    if wanted.is_empty() {
        return Ok(names);
    }
    if let Some(name) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        let near = similar(name, names.iter().copied()).join(" or ");
        let hint = if near.is_empty() { near } else { format!("did you mean {near}? ") };
        bail!("no target is called {name}: {hint}`ens fuzz --list` names them");
    }
    Ok(wanted.iter().map(String::as_str).collect())
}

fn told(name: &str, ran: &Ran) -> String {
    let Ran { tried, kept, crash } = ran;
    let line = format!("{name}: {tried} inputs tried, {kept} kept");
    match crash {
        None => line,
        Some((input, said)) => format!(
            "{line}\n{said}\n{name}: a fault. Again: ens fuzz {name} --input {}",
            input.display()
        ),
    }
}

/// A time as people write it.
fn time(text: &str) -> Result<Duration, String> {
    let units = [("min", 60), ("h", 3600), ("s", 1)];
    let found = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*seconds).filter(|s| *s > 0)
    });
    found.map(Duration::from_secs).ok_or_else(|| "not a time: write 60s, 10min or 8h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_in_our_toml() {
        assert_eq!(time("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(time("10min"), Ok(Duration::from_secs(600)));
        assert_eq!(time("8h"), Ok(Duration::from_secs(28800)));
        for wrong in ["", "60", "s", "0s", "-1s", "1d", "99999999999999999999h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_crash_is_told_with_what_shows_it_again() {
        let said = "panicked at x.rs:5".to_owned();
        let crash = Some(("target/fuzz/crashes/notify/crash-1".into(), said));
        insta::assert_snapshot!(told("notify", &Ran { tried: 5, kept: 2, crash }), @"
        notify: 5 inputs tried, 2 kept
        panicked at x.rs:5
        notify: a fault. Again: ens fuzz notify --input target/fuzz/crashes/notify/crash-1
        ");
    }
}
