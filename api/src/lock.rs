//! The lock of the device: peer-to-peer D-Bus on the socket and object of [`crate::abilities`].
//!
//! Everybody may ask whether it is locked; the rest is for root, who is where the owner types. Secrets are bytes.
//! What is wrong is an [`Error`] of abilities.

use serde::{Deserialize, Serialize};
use zbus::Type;

use crate::abilities::Error;

/// The interface.
pub const INTERFACE: &str = "org.ensemble.Lock1";

/// Whether the device is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[zbus(signature = "s")]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It has no secret, so it never is.
    NoSecret,
    /// It has one, and it was given.
    Unlocked,
    /// It has one, which was not given since it booted or was locked.
    Locked,
}

impl State {
    /// The word on the bus and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NoSecret => "no-secret",
            Self::Unlocked => "unlocked",
            Self::Locked => "locked",
        }
    }
}

/// How the lock is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Status {
    /// Whether it is locked.
    pub state: State,
    /// Whether what apps store is encrypted here.
    pub encrypts: bool,
    /// For so many seconds no secret is looked at; 0 if one may be tried.
    pub wait: u32,
}

/// The lock.
#[zbus::proxy(
    interface = "org.ensemble.Lock1",
    default_path = "/org/ensemble/Abilities",
    default_service = "org.ensemble.Abilities"
)]
pub trait Lock {
    /// How it is.
    fn status(&self) -> Result<Status, Error>;

    /// Sets the secret, or another one: then the one of before must be told. The device stays unlocked. Root only.
    fn set(&self, before: &[u8], secret: &[u8]) -> Result<(), Error>;

    /// The device has no secret any more. Root only.
    fn remove(&self, secret: &[u8]) -> Result<(), Error>;

    /// Unlocks. Each try counts as wrong until it is known to be right. Root only.
    fn unlock(&self, secret: &[u8]) -> Result<(), Error>;

    /// Ends what may not run while it is locked, then locks. Root only.
    fn lock(&self) -> Result<(), Error>;
}
