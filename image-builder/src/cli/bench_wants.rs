//! `ens bench wants`: which abilities answer a want, among many.

use std::fs;

use anyhow::{Context, Result};
use clap::Args;

use super::bench::{contents, kernel};
use super::print;
use crate::bench_wants;
use crate::doctor;
use crate::programs;
use crate::progress;
use crate::workspace::Workspace;

/// Find which abilities answer a want, among 10, 100 and 1000 skills
///
/// On an emulated machine that counts instructions, by the code of the device. The console is kept in
/// target/ens/bench/wants.log.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bench wants
  ens bench wants --json")]
pub(super) struct Wants {
    /// Print the numbers as JSON: nanoseconds by what is wanted, then by number of skills
    #[arg(long)]
    json: bool,
}

impl Wants {
    pub(super) fn run(self) -> Result<u8> {
        let progress = progress::to_stderr(false);
        let workspace = Workspace::find()?;
        doctor::provide(&[doctor::For::Build, doctor::For::Machine], &*progress)?;
        let kernel = kernel(&workspace, &*progress)?;
        let theirs = programs::build_crate(&workspace, "tests", &*progress)?;
        let found = contents(&theirs, &[(bench_wants::PROGRAM, "")])?;
        let (_, program) = found.into_iter().next().context("one program")?;
        let directory = workspace.ours("bench");
        fs::create_dir_all(&directory)?;
        let initramfs = directory.join("wants.cpio");
        bench_wants::initramfs(program, &initramfs)?;
        let step = progress.step("Looking for abilities that answer");
        let measured = bench_wants::run(&kernel, &initramfs, &directory.join("wants.log"))?;
        drop(step);
        print(&if self.json {
            serde_json::to_string_pretty(&measured)?
        } else {
            bench_wants::table(&measured)
        });
        Ok(0)
    }
}
