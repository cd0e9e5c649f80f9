//! The four kinds of metadata, as they are written. Fields that nobody here knows are signed with the rest, and ignored.
//!
//! ```text
//! { "signatures": [{ "keyid", "sig" }], "signed": { "_type", "version", "expires", … } }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::json::canonical;
use crate::key::{PublicKey, hex};
use crate::{MAX_SIGNATURES, Refused, Time};

/// Who signs what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Says whose keys count.
    Root,
    /// Says which files there are.
    Targets,
    /// Says which list of files counts.
    Snapshot,
    /// Says which snapshot counts.
    Timestamp,
}

impl Role {
    /// All of them, in the order in which a store is made.
    pub const ALL: [Self; 4] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp];

    /// Its name in metadata.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
        }
    }

    /// Its file, without a version in front.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Root => "root.json",
            Self::Targets => "targets.json",
            Self::Snapshot => "snapshot.json",
            Self::Timestamp => crate::TIMESTAMP,
        }
    }
}

/// A file as it comes: what is signed, and the signatures; nothing is believed yet.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) signatures: Vec<Signed>,
    pub(crate) signed: Value,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Signed {
    pub(crate) keyid: String,
    pub(crate) sig: String,
}

impl Envelope {
    pub(crate) fn read(file: &str, bytes: &[u8]) -> Result<Self, Refused> {
        let envelope: Self = serde_json::from_slice(bytes)
            .map_err(|why| Refused::malformed(file, why.to_string()))?;
        if envelope.signatures.len() > MAX_SIGNATURES {
            return Err(Refused::malformed(file, format!("more than {MAX_SIGNATURES} signatures")));
        }
        Ok(envelope)
    }

    /// Whether enough keys of `role` signed it, by what `root` says.
    pub(crate) fn proved(&self, file: &str, role: Role, root: &Root) -> Result<(), Refused> {
        let message = canonical(&self.signed).map_err(|why| Refused::malformed(file, why))?;
        let Some(keys) = root.roles.get(role.word()) else {
            return Err(Refused::Unsigned { file: file.to_owned(), have: 0, need: 1 });
        };
        // A key counts once, whatever it is called.
        let mut signers = BTreeSet::new();
        for Signed { keyid, sig } in &self.signatures {
            let key = root.key(keyid).filter(|_| keys.keyids.contains(keyid));
            if let Some(key) = key.filter(|key| key.signed(&message, sig)) {
                signers.insert(key.bytes());
            }
        }
        let have = signers.len();
        if u64::try_from(have).is_ok_and(|have| have >= keys.threshold) {
            return Ok(());
        }
        Err(Refused::Unsigned { file: file.to_owned(), have, need: keys.threshold })
    }

    /// What is signed, as what it should be.
    pub(crate) fn typed<T: DeserializeOwned>(self, file: &str, role: Role) -> Result<T, Refused> {
        let said = |field: &str| self.signed.get(field).and_then(Value::as_str).unwrap_or_default();
        if said("_type") != role.word() {
            return Err(Refused::malformed(file, format!("it is no {}", role.word())));
        }
        if !said("spec_version").starts_with("1.") {
            let why = format!("it is written by rules `{}`, not 1.x", said("spec_version"));
            return Err(Refused::malformed(file, why));
        }
        serde_json::from_value(self.signed).map_err(|why| Refused::malformed(file, why.to_string()))
    }
}

/// Whose keys count.
#[derive(Debug, Clone, Deserialize)]
pub struct Root {
    /// The first is 1.
    pub version: u64,
    /// Until when it counts.
    pub expires: Time,
    /// Whether names of files begin with their version or hash.
    #[serde(default)]
    pub consistent_snapshot: bool,
    /// What who keeps the store calls it; ours.
    #[serde(default)]
    pub name: Option<String>,
    keys: BTreeMap<String, Key>,
    roles: BTreeMap<String, Keys>,
}

#[derive(Debug, Clone, Deserialize)]
struct Key {
    keytype: String,
    scheme: String,
    keyval: KeyVal,
}

