//! `ens lock`: the exact packages of a device.

use std::ffi::OsString;

use anyhow::Result;
use clap::Args;

use super::devices;
use crate::doctor;
use crate::progress;
use crate::workspace::Workspace;

/// Renew the lock file beside a device's TOML
///
/// The lock names every package with its version and checksum, so that a build gives the same
/// bytes later and elsewhere. Without --update a lock is only made where there is none.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens lock --update phone")]
pub(super) struct Lock {
    /// Name in configs/devices, or path to a TOML
    #[arg(required = true)]
    device: Vec<OsString>,

    /// Take the newest versions there are
    #[arg(long)]
    update: bool,

    /// Lock for this target instead of the one in the TOML
    #[arg(long)]
    target: Option<String>,
}

impl Lock {
    pub(super) fn run(self) -> Result<u8> {
        let progress = progress::to_stderr(false);
        let workspace = Workspace::find()?;
        doctor::provide(&[doctor::For::Build], &*progress)?;
        for device in &self.device {
            devices::lock(&workspace, device, self.target.as_deref(), self.update, &*progress)?;
        }
        Ok(0)
    }
}
