//! Thin entry of `debug-agent`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match debug_agent::serve::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            debug_agent::serve::complain(&e);
            ExitCode::FAILURE
        }
    }
}
