//! `ens bundle new`: a directory with an app that works.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use model::Name;
use model::bundle::BundleId;
use model::text::bundle::FILE;
use model::text::{BundleOf, template_bundle};

use super::super::new::{relative, schema_from};
use super::super::print;

/// What a new app for the device's shell begins with.
const SHELL: &str = include_str!("template.sh");

/// What a new app for the device's Python begins with.
const PYTHON: &str = include_str!("template.py");

/// Write a directory with a commented bundle.toml and a program
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bundle new notes                   notes/bundle.toml and notes/notes.sh
  ens bundle new notes --python          notes/notes.py
  ens bundle new clock --binary target/x86_64-unknown-linux-musl/release/clock
Then: ens bundle build notes")]
pub(super) struct New {
    /// What it is called: a-z, 0-9 and -; or a path that ends in this
    directory: PathBuf,

    /// Its id for ever [default: org.example.NAME]
    #[arg(long)]
    id: Option<String>,

    /// A script for the device's Python instead of one for its shell
    #[arg(long, conflicts_with = "binary")]
    python: bool,

    /// This program, which needs no other file
    #[arg(long, value_name = "PROGRAM")]
    binary: Option<PathBuf>,
}

impl New {
    pub(super) fn run(self) -> Result<u8> {
        let name = self.directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Err(why) = Name::try_from(name) {
            bail!("`{name}`: {why}");
        }
        let id = self.id.clone().unwrap_or_else(|| format!("org.example.{name}"));
        if let Err(why) = BundleId::try_from(id.as_str()) {
            bail!("`{id}`: {why}");
        }
        let toml = self.directory.join(FILE);
        if toml.exists() {
            bail!("{} is there already: choose another name, or edit it", toml.display());
        }
        let binary =
            self.binary.as_deref().map(|path| program(&self.directory, path)).transpose()?;
        let of = match &binary {
            Some((path, file)) => BundleOf::Binary(path, file),
            None if self.python => BundleOf::Python,
            None => BundleOf::Shell,
        };
        fs::create_dir_all(&self.directory)
            .with_context(|| format!("making {}", self.directory.display()))?;
        let script = match of {
            BundleOf::Shell => Some((format!("{name}.sh"), SHELL)),
            BundleOf::Python => Some((format!("{name}.py"), PYTHON)),
            BundleOf::Binary(..) => None,
        };
        if let Some((file, text)) = script {
            write(&self.directory.join(file), text, 0o755)?;
        }
        write(&toml, &template_bundle(of, &id, name, &schema_from(&toml)), 0o644)?;
        print(&toml.display().to_string());
        Ok(0)
    }
}

/// Path of a program as seen from `directory`, and its file name.
fn program(directory: &Path, program: &Path) -> Result<(String, String)> {
    let shown = program.display();
    if !program.is_file() {
        bail!("{shown} is no program: build it first");
    }
    let full = |path: &Path| std::path::absolute(path).with_context(|| format!("finding {shown}"));
    let path = relative(&full(directory)?, &full(program)?);
    let file = program.file_name().and_then(|name| name.to_str());
    Ok((path, file.with_context(|| format!("{shown}: not UTF-8"))?.to_owned()))
}

fn write(file: &Path, text: &str, mode: u32) -> Result<()> {
    if file.exists() {
        bail!("{} is there already: choose another name", file.display());
    }
    let written = fs::write(file, text)
        .and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(mode)));
    written.with_context(|| format!("writing {}", file.display()))
}
