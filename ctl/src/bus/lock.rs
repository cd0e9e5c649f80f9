//! The lock of the device, as [`api::lock`] says.

use api::abilities::{Error, PATH};
use api::lock::{INTERFACE, Status};
use wire::client::Object;

use super::Abilities;

const LOCK: Object = Object { path: PATH, interface: INTERFACE };

impl Abilities<'_> {
    pub(crate) fn lock_status(&self) -> Result<Status, Error> {
        self.call(LOCK, "Status", &())
    }

    pub(crate) fn lock_set(&self, before: &[u8], secret: &[u8]) -> Result<(), Error> {
        self.call(LOCK, "Set", &(before, secret))
    }

    pub(crate) fn lock_remove(&self, secret: &[u8]) -> Result<(), Error> {
        self.call(LOCK, "Remove", &(secret,))
    }

    pub(crate) fn unlock(&self, secret: &[u8]) -> Result<(), Error> {
        self.call(LOCK, "Unlock", &(secret,))
    }

    pub(crate) fn lock(&self) -> Result<(), Error> {
        self.call(LOCK, "Lock", &())
    }
}
