//! `org.ensemble.Stores1`: who may ask what. The work is done on a thread that may wait; how far a file is, is told now and
//! then to the one who asked for it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use api::stores::{Error, Offer, Store};
use tokio::sync::watch;
use zbus::interface;
use zbus::object_server::SignalEmitter;

use super::work::Work;

/// How often is told how far a file is.
const TELL: Duration = Duration::from_millis(250);

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
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<(zbus::OwnedFd, Vec<String>), Error> {
        self.only_root("fetch")?;
        let (tell, mut told) = watch::channel((0, 0));
        let fetched = self.ask(move |work| {
            let tell = |done, of| {
                tell.send_replace((done, of));
            };
            let (file, keys) = work.fetch(&store, (&id, &version), owned(from), &tell)?;
            Ok((OwnedFd::from(file).into(), keys))
        });
        tokio::pin!(fetched);
        let mut tick = tokio::time::interval(TELL);
        loop {
            tokio::select! {
                biased;
                done = &mut fetched => return done,
                _ = tick.tick() => {}
            }
            if told.has_changed().unwrap_or(false) {
                let (done, of) = *told.borrow_and_update();
                // Who has gone is noticed elsewhere.
                let _gone = Self::fetching(&emitter, done, of).await;
            }
        }
    }

    #[zbus(signal)]
    async fn fetching(emitter: &SignalEmitter<'_>, done: u64, of: u64) -> zbus::Result<()>;
}
