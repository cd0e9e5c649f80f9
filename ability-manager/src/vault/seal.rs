//! Keys, and keys in sealed form. Pure, but for where random bytes come from.
//!
//! ```text
//! key of 64 bytes ─ seal(with a key of 32, what it is) ─► nonce 24 │ encrypted │ tag 16 ─ open(same, same) ─► key
//! ```
//!
//! XChaCha20-Poly1305: its nonces are long enough to be random. Invariants: what is sealed opens only with the same
//! key and as the same thing; bytes of keys are zeros when nobody has them any more, and are in no message.

use std::fmt;
use std::io;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// Bytes of a nonce.
const NONCE: usize = 24;

/// Bytes that are secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key<const N: usize>(Zeroizing<[u8; N]>);

/// A key that other keys are sealed with.
pub(crate) type Master = Key<32>;

/// A key of the kernel's.
pub(crate) type FileKey = Key<{ sys::fscrypt::KEY }>;

impl<const N: usize> fmt::Debug for Key<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

impl<const N: usize> Key<N> {
    /// A new one.
    ///
    /// # Errors
    /// The kernel has no random bytes yet.
    pub(crate) fn random() -> io::Result<Self> {
        let mut key = Zeroizing::new([0; N]);
        sys::random::fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// Of these bytes, if they are so many.
    #[must_use]
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; N]);
        (bytes.len() == N).then(|| key.copy_from_slice(bytes))?;
        Some(Self(key))
    }

    /// Its bytes.
    #[must_use]
    pub(crate) fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// Sealed, as what `what` says.
    ///
    /// # Errors
    /// As [`Self::random`].
    pub(crate) fn seal(&self, with: &Master, what: &str) -> io::Result<Vec<u8>> {
        let nonce = random::<NONCE>()?;
        let cipher = XChaCha20Poly1305::new(with.bytes().into());
        let payload = Payload { msg: self.bytes(), aad: what.as_bytes() };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| io::Error::other("a key can't be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// What was sealed with this key, as this; none if it was not.
    #[must_use]
    pub(crate) fn open(sealed: &[u8], with: &Master, what: &str) -> Option<Self> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        let cipher = XChaCha20Poly1305::new(with.bytes().into());
        let payload = Payload { msg: sealed, aad: what.as_bytes() };
        let opened = Zeroizing::new(cipher.decrypt(&XNonce::from(*nonce), payload).ok()?);
        Self::new(&opened)
    }
}

/// So many random bytes that are no secret.
///
/// # Errors
/// As [`Key::random`].
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    sys::random::fill(&mut bytes)?;
    Ok(bytes)
}

/// Bytes as hexadecimal digits.
#[must_use]
pub(crate) fn print(bytes: &[u8]) -> Zeroizing<String> {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text
}

/// Hexadecimal digits as bytes.
#[must_use]
pub(crate) fn read(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for pair in pairs {
        bytes.push(byte(pair)?);
    }
    rest.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_in_no_message() {
        let key = Master::new(&[0xab; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(secret)");
    }

    #[test]
    fn the_same_key_is_never_sealed_twice_alike() {
        let (key, with) = (FileKey::random().unwrap(), Master::random().unwrap());
        assert_ne!(key.seal(&with, "a").unwrap(), key.seal(&with, "a").unwrap());
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_as_it_was_and_as_nothing_else(
            key in prop::collection::vec(any::<u8>(), 64),
            with: [u8; 32],
            what in "[a-z. ]{1,20}",
            at in 0_usize..104,
            bit in 0_u8..8,
        ) {
            let (key, with) = (FileKey::new(&key).unwrap(), Master::new(&with).unwrap());
            let mut sealed = key.seal(&with, &what).unwrap();
            prop_assert_eq!(FileKey::open(&sealed, &with, &what), Some(key));
            prop_assert_eq!(FileKey::open(&sealed, &with, "other"), None);
            prop_assert_eq!(FileKey::open(&sealed, &Master::random().unwrap(), &what), None);
            prop_assert_eq!(Master::open(&sealed, &with, &what), None);
            prop_assert_eq!(FileKey::open(&sealed[..at], &with, &what), None);
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(FileKey::open(&sealed, &with, &what), None);
        }

        #[test]
        fn digits_are_read_as_they_were_printed(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            prop_assert_eq!(&*read(&print(&bytes)).unwrap(), &bytes);
        }

        #[test]
        fn nonsense_is_no_bytes(text in "\\PC{0,20}") {
            let fine = text.len() % 2 == 0 && text.chars().all(|c| c.is_ascii_hexdigit());
            prop_assert_eq!(read(&text).is_some(), fine);
        }
    }
}
