//! A store in memory, a device that asks it, and whoever is between them.

use std::collections::BTreeMap;

use serde_json::{Map, json};
use tuf::{Draft, Kept, PublicKey, Refused, Role, SecretKey, Source, Time, Trusted, pointed, sign};

/// The moment at which stories begin.
pub(crate) fn today() -> Time {
    Time::parse("2026-01-01T00:00:00Z").expect("a date")
}

/// A key that is made of a number.
pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_random(&[number; 32])
}

/// A store: whoever has these files and keys.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) keys: BTreeMap<Role, u8>,
    pub(crate) versions: BTreeMap<Role, u64>,
    pub(crate) now: Time,
    pub(crate) apps: Vec<&'static str>,
    pub(crate) asked: Vec<String>,
}

impl Shop {
    /// With keys 1 to 4, and nothing in it.
    pub(crate) fn open() -> Self {
        let keys = (1..).zip(Role::ALL).map(|(number, role)| (role, number)).collect();
        let (files, versions) = (BTreeMap::new(), BTreeMap::new());
        let mut shop = Self { files, keys, versions, now: today(), apps: vec![], asked: vec![] };
        shop.root(&[1]);
        shop.publish();
        shop
    }

    fn next(&mut self, role: Role) -> u64 {
        let version = self.versions.entry(role).or_default();
        *version += 1;
        *version
    }

    pub(crate) fn publics(&self) -> BTreeMap<Role, Vec<PublicKey>> {
        self.keys.iter().map(|(role, number)| (*role, vec![key(*number).public()])).collect()
    }

    /// Makes the next root, signed by these.
    pub(crate) fn root(&mut self, by: &[u8]) {
        let version = self.next(Role::Root);
        let draft = Draft::root(version, self.now.after(365), "shop", &self.publics());
        self.put(&format!("{version}.root.json"), &draft, by);
    }

    pub(crate) fn put(&mut self, file: &str, draft: &Draft, by: &[u8]) -> Vec<u8> {
        let keys: Vec<SecretKey> = by.iter().copied().map(key).collect();
        let bytes = sign(draft, &keys.iter().collect::<Vec<_>>()).expect("whole numbers");
        self.files.insert(file.to_owned(), bytes.clone());
        bytes
    }

    /// Says what is there now.
    pub(crate) fn publish(&mut self) {
        let one = |app: &&str| {
            let hashes = json!({ "sha256": "00".repeat(32) });
            let target = json!({ "length": 7, "hashes": hashes, "custom": { "about": "x" } });
            ((*app).to_owned(), target)
        };
        let targets: Map<_, _> = self.apps.iter().map(one).collect();
        let version = self.next(Role::Targets);
        let draft = Draft::targets(version, self.now.after(90), targets);
        let by = self.keys[&Role::Targets];
        let bytes = self.put(&format!("{version}.targets.json"), &draft, &[by]);
        self.point(version, &bytes);
    }

    /// Makes a snapshot of these targets, and a timestamp of that.
    pub(crate) fn point(&mut self, version: u64, targets: &[u8]) {
        let targets = pointed(version, targets);
        let version = self.next(Role::Snapshot);
        let draft = Draft::snapshot(version, self.now.after(30), &targets);
        let by = self.keys[&Role::Snapshot];
        let bytes = self.put(&format!("{version}.snapshot.json"), &draft, &[by]);
        let snapshot = pointed(version, &bytes);
        let version = self.next(Role::Timestamp);
        let draft = Draft::timestamp(version, self.now.after(14), &snapshot);
        let by = self.keys[&Role::Timestamp];
        self.put("timestamp.json", &draft, &[by]);
    }
}

impl Source for Shop {
    fn get(&mut self, file: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        self.asked.push(file.to_owned());
        let most = usize::try_from(most).expect("small") + 1;
        Ok(self.files.get(file).map(|bytes| bytes.iter().copied().take(most).collect()))
    }
}

/// What a device keeps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Device {
    pub(crate) kept: BTreeMap<&'static str, Vec<u8>>,
}

impl Device {
    /// That was given the first root of this store.
    pub(crate) fn of(shop: &Shop) -> Self {
        Self { kept: BTreeMap::from([(Role::Root.word(), shop.files["1.root.json"].clone())]) }
    }

    pub(crate) fn ask(&mut self, shop: &mut Shop) -> Result<Vec<String>, Refused> {
        shop.asked.clear();
        let now = shop.now;
        names(&tuf::refresh(shop, self, now)?)
    }

    pub(crate) fn known(&self) -> Result<Vec<String>, Refused> {
        names(&tuf::known(self)?)
    }
}

fn names(trusted: &Trusted) -> Result<Vec<String>, Refused> {
    Ok(trusted.targets()?.targets.keys().cloned().collect())
}

impl Kept for Device {
    fn read(&self, role: Role) -> Option<Vec<u8>> {
        self.kept.get(role.word()).cloned()
    }

    fn write(&mut self, role: Role, bytes: &[u8]) -> Result<(), String> {
        self.kept.insert(role.word(), bytes.to_vec());
        Ok(())
    }
}
