//! Compiles profiles: a request on standard input, an answer on standard output; see `sandbox::wire`.
//!
//! A program of its own because it holds libseccomp, a C library: who has no profile to compile needs
//! none. It opens no file and keeps nothing.

use std::io::{Read, Write, stderr, stdin, stdout};
use std::process::ExitCode;

use sandbox::compile::compile;
use sandbox::wire::{MAX_REQUEST, Request, encode_answer};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Whoever reads this is told by the exit status too.
            let _ = writeln!(stderr(), "sandbox-compiler: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_REQUEST)?.saturating_add(1);
    stdin().lock().take(most).read_to_end(&mut bytes)?;
    let request = Request::decode(&bytes)?;
    let one = |profile| compile(profile, request.arch).map_err(|refused| refused.to_string());
    let answer = request.profiles.iter().map(one).collect();
    stdout().lock().write_all(&encode_answer(&answer)?)?;
    Ok(())
}
