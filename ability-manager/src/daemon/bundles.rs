//! Bundles and their permissions, on the control socket.
//!
//! ```text
//! install ─► copied and checked, beside all else ─► changed (see `changes`) ─► answer
//! ```

use std::fs::File;
use std::sync::Arc;

use api::abilities::{Bundle, BundleInfo, Error, Installed, Permission, PermissionLog};
use model::Name;
use model::bundle::{APP_IDS, BundleId};
use tokio::sync::Semaphore;
use zbus::interface;

use super::control::{Desk, Reply};
use super::decide::error;
use super::definition::definition;
use super::{Daemon, today};
use crate::engine::Exit;
use crate::store::{Change, Changed, Held, Key, Prepared, Refusal, Vouched, Wish};

/// Bundles that are copied and checked at a time: each reads and writes as fast as the disk does.
const MAX_INTAKES: usize = 2;

static INTAKES: Semaphore = Semaphore::const_new(MAX_INTAKES);

/// One client's view of bundles.
pub(super) struct Bundles {
    desk: Desk,
}

impl Bundles {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[interface(name = "org.ensemble.Bundles1")]
impl Bundles {
    async fn list(&self) -> Result<Vec<Bundle>, Error> {
        self.desk.look(|daemon| Ok(daemon.bundles())).await
    }

    async fn info(&self, id: String) -> Result<BundleInfo, Error> {
        self.desk.look(move |daemon| daemon.info(&id)).await
    }

    async fn install(
        &self,
        file: zbus::OwnedFd,
        trust: bool,
        downgrade: bool,
    ) -> Result<Installed, Error> {
        self.desk.only_root("install")?;
        self.take(file, Wish { trust, downgrade }, None).await
    }

    async fn install_from(
        &self,
        file: zbus::OwnedFd,
        keys: Vec<String>,
        store: String,
        downgrade: bool,
    ) -> Result<Installed, Error> {
        self.desk.only_root("install")?;
        let store = Name::try_from(store.as_str())
            .map_err(|why| Error::Invalid(format!("no store is called `{store}`: {why}")))?;
        // What is no key vouches for nobody.
        let keys = keys.iter().filter_map(|key| Key::try_from(key.as_str()).ok()).collect();
        let vouched = Vouched { store, keys };
        self.take(file, Wish { trust: false, downgrade }, Some(vouched)).await
    }

    async fn remove(&self, id: String, keep_data: bool) -> Result<(), Error> {
        self.desk.only_root("remove")?;
        self.desk.call(move |daemon, reply| daemon.remove(&id, keep_data, reply)).await
    }

    async fn rollback(&self, id: String) -> Result<Installed, Error> {
        self.desk.only_root("rollback")?;
        self.desk.call(move |daemon, reply| daemon.rollback(&id, reply)).await
    }

    async fn keys(&self) -> Result<Vec<(String, String)>, Error> {
        let from = |image: bool| if image { "image" } else { "owner" };
        let row = move |(key, image): (Key, bool)| (key.to_string(), from(image).to_owned());
        self.desk.look(move |daemon| Ok(daemon.store.keys().into_iter().map(row).collect())).await
    }

    async fn trust(&self, key: String, trusted: bool) -> Result<(), Error> {
        self.desk.only_root("trust")?;
        let key = Key::try_from(key.as_str())
            .map_err(|_| Error::Invalid("a key is `ed25519:` and 44 signs of base64".to_owned()))?;
        self.desk
            .look(move |daemon| {
                let said = daemon.store.trust(&key, trusted, today());
                let said = said.map_err(|why| error(&why))?;
                said.iter().for_each(|text| log::info!("{text}"));
                Ok(())
            })
            .await
    }

    async fn permissions(&self, id: String) -> Result<Vec<Permission>, Error> {
        self.desk.look(move |daemon| daemon.permissions(&id)).await
    }

    async fn decide(
        &self,
        id: String,
        permission: String,
        decision: String,
    ) -> Result<Vec<String>, Error> {
        self.desk.only_root("decide")?;
        let by = self.desk.uid();
        self.desk.look(move |daemon| daemon.decide(&id, &permission, &decision, by)).await
    }

