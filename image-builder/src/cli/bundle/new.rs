//! `ens bundle new`: a directory with an app that works, or with what an image says of itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use model::Name;
use model::bundle::BundleId;
use model::text::bundle::FILE;
use model::text::{BundleOf, ImageOf, template_bundle};

use super::super::new::{relative, schema_from};
use super::super::{print, print_error};
use crate::bundle::{Sources, oci};
use crate::packages::cache::Cache;
use crate::packages::resolve::Relock;
use crate::progress;
use crate::workspace::Workspace;

/// What a new app for the device's shell begins with.
const SHELL: &str = include_str!("template.sh");

/// What a new app for the device's Python begins with.
const PYTHON: &str = include_str!("template.py");

/// What a new app for Node begins with.
const NODE: &str = include_str!("template.js");

/// Its package, which depends on nothing yet.
const PACKAGE_JSON: &str =
    "{\n  \"name\": \"@NAME@\",\n  \"version\": \"1.0.0\",\n  \"private\": true\n}\n";

/// The lock of that.
const PACKAGE_LOCK: &str = "{\n  \"name\": \"@NAME@\",\n  \"version\": \"1.0.0\",\n  \"lockfileVersion\": 3,\n  \
                            \"requires\": true,\n  \"packages\": {\n    \"\": {\n      \"name\": \"@NAME@\",\n      \
                            \"version\": \"1.0.0\"\n    }\n  }\n}\n";

/// What a new app in Rust begins with.
const RUST: &str = include_str!("template.rs.in");

/// Its package, in a workspace of its own.
const CARGO: &str = "[package]\nname = \"@NAME@\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
                     [profile.release]              # small: the file is the app\nlto = \"thin\"\nopt-level = \"s\"\n\
                     panic = \"abort\"\nstrip = true\n";

/// Write a directory with a commented bundle.toml and a program
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bundle new notes                   notes/bundle.toml and notes/notes.sh
  ens bundle new notes --python          notes/notes.py
  ens bundle new clock --cargo           clock/Cargo.toml and clock/src/main.rs
  ens bundle new clock --binary target/x86_64-unknown-linux-musl/release/clock
  ens bundle new greeter --debian hello  Debian's hello, as it is
  ens bundle new python --debian python3 --runtime
  ens bundle new web --oci image.tar     what `podman save` wrote
Then: ens bundle build notes")]
pub(super) struct New {
    /// What it is called: a-z, 0-9 and -; or a path that ends in this
    directory: PathBuf,

    /// Its id for ever [default: org.example.NAME]
    #[arg(long)]
    id: Option<String>,

    #[command(flatten)]
    from: From,

    /// What others lie upon: no app (with --debian)
    #[arg(long, requires = "debian")]
    runtime: bool,
}

/// What it is made from.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
struct From {
    /// A script for the device's Python instead of one for its shell
    #[arg(long)]
    python: bool,

    /// A script for Node, with package.json
    #[arg(long)]
    node: bool,

    /// A program in Rust, with Cargo.toml
    #[arg(long)]
    cargo: bool,

    /// This program, which needs no other file
    #[arg(long, value_name = "PROGRAM")]
    binary: Option<PathBuf>,

    /// Debian packages, with all that they depend on (may be repeated)
    #[arg(long, value_name = "PACKAGE")]
    debian: Vec<String>,

    /// The image of a container: as `podman save` or `docker save` write it
    #[arg(long, value_name = "FILE")]
    oci: Option<PathBuf>,
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
        let directory = &self.directory;
        let binary =
            self.from.binary.as_deref().map(|path| program(directory, path)).transpose()?;
        let image = self.from.oci.as_deref().map(|path| image(directory, path)).transpose()?;
        let of = match (&binary, &image, self.from.debian.as_slice()) {
            (Some((path, file)), ..) => BundleOf::Binary(path, file),
            (_, Some(image), _) => BundleOf::Oci(image),
            (.., packages @ [_, ..]) if self.runtime => BundleOf::Runtime(packages),
            (.., packages @ [_, ..]) => BundleOf::Debian(packages),
            _ if self.from.python => BundleOf::Python,
            _ if self.from.node => BundleOf::Node,
            _ if self.from.cargo => BundleOf::Cargo,
            _ => BundleOf::Shell,
        };
        fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        for (file, text, mode) in files(of, name) {
            write(&directory.join(file), &text, mode)?;
        }
        write(&toml, &template_bundle(of, &id, name, &schema_from(&toml)), 0o644)?;
        print(&toml.display().to_string());
        Ok(0)
    }
}

/// What is beside the TOML.
fn files(of: BundleOf<'_>, name: &str) -> Vec<(String, String, u32)> {
    let file = |path: String, text: &str, mode| (path, text.replace("@NAME@", name), mode);
    match of {
        BundleOf::Shell => vec![file(format!("{name}.sh"), SHELL, 0o755)],
        BundleOf::Python => vec![file(format!("{name}.py"), PYTHON, 0o755)],
        BundleOf::Node => vec![
            file(format!("{name}.js"), NODE, 0o644),
            file("package.json".to_owned(), PACKAGE_JSON, 0o644),
            file("package-lock.json".to_owned(), PACKAGE_LOCK, 0o644),
        ],
        BundleOf::Cargo => vec![
            file("Cargo.toml".to_owned(), CARGO, 0o644),
            file("src/main.rs".to_owned(), RUST, 0o644),
        ],
        BundleOf::Binary(..) | BundleOf::Debian(_) | BundleOf::Runtime(_) | BundleOf::Oci(_) => {
            Vec::new()
        }
    }
}

/// What an image says of itself. A program without a path is looked for where it would be, and a directory that it
/// starts in is gone to by its shell.
fn image(directory: &Path, path: &Path) -> Result<ImageOf> {
    let workspace = Workspace::find()?;
    let cache = Cache::of_user(&workspace);
    let progress = progress::to_stderr(false);
    let relock = Relock::WhenNeeded;
    let sources = Sources { workspace: &workspace, cache: &cache, relock, progress: &*progress };
    let (config, tree) = oci::read(path, &sources)?;
    let full = |path: &Path| {
        std::path::absolute(path).with_context(|| format!("finding {}", path.display()))
    };
    let exec = oci::started(&config, &tree);
    if exec.is_empty() {
        print_error("the image does not say what it starts: write it into [[ability]] exec");
    }
    let exec = if exec.is_empty() { vec!["/bin/sh".to_owned()] } else { exec };
    let environment =
        config.environment().into_iter().filter(|(name, _)| name != "PATH" && name != "HOME");
    Ok(ImageOf {
        archive: relative(&full(directory)?, &full(path)?),
        processor: config.processor().to_owned(),
        exec,
        environment: environment.collect(),
        serves: config.serves(),
    })
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
    if let Some(above) = file.parent() {
        fs::create_dir_all(above).with_context(|| format!("making {}", above.display()))?;
    }
    let written = fs::write(file, text)
        .and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(mode)));
    written.with_context(|| format!("writing {}", file.display()))
}
