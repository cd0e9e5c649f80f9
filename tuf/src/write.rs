//! The side of who keeps a store: metadata as values, signed.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::json::canonical;
use crate::key::{PublicKey, SecretKey, hex};
use crate::roles::Role;
use crate::{SPEC, Time};

/// What is said of a file in the metadata above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointed {
    version: u64,
    length: usize,
    sha256: String,
}

/// What is said of these bytes, which have this version.
#[must_use]
pub fn pointed(version: u64, bytes: &[u8]) -> Pointed {
    Pointed { version, length: bytes.len(), sha256: hex(&Sha256::digest(bytes)) }
}

/// Metadata that is not signed yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft(Map<String, Value>);

impl Draft {
    fn new(role: Role, version: u64, expires: Time) -> Self {
        let head = json!({
            "_type": role.word(), "spec_version": SPEC, "version": version, "expires": expires,
        });
        Self(head.as_object().cloned().unwrap_or_default())
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        self.0.insert(field.to_owned(), value);
        self
    }

    /// Whose keys count: one that signs for a role is enough.
    #[must_use]
    pub fn root(
        version: u64,
        expires: Time,
        name: &str,
        keys: &BTreeMap<Role, Vec<PublicKey>>,
    ) -> Self {
        let all = keys.values().flatten().map(|key| (key.id(), key.to_json()));
        let ids = |keys: &[PublicKey]| keys.iter().map(PublicKey::id).collect::<Vec<_>>();
        let roles = keys.iter().map(|(role, keys)| {
            (role.word().to_owned(), json!({ "keyids": ids(keys), "threshold": 1 }))
        });
        Self::new(Role::Root, version, expires)
            .with("consistent_snapshot", Value::Bool(true))
            .with("name", name.into())
            .with("keys", Value::Object(all.collect()))
            .with("roles", Value::Object(roles.collect()))
    }

    /// Which files there are.
    #[must_use]
    pub fn targets(version: u64, expires: Time, targets: Map<String, Value>) -> Self {
        Self::new(Role::Targets, version, expires).with("targets", Value::Object(targets))
    }

    /// Which targets count.
    #[must_use]
    pub fn snapshot(version: u64, expires: Time, targets: &Pointed) -> Self {
        Self::new(Role::Snapshot, version, expires).with("meta", meta(Role::Targets, targets))
    }

    /// Which snapshot counts.
    #[must_use]
    pub fn timestamp(version: u64, expires: Time, snapshot: &Pointed) -> Self {
        Self::new(Role::Timestamp, version, expires).with("meta", meta(Role::Snapshot, snapshot))
    }
}

fn meta(role: Role, of: &Pointed) -> Value {
    let Pointed { version, length, sha256 } = of;
    json!({ role.file(): { "version": version, "length": length, "hashes": { "sha256": sha256 } } })
}

/// The bytes of a file, signed by these.
///
/// # Errors
/// It has a number that is not whole.
pub fn sign(draft: &Draft, keys: &[&SecretKey]) -> Result<Vec<u8>, String> {
    envelope(&Value::Object(draft.0.clone()), keys)
}

/// What a file says, signed by these instead.
///
/// # Errors
/// It is none, or has a number that is not whole.
pub fn sign_again(bytes: &[u8], keys: &[&SecretKey]) -> Result<Vec<u8>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|why| why.to_string())?;
    envelope(value.get("signed").ok_or("nothing in it is signed")?, keys)
}

fn envelope(signed: &Value, keys: &[&SecretKey]) -> Result<Vec<u8>, String> {
    let message = canonical(signed)?;
    let one = |key: &&SecretKey| json!({ "keyid": key.public().id(), "sig": key.sign(&message) });
    let signatures: Vec<_> = keys.iter().map(one).collect();
    let whole = json!({ "signatures": signatures, "signed": signed });
    let mut bytes = serde_json::to_vec_pretty(&whole).map_err(|why| why.to_string())?;
    bytes.push(b'\n');
    Ok(bytes)
}