#[derive(Debug, Clone, Deserialize)]
struct KeyVal {
    #[serde(default)]
    public: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Keys {
    keyids: Vec<String>,
    threshold: u64,
}

impl Root {
    /// A key by what it is called, if it is one that counts.
    pub(crate) fn key(&self, id: &str) -> Option<PublicKey> {
        let key = self.keys.get(id)?;
        let known = key.keytype == "ed25519" && key.scheme == "ed25519";
        PublicKey::from_hex(&key.keyval.public).filter(|_| known)
    }

    /// Whether it says of each role who signs for it.
    pub(crate) fn whole(&self, file: &str) -> Result<(), Refused> {
        if self.version == 0 {
            return Err(Refused::malformed(file, "it has version 0"));
        }
        for role in Role::ALL {
            let keys = self.roles.get(role.word());
            if keys.is_none_or(|keys| keys.threshold == 0 || keys.keyids.is_empty()) {
                let why = format!("it says not who signs as {}", role.word());
                return Err(Refused::malformed(file, why));
            }
        }
        Ok(())
    }

    /// Keys that sign for a role.
    #[must_use]
    pub fn signers(&self, role: Role) -> Vec<PublicKey> {
        let ids = self.roles.get(role.word()).map(|keys| keys.keyids.as_slice());
        ids.unwrap_or_default().iter().filter_map(|id| self.key(id)).collect()
    }

    /// How the file of a role is called that has this version.
    #[must_use]
    pub fn file(&self, role: Role, version: u64) -> String {
        let versioned = match role {
            Role::Timestamp => false,
            Role::Root => true,
            Role::Targets | Role::Snapshot => self.consistent_snapshot,
        };
        if versioned { format!("{version}.{}", role.file()) } else { role.file().to_owned() }
    }

    /// How the file of a target is called.
    #[must_use]
    pub fn target_file(&self, name: &str, target: &Target) -> String {
        let Some(hash) = target.sha256().filter(|_| self.consistent_snapshot) else {
            return name.to_owned();
        };
        match name.rsplit_once('/') {
            Some((above, name)) => format!("{above}/{}.{name}", hex(&hash)),
            None => format!("{}.{name}", hex(&hash)),
        }
    }
}

/// What timestamp and snapshot say of a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// Its version.
    pub version: u64,
    /// Its bytes, where that is said.
    #[serde(default)]
    pub length: Option<u64>,
    #[serde(default)]
    hashes: Option<BTreeMap<String, String>>,
}

impl Listed {
    /// Whether these bytes are those that are meant.
    pub(crate) fn fits(&self, file: &str, bytes: &[u8]) -> Result<(), Refused> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if let Some(said) = self.length.filter(|said| *said != length) {
            return Err(Refused::mixed(file, format!("{length} bytes instead of {said}")));
        }
        let Some(hashes) = &self.hashes else { return Ok(()) };
        match hashes.get("sha256") {
            Some(hash) if *hash == hex(&Sha256::digest(bytes)) => Ok(()),
            Some(_) => Err(Refused::mixed(file, "its SHA-256 is another one")),
            None => Err(Refused::mixed(file, "no hash is known but others than SHA-256")),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Pointer {
    pub(crate) version: u64,
    pub(crate) expires: Time,
    pub(crate) meta: BTreeMap<String, Listed>,
}

/// Which files there are.
#[derive(Debug, Clone, Deserialize)]
pub struct Targets {
    /// Its version.
    pub version: u64,
    /// Until when it counts.
    pub expires: Time,
    /// The files, by name.
    pub targets: BTreeMap<String, Target>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Target {
    /// Its bytes.
    pub length: u64,
    hashes: BTreeMap<String, String>,
    /// What else is said of it.
    #[serde(default)]
    pub custom: Option<Value>,
}

impl Target {
    /// Its SHA-256, if that is said: without it nobody can tell whether a file is the one.
    #[must_use]
    pub fn sha256(&self) -> Option<[u8; 32]> {
        crate::key::unhex(self.hashes.get("sha256")?)
    }
}
