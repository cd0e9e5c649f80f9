//! One signed sentence about the group.
//!
//! ```text
//! ┌ signed ──────────────────────────────────────────────────────────┐
//! │ group · author (device, life) · number · before · clock · kind · body │ signature
//! └──────────────────────────────────────────────────────────────────┘     64 bytes
//! ```
//!
//! `before` is the id of the author's entry before this one, so that an author's entries are a chain; `clock` is greater
//! than that of every entry the author knew. A kind that this version does not know, or a body that it cannot read, is
//! kept and passed on as [`What::Unknown`]; bytes after a body that it can read belong to a newer version.
//!
//! Invariant: an [`Entry`] has one spelling and at most [`MAX_ENTRY`] bytes. That its signature is right is checked where
//! it is taken into a log.

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::card::{Card, Label, Level, Name};
use crate::DeviceId;

/// Bytes of an entry.
pub const MAX_ENTRY: usize = 512;

/// What is signed begins with this, so that no other signature of a device's key is an entry.
const SIGNED: &[u8] = b"ensemble trust entry 1\0";

/// What a group's id is hashed of begins with this.
const GROUP: &[u8] = b"ensemble trust group 1\0";

const SIGNATURE: usize = 64;

/// A group: made from its founder and a number that the founder drew, so that nobody else can found it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId(pub [u8; 16]);

impl GroupId {
    /// The group that this device founds with this number.
    #[must_use]
    pub fn of(founder: &DeviceId, nonce: &[u8; 16]) -> Self {
        let hash = Sha256::new()
            .chain_update(GROUP)
            .chain_update(founder.0)
            .chain_update(nonce)
            .finalize();
        let mut id = [0; 16];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Self(id)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// An entry's name: the hash of what was signed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryId(pub [u8; 32]);

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Who signs: a device, in one of its lives. Each time it is added again it begins a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Author {
    /// The device.
    pub device: DeviceId,
    /// Which life, from 1.
    pub life: u32,
}

/// The key of this device.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key that comes of 32 bytes nobody can guess.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// The device whose key it is.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        DeviceId(self.0.verifying_key().to_bytes())
    }
}

/// Never shown.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret of {:?}", self.id())
    }
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    /// The group begins, with its author in it.
    Found {
        /// What the group's id was made with.
        nonce: [u8; 16],
        /// The founder.
        card: Card,
    },
    /// A device begins a life in the group.
    Add {
        /// Who, and in which life: greater than all before.
        who: Author,
        /// What it is.
        card: Card,
    },
    /// This life, and all before it, are over.
    Remove {
        /// Who.
        who: Author,
        /// The last of its entries that still counts.
        last: Option<EntryId>,
    },
    /// What a device is called.
    Name {
        /// Which.
        device: DeviceId,
        /// Its name.
        name: Name,
    },
    /// What a device may do from now on.
    Level {
        /// Who.
        who: Author,
        /// Its level; once it was lowered it is not an owner again in this life.
        level: Level,
        /// When lowered: the last of what it signed as an owner that still counts.
        last: Option<EntryId>,
    },
    /// What a device may store.
    Label {
        /// Which.
        device: DeviceId,
        /// Its label.
        label: Label,
    },
    /// From a newer version.
    Unknown,
}

impl What {
    /// Kind and body.
    fn encode(&self) -> Option<(u16, Vec<u8>)> {
        let (kind, body) = match self {
            Self::Found { nonce, card } => (1, postcard::to_stdvec(&(nonce, card))),
            Self::Add { who, card } => (2, postcard::to_stdvec(&(who, card))),
            Self::Remove { who, last } => (3, postcard::to_stdvec(&(who, last))),
            Self::Name { device, name } => (4, postcard::to_stdvec(&(device, name))),
            Self::Level { who, level, last } => (5, postcard::to_stdvec(&(who, level, last))),
            Self::Label { device, label } => (6, postcard::to_stdvec(&(device, label))),
            Self::Unknown => return None,
        };
        Some((kind, body.ok()?))
    }

    fn decode(kind: u16, body: &[u8]) -> Self {
        /// What stands at the beginning; the rest is of a newer version.
        fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
            Some(postcard::take_from_bytes(body).ok()?.0)
        }
        let what = match kind {
            1 => read(body).map(|(nonce, card)| Self::Found { nonce, card }),
            2 => read(body).map(|(who, card)| Self::Add { who, card }),
            3 => read(body).map(|(who, last)| Self::Remove { who, last }),
            4 => read(body).map(|(device, name)| Self::Name { device, name }),
            5 => read(body).map(|(who, level, last)| Self::Level { who, level, last }),
            6 => read(body).map(|(device, label)| Self::Label { device, label }),
            _ => None,
        };
        what.unwrap_or(Self::Unknown)
    }

    /// The entry of another that it stands on: without it, nobody could say what it takes away.
    pub(super) const fn needs(&self) -> Option<EntryId> {
        match self {
            Self::Remove { last, .. } | Self::Level { last, .. } => *last,
            _ => None,
        }
    }
}

