//! Runs a program, looks at what it does, and prints the smallest profile with which it does the same.
//!
//! ```text
//! ensctl sandbox learn ─ exec ─► sandbox-learn ─► the program, in the terminal it was called from
//!                                   ▲    └ watch: a thread asks, this one looks and lets go on
//!                                   └──────── system calls, by seccomp's notifications
//! ```
//!
//! A program of its own so that `ensctl` stays small. Restricts nothing, and changes nothing but the file
//! that it is told to write. Ends as the program did; 125 if it could not learn, 127 or 126 if there is no
//! such program or it can't be run.

mod args;
mod caller;
mod given;
mod report;
mod tree;
mod watch;

use std::io::{Write, stderr};
use std::process::ExitCode;

use args::Asked;
use model::sandbox::View;
use sandbox::learn::Given;

/// Exit status: the command line is wrong.
const USAGE: u8 = 2;

/// Exit status: nothing could be learned.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    let asked = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(asked)) => asked,
        Ok(None) => return args::help(),
        Err(why) => return tell(&why, USAGE),
    };
    match run(&asked) {
        Ok(code) => ExitCode::from(code),
        Err(failed) => tell(&failed.why, failed.code),
    }
}

/// Why nothing was learned.
#[derive(Debug)]
struct Failed {
    why: String,
    code: u8,
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self { why, code: FAILED }
    }
}

fn tell(why: &str, code: u8) -> ExitCode {
    // Nobody is left to tell when this fails.
    let _ = writeln!(stderr(), "learn: {why}");
    ExitCode::from(code)
}

fn run(asked: &Asked) -> Result<u8, Failed> {
    let source = given::Disk::new(asked)?;
    // What is wrong with a profile is told before the program runs.
    let Given { mut inherited, older, .. } = source.given(false)?;
    if let Some(older) = older.filter(|older| older.files.view == View::Listed) {
        inherited.files.view = older.files.view;
    }
    let program = watch::find(&asked.command)?;
    let seen = watch::run(&program, &asked.command, &inherited, asked.limit)?;
    let internet = seen.observed.sockets.keys().any(|(family, ..)| matches!(family, 2 | 10));
    let given = source.given(internet)?;
    let learned = sandbox::learn::learn(&seen.observed, &given).map_err(|refused| {
        format!("what was seen makes no profile with those that are inherited: {refused}")
    })?;
    report::write(asked, &source, &seen, learned)?;
    Ok(seen.code)
}
