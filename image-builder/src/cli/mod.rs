//! The `ens` command: what can be typed, and where it goes. One file per subcommand.
//!
//! Exit status: that of CMD for `run -- CMD`; else 0 done, 1 failed (a test, a check of a device),
//! 2 bad TOML or usage, 125 the device did not boot or went away, 128 + n stopped by signal n.

mod bench;
mod bench_apps;
mod bench_build;
mod bench_peers;
mod bench_sandbox;
mod bench_softbus;
mod bench_wants;
mod build;
mod bundle;
mod check;
mod completion;
mod devices;
mod doctor;
mod fuzz;
mod lock;
mod new;
mod run;
mod sandbox;
mod schemas;
mod store;
mod test;
mod test_podman;
mod verify;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use model::text::Report;

use crate::build::Refused;
use crate::run::guest::Stopped;
use crate::run::inside;

/// Exit status for TOML or arguments that are wrong.
pub const USAGE: u8 = 2;

/// Exit status for a device that did not run.
pub const NO_DEVICE: u8 = 125;

/// Build devices from TOML and run them.
#[derive(Debug, Parser)]
#[command(name = "ens", bin_name = "ens", version, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  ens run phone                    the phone's console (Ctrl-A X leaves)
  ens run phone -- ensctl status   boot, run a command, power off, its exit status
  ens run phone tv --on phone -- ping -c1 tv.local
  ens build phone --out dist       an image to keep
  ens test                         everything

`ens SUBCOMMAND --help` tells more.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Build(build::Build),
    Check(check::Check),
    Lock(lock::Lock),
    Test(test::Test),
    Verify(verify::Verify),
    Doctor(doctor::Doctor),
    New(new::New),
    Bundle(bundle::Bundle),
    Store(store::Store),
    Bench(bench::Bench),
    Fuzz(fuzz::Fuzz),
    Sandbox(sandbox::Sandbox),
    Completion(completion::Completion),
    #[command(name = "__container", hide = true)]
    Container(inside::Setup),
}

/// Runs `ens` with these arguments (the first is its own name) and prints what went wrong.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => {
            // Without a place to print there is still the exit status.
            let _unseen = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(USAGE));
        }
    };
    let done = match cli.command {
        Command::Run(command) => command.run(),
        Command::Build(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Lock(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::New(command) => command.run(),
        Command::Bundle(command) => command.run(),
        Command::Store(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Fuzz(command) => command.run(),
        Command::Sandbox(command) => command.run(),
        Command::Completion(command) => command.run(),
        Command::Container(setup) => inside::run(&setup),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            say(&e);
            ExitCode::from(code(&e))
        }
    }
}

/// The exit status that goes with an error.
fn code(error: &anyhow::Error) -> u8 {
    if let Some(stopped) = error.downcast_ref::<Stopped>() {
        return u8::try_from(128 + stopped.signal).unwrap_or(u8::MAX);
    }
    if error.is::<BadToml>() || error.is::<Refused>() {
        return USAGE;
    }
    error.downcast_ref::<WithCode>().map_or(1, |with| with.code)
}

fn say(error: &anyhow::Error) {
    if error.is::<Stopped>() {
        return;
    }
    if let Some(BadToml(shown)) = error.downcast_ref() {
        print_error(shown);
        return;
    }
    if let Some(Refused(report)) = error.downcast_ref() {
        return say(&bad_toml(report));
    }
    print_error(&format!("ens: {error:#}"));
}

/// Prints a result on standard output. A reader that went away (a closed pipe) wants no more.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _closed = writeln!(out, "{text}");
}

/// Prints text for people on standard error. With nobody to read it there is still the exit status.
fn print_error(text: &str) {
    let _closed = writeln!(std::io::stderr().lock(), "{text}");
}

/// TOML with mistakes, as shown to people: printed as it is.
#[derive(Debug)]
struct BadToml(String);

impl std::fmt::Display for BadToml {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadToml {}

fn bad_toml(report: &Report) -> anyhow::Error {
    let (errors, _) = report.counts();
    let shown = report.render(std::io::stderr().is_terminal());
    let mistakes = if errors == 1 { "1 mistake".to_owned() } else { format!("{errors} mistakes") };
    anyhow::Error::new(BadToml(format!("{shown}\n\n{mistakes}; nothing was built")))
}

/// An error with the exit status of `ens` that goes with it.
#[derive(Debug)]
struct WithCode {
    code: u8,
    error: anyhow::Error,
}

impl std::fmt::Display for WithCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl std::error::Error for WithCode {}

/// `error` with this exit status, unless it is one that has its own.
fn with_code(error: anyhow::Error, code: u8) -> anyhow::Error {
    let has_own = error.is::<Stopped>() || error.is::<BadToml>() || error.is::<Refused>();
    if has_own || error.is::<WithCode>() {
        return error;
    }
    anyhow::Error::new(WithCode { code, error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_takes_its_own_options() {
        let cli = Cli::try_parse_from(["ens", "run", "phone", "--", "ls", "-l", "--on"]).unwrap();
        assert!(matches!(cli.command, Command::Run(_)), "{cli:?}");
    }

    #[test]
    fn a_stopped_run_has_the_status_of_its_signal_however_deep_it_lies() {
        let stopped = anyhow::Error::new(Stopped { signal: 2 }).context("phone");
        assert_eq!(code(&with_code(stopped, NO_DEVICE)), 130);
        assert_eq!(code(&with_code(anyhow::anyhow!("no boot"), NO_DEVICE)), 125);
        assert_eq!(code(&anyhow::anyhow!("other")), 1);
    }
}
