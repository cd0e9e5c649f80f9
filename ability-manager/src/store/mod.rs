//! Installed bundles, the keys that are trusted, and data: on the disk, whole at any time.
//!
//! ```text
//! /usr/lib/ensemble/bundles   ID.bundle, keys: what the image brought ────────────┐
//! /var/lib/ensemble/bundles   installed (the generation), DIGEST.content, … ──────┼─► Store: what is here ─► Held
//! /var/lib/apps/ID            data of bundles, encrypted with keys of the vault      │
//! /run/bundles/ID             where they are mounted ◄── Mounting ────────────────┘
//!
//! install: Store::intake ─► Intake::prepare (long, beside all else) ─► instances end ─► Store::go_on ◄─► Labour (long)
//! start:   Store::enrol (user, data) ─► Mounting::run (may be long) ─► the instance
//! ```
//!
//! A library without async, bus and clock; it acts on the disk at once, and what may take long needs no `Store`.
//! Processes are the caller's: what is in use is ended before it is replaced.
//!
//! Invariants: whenever the power goes, the old generation or the new one is there, whole; of two versions
//! with one id the higher counts, and at the same height that of the image.

mod change;
mod collect;
mod data;
pub mod disk;
pub mod generation;
mod held;
mod intake;
mod key;
mod layers;
mod library;
mod lock;
mod manifests;
mod mounting;
mod opening;
mod refusal;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bundle::Digest;
use model::bundle::{BUNDLES, BundleId, DATA, ROOTS};
use model::device::FormFactor;
use model::permission::PERMISSIONS_PATH;
use model::word::Word;

use crate::vault::Vault;
use disk::Disk;
use generation::Generation;
use manifests::Manifests;

pub use change::Changed;
pub use data::{MAX_DEPTH, MAX_FILES};
pub use held::{Held, Origin};
pub use intake::{Intake, MARGIN, Prepared, Vouched, Wish};
pub use key::{BadKey, Key};
pub use library::Library;
pub use lock::Protection;
pub use mounting::{Integrity, Mounting, Mounts, Seen};
pub use refusal::Refusal;
pub use steps::{Change, Labour, Next};

/// Most bundles that the image brings.
pub const MAX_SHIPPED: usize = 1000;

/// Where things are on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// What was installed: `/var/lib/ensemble/bundles`.
    pub bundles: PathBuf,
    /// What the image brought: `/usr/lib/ensemble/bundles`.
    pub image: PathBuf,
    /// Where bundles are mounted.
    pub mounts: PathBuf,
    /// Where those are seen as one with their runtimes that lie upon them as in a root directory.
    pub roots: PathBuf,
    /// Where their data are.
    pub data: PathBuf,
    /// Keys of those data: `/var/lib/ensemble/keys`.
    pub keys: PathBuf,
    /// The owner's key, in memory, while the device is unlocked.
    pub unlocked: PathBuf,
    /// Permissions that the device knows.
    pub permissions: PathBuf,
    /// Below which the files are that bundles need of the device.
    pub root: PathBuf,
}

impl Places {
    /// Those of a device whose root is `root`.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        let at = |path: &str| root.join(path.trim_start_matches('/'));
        Self {
            bundles: at("/var/lib/ensemble/bundles"),
            image: at("/usr/lib/ensemble/bundles"),
            mounts: at(BUNDLES),
            roots: at(ROOTS),
            data: at(DATA),
            keys: at("/var/lib/ensemble/keys"),
            unlocked: at("/run/ensemble/unlocked"),
            permissions: at(PERMISSIONS_PATH),
            root: root.to_owned(),
        }
    }
}

/// What the device is, as far as bundles ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its processor, in the kernel's spelling.
    pub architecture: String,
    /// Its form; none if nobody knows.
    pub form_factor: Option<FormFactor>,
}

impl Device {
    /// This one, of which `os_release` is the text of `/usr/lib/os-release`.
    #[must_use]
    pub fn this(os_release: &str) -> Self {
        let variant = os_release.lines().find_map(|line| line.strip_prefix("VARIANT_ID="));
        let form_factor = variant.and_then(|word| FormFactor::from_word(word.trim_matches('"')));
        Self { architecture: std::env::consts::ARCH.to_owned(), form_factor }
    }
}

/// What does not change while the store is open, and may be used beside it.
#[derive(Debug)]
struct Base {
    places: Places,
    device: Device,
    disk: Box<dyn Disk>,
    mounts: Box<dyn Mounts>,
    library: Library,
    /// Manifests of the last time.
    manifests: Manifests,
    vault: Vault,
    /// Keys that came with the image.
    keys: Vec<Key>,
    /// The last number, and those that are in use.
    incoming: Mutex<(u64, BTreeSet<PathBuf>)>,
    /// Held while the next generation is written.
    swapping: Mutex<()>,
}

impl Base {
    /// The file of what is installed.
    fn installed(&self) -> PathBuf {
        self.places.bundles.join("installed")
    }
}

