//! `ens bundle`: apps, from a directory of its maker to the file that a device installs.
//!
//! ```text
//! new ─► NAME/bundle.toml ─ build ─► NAME.bundle ─┬─ sign
//! key ─► developer.key ─────────┘                 └─ inspect, verify
//! ```

mod inspect;
mod new;

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bundle::{Kind, PublicKey, Refused, SecretKey};
use clap::{Args, Subcommand};
use model::text::bundle::{FILE, Loaded, load};
use serde_json::json;

use super::{USAGE, bad_toml, print, print_error, with_code};
use crate::bundle::{Sources, debian, keys};
use crate::host_files::HostFiles;
use crate::packages::cache::Cache;
use crate::packages::resolve::Relock;
use crate::progress::{self, Progress};
use crate::workspace::Workspace;

/// Make apps: one file each, signed, the same bytes from the same files
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bundle key                       your key, made once
  ens bundle new notes --python        a directory to start from
  ens bundle build notes               notes.bundle, signed by you
  ens bundle inspect notes.bundle      what is in it
Then, on a device: ensctl app install notes.bundle")]
pub(super) struct Bundle {
    #[command(subcommand)]
    ask: Ask,
}

#[derive(Debug, Subcommand)]
enum Ask {
    New(new::New),
    Key(Key),
    Build(Build),
    Sign(Sign),
    Inspect(inspect::Inspect),
    Verify(inspect::Verify),
}

/// Print your public key; make the key first if there is none
///
/// The secret part stays in ~/.config/ensemble/developer.key and is never written over: without it
/// nobody can update apps that were signed with it. Devices that trust the public key take your apps.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bundle key
  ens bundle key --file build-server.key")]
struct Key {
    /// Another place than ~/.config/ensemble/developer.key
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Print JSON: key, fingerprint, file, new
    #[arg(long)]
    json: bool,
}

/// Build the bundle of a directory with a bundle.toml
///
/// The result is signed with your key. The same files, TOML and key give the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bundle build                       of this directory
  ens bundle build configs/abilities/notes -o /tmp/notes.bundle
  ens bundle build notes --no-sign       to be signed elsewhere: ens bundle sign")]
struct Build {
    /// The directory, or its bundle.toml
    #[arg(default_value = ".")]
    directory: PathBuf,

    /// Write it there instead of NAME.bundle, where NAME is the last word of the id
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Sign with this key
    #[arg(long, value_name = "FILE", conflicts_with = "no_sign")]
    key: Option<PathBuf>,

    /// Take the newest Debian packages there are, and write bundle.lock anew
    #[arg(long)]
    update: bool,

    /// Leave it unsigned: no device installs it as it is
    #[arg(long)]
    no_sign: bool,

    /// Print JSON: file, id, version, digest, bytes, files, key
    #[arg(long)]
    json: bool,
}

/// Add a signature to a bundle, or renew the one of the same key
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bundle sign notes.bundle
  ens bundle sign notes.bundle --key store.key")]
struct Sign {
    /// The bundle
    file: PathBuf,

