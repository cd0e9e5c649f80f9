//! `ens bundle inspect` and `ens bundle verify`: what a bundle is, and whether it is whole.
//!
//! The file comes from anybody: all that is shown was checked, and texts have no control characters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bundle::{Bundle, Files, PublicKey, Signature};
use clap::Args;
use model::bundle::{Ability, BundleKind, Layout, Lifecycle, Manifest, Runtime, Version};
use model::resource::Qualifiers;
use model::text::bundle::parse;
use model::word::Word;
use serde_json::{Value, json};

use super::super::{bad_toml, print};
use super::{own, refused};

/// Say what is in a bundle
///
/// All of it is read and checked, as a device does before it installs it; who signed it is told, and not
/// judged: `ens bundle verify` does that.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bundle inspect notes.bundle
  ens bundle inspect --files notes.bundle
  ens bundle inspect --json notes.bundle | jq -r '.manifest.permission[].name'")]
pub(super) struct Inspect {
    /// The bundle
    file: PathBuf,

    /// List its files too: mode, bytes, path
    #[arg(long)]
    files: bool,

    /// List its resources too, each with the directories that have it: devices take the one that fits best
    #[arg(long)]
    resources: bool,

    /// Print JSON: file, bytes, digest, signatures, manifest (as bundle.toml has it), with --files and --resources those
    #[arg(long)]
    json: bool,
}

/// Check that a bundle is whole, that devices take it, and who signed it
///
/// Without --key it must be signed by your key. Exit status 1 when it is not so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bundle verify notes.bundle
  ens bundle verify notes.bundle --key ed25519:Kk2t…")]
pub(super) struct Verify {
    /// The bundle
    file: PathBuf,

    /// A public key that is trusted (may be repeated)
    #[arg(long, value_name = "KEY")]
    key: Vec<PublicKey>,

    /// Print JSON: file, id, version, digest, key (the one that is trusted)
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(self) -> Result<u8> {
        let bundle = open(&self.file)?;
        let files = bundle.check().map_err(|why| refused(&self.file, &why))?;
        let manifest = manifest(&self.file, bundle.manifest())?;
        let all = listed(&files)?;
        let resources = if self.resources { Some(resources(&manifest, &all)?) } else { None };
        let entries = self.files.then_some(all);
        let about = About { file: &self.file, bundle: &bundle, files: &files };
        if self.json {
            print(&serde_json::to_string_pretty(&about.json(entries, resources)?)?);
        } else {
            print(about.text(&manifest, entries.as_deref(), resources).trim_end());
        }
        Ok(0)
    }
}

impl Verify {
    pub(super) fn run(self) -> Result<u8> {
        let trusted = match (self.key, own()) {
            (keys, _) if !keys.is_empty() => keys,
            (_, Some(own)) => vec![own],
            (_, None) => {
                bail!("no key is trusted: name one with --key, or make yours with `ens bundle key`")
            }
        };
        let bundle = open(&self.file)?;
        bundle.check().map_err(|why| refused(&self.file, &why))?;
        let manifest = manifest(&self.file, bundle.manifest())?;
        let shown = self.file.display();
        let key = bundle.verify(&trusted).map_err(|why| anyhow::anyhow!("{shown}: {why}"))?;
        let (id, version) = (manifest.id.as_str(), manifest.version.to_string());
        if self.json {
            let digest = bundle.digest().to_string();
            let (file, key) = (&self.file, key.to_string());
            let found = json!({
                "file": file, "id": id, "version": version, "digest": digest, "key": key,
            });
            print(&serde_json::to_string_pretty(&found)?);
        } else {
            print(&format!("{shown}: {id} {version} is whole, and signed by {key}"));
        }
        Ok(0)
    }
}

fn open(path: &Path) -> Result<Bundle<File>> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    Bundle::open(file).map_err(|why| refused(path, &why))
}

fn manifest(path: &Path, text: &str) -> Result<Manifest> {
    parse(&format!("{}: manifest", path.display()), text).map_err(|report| bad_toml(&report))
}

/// A file of a bundle.
struct Listed {
    mode: u16,
    bytes: u64,
    path: String,
    target: Option<String>,
    directory: bool,
}

fn listed(files: &Files<'_>) -> Result<Vec<Listed>> {
    let entry = |entry: bundle::Entry<'_>| {
        Ok(Listed {
            mode: entry.mode(),
            bytes: if entry.is_file() { entry.size() } else { 0 },
            path: entry.path(),
            target: entry.target()?,
            directory: entry.is_directory(),
        })
    };
    files.entries().map(entry).collect()
}

/// Its resources by name, each with its directories.
fn resources(manifest: &Manifest, all: &[Listed]) -> Result<BTreeMap<String, Vec<String>>> {
    let Some(directory) = &manifest.resources else { return Ok(BTreeMap::new()) };
    let files = all.iter().filter(|one| !one.directory).map(|one| one.path.as_str());
    let named = crate::bundle::resources(directory, files)?;
    let words = |of: BTreeSet<Qualifiers>| of.iter().map(ToString::to_string).collect();
    Ok(named.into_iter().map(|(name, of)| (name, words(of))).collect())
}

/// A bundle that was checked.
struct About<'a> {
    file: &'a Path,
    bundle: &'a Bundle<File>,
    files: &'a Files<'a>,
}

