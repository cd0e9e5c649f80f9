//! Thin entry of `remote`.

use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "the one place that reports why we could not run")]
fn main() -> ExitCode {
    match remote::serve::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("<3>remote: {e}");
            ExitCode::FAILURE
        }
    }
}
