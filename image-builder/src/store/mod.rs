//! Stores: directories of static files with metadata of The Update Framework, for disks, USB and any web server.
//!
//! ```text
//! DIR/metadata/   1.root.json 2.root.json … N.targets.json N.snapshot.json timestamp.json    signed
//! DIR/targets/    SHA256.ID_VERSION.bundle                                                   named by their content
//! DIR/next.json   what the next publish will list: there between add or remove and publish
//!
//! add, remove ─► next.json ─ publish ─► targets N+1 ─► snapshot N+1 ─► timestamp, renamed last
//! ```
//!
//! Invariants: a client that asks at any moment finds one state, whole: what a timestamp names is there before it;
//! of the state before everything stays, for those who are in the middle of it. Roots are never written over.

pub mod check;
pub mod keys;
mod listing;
mod publish;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use model::Name;
use sha2::{Digest, Sha256};
use tuf::{PublicKey, Role, Root, SecretKey, Time};

use keys::Keys;

pub use listing::{Entry, Listing};
pub use publish::Published;

/// How long what is signed counts, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The root: renewed by `publish` when less than a quarter is left.
    pub root: u64,
    /// The list of files.
    pub targets: u64,
    /// Which list counts.
    pub snapshot: u64,
    /// Which snapshot counts: as long as nobody is told of an update that is held back.
    pub timestamp: u64,
}

impl Default for Days {
    fn default() -> Self {
        Self { root: 365, targets: 90, snapshot: 30, timestamp: 14 }
    }
}

impl Days {
    fn of(self, role: Role) -> u64 {
        match role {
            Role::Root => self.root,
            Role::Targets => self.targets,
            Role::Snapshot => self.snapshot,
            Role::Timestamp => self.timestamp,
        }
    }
}

/// A store, as who keeps it has it.
#[derive(Debug)]
pub struct Shop {
    directory: PathBuf,
    /// What it is called.
    pub name: Name,
    root: Root,
    keys: Keys,
}

impl Shop {
    /// Makes a store in `directory`, with nothing in it, and keys for it.
    ///
    /// # Errors
    /// There is one, or keys of one of that name; or it cannot be written.
    pub fn make(directory: &Path, name: &Name, keys: Keys, days: Days, now: Time) -> Result<Self> {
        let metadata = directory.join(METADATA);
        if metadata.exists() {
            bail!("{} is a store already: add to it with `ens store add`", directory.display());
        }
        let made = keys.make()?;
        for part in [METADATA, TARGETS] {
            let path = directory.join(part);
            fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        }
        let by = made.values().collect::<Vec<_>>();
        let bytes = root_of(1, name, &publics(&made), days, now, &by[..1])?;
        let root = written_root(&bytes)?;
        put(&metadata.join("1.root.json"), &bytes)?;
        let shop = Self { directory: directory.to_owned(), name: name.clone(), root, keys };
        shop.publish(days, now)?;
        Ok(shop)
    }

    /// Opens the store in `directory`; its keys are looked for by its name, unless another place is named.
    ///
    /// # Errors
    /// There is none.
    pub fn open(directory: &Path, keys: Option<&Path>) -> Result<Self> {
        let shown = directory.display();
        let bytes = check::newest_root(directory)?;
        let root = written_root(&bytes)?;
        let name = root.name.as_deref().unwrap_or_default();
        let name = Name::try_from(name)
            .map_err(|why| anyhow::anyhow!("the store in {shown} is called `{name}`: {why}"))?;
        let keys = match keys {
            Some(place) => Keys::at(place),
            None => Keys::of(&name)?,
        };
        Ok(Self { directory: directory.to_owned(), name, root, keys })
    }

    /// The first root: what a device is given.
    #[must_use]
    pub fn first_root(&self) -> PathBuf {
        self.directory.join(METADATA).join("1.root.json")
    }

    /// Where its keys are.
    #[must_use]
    pub fn keys(&self) -> &Path {
        self.keys.place()
    }

    /// Gives a role another key. A root that both sides sign says so, and everything is signed anew.
    ///
    /// # Errors
    /// The keys are not here, or it cannot be written.
    pub fn rotate(&mut self, role: Role, days: Days, now: Time) -> Result<Published> {
        let before = self.keys.read(Role::Root)?;
        let fresh = keys::random()?;
        let mut signers: BTreeMap<Role, Vec<PublicKey>> =
            Role::ALL.map(|role| (role, self.root.signers(role))).into();
        signers.insert(role, vec![fresh.public()]);
        let version = self.root.version + 1;
        let mut by = vec![&before];
        if role == Role::Root {
            by.push(&fresh);
        }
        let bytes = root_of(version, &self.name, &signers, days, now, &by)?;
        let root = written_root(&bytes)?;
        // Before anybody is told of it: a key that the root names and nobody has ends the store.
        self.keys.replace(role, &fresh)?;
        put(&self.metadata(&format!("{version}.root.json")), &bytes)?;
        self.root = root;
        self.signed_anew(days, now)
    }

    /// A root like this one, for longer.
    fn renew_root(&mut self, days: Days, now: Time) -> Result<()> {
        let signers = Role::ALL.map(|role| (role, self.root.signers(role))).into();
        let version = self.root.version + 1;
        let key = self.keys.read(Role::Root)?;
        let bytes = root_of(version, &self.name, &signers, days, now, &[&key])?;
        self.root = written_root(&bytes)?;
        put(&self.metadata(&format!("{version}.root.json")), &bytes)
    }

    fn metadata(&self, file: &str) -> PathBuf {
        self.directory.join(METADATA).join(file)
    }
}

/// Bytes that are copied at once.
const PIECE: usize = 256 << 10;

/// Where metadata is.
pub const METADATA: &str = "metadata";

/// Where bundles are.
pub const TARGETS: &str = "targets";

fn publics(keys: &BTreeMap<Role, SecretKey>) -> BTreeMap<Role, Vec<PublicKey>> {
    keys.iter().map(|(role, key)| (*role, vec![key.public()])).collect()
}

fn root_of(
    version: u64,
    name: &Name,
    signers: &BTreeMap<Role, Vec<PublicKey>>,
    days: Days,
    now: Time,
    by: &[&SecretKey],
) -> Result<Vec<u8>> {
    let draft = tuf::Draft::root(version, now.after(days.root), name.as_str(), signers);
    signed(&draft, by)
}

fn signed(draft: &tuf::Draft, by: &[&SecretKey]) -> Result<Vec<u8>> {
    tuf::sign(draft, by).map_err(anyhow::Error::msg)
}

fn written_root(bytes: &[u8]) -> Result<Root> {
    Ok(tuf::Trusted::begin(bytes)?.root().clone())
}

/// Copies all of a file; its length and SHA-256.
fn copied(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<(u64, [u8; 32])> {
    let (mut hash, mut length) = (Sha256::new(), 0);
    let mut piece = vec![0; PIECE];
    loop {
        let count = from.read(&mut piece)?;
        let bytes = piece.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return Ok((length, hash.finalize().into()));
        }
        hash.update(bytes);
        to.write_all(bytes)?;
        length += u64::try_from(count).map_err(io::Error::other)?;
    }
}

/// Writes a file as a whole, which everybody may read.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = crate::write::Partial::create(path)?;
    let mut file = partial.file();
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", path.display()))?;
    partial.finish()
}
