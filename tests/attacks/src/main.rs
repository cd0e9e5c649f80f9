//! `attacks`: what a program in a sandbox tries.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match attacks::command::run(&words) {
        Ok(status) => ExitCode::from(status),
        Err(why) => {
            attacks::command::complain(&why);
            ExitCode::from(attacks::command::USAGE)
        }
    }
}
