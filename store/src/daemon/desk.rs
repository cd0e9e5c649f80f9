//! `org.ensemble.Stores1`: who may ask what. The work is done on a thread that may wait.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use api::stores::{Error, Offer, Store};
use zbus::interface;

use super::work::Work;

/// One client's view.
pub(super) struct Desk {
    pub(super) work: Arc<Work>,
    pub(super) uid: u32,
}

impl Desk {
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Work) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let work = Arc::clone(&self.work);
        let done = tokio::task::spawn_blocking(move || ask(&work)).await;
        done.map_err(|e| Error::Failed(format!("store is ending: {e}")))?
    }

    fn only_root(&self, what: &str) -> Result<(), Error> {
        match self.uid {
            0 => Ok(()),
            uid => {
                Err(Error::NotPermitted(format!("{what}: only root may, and you are user {uid}")))
            }
        }
    }
}

fn owned(fds: Vec<zbus::OwnedFd>) -> Vec<OwnedFd> {
    fds.into_iter().map(OwnedFd::from).collect()
}

#[interface(name = "org.ensemble.Stores1")]
impl Desk {
    async fn list(&self) -> Result<Vec<Store>, Error> {
        self.ask(|work| Ok(work.list())).await
    }

    async fn add(
        &self,
        name: String,
        place: String,
        root: Vec<u8>,
        fingerprint: String,
        from: Vec<zbus::OwnedFd>,
    ) -> Result<Store, Error> {
        self.only_root("add")?;
        self.ask(move |work| work.add(&name, &place, root, &fingerprint, owned(from))).await
    }

    async fn remove(&self, name: String) -> Result<(), Error> {
        self.only_root("remove")?;
        self.ask(move |work| work.remove(&name)).await
    }

    async fn refresh(&self, name: String, from: Vec<zbus::OwnedFd>) -> Result<Store, Error> {
        self.only_root("refresh")?;
        self.ask(move |work| work.refresh(&name, owned(from))).await
    }

    async fn search(&self, text: String) -> Result<Vec<Offer>, Error> {
        self.ask(move |work| Ok(work.search(&text))).await
    }

    async fn fetch(
        &self,
        store: String,
        id: String,
        version: String,
        from: Vec<zbus::OwnedFd>,
    ) -> Result<(zbus::OwnedFd, Vec<String>), Error> {
        self.only_root("fetch")?;
        self.ask(move |work| {
            let (file, keys) = work.fetch(&store, (&id, &version), owned(from))?;
            Ok((OwnedFd::from(file).into(), keys))
        })
        .await
    }
}
