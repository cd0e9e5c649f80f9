//! Keys of a store: ed25519, in hexadecimal as the metadata has them.

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::json::canonical;

/// What a key that signs begins with in its file.
const SECRET: &str = "store-secret:";

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that [`hex`] makes this text of, if they are that many.
#[must_use]
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let digit = |byte: &u8| char::from(*byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some(bytes)
}

/// What people compare of a root: `1a2b-3c4d-…`, half of its SHA-256.
#[must_use]
pub fn fingerprint(root: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::digest(root).into();
    let (pairs, _) = hash.as_chunks::<2>();
    let groups: Vec<_> = pairs.iter().take(8).map(|pair| hex(pair)).collect();
    groups.join("-")
}

/// A key that signatures are checked with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// A key in hexadecimal; none if it is no key, or one that anybody can sign for.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let key = VerifyingKey::from_bytes(&unhex(text)?).ok()?;
        (!key.is_weak()).then_some(Self(key))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// As a root has it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let public = hex(self.0.as_bytes());
        json!({ "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": public } })
    }

    /// What it is called in metadata.
    #[must_use]
    pub fn id(&self) -> String {
        // Of texts alone; it has a spelling.
        hex(&Sha256::digest(canonical(&self.to_json()).unwrap_or_default()))
    }

    /// Whether it signed this.
    #[must_use]
    pub fn signed(&self, message: &[u8], signature: &str) -> bool {
        let signature = unhex(signature).map(|bytes| Signature::from_bytes(&bytes));
        signature.is_some_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id())
    }
}

/// A key that signs metadata.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key that comes of 32 bytes nobody can guess.
    #[must_use]
    pub fn from_random(random: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(random))
    }

    /// Reads a file that has it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self::from_random(&unhex(text.trim_ascii().strip_prefix(SECRET)?)?))
    }

    /// The line of its file, which only its owner can read.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{SECRET}{}\n", hex(self.0.as_bytes()))
    }

    /// What its signatures are checked with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs, in hexadecimal.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        hex(&self.0.sign(message).to_bytes())
    }
}

/// Never shown.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret of {:?}", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_signatures_are_read_as_they_are_written() {
        let secret = SecretKey::from_random(&[7; 32]);
        let public = secret.public();
        assert_eq!(SecretKey::parse(&secret.to_text()).unwrap().public(), public);
        assert_eq!(PublicKey::from_hex(&hex(&public.bytes())), Some(public));
        let signature = secret.sign(b"text");
        assert!(public.signed(b"text", &signature) && !public.signed(b"test", &signature));
        assert!(!public.signed(b"text", &signature.to_uppercase()), "one spelling");
        assert!(!format!("{secret:?}").contains(&secret.to_text()[SECRET.len()..70]));
        assert_eq!(unhex::<2>("0aff"), Some([10, 255]));
        for bad in ["0aF0", "0a", "0aff0", "0aff00", "+aff", "0aéf"] {
            assert_eq!(unhex::<2>(bad), None, "{bad}");
        }
    }
}
