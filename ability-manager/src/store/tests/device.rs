//! A device in a directory, and bundles for it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bundle::SecretKey;
use model::bundle::{BundleId, Version};
use model::device::FormFactor;
use tempfile::TempDir;

use super::image::Files;
use super::plug::{Plug, Table};
use crate::store::{
    Change, Changed, Device, Key, Next, Places, Prepared, Refusal, Store, Wish, disk,
};

/// Trusts the key that a bundle is signed with.
pub(crate) const TRUST: Wish = Wish { trust: true, downgrade: false };

/// Nothing but what goes by itself.
pub(crate) const PLAIN: Wish = Wish { trust: false, downgrade: false };

pub(crate) fn id(text: &str) -> BundleId {
    BundleId::try_from(text).unwrap()
}

/// The key number `seed`.
pub(crate) fn secret(seed: u8) -> SecretKey {
    SecretKey::from_random(&[seed; 32])
}

pub(crate) fn key(seed: u8) -> Key {
    Key::from(&secret(seed).public())
}

/// A bundle that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    id: String,
    version: u32,
    /// Of the manifest, before its abilities.
    pub(crate) top: String,
    /// Of the manifest, behind its abilities.
    pub(crate) more: String,
    pub(crate) keys: Vec<u8>,
    /// In its one file.
    pub(crate) text: String,
}

/// A bundle of version `version`.0.0, signed by key 1.
pub(crate) fn wanted(id: &str, version: u32) -> Wanted {
    Wanted {
        id: id.to_owned(),
        version,
        top: String::new(),
        more: String::new(),
        keys: vec![1],
        text: format!("#!/bin/sh\necho {version}\n"),
    }
}

impl Wanted {
    pub(crate) fn by(mut self, keys: &[u8]) -> Self {
        self.keys = keys.to_vec();
        self
    }

    pub(crate) fn top(mut self, text: &str) -> Self {
        self.top = text.to_owned();
        self
    }

    pub(crate) fn more(mut self, text: &str) -> Self {
        self.more = text.to_owned();
        self
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.text = text.to_owned();
        self
    }

    /// Its next version.
    pub(crate) fn newer(mut self) -> Self {
        self.version += 1;
        self
    }

    /// Its file.
    pub(crate) fn write(&self, path: &Path) -> File {
        let Self { id, version, top, more, keys, text } = self;
        let ability = "[[ability]]\nname = \"main\"\nkind = \"page\"\nexec = [\"bin/run\"]";
        // A runtime has none.
        let ability = if top.contains("kind = \"runtime\"") { "" } else { ability };
        let manifest = format!(
            "id = \"{id}\"\nversion = \"{version}.0.0\"\nname = \"Test\"\nabout = \"For a test\"\n{top}\n\
             {ability}\n{more}\n"
        );
        let image = Files::new().file("bin/run", text).link("doc/run", "../bin/run").write();
        let file =
            File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
        bundle::assemble(&image.bytes, &manifest, &file).unwrap();
        for seed in keys {
            bundle::sign(&file, &secret(*seed)).unwrap();
        }
        File::open(path).unwrap()
    }
}

/// A directory in memory where there is one, for nothing here asks the disk.
pub(crate) fn place() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

impl Store {
    /// All of a change, one step after the other.
    fn change(&mut self, change: Change) -> Result<Changed, Refusal> {
        let mut next = self.go_on(change)?;
        loop {
            match next {
                Next::Labour(labour) => next = self.go_on(labour.run())?,
                Next::Done(changed) => return Ok(changed),
            }
        }
    }

    pub(crate) fn commit(&mut self, prepared: Prepared, at: u64) -> Result<Changed, Refusal> {
        self.change(Change::install(prepared, at))
    }

    pub(crate) fn remove(&mut self, id: &BundleId, keep_data: bool) -> Result<Changed, Refusal> {
        self.change(Change::remove(id.clone(), keep_data))
    }

