//! `ens run`: devices built as far as needed, then booted.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{NO_DEVICE, devices, with_code};
use crate::built::Flavor;
use crate::doctor;
use crate::progress;
use crate::run::{self, Options};
use crate::workspace::Workspace;

/// Build what changed and boot devices
///
/// DEVICE is a name in configs/devices, a path to a TOML, or to what `ens build --out` wrote.
/// Without CMD you get the device's console; Ctrl-A X leaves. With `-- CMD` the device boots, CMD
/// runs on it as soon as all services are up, the device powers off, and the exit status is CMD's
/// (128 + n when signal n ended it, 125 when the device did not boot).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens run phone
  ens run phone -- ensctl status
  echo hello | ens run headless --container -- tee /tmp/hello
  ens run phone tv --on phone -- ping -c1 tv.local
  ens run headless headless --container -- ping -c1 headless-2.local
  ens run headless --persist my-disk.img")]
pub(super) struct Run {
    /// What to boot; several devices share one network and know each other as NAME.local
    #[arg(required = true)]
    device: Vec<OsString>,

    /// The command to run on the device
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,

    /// Build for this target instead of the one in the TOML
    #[arg(long)]
    target: Option<String>,

    /// Show no window, also for a device with a screen
    #[arg(long)]
    headless: bool,

    /// Run in namespaces on this host's kernel instead of a machine
    #[arg(long)]
    container: bool,

    /// Pair the devices with each other, as their owner would: the first with each of the others
    #[arg(long)]
    paired: bool,

    /// Which device gets the console or CMD [default: the first]
    #[arg(long, value_name = "NAME")]
    on: Option<String>,

    /// Keep what the device writes in FILE (a directory with --container)
    #[arg(long, value_name = "FILE")]
    persist: Option<PathBuf>,

    /// Memory of each machine, in MiB [default: 512; 1024 with a screen]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(128..=65536))]
    memory: Option<u32>,

    /// CPUs of each machine [default: 2; 1 where they are emulated]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: Option<u32>,

    /// Say which steps of the build ran, and why
    #[arg(short, long)]
    verbose: bool,
}

impl Run {
    pub(super) fn run(self) -> Result<u8> {
        let progress = progress::to_stderr(self.verbose);
        let workspace = Workspace::find()?;
        let flavor = if self.container { Flavor::Container } else { Flavor::Machine };
        let need = if self.container { doctor::For::Container } else { doctor::For::Machine };
        doctor::provide(&[doctor::For::Build, need], &*progress)?;
        let wanted =
            devices::Wanted { flavor, target: self.target.as_deref(), verbose: self.verbose };
        let mut built = Vec::new();
        for device in &self.device {
            built.push(
                devices::built(&workspace, device, &wanted, &*progress)
                    .map_err(|e| with_code(e, NO_DEVICE))?,
            );
        }
        let options = Options {
            headless: self.headless,
            on: self.on,
            persist: self.persist,
            memory: self.memory,
            cpus: self.cpus,
            paired: self.paired,
            command: self.command,
        };
        run::run(&workspace, &built, &options, &*progress).map_err(|e| with_code(e, NO_DEVICE))
    }
}