/// What is installed on a device.
#[derive(Debug)]
pub struct Store {
    base: Arc<Base>,
    generation: Generation,
    /// What the image brought.
    image: BTreeMap<BundleId, Arc<Held>>,
    /// What counts.
    held: BTreeMap<BundleId, Arc<Held>>,
    /// What is installed and can't be used, and why.
    broken: BTreeMap<BundleId, String>,
    /// It is not certain what is installed: nothing is collected before the next change.
    damaged: bool,
}

impl Store {
    /// What the device is to people.
    #[must_use]
    pub fn form_factor(&self) -> Option<FormFactor> {
        self.base.device.form_factor
    }

    /// Everything that counts, in order of ids.
    pub fn bundles(&self) -> impl Iterator<Item = &Arc<Held>> {
        self.held.values()
    }

    /// A bundle that counts.
    #[must_use]
    pub fn get(&self, id: &BundleId) -> Option<&Arc<Held>> {
        self.held.get(id)
    }

    /// What is installed and can't be used, and why.
    #[must_use]
    pub fn broken(&self) -> &BTreeMap<BundleId, String> {
        &self.broken
    }

    /// A bundle that counts, or why there is none.
    ///
    /// # Errors
    /// There is none.
    pub fn require(&self, id: &BundleId) -> Result<&Arc<Held>, Refusal> {
        self.held.get(id).ok_or_else(|| match self.broken.get(id) {
            Some(why) => Refusal::Failed(format!("{id} can't be used: {why}")),
            None => {
                Refusal::NotFound(format!("{id} is not installed: `ensctl app list` shows what is"))
            }
        })
    }

    /// What is installed, as data.
    #[must_use]
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// The user of a bundle, if it has one by now.
    #[must_use]
    pub fn uid(&self, id: &BundleId) -> Option<u32> {
        self.generation.user(id).map(|user| user.uid)
    }

    /// Permissions that the device knows.
    #[must_use]
    pub fn library(&self) -> &Library {
        &self.base.library
    }

    /// Keys that the device trusts, and whether they came with it.
    #[must_use]
    pub fn keys(&self) -> Vec<(Key, bool)> {
        let image = self.base.keys.iter().map(|key| (key.clone(), true));
        image.chain(self.generation.keys().keys().map(|key| (key.clone(), false))).collect()
    }

    /// What mounts a bundle, where nothing is to be started of it yet.
    ///
    /// # Errors
    /// It is not here, or what lies below it is not.
    pub fn mounting(&self, id: &BundleId) -> Result<Mounting, Refusal> {
        let held = Arc::clone(self.require(id)?);
        let below = layers::below(&held.manifest, &self.held)?.cloned();
        Ok(Mounting { base: Arc::clone(&self.base), held, below })
    }

    /// Gives a bundle its user and its data directories, before an instance of it is started.
    ///
    /// # Errors
    /// It is not here, or no user is left, or the disk can't be written.
    pub fn enrol(&mut self, id: &BundleId) -> Result<Enrolled, Refusal> {
        let mounting = self.mounting(id)?;
        self.settle(id)?;
        let uid = match self.uid(id) {
            Some(uid) => uid,
            None if self.base.has_data(id)? => {
                return Err(Refusal::Refused(format!(
                    "there are data of {id} of which nobody knows whose they are: move {} away",
                    self.base.data(id).display()
                )));
            }
            None => {
                let mut next = self.generation.clone();
                let uid = next.take_user(id, None).map_err(Refusal::Refused)?;
                self.put(next)?;
                uid
            }
        };
        let data = self.base.make_data(id, uid)?;
        let at = self.base.mount_point(&mounting.held);
        Ok(Enrolled { uid, data, at, mounting })
    }

    /// What counts is read anew, and garbage goes.
    fn refresh(&mut self) {
        self.renew();
        self.base.collect(&self.generation, &self.counting());
    }

    /// What counts is read anew.
    fn renew(&mut self) {
        self.load();
        self.damaged = false;
    }

    /// Digests of what counts.
    fn counting(&self) -> BTreeSet<Digest> {
        self.held.values().map(|held| held.digest).collect()
    }

    /// What counts: of the image and of the generation, each with its file.
    fn load(&mut self) {
        let mut held = self.image.clone();
        let mut broken = BTreeMap::new();
        for (id, installed) in self.generation.bundles() {
            let Some(user) = self.generation.user(id) else { continue };
            let known = self.held.get(id).filter(|known| {
                known.digest == installed.digest
                    && known.key == user.key
                    && known.since == installed.at
            });
            let over = self.image.contains_key(id);
            let read = || Held::installed(&self.base, (id, installed, user), over).map(Arc::new);
            match known.map_or_else(read, |known| Ok(Arc::clone(known))) {
                Ok(one) => {
                    held.insert(id.clone(), one);
                }
                Err(why) => {
                    // An older one of the image is not what was installed: its data may be of a later version.
                    held.remove(id);
                    broken.insert(id.clone(), why);
                }
            }
        }
        (self.held, self.broken) = (held, broken);
    }
}

/// What an instance of a bundle needs before it is started.
#[derive(Debug)]
pub struct Enrolled {
    /// Its user.
    pub uid: u32,
    /// Its data: `el1` and `el2` are in there.
    pub data: PathBuf,
    /// Where the bundle is seen, once it is mounted.
    pub at: PathBuf,
    /// What mounts it.
    pub mounting: Mounting,
}
