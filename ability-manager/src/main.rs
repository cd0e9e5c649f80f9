//! Thin entry of `ability-manager`.

use std::process::ExitCode;

use ability_manager::daemon::{Settings, run};

#[expect(clippy::print_stderr, reason = "the one place that reports why we could not run")]
fn main() -> ExitCode {
    match run(Settings::of_environment()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("<3>ability-manager: cannot run: {e}");
            ExitCode::FAILURE
        }
    }
}