    pub(crate) fn rollback(&mut self, id: &BundleId, at: u64) -> Result<Changed, Refusal> {
        self.change(Change::rollback(id.clone(), at))
    }
}

/// A device in a directory.
pub(crate) struct Bench {
    pub(crate) root: TempDir,
    pub(crate) places: Places,
    pub(crate) plug: Plug,
    pub(crate) table: Table,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::at(place())
    }

    /// On a disk, for what asks more of it.
    pub(crate) fn on_disk() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    fn at(root: TempDir) -> Self {
        let places = Places::below(&root.path().join("device"));
        for directory in [&places.image, &places.permissions, &places.mounts, &places.data] {
            fs::create_dir_all(directory).unwrap();
        }
        fs::create_dir(root.path().join("trash")).unwrap();
        let plug = Plug::new(&root.path().join("trash"));
        Self { places, plug, table: Table::default(), root }
    }

    pub(crate) fn file(&self, wanted: &Wanted) -> File {
        wanted.write(&self.root.path().join("file.bundle"))
    }

    /// A bundle of the image.
    pub(crate) fn ship(&self, wanted: &Wanted) {
        drop(wanted.write(&self.places.image.join(format!("{}.bundle", wanted.id))));
    }

    /// A permission that the device knows.
    pub(crate) fn permission(&self, name: &str, rest: &str) {
        let text = format!(
            "version = 1\nabout = \"do a thing\"\n{rest}\n[files]\nread = [\"/srv/{name}\"]\n"
        );
        fs::write(self.places.permissions.join(format!("{name}.toml")), text).unwrap();
    }

    pub(crate) fn try_open(&self) -> Result<(Store, Vec<String>), Refusal> {
        let device = Device { architecture: "x86_64".into(), form_factor: Some(FormFactor::Phone) };
        let disk = Box::new(self.plug.clone());
        Store::open_on(self.places.clone(), device, disk, Box::new(self.table.clone()))
    }

    pub(crate) fn open(&self) -> Store {
        let (store, said) = self.try_open().unwrap();
        assert_eq!(said, Vec::<String>::new());
        store
    }

    pub(crate) fn install(
        &self,
        store: &mut Store,
        wanted: &Wanted,
        wish: Wish,
    ) -> Result<Changed, Refusal> {
        let prepared = store.intake().prepare(&self.file(wanted), wish)?;
        store.commit(prepared, 1_763_850_000)
    }

    /// What an app wrote into its data.
    pub(crate) fn writes(&self, id: &str, text: &str) {
        let directory = self.places.data.join(id).join("el2");
        fs::create_dir_all(directory.join("deep")).unwrap();
        fs::write(directory.join("deep/note"), text).unwrap();
    }

    pub(crate) fn data(&self) -> BTreeMap<PathBuf, String> {
        let mut all = BTreeMap::new();
        tree(&self.places.data, &mut all);
        all
    }

    /// The names in the store, but for the generation and the manifests of the last time.
    pub(crate) fn stored(&self) -> Vec<String> {
        let mut all = BTreeMap::new();
        tree(&self.places.bundles, &mut all);
        let name = |path: &PathBuf| {
            let path = path.strip_prefix(&self.places.bundles).unwrap().to_str().unwrap();
            path.split('/').next_back().unwrap().to_owned()
        };
        let always = |name: &String| matches!(name.as_str(), "installed" | "manifests");
        all.keys().map(name).filter(|name| !always(name)).collect()
    }
}

/// All files below a directory, and what is in them.
fn tree(at: &Path, all: &mut BTreeMap<PathBuf, String>) {
    for name in disk::names(at).unwrap() {
        let path = at.join(name);
        if path.is_dir() {
            tree(&path, all);
        } else {
            let bytes = fs::read(&path).unwrap();
            all.insert(path, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

pub(crate) fn version(store: &Store, of: &str) -> Option<Version> {
    store.get(&id(of)).map(|held| held.manifest.version)
}