/// As it is spelled, without the signature.
#[derive(Clone, Serialize, Deserialize)]
struct Fields {
    group: GroupId,
    author: Author,
    number: u64,
    before: Option<EntryId>,
    clock: u64,
    kind: u16,
    body: Vec<u8>,
}

/// Bytes that are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of a group cannot be read: {0}")]
pub struct Malformed(&'static str);

/// A signed sentence about a group. Cloning copies its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// What was signed, and the signature.
    bytes: Box<[u8]>,
    id: EntryId,
    group: GroupId,
    author: Author,
    number: u64,
    before: Option<EntryId>,
    clock: u64,
    what: What,
}

/// Where in its author's chain an entry stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) author: Author,
    pub(super) number: u64,
    pub(super) before: Option<EntryId>,
    pub(super) clock: u64,
}

impl Entry {
    /// Signs a sentence.
    pub(super) fn sign(key: &SecretKey, group: GroupId, place: Place, what: &What) -> Option<Self> {
        let (kind, body) = what.encode()?;
        Self::sign_raw(key, group, place, kind, body)
    }

    /// Signs what this version may not understand.
    pub(super) fn sign_raw(
        key: &SecretKey,
        group: GroupId,
        place: Place,
        kind: u16,
        body: Vec<u8>,
    ) -> Option<Self> {
        let Place { author, number, before, clock } = place;
        let mut bytes =
            postcard::to_stdvec(&Fields { group, author, number, before, clock, kind, body })
                .ok()?;
        let signature = key.0.sign(&[SIGNED, &bytes].concat());
        bytes.extend_from_slice(&signature.to_bytes());
        Self::from_bytes(&bytes).ok()
    }

    /// Reads an entry; its signature is not looked at.
    ///
    /// # Errors
    /// It is none, or spelled otherwise than it would be written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_ENTRY {
            return Err(Malformed("it is too long"));
        }
        let (signed, _) =
            bytes.split_last_chunk::<SIGNATURE>().ok_or(Malformed("it is too short"))?;
        let fields: Fields =
            postcard::from_bytes(signed).map_err(|_| Malformed("it has another form"))?;
        if postcard::to_stdvec(&fields).ok().as_deref() != Some(signed) {
            return Err(Malformed("it is spelled in an unusual way"));
        }
        let Fields { group, author, number, before, clock, kind, body } = fields;
        if author.life == 0 || number == 0 || clock == 0 || (number == 1) != before.is_none() {
            return Err(Malformed("its place in the chain is wrong"));
        }
        let id = EntryId(Sha256::new().chain_update(SIGNED).chain_update(signed).finalize().into());
        Ok(Self {
            bytes: bytes.into(),
            id,
            group,
            author,
            number,
            before,
            clock,
            what: What::decode(kind, &body),
        })
    }

    /// Its spelling.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether its author signed it. Keys that anybody can sign for have signed nothing.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let Some((signed, signature)) = self.bytes.split_last_chunk::<SIGNATURE>() else {
            return false;
        };
        let key = VerifyingKey::from_bytes(self.author.device.as_bytes())
            .ok()
            .filter(|key| !key.is_weak());
        let message = [SIGNED, signed].concat();
        key.is_some_and(|key| {
            key.verify_strict(&message, &Signature::from_bytes(signature)).is_ok()
        })
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> EntryId {
        self.id
    }

    /// Of which group it speaks.
    #[must_use]
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// Who signed it.
    #[must_use]
    pub const fn author(&self) -> Author {
        self.author
    }

    /// Which of its author's entries it is, from 1.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The author's entry before it.
    #[must_use]
    pub const fn before(&self) -> Option<EntryId> {
        self.before
    }

    /// Greater than that of every entry its author knew.
    #[must_use]
    pub const fn clock(&self) -> u64 {
        self.clock
    }

    /// What it says.
    #[must_use]
    pub const fn what(&self) -> &What {
        &self.what
    }

    /// By which of two is later: what an entry stands on comes before it.
    pub(super) fn order(&self) -> (u64, u64, Author, EntryId) {
        (self.clock, self.number, self.author, self.id)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Author { device, life } = self.author;
        write!(f, "{device:?}/{life} #{} @{}: {:?}", self.number, self.clock, self.what)
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.bytes)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        Self::from_bytes(bytes).map_err(serde::de::Error::custom)
    }
}
