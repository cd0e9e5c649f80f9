//! `ens bench softbus`: links between devices beside what they are built on.

use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::programs;
use crate::progress;
use crate::workspace::Workspace;

/// Links of the soft bus, beside plain TCP, bare QUIC and the bare engine
///
/// Between two network namespaces over one pair of interfaces, in one run, with one thread at each end: 64 bytes there and
/// back, 256 MiB, memory, and how soon a device is heard. Needs `ip` and `unshare` on the host; no network of the host's
/// is used. The numbers are of this host: compare them with each other.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bench softbus
  ens bench softbus --json")]
pub(super) struct Softbus {
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

impl Softbus {
    pub(super) fn run(&self) -> Result<u8> {
        let progress = progress::to_stderr(false);
        let program = programs::build_softbus_bench(&Workspace::find()?, &*progress)?;
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net"]).arg(program);
        if self.json {
            command.arg("--json");
        }
        let status = command.status().context("running unshare, of the package util-linux")?;
        Ok(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))
    }
}
