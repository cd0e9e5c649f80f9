//! Thin entry of `ensctl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let out = ctl::run::Out::standard();
    match ctl::run::run(std::env::args_os().skip(1), &out) {
        Ok(code) => code,
        Err(fault) => out.complain(&fault),
    }
}
