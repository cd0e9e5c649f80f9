//! `ens lock`: the exact packages of a device, or of a bundle.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::Result;
use clap::Args;

use model::text::bundle::FILE;

use super::{bundle, devices};
use crate::doctor;
use crate::progress;
use crate::workspace::Workspace;

/// Renew the lock file beside a device's or a bundle's TOML
///
/// The lock names every package with its version and checksum, so that a build gives the same
/// bytes later and elsewhere. Without --update a lock is only made where there is none.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens lock --update phone
  ens lock --update configs/abilities/*/bundle.toml")]
pub(super) struct Lock {
    /// Name in configs/devices, or path to a TOML; or the bundle.toml of an app
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
            if Path::new(device).file_name() == Some(OsStr::new(FILE)) {
                bundle::lock(&workspace, Path::new(device), self.update, &*progress)?;
                continue;
            }
            devices::lock(&workspace, device, self.target.as_deref(), self.update, &*progress)?;
        }
        Ok(0)
    }
}
