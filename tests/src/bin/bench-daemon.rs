//! The smallest daemon with readiness: says `READY=1` and waits for ever.

use std::process::ExitCode;

fn main() -> ExitCode {
    if sys::sd_notify::sd_notify("READY=1").is_err() {
        return ExitCode::FAILURE;
    }
    sys::signals::wait_for_ever()
}