    async fn permission_log(&self, id: String) -> Result<PermissionLog, Error> {
        self.desk.only_root("read what apps used")?;
        self.desk.look(move |daemon| daemon.permission_log(&id)).await
    }
}

impl Bundles {
    /// Copies and checks a bundle, beside all else, then installs it.
    async fn take(
        &self,
        file: zbus::OwnedFd,
        wish: Wish,
        vouched: Option<Vouched>,
    ) -> Result<Installed, Error> {
        let file = File::from(std::os::fd::OwnedFd::from(file));
        let intake = self.desk.look(|daemon| Ok(daemon.store.intake())).await?;
        let _turn = INTAKES.acquire().await;
        let prepare = move || intake.prepare_from(&file, wish, vouched);
        let prepared = tokio::task::spawn_blocking(prepare).await;
        let prepared = prepared.map_err(|e| Error::Failed(format!("checking the bundle: {e}")))?;
        let prepared = prepared.map_err(|why| error(&why))?;
        self.desk.call(move |daemon, reply| daemon.install(prepared, reply)).await
    }
}

impl Daemon {
    fn install(&mut self, prepared: Prepared, reply: Reply<Installed>) {
        let change = Change::install(prepared, today());
        self.change(change, Exit::Upgraded, |daemon, done| daemon.installed(done, reply));
    }

    fn rollback(&mut self, id: &str, reply: Reply<Installed>) {
        let held = match self.held(id) {
            Ok(held) => held,
            Err(e) => return drop(reply.send(Err(e))),
        };
        let change = Change::rollback(held.id().clone(), today());
        self.change(change, Exit::Upgraded, |daemon, done| daemon.installed(done, reply));
    }

    fn installed(&mut self, done: Result<Changed, Refusal>, reply: Reply<Installed>) {
        let done = done.map_err(|why| error(&why)).and_then(|changed| {
            self.integrity.remove(&changed.id);
            let held = self.store.require(&changed.id).map_err(|why| error(&why))?;
            let held = Arc::clone(held);
            self.make_ready(&held);
            let before = changed.before.map(|version| version.to_string()).unwrap_or_default();
            let row = self.bundle(&held);
            log::info!("{} {} is installed", row.id, row.version);
            Ok(Installed { row, before, notes: changed.notes })
        });
        drop(reply.send(done));
    }

    /// Sandboxes are compiled when an app is installed, not when somebody waits for it. Not while the device is locked:
    /// a view that is made ahead would keep `el2` in use.
    pub(super) fn make_ready(&self, held: &Held) {
        if self.is_locked() {
            return;
        }
        for ability in &held.manifest.abilities {
            let definition = definition(&held.manifest, ability, &self.locale);
            let granted = self.granted(held).into_iter().map(String::from).collect();
            let uid = self.store.uid(held.id()).unwrap_or(*APP_IDS.start());
            self.units.prepare(definition, uid, granted);
        }
    }

    fn remove(&mut self, id: &str, keep_data: bool, reply: Reply<()>) {
        // Data whose bundle is gone can be removed too, so it need not be here.
        let id = match BundleId::try_from(id) {
            Ok(id) => id,
            Err(e) => {
                let why = format!("no bundle is called so: {e}");
                return drop(reply.send(Err(Error::NotFound(why))));
            }
        };
        let bundle = id.clone();
        self.change(Change::remove(id, keep_data), Exit::Removed, move |daemon, done| {
            let done = done.map_err(|why| error(&why));
            if done.is_ok() {
                daemon.integrity.remove(&bundle);
                daemon.forget_defaults(&bundle);
                daemon.forget_cards(&bundle);
                let effects = daemon.flow.forget(&bundle);
                daemon.carry_out(effects);
                if !keep_data {
                    daemon.units.forget_app(&bundle);
                }
                log::info!("{bundle} is removed");
            }
            drop(reply.send(done.map(|_| ())));
        });
    }
}
