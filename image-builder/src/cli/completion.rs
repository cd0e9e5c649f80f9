//! `ens completion`: what a shell needs to complete our commands.

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens completion bash > ~/.local/share/bash-completion/completions/ens
  ens completion fish > ~/.config/fish/completions/ens.fish")]
pub(super) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self) -> Result<u8> {
        let mut text = Vec::new();
        generate(self.shell, &mut super::Cli::command(), "ens", &mut text);
        super::print(&String::from_utf8_lossy(&text));
        Ok(0)
    }
}
