//! `ens check`: any of our TOML files, all mistakes at once.

use std::io::{IsTerminal, stderr};

use anyhow::{Result, bail};
use clap::Args;

use super::{USAGE, print, print_error};
use crate::host_files::HostFiles;
use crate::workspace::Workspace;

/// Check TOML files: devices, services, profiles, permissions, bundles, cases
///
/// Each file is checked with all it refers to. Exit status 2 when something is wrong; warnings
/// alone give 0.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens check configs/devices/phone.toml
  ens check configs/devices/*.toml configs/services/*.toml
  ens check configs/abilities/*/bundle.toml
  ens check --json my.toml | jq -r '.[].message'")]
pub(super) struct Check {
    /// What to check
    #[arg(required_unless_present = "write_schemas")]
    file: Vec<String>,

    /// Print an array of problems: severity, file, line, column, message, help
    #[arg(long)]
    json: bool,

    /// Write configs/schema, for completion in editors, and docs/manifest.md
    #[arg(long)]
    write_schemas: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<u8> {
        let workspace = Workspace::find();
        if self.write_schemas {
            super::schemas::write(&workspace?)?;
            return Ok(0);
        }
        let files = workspace.map_or_else(|_| HostFiles::alone(), |w| HostFiles::of(&w));
        let mut findings = Vec::new();
        let mut wrong = false;
        for file in &self.file {
            let (_, report) = model::text::check_file(&files, file);
            wrong |= report.has_errors();
            if self.json {
                findings.extend(report.findings());
            } else if !report.is_empty() {
                print_error(&report.render(stderr().is_terminal()));
            }
        }
        if self.json {
            print(&serde_json::to_string_pretty(&findings)?);
        }
        if self.file.is_empty() {
            bail!("nothing to check");
        }
        Ok(if wrong { USAGE } else { 0 })
    }
}
