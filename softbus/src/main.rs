//! Thin entry of `softbus`.

use std::process::ExitCode;

use softbus::{Settings, run};

#[expect(clippy::print_stderr, reason = "the one place that reports why we could not run")]
fn main() -> ExitCode {
    match run(&Settings::default()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("<3>softbus: cannot run: {e}");
            ExitCode::FAILURE
        }
    }
}