impl About<'_> {
    fn bytes(&self) -> Result<u64> {
        Ok(std::fs::metadata(self.file).context("looking at the bundle")?.len())
    }

    fn json(
        &self,
        entries: Option<Vec<Listed>>,
        resources: Option<BTreeMap<String, Vec<String>>>,
    ) -> Result<Value> {
        let signature = |one: &Signature| json!({ "key": one.key().to_string(), "fingerprint": one.key().fingerprint() });
        let mut shown = json!({
            "file": self.file,
            "bytes": self.bytes()?,
            "digest": self.bundle.digest().to_string(),
            "signatures": self.bundle.signatures().iter().map(signature).collect::<Vec<_>>(),
            // The words of the language, not those of our types.
            "manifest": toml::from_str::<Value>(self.bundle.manifest())?,
        });
        if let (Some(resources), Value::Object(shown)) = (resources, &mut shown) {
            shown.insert("resources".to_owned(), json!(resources));
        }
        if let (Some(entries), Value::Object(shown)) = (entries, &mut shown) {
            let entry = |one: &Listed| {
                let kind = match one {
                    Listed { directory: true, .. } => "directory",
                    Listed { target: Some(_), .. } => "link",
                    Listed { .. } => "file",
                };
                let mode = format!("{:04o}", one.mode);
                json!({
                    "path": one.path, "kind": kind, "mode": mode, "bytes": one.bytes, "target": one.target,
                })
            };
            shown.insert("files".to_owned(), entries.iter().map(entry).collect());
        }
        Ok(shown)
    }

    fn text(
        &self,
        manifest: &Manifest,
        entries: Option<&[Listed]>,
        resources: Option<BTreeMap<String, Vec<String>>>,
    ) -> String {
        let mut out = format!("{} {} ({})\n", manifest.name.plain, manifest.version, manifest.id);
        if !manifest.about.plain.is_empty() {
            out.push_str(&format!("{}\n", manifest.about.plain));
        }
        out.push('\n');
        let bytes = self.bytes().unwrap_or_default();
        let inside = self.files.bytes();
        let count = self.files.entries().filter(bundle::Entry::is_file).count();
        let of = if count == 1 { "1 file" } else { &format!("{count} files") };
        fact(&mut out, "size", &format!("{}, {of} of {}", size(bytes), size(inside)));
        fact(&mut out, "digest", &self.bundle.digest().to_string());
        let own = own();
        for one in self.bundle.signatures() {
            let yours = if own == Some(*one.key()) { " (you)" } else { "" };
            fact(&mut out, "signed by", &format!("{}{yours}", one.key()));
        }
        if self.bundle.signatures().is_empty() {
            fact(&mut out, "signed by", "nobody: no device installs it (ens bundle sign)");
        }
        described(&mut out, manifest);
        for (name, of) in resources.into_iter().flatten() {
            fact(&mut out, "resource", &format!("{name}: {}", of.join(", ")));
        }
        for one in entries.unwrap_or_default() {
            let end = match (&one.target, one.directory) {
                (Some(target), _) => format!(" -> {target}"),
                (None, true) => "/".to_owned(),
                (None, false) => String::new(),
            };
            // Writing to a String never fails.
            let _ = write!(out, "\n{:04o} {:>10} {}{end}", one.mode, one.bytes, one.path);
        }
        out
    }
}

fn below(runtime: &Runtime) -> String {
    match runtime.version {
        Version(0, 0, 0) => runtime.bundle.to_string(),
        version => format!("{}, {version} or later", runtime.bundle),
    }
}

/// What its manifest says.
fn described(out: &mut String, manifest: &Manifest) {
    let requires = &manifest.requires;
    let form_factors = requires.form_factors.iter().map(|f| f.word().to_owned());
    for (what, list) in [
        ("processors", requires.architectures.clone()),
        ("for", form_factors.collect()),
        ("requires", requires.files.clone()),
    ] {
        if !list.is_empty() {
            fact(out, what, &list.join(", "));
        }
    }
    if manifest.kind == BundleKind::Runtime {
        fact(out, "kind", "runtime: others lie upon it");
    } else if manifest.layout == Layout::Root {
        fact(out, "layout", "root: its programs see its usr, etc … in place of the device's");
    }
    if let Some(runtime) = &manifest.runtime {
        fact(out, "runtime", &below(runtime));
    }
    fact(out, "level", manifest.level.word());
    fact(out, "data", &format!("at most {}", size(manifest.data.size)));
    for asked in &manifest.permissions {
        let reason = &asked.reason.plain;
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        fact(out, "permission", &format!("{}{reason}", asked.permission));
    }
    for ability in &manifest.abilities {
        fact(out, "ability", &sentence(ability));
    }
}

fn sentence(ability: &Ability) -> String {
    let mut text = format!("{}, a {}", ability.name, ability.kind.word());
    let arguments: Vec<String> =
        ability.exec.iter().map(|a| a.escape_debug().to_string()).collect();
    let _ = write!(text, ": {}", arguments.join(" "));
    if ability.lifecycle == Lifecycle::Bus {
        text.push_str("; told of its lifecycle");
    }
    if ability.exported {
        text.push_str("; others may start it");
    }
    let actions: Vec<&str> =
        ability.skills.iter().flat_map(|skill| &skill.actions).map(String::as_str).collect();
    if !actions.is_empty() {
        let _ = write!(text, "; answers {}", actions.join(", "));
    }
    text
}

fn fact(out: &mut String, what: &str, value: &str) {
    let _ = writeln!(out, "{what:<12}{value}");
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}
