//! Stores, as [`api::stores::Stores`] says.

use std::os::fd::{AsFd, OwnedFd};

use api::stores::{Error, INTERFACE, Offer, PATH, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::zvariant::{DynamicType, Type};
use zbus::{Fd, Message};

use wire::client::{Object, Wire};

const STORES: Object = Object { path: PATH, interface: INTERFACE };

/// The calls. `from` is a socket to who opens the files of a directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stores<'a>(pub(crate) &'a Wire);

impl Stores<'_> {
    fn call<B, R>(&self, member: &str, body: &B) -> Result<R, Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        Ok(self.0.call(STORES, member, body)?)
    }

    pub(crate) fn list(&self) -> Result<Vec<Store>, Error> {
        self.call("List", &())
    }

    pub(crate) fn add(
        &self,
        (name, place): (&str, &str),
        root: &[u8],
        fingerprint: &str,
        from: Option<&OwnedFd>,
    ) -> Result<Store, Error> {
        self.call("Add", &(name, place, root, fingerprint, passed(from)))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        self.call("Remove", &(name,))
    }

    pub(crate) fn refresh(&self, name: &str, from: Option<&OwnedFd>) -> Result<Store, Error> {
        self.call("Refresh", &(name, passed(from)))
    }

    pub(crate) fn search(&self, text: &str) -> Result<Vec<Offer>, Error> {
        self.call("Search", &(text,))
    }

    /// `told` is how many bytes are there, and of how many.
    pub(crate) fn fetch(
        &self,
        offer: &Offer,
        from: Option<&OwnedFd>,
        told: &dyn Fn(u64, u64),
    ) -> Result<(OwnedFd, Vec<String>), Error> {
        let Offer { store, id, version, .. } = offer;
        let body = &(store, id, version, passed(from));
        let mut told = |signal: &Message| {
            if let Ok((done, of)) = signal.body().deserialize() {
                told(done, of);
            }
        };
        let (file, keys): (zbus::OwnedFd, Vec<String>) =
            self.0.call_told(STORES, "Fetch", body, &mut told)?;
        Ok((file.into(), keys))
    }
}

fn passed(from: Option<&OwnedFd>) -> Vec<Fd<'_>> {
    from.into_iter().map(|fd| Fd::from(fd.as_fd())).collect()
}
