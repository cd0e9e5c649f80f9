//! Thin entry of `journal`.

use std::env;
use std::process::ExitCode;

use journal::settings::{Settings, USAGE};

#[expect(clippy::print_stderr, reason = "nobody else can say why there is no log")]
fn main() -> ExitCode {
    let settings = match Settings::parse(env::args_os().skip(1)) {
        Ok(settings) => settings,
        Err(why) => {
            eprintln!("journal: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match journal::daemon::run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("journal: cannot run: {e}");
            ExitCode::FAILURE
        }
    }
}
