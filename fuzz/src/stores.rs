//! What a store says of its apps: any bytes, and metadata that is signed rightly and says what it likes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tuf::{App, Draft, Kept, PublicKey, Role, Root, SecretKey, Source, Time, Trusted};

use crate::NEXT_FILE;

/// Now, for who asks.
const NOW: u64 = 1_800_000_000;

/// Until when all counts.
const LATER: u64 = 1_900_000_000;

/// What the store said before.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| seeds()[2][1..].to_vec());

/// The key of all roles.
fn key() -> SecretKey {
    SecretKey::from_random(&[7; 32])
}

fn keys() -> BTreeMap<Role, Vec<PublicKey>> {
    Role::ALL.map(|role| (role, vec![key().public()])).into()
}

fn signed(text: &[u8]) -> Option<Vec<u8>> {
    tuf::sign_again(&[b"{\"signed\":", text, b"}"].concat(), &[&key()]).ok()
}

fn root() -> Vec<u8> {
    let root = Draft::root(1, Time::new(LATER), "shop", &keys());
    tuf::sign(&root, &[&key()]).expect("a root")
}

/// What a device keeps.
#[derive(Clone, Default)]
struct Device(BTreeMap<Role, Vec<u8>>);

impl Kept for Device {
    fn read(&self, role: Role) -> Option<Vec<u8>> {
        self.0.get(&role).cloned()
    }

    fn write(&mut self, role: Role, bytes: &[u8]) -> Result<(), String> {
        self.0.insert(role, bytes.to_vec());
        Ok(())
    }
}

/// A store with one file for each role, whatever version is asked for, and at most one new root.
#[derive(Default)]
struct Shop(BTreeMap<&'static str, Vec<u8>>);

impl Source for Shop {
    fn get(&mut self, file: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        let found = self.0.iter().find(|(name, _)| file.ends_with(*name)).map(|(_, bytes)| bytes);
        let found = found.filter(|_| !file.ends_with("root.json") || file == "2.root.json");
        let most = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1);
        Ok(found.map(|bytes| bytes.iter().take(most).copied().collect()))
    }
}

/// Timestamp, snapshot, targets and perhaps a root, each what is signed.
fn shop(text: &[u8]) -> Shop {
    let text = String::from_utf8_lossy(text).into_owned();
    let names = ["timestamp.json", "snapshot.json", "targets.json", "root.json"];
    let files = names.into_iter().zip(text.split(NEXT_FILE));
    Shop(files.filter_map(|(name, text)| Some((name, signed(text.as_bytes())?))).collect())
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let head = |role: &str, version: u64| json!({ "_type": role, "spec_version": "1.0.31", "version": version, "expires": "2030-03-17T17:46:40Z" });
    let with = |mut head: Value, field: &str, value: Value| {
        head[field] = value;
        head.to_string()
    };
    let app = json!({
        "bundle": "org.example.notes", "version": "1.0.0", "keys": ["ed25519:00"], "name": { "": "Notes", "de": "Notizen" },
        "architectures": ["x86_64"],
    });
    let sum = "00".repeat(32);
    let target = json!({ "length": 5, "hashes": { "sha256": sum }, "custom": app });
    let texts = |version: u64| {
        let timestamp = with(
            head("timestamp", version),
            "meta",
            json!({ "snapshot.json": { "version": version } }),
        );
        let snapshot = with(
            head("snapshot", version),
            "meta",
            json!({ "targets.json": { "version": version } }),
        );
        let targets = with(head("targets", version), "targets", json!({ "a/b.bundle": target }));
        [timestamp, snapshot, targets].join(NEXT_FILE)
    };
    let next = Draft::root(2, Time::new(LATER), "shop", &keys());
    let next = tuf::sign(&next, &[&key()]).expect("a root");
    let next: Value = serde_json::from_slice(&next).expect("what was written can be read");
    let rotated = [texts(4), next["signed"].to_string()].join(NEXT_FILE);
    let whole = [vec![0], root()].concat();
    let made = [texts(1), texts(3), texts(9), rotated].map(|text| [&[1], text.as_bytes()].concat());
    [vec![whole], made.to_vec()].concat()
}

pub(crate) fn read(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    if kind % 2 == 0 {
        return raw(rest);
    }
    let mut device = Device([(Role::Root, root())].into());
    let mut good = shop(&GOOD);
    let now = Time::new(NOW);
    let before = tuf::refresh(&mut good, &mut device, now).expect("a good store").versions();
    assert_eq!(before, [1, 3, 3, 3]);
    let mut shop = shop(rest);
    let asked = tuf::refresh(&mut shop, &mut device, now);
    let after = tuf::known(&device);
    // A new root may have taken the keys away by which the rest is believed.
    let rotated = matches!(&asked, Err(_) if signed_root(&device).version > 1);
    let Ok(after) = after else { return assert!(rotated, "what was known is lost: {asked:?}") };
    let Ok(asked) = asked else { return };
    assert_eq!(asked.versions(), after.versions(), "what is believed is not what is kept");
    assert!(asked.fresh(now).is_ok(), "it has expired");
    if asked.root().version == 1 {
        let older = asked.versions().iter().zip(before).any(|(is, was)| *is < was);
        assert!(!older, "{before:?} became {:?}", asked.versions());
    }
    let again = tuf::refresh(&mut shop, &mut device, now).map(|again| again.versions());
    assert_eq!(again.ok(), Some(asked.versions()), "the same store, asked again");
    for (name, target) in &asked.targets().expect("it is whole").targets {
        let file = asked.root().target_file(name, target);
        let _any = api::stores::supply::legal(&format!("targets/{file}"));
        if let Some(app) = target.custom.as_ref().and_then(App::read) {
            let _any = (App::text(&app.name, "de_AT.UTF-8"), App::text(&app.about, name));
        }
    }
}

fn signed_root(device: &Device) -> Root {
    let root = Trusted::begin(&device.read(Role::Root).expect("a root")).expect("what is kept");
    root.root().clone()
}

/// Bytes that nobody signed.
fn raw(bytes: &[u8]) {
    let device = Device(Role::ALL.map(|role| (role, bytes.to_vec())).into());
    if let Ok(mut trusted) = Trusted::begin(bytes) {
        let _any =
            (trusted.next_root(bytes), trusted.timestamp(bytes), trusted.take_targets(bytes));
        let _any = Role::ALL.map(|role| trusted.root().signers(role));
    }
    assert!(tuf::known(&device).is_err(), "one file is no store");
    if let Some(time) = std::str::from_utf8(bytes).ok().and_then(Time::parse) {
        assert_eq!(Time::parse(&time.to_string()), Some(time));
    }
}
