//! What a store lists: bundles by the name of their file, each with what is said of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bundle::Bundle;
use model::bundle::{BundleId, BundleKind, Manifest, Said, Version};
use model::text::bundle::parse;
use model::word::Word;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tuf::{App, hex};

use super::{METADATA, Shop, TARGETS, check, copied, put};
use crate::write::Partial;

/// What the next publish will list.
const NEXT: &str = "next.json";

/// A bundle that is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its bytes.
    pub length: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// What is said of it.
    pub app: App,
}

/// All of them, by the name of their target.
pub type Listing = BTreeMap<String, Entry>;

impl Shop {
    /// What is listed: what is published, or what will be after the next `publish`; and whether that is another list.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn listing(&self) -> Result<(Listing, bool)> {
        let next = self.directory.join(NEXT);
        match fs::read(&next) {
            Ok(bytes) => {
                let listing = serde_json::from_slice(&bytes);
                Ok((listing.with_context(|| format!("reading {}", next.display()))?, true))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok((self.published()?, false)),
            Err(e) => Err(e).with_context(|| format!("reading {}", next.display())),
        }
    }

    /// What is published.
    pub(super) fn published(&self) -> Result<Listing> {
        let Some((_, bytes)) = self.newest(tuf::Role::Targets)? else { return Ok(Listing::new()) };
        let value: Value = serde_json::from_slice(&bytes).context("reading the list of files")?;
        let targets = value.pointer("/signed/targets").cloned().unwrap_or_default();
        let targets: BTreeMap<String, tuf::Target> =
            serde_json::from_value(targets).context("reading the list of files")?;
        let entry = |(name, target): (String, tuf::Target)| {
            let sha256 = target.sha256().map(|hash| hex(&hash))?;
            let app = App::read(&target.custom?)?;
            Some((name, Entry { length: target.length, sha256, app }))
        };
        Ok(targets.into_iter().filter_map(entry).collect())
    }

    /// Takes bundles into the next list, and their files into the store. Answers with what each is.
    ///
    /// # Errors
    /// One is no bundle that a device takes, or is there with other bytes; those before it are taken.
    pub fn add(&self, file: &Path) -> Result<Entry> {
        let (mut listing, _) = self.listing()?;
        let (manifest, keys) = examined(file)?;
        let (id, version) = (&manifest.id, manifest.version);
        let name = format!("{id}_{version}.bundle");
        let entry = self.copy(file, &name, app(&manifest, keys))?;
        let there = listing.get(&name).filter(|there| there.sha256 != entry.sha256);
        // What was not published yet may be another file.
        if let Some(there) = there
            && self.published()?.contains_key(&name)
        {
            bail!(
                "{id} {version} is published with other bytes (SHA-256 {}): a changed bundle needs a higher version",
                there.sha256
            );
        }
        listing.insert(name, entry.clone());
        self.keep(&listing)?;
        Ok(entry)
    }

    /// Takes a bundle out of the next list: one version, or all. Answers with what was taken out.
    ///
    /// # Errors
    /// It is not listed.
    pub fn remove(&self, id: &BundleId, version: Option<Version>) -> Result<Vec<Entry>> {
        let (listing, _) = self.listing()?;
        let version = version.map(|version| version.to_string());
        let meant = |entry: &Entry| {
            entry.app.bundle == id.as_str()
                && version.as_ref().is_none_or(|version| entry.app.version == *version)
        };
        let (gone, stays): (Listing, Listing) =
            listing.into_iter().partition(|(_, entry)| meant(entry));
        if gone.is_empty() {
            let what = version.map(|version| format!(" {version}")).unwrap_or_default();
            bail!("{id}{what} is not in this store: `ens store list` shows what is");
        }
        self.keep(&stays)?;
        Ok(gone.into_values().collect())
    }

    /// What `publish` is to list.
    fn keep(&self, listing: &Listing) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(listing)?;
        bytes.push(b'\n');
        put(&self.directory.join(NEXT), &bytes)
    }

    /// It is published now.
    pub(super) fn done(&self) -> Result<()> {
        let next = self.directory.join(NEXT);
        match fs::remove_file(&next) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("removing {}", next.display()))
            }
            _ => Ok(()),
        }
    }

    /// Copies a file into the store, under the name of its content.
    fn copy(&self, file: &Path, name: &str, app: App) -> Result<Entry> {
        let shown = file.display();
        let mut from = File::open(file).with_context(|| format!("opening {shown}"))?;
        let targets = self.directory.join(TARGETS);
        let partial = Partial::create(&targets.join(name))?;
        let mut to = partial.file();
        let (length, hash) =
            copied(&mut from, &mut to).with_context(|| format!("copying {shown}"))?;
        to.sync_all().with_context(|| format!("copying {shown}"))?;
        let sha256 = hex(&hash);
        partial.finish_as(&targets.join(format!("{sha256}.{name}")))?;
        Ok(Entry { length, sha256, app })
    }

    /// The newest of a role's files, which have their version in front.
    pub(super) fn newest(&self, role: tuf::Role) -> Result<Option<(u64, Vec<u8>)>> {
        let directory = self.directory.join(METADATA);
        let Some(version) = check::versions(&directory, role)?.pop() else { return Ok(None) };
        let path = directory.join(format!("{version}.{}", role.file()));
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Some((version, bytes)))
    }
}

/// A list as metadata has it.
pub(super) fn targets(listing: &Listing) -> Result<Map<String, Value>> {
    let one = |(name, entry): (&String, &Entry)| {
        let hashes = json!({ "sha256": entry.sha256 });
        let custom = serde_json::to_value(&entry.app)?;
        let target = json!({ "length": entry.length, "hashes": hashes, "custom": custom });
        Ok((name.clone(), target))
    };
    listing.iter().map(one).collect()
}

/// A bundle that devices take: what it is, and who signed it.
fn examined(file: &Path) -> Result<(Manifest, Vec<String>)> {
    let shown = file.display();
    let opened = File::open(file).with_context(|| format!("opening {shown}"))?;
    let no_bundle = |why: bundle::Refused| anyhow::anyhow!("{shown}: {why}");
    let bundle = Bundle::open(opened).map_err(no_bundle)?;
    bundle.check().map_err(no_bundle)?;
    let manifest = parse(&format!("{shown}: manifest"), bundle.manifest());
    let manifest = manifest.map_err(|report| anyhow::anyhow!("{}", report.render(false)))?;
    let keys: Vec<_> = bundle.signatures().iter().map(|one| one.key().to_string()).collect();
    if keys.is_empty() {
        bail!("{shown} is signed by nobody, so no device takes it: `ens bundle sign {shown}`");
    }
    Ok((manifest, keys))
}

fn app(manifest: &Manifest, keys: Vec<String>) -> App {
    let said = |said: &Said| {
        let all = said.locales.iter().map(|(locale, text)| (locale.clone(), text.clone()));
        all.chain([(String::new(), said.plain.clone())]).collect()
    };
    let needs = &manifest.requires;
    App {
        bundle: manifest.id.to_string(),
        version: manifest.version.to_string(),
        keys,
        name: said(&manifest.name),
        about: said(&manifest.about),
        kind: if manifest.kind == BundleKind::Runtime { "runtime" } else { "app" }.to_owned(),
        architectures: needs.architectures.clone(),
        form_factors: needs.form_factors.iter().map(|form| form.word().to_owned()).collect(),
    }
}
