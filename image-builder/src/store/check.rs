//! A store seen as a device sees it: from its first root on, every rule, every byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use tuf::{Kept, Role, Source, Target, Time, Trusted};

use super::{METADATA, TARGETS, copied};

/// Metadata of a store on this host.
#[derive(Debug)]
struct Directory<'a>(&'a Path);

impl Source for Directory<'_> {
    fn get(&mut self, file: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        let path = self.0.join(METADATA).join(file);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|f| f.take(most + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(format!("reading {}: {e}", path.display())),
        }
    }
}

/// A device that has seen nothing but a root.
#[derive(Debug)]
struct New(BTreeMap<Role, Vec<u8>>);

impl Kept for New {
    fn read(&self, role: Role) -> Option<Vec<u8>> {
        self.0.get(&role).cloned()
    }

    fn write(&mut self, role: Role, bytes: &[u8]) -> Result<(), String> {
        self.0.insert(role, bytes.to_vec());
        Ok(())
    }
}

/// Checks all of a store as a new device that was given `root` would; its first one if none is named.
///
/// # Errors
/// What a device would not believe, or could not have.
pub fn check(directory: &Path, root: Option<&Path>, now: Time) -> Result<Trusted> {
    let first = directory.join(METADATA).join("1.root.json");
    let root = root.unwrap_or(&first);
    let bytes = fs::read(root).with_context(|| {
        format!("{} is no store: reading {}", directory.display(), root.display())
    })?;
    let mut kept = New(BTreeMap::from([(Role::Root, bytes)]));
    let trusted = tuf::refresh(&mut Directory(directory), &mut kept, now)?;
    for (name, target) in &trusted.targets()?.targets {
        let file = trusted.root().target_file(name, target);
        whole(&directory.join(TARGETS).join(file), target)?;
    }
    Ok(trusted)
}

fn whole(path: &Path, target: &Target) -> Result<()> {
    let shown = path.display();
    let mut file = File::open(path).with_context(|| format!("{shown} is listed"))?;
    let length = file.metadata()?.len();
    if length != target.length {
        bail!("{shown} has {length} bytes, and is listed with {}", target.length);
    }
    let (_, hash) =
        copied(&mut file, &mut io::sink()).with_context(|| format!("reading {shown}"))?;
    if target.sha256() != Some(hash) {
        bail!("{shown} is not what is listed: its SHA-256 is another one");
    }
    Ok(())
}

/// The newest root of a store, followed from its first one.
pub(super) fn newest_root(directory: &Path) -> Result<Vec<u8>> {
    let metadata = directory.join(METADATA);
    let read = |version: u64| fs::read(metadata.join(format!("{version}.root.json")));
    let shown = directory.display();
    let first =
        read(1).with_context(|| format!("{shown} is no store: `ens store init` makes one"))?;
    let mut trusted = Trusted::begin(&first)?;
    let mut newest = first;
    for version in versions(&metadata, Role::Root)?.into_iter().filter(|version| *version > 1) {
        newest = read(version).with_context(|| format!("reading {version}.root.json"))?;
        trusted.next_root(&newest)?;
    }
    Ok(newest)
}

/// Versions of a role that are there, the newest last.
pub(super) fn versions(metadata: &Path, role: Role) -> Result<Vec<u64>> {
    let entries =
        fs::read_dir(metadata).with_context(|| format!("reading {}", metadata.display()))?;
    let version = |name: String| -> Option<u64> {
        let (version, file) = name.split_once('.')?;
        (file == role.file()).then(|| version.parse().ok()).flatten()
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut all: Vec<u64> = names.filter_map(version).collect();
    all.sort_unstable();
    Ok(all)
}

/// Names of files that a list of files names.
pub(super) fn files(bytes: &[u8]) -> Result<BTreeSet<String>> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).context("reading a list of files")?;
    let targets = value.pointer("/signed/targets").cloned().unwrap_or_default();
    let targets: BTreeMap<String, Target> = serde_json::from_value(targets)?;
    let name = |(name, target): (&String, &Target)| {
        target.sha256().map(|hash| format!("{}.{name}", tuf::hex(&hash)))
    };
    Ok(targets.iter().filter_map(name).collect())
}
