//! Thin entry of `init`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(init::run())
}
