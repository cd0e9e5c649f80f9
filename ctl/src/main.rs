//! Thin entry of `ensctl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let out = ctl::run::Out::standard();
    let mut line = std::env::args_os().skip(1).peekable();
    let done = match line.next_if(|word| word == brief::ASKED) {
        Some(_) => ctl::told::run(line),
        None => ctl::run::run(line, &out),
    };
    match done {
        Ok(code) => code,
        Err(fault) => out.complain(&fault),
    }
}
