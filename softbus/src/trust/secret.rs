//! The secret of a group: by it members know each other's announcements, and others cannot.
//!
//! ```text
//! tag = salt (4 bytes, drawn anew each hour) · HMAC-SHA256(secret, salt, device), its first 12 bytes
//! ```
//!
//! The salt stands for the hour: a tag can be known whatever the clocks say. Whoever repeats one is dialled and fails, as
//! the tag is no proof. A device that was removed knows the secret of its time: an owner draws a new one as soon as it
//! learns of a removal, and members take the one made with the most removals known (of two, the greater).
//!
//! Invariant: a secret is never shown; nothing but announcements depends on it.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::members::Members;
use crate::DeviceId;

/// What the hash is for.
const ANNOUNCE: &[u8] = b"ensemble announcement 1\0";

/// The part of a tag that is drawn.
pub type Salt = [u8; 4];

/// What a member announces itself by.
pub type Tag = [u8; 16];

/// A secret that all members have.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Secret {
    /// How many removals who made it knew of.
    removals: u64,
    bytes: [u8; 32],
}

impl Secret {
    /// A secret for the group as it is, of bytes that nobody can guess.
    #[must_use]
    pub fn new(members: &Members, bytes: [u8; 32]) -> Self {
        Self { removals: members.removals(), bytes }
    }

    /// Whether a removed device may know it: an owner that finds so makes another.
    #[must_use]
    pub fn is_stale(&self, members: &Members) -> bool {
        self.removals < members.removals()
    }

    /// Takes another's if it is the one to have; whether it was. One of more removals than are known here waits until
    /// they are: nobody can claim the last secret of all.
    pub fn take(&mut self, other: &Self, members: &Members) -> bool {
        let better = other > self && other.removals <= members.removals();
        if better {
            *self = other.clone();
        }
        better
    }

    /// What a device announces itself by, until it draws another salt.
    #[must_use]
    pub fn tag(&self, device: &DeviceId, salt: Salt) -> Tag {
        let mut tag = [0; 16];
        // A key of any length is good for an HMAC.
        if let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.bytes) {
            let hash = mac
                .chain_update(ANNOUNCE)
                .chain_update(salt)
                .chain_update(device.0)
                .finalize()
                .into_bytes();
            tag.iter_mut().zip(salt.into_iter().chain(hash)).for_each(|(to, from)| *to = from);
        }
        tag
    }

    /// Which member announces itself so, if it is one.
    #[must_use]
    pub fn whose(&self, tag: &Tag, members: &Members) -> Option<DeviceId> {
        let salt = *tag.first_chunk()?;
        members.ids().find(|device| self.tag(device, salt) == *tag)
    }
}

/// Never shown.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the group's secret of {} removals", self.removals)
    }
}
