//! Keys and signatures: ed25519, as text and as bytes.
//!
//! ```text
//! ed25519:BASE64           a key that signatures are checked with: may be known to all
//! ed25519-secret:BASE64    a key that signs: nobody's but its owner's
//! ```
//!
//! They are told apart by their first word, so that one is not given away for the other. Randomness comes
//! from who asks for a key.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature as Bytes, Signer, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::verity::Digest;
use crate::{SIGNED, base64};

/// Bytes of a key.
const KEY: usize = 32;

/// Bytes of a signature in a bundle: the key, and the signature by it.
pub(crate) const SIGNATURE: usize = KEY + 64;

/// What a public key begins with.
const PUBLIC: &str = "ed25519:";

/// What a secret key begins with.
const SECRET: &str = "ed25519-secret:";

/// Text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It begins with something else.
    #[error("it does not begin with `{0}`")]
    Word(&'static str),
    /// A secret key was given for a public one.
    #[error("it is a secret key: give the public one, and keep this one to yourself")]
    Secret,
    /// What follows is not 32 bytes.
    #[error("after `{0}` it takes 32 bytes in base64: 43 letters and a `=`")]
    Bytes(&'static str),
    /// There is no such key, or anybody can sign for it.
    #[error("it is no key that ed25519 can trust: make one with `ens bundle key`")]
    Weak,
}

/// A key that signatures are checked with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// A key by its bytes.
    ///
    /// # Errors
    /// They are no key.
    pub fn from_bytes(bytes: &[u8; KEY]) -> Result<Self, BadKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| BadKey::Weak)?;
        // Of several spellings of a key one is right.
        let canonical = key.to_edwards().compress().to_bytes();
        if key.is_weak() || canonical != *bytes { Err(BadKey::Weak) } else { Ok(Self(key)) }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; KEY] {
        self.0.to_bytes()
    }

    /// What people compare: `1a2b-3c4d-…`, half of its SHA-256.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hash: [u8; 32] = Sha256::digest(self.0.as_bytes()).into();
        let (pairs, _) = hash.as_chunks::<2>();
        let groups: Vec<_> = pairs.iter().take(8).map(|[a, b]| format!("{a:02x}{b:02x}")).collect();
        groups.join("-")
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", base64::encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let text = text.trim_ascii();
        if text.starts_with(SECRET) {
            return Err(BadKey::Secret);
        }
        Self::from_bytes(&bytes(text, PUBLIC)?)
    }
}

/// A key that signs.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key that comes of 32 bytes nobody can guess.
    #[must_use]
    pub fn from_random(random: &[u8; KEY]) -> Self {
        Self(SigningKey::from_bytes(random))
    }

    /// What its signatures are checked with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The key as text, for a file that only its owner can read.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{SECRET}{}", base64::encode(self.0.as_bytes()))
    }

    /// Signs the bundle of this digest.
    #[must_use]
    pub fn sign(&self, digest: &Digest) -> Signature {
        Signature { key: self.public(), bytes: self.0.sign(&message(digest)) }
    }
}

/// Never shown.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret of {}", self.public())
    }
}

impl FromStr for SecretKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        Ok(Self::from_random(&bytes(text.trim_ascii(), SECRET)?))
    }
}

fn bytes(text: &str, word: &'static str) -> Result<[u8; KEY], BadKey> {
    let text = text.strip_prefix(word).ok_or(BadKey::Word(word))?;
    base64::decode(text).and_then(|bytes| bytes.try_into().ok()).ok_or(BadKey::Bytes(word))
}

/// What is signed.
fn message(digest: &Digest) -> Vec<u8> {
    [SIGNED, digest.bytes()].concat()
}

/// Who answers for a bundle, and the proof of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    key: PublicKey,
    bytes: Bytes,
}

impl Signature {
    /// Who signed.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// As it lies in a bundle: the key, then the signature.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SIGNATURE] {
        let mut all = [0; SIGNATURE];
        let both = self.key.bytes().into_iter().chain(self.bytes.to_bytes());
        all.iter_mut().zip(both).for_each(|(to, from)| *to = from);
        all
    }

    /// Reads a signature, and proves it.
    ///
    /// # Errors
    /// The key is none, or did not sign this digest.
    pub fn proved(bytes: &[u8; SIGNATURE], digest: &Digest) -> Result<Self, BadSignature> {
        let (key, rest) = bytes.split_first_chunk::<KEY>().ok_or(BadSignature::Wrong)?;
        let rest = rest.first_chunk::<64>().ok_or(BadSignature::Wrong)?;
        let key = PublicKey::from_bytes(key).map_err(BadSignature::Key)?;
        let bytes = Bytes::from_bytes(rest);
        key.0.verify_strict(&message(digest), &bytes).map_err(|_| BadSignature::Wrong)?;
        Ok(Self { key, bytes })
    }
}

/// Bytes that are no signature of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// Its key is none.
    #[error("its key is none: {0}")]
    Key(BadKey),
    /// The key did not sign this.
    #[error("its key did not sign this content")]
    Wrong,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_random(&[seed; 32])
    }

    #[test]
    fn keys_are_read_as_they_are_written_and_not_mistaken() {
        let (secret, public) = (key(1), key(1).public());
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(
            format!("{}\n", secret.to_text()).parse::<SecretKey>().unwrap().public(),
            public
        );
        assert_eq!(secret.to_text().parse::<PublicKey>(), Err(BadKey::Secret));
        assert!(public.to_string().parse::<SecretKey>().is_err());
        assert!(!format!("{secret:?}").contains(&secret.to_text()[SECRET.len()..]));
        assert_eq!("ed25519:AAAA".parse::<PublicKey>(), Err(BadKey::Bytes(PUBLIC)));
        assert_eq!(public.fingerprint().len(), 8 * 4 + 7);
    }

    #[test]
    fn a_key_that_anybody_can_sign_for_is_none() {
        let mut one = [0; 32];
        one[0] = 1; // the neutral element
        assert_eq!(PublicKey::from_bytes(&one), Err(BadKey::Weak));
        assert_eq!(PublicKey::from_bytes(&[0xff; 32]), Err(BadKey::Weak));
    }

    #[test]
    fn a_signature_holds_for_one_digest_and_one_key() {
        let (one, other) = (Digest::new([1; 32]), Digest::new([2; 32]));
        let signature = key(1).sign(&one);
        assert_eq!(Signature::proved(&signature.to_bytes(), &one), Ok(signature.clone()));
        assert!(Signature::proved(&signature.to_bytes(), &other).is_err());
        let mut bytes = signature.to_bytes();
        bytes[..32].copy_from_slice(&key(2).public().bytes());
        assert_eq!(Signature::proved(&bytes, &one), Err(BadSignature::Wrong));
    }

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // RFC 8032, 7.1, test 1 gives the key; its bytes are checked, the message is ours.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ];
        let public = SecretKey::from_random(&seed).public();
        assert_eq!(public.to_string(), "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    }
}
