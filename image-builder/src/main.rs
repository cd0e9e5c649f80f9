//! Thin entry of `ens`.

use std::process::ExitCode;

fn main() -> ExitCode {
    image_builder::cli::main(std::env::args_os())
}
