//! `ens build`: an image to keep.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::{devices, print};
use crate::built::{Built, DESCRIPTION, Flavor, Parts};
use crate::doctor;
use crate::progress::{self, Progress};
use crate::run::persist;
use crate::steps::Held;
use crate::workspace::Workspace;

/// Build an image of a device
///
/// Without --out the result stays in target/ens, and its place is printed. With --out DIR it is
/// copied there with a description, so that `ens run DIR` works without the sources.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens build phone
  ens build phone --out dist/phone && ens run dist/phone
  ens build headless --format oci --out dist && podman load -i dist/headless.tar")]
pub(super) struct Build {
    /// Name in configs/devices, or path to a TOML
    device: OsString,

    /// Build for this target instead of the one in the TOML
    #[arg(long)]
    target: Option<String>,

    /// Put the result into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// What to make
    #[arg(long, value_enum, default_value_t = Format::Disk)]
    format: Format,

    /// Print the description of the result: device, files, command line
    #[arg(long)]
    json: bool,

    /// Say which steps ran, and why
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A GPT disk with its kernel and initramfs, for machines
    Disk,
    /// An archive that podman loads
    Oci,
    /// The root as a directory
    Dir,
}

impl Build {
    pub(super) fn run(self) -> Result<u8> {
        let progress = progress::to_stderr(self.verbose);
        let workspace = Workspace::find()?;
        doctor::provide(&[doctor::For::Build], &*progress)?;
        let flavor = if self.format == Format::Disk { Flavor::Machine } else { Flavor::Container };
        let wanted =
            devices::Wanted { flavor, target: self.target.as_deref(), verbose: self.verbose };
        let mut built = devices::built(&workspace, &self.device, &wanted, &*progress)?;
        if self.format == Format::Oci {
            let out = self.out.unwrap_or_else(|| workspace.ours("oci"));
            fs::create_dir_all(&out).with_context(|| format!("making {}", out.display()))?;
            let file = out.join(format!("{}.tar", built.device.name));
            devices::oci(&workspace, &self.device, &wanted, &file, &*progress)?;
            print(&file.display().to_string());
            return Ok(0);
        }
        if let Some(out) = &self.out {
            built = export(&built, out, &*progress)?;
        }
        if self.json {
            print(&serde_json::to_string_pretty(&built)?);
        } else {
            print(&told(&built));
        }
        Ok(0)
    }
}

fn told(built: &Built) -> String {
    match &built.parts {
        Parts::Machine { disk, kernel, initramfs, cmdline } => format!(
            "disk       {}\nkernel     {}\ninitramfs  {}\ncmdline    {cmdline}",
            disk.display(),
            kernel.display(),
            initramfs.display()
        ),
        Parts::Container { root } => root.display().to_string(),
    }
}

/// Copies what was built into `out`, with its description; gives it as it lies there.
fn export(built: &Built, out: &Path, progress: &dyn Progress) -> Result<Built> {
    fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let parts = match &built.parts {
        Parts::Machine { disk, kernel, initramfs, cmdline } => {
            let names = ["disk.img", "vmlinuz", "initramfs"];
            for (from, name) in [disk, kernel, initramfs].into_iter().zip(names) {
                persist::copy_whole(from, &out.join(name), progress)?;
            }
            let [disk, kernel, initramfs] = names.map(PathBuf::from);
            Parts::Machine { disk, kernel, initramfs, cmdline: cmdline.clone() }
        }
        Parts::Container { root } => {
            copy_tree(root, &out.join("root"))?;
            Parts::Container { root: "root".into() }
        }
    };
    let relative = Built { device: built.device.clone(), parts, held: Held::default() };
    let description = out.join(DESCRIPTION);
    let partial = out.join("ensemble.partial");
    fs::write(&partial, serde_json::to_vec_pretty(&relative)?)?;
    fs::rename(&partial, &description)?;
    Built::open(out)
}

/// Copies a directory with owners, modes, times and links.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        bail!("{} is there already: remove it, or name another --out", to.display());
    }
    let partial = to.with_extension("partial");
    let status = Command::new("cp").arg("--archive").args([from, &partial]).status();
    if !status.context("running cp")?.success() {
        bail!("copying {} to {} failed", from.display(), partial.display());
    }
    fs::rename(&partial, to).with_context(|| format!("making {}", to.display()))
}