    /// Sign with this key instead of yours
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Bundle {
    pub(super) fn run(self) -> Result<u8> {
        match self.ask {
            Ask::New(new) => new.run(),
            Ask::Key(key) => key.run(),
            Ask::Build(build) => build.run(),
            Ask::Sign(sign) => sign.run(),
            Ask::Inspect(inspect) => inspect.run(),
            Ask::Verify(verify) => verify.run(),
        }
    }
}

impl Key {
    fn run(self) -> Result<u8> {
        let file = self.file.map_or_else(keys::place, Ok)?;
        let (key, new) = keys::make(&file)?;
        if self.json {
            let (key, fingerprint) = (key.to_string(), key.fingerprint());
            let shown = json!({ "key": key, "fingerprint": fingerprint, "file": file, "new": new });
            print(&serde_json::to_string_pretty(&shown)?);
            return Ok(0);
        }
        if new {
            print_error(&format!(
                "made {}: keep a copy where nobody else reads it",
                file.display()
            ));
        }
        print(&key.to_string());
        Ok(0)
    }
}

impl Build {
    fn run(self) -> Result<u8> {
        let loaded = loaded(&self.directory)?;
        let key = if self.no_sign { None } else { Some(secret(self.key.as_deref())?) };
        let id = loaded.manifest.id.as_str();
        let name = id.rsplit('.').next().unwrap_or(id);
        let out = self.out.unwrap_or_else(|| PathBuf::from(format!("{name}.bundle")));
        let progress = progress::to_stderr(false);
        let workspace = Workspace::find()?;
        let cache = Cache::of_user(&workspace);
        let relock = if self.update { Relock::Always } else { Relock::WhenNeeded };
        let sources =
            Sources { workspace: &workspace, cache: &cache, relock, progress: &*progress };
        let prepared = crate::bundle::prepare(&loaded.manifest, &loaded.source, &sources)?;
        let step = progress.step(&format!("Building {}", out.display()));
        let made = crate::bundle::write(&prepared.manifest, &prepared.tree, &out, key.as_ref())?;
        drop(step);
        if self.json {
            let shown = json!({
                "file": out,
                "id": id,
                "version": loaded.manifest.version.to_string(),
                "digest": made.digest.to_string(),
                "bytes": made.bytes,
                "files": made.files,
                "key": made.signed.map(|key| key.to_string()),
            });
            print(&serde_json::to_string_pretty(&shown)?);
        } else {
            print(&out.display().to_string());
        }
        Ok(0)
    }
}

impl Sign {
    fn run(self) -> Result<u8> {
        let key = secret(self.key.as_deref())?;
        let shown = self.file.display();
        let file = OpenOptions::new().read(true).write(true).open(&self.file);
        let file = file.with_context(|| format!("opening {shown}"))?;
        bundle::sign(&file, &key).map_err(|why| refused(&self.file, &why))?;
        print(&format!("{shown}: signed by {}", key.public()));
        Ok(0)
    }
}

/// Makes or renews the lock of a bundle.
pub(super) fn lock(
    workspace: &Workspace,
    toml: &Path,
    update: bool,
    progress: &dyn Progress,
) -> Result<()> {
    let loaded = loaded(toml)?;
    let cache = Cache::of_user(workspace);
    let relock = if update { Relock::Always } else { Relock::WhenNeeded };
    let sources = Sources { workspace, cache: &cache, relock, progress };
    debian::lock(&loaded.manifest, &loaded.source, &sources)
}

/// The bundle of a directory; warnings are told.
fn loaded(directory: &Path) -> Result<Loaded> {
    let file = if directory.is_dir() { directory.join(FILE) } else { directory.to_owned() };
    let Some(path) = file.to_str() else { bail!("{}: not UTF-8", file.display()) };
    if !file.is_file() {
        let error =
            anyhow::anyhow!("there is no {path}: `ens bundle new NAME` writes one to start from");
        return Err(with_code(error, USAGE));
    }
    let files = Workspace::find().map_or_else(|_| HostFiles::alone(), |w| HostFiles::of(&w));
    let loaded = load(&files, path).map_err(|report| bad_toml(&report))?;
    if !loaded.warnings.is_empty() {
        print_error(&loaded.warnings.render(std::io::stderr().is_terminal()));
    }
    Ok(loaded)
}

/// A key to sign with: that of this user if no other is named.
fn secret(file: Option<&Path>) -> Result<SecretKey> {
    match file {
        Some(file) => keys::read(file),
        None => keys::read(&keys::place()?),
    }
}

/// The public key of this user, if there is one.
fn own() -> Option<PublicKey> {
    keys::read(&keys::place().ok()?).ok().map(|key| key.public())
}

/// What is wrong with a file that should be a bundle.
fn refused(file: &Path, why: &Refused) -> anyhow::Error {
    let shown = file.display();
    match why.kind() {
        Kind::NoBundle => anyhow::anyhow!("{shown} is no bundle: {why}"),
        Kind::Unreadable => anyhow::anyhow!("{shown}: {why}"),
        _ => anyhow::anyhow!("{shown} is no bundle that a device takes: {why}"),
    }
}
