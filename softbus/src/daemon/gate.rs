//! Whom the engine lets in: members of the group, as they are now.
//!
//! Invariant: what is answered is what the hub said last.

use std::sync::{PoisonError, RwLock};

use crate::DeviceId;
use crate::engine::{Announced, Announcement, Gate, Protocol};
use crate::trust::{Members, Secret};

/// What a peer is told that is a stranger here.
pub(super) const NOT_OURS: &str = "that device is not of this one's group";

/// Who is admitted.
#[derive(Debug, Default)]
pub(super) struct Admitted(RwLock<Option<(Members, Secret)>>);

impl Admitted {
    /// From now on these.
    pub(super) fn set(&self, group: Option<(Members, Secret)>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = group;
    }

    fn ask<T>(&self, ask: impl FnOnce(&Members, &Secret) -> T) -> Option<T> {
        let group = self.0.read().unwrap_or_else(PoisonError::into_inner);
        group.as_ref().map(|(members, secret)| ask(members, secret))
    }
}

impl Gate for Admitted {
    fn admit(&self, peer: &DeviceId, protocol: Protocol) -> Result<(), &'static str> {
        match protocol {
            // The engine asks for the window, and whoever dials wants to.
            Protocol::Pairing => Ok(()),
            Protocol::Session => match self.ask(|members, _| members.admits(peer).is_some()) {
                Some(true) => Ok(()),
                Some(false) => Err(NOT_OURS),
                None => Err("it is in no group"),
            },
        }
    }

    fn expects(&self, announced: &Announced) -> bool {
        let Announcement::Member(tag) = &announced.what else { return false };
        self.ask(|members, secret| secret.whose(tag, members)).flatten().is_some()
    }
}
