//! Cards on the control socket.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use api::abilities::{Error, Form};
use zbus::interface;
use zbus::object_server::SignalEmitter;

use super::choices::target;
use super::control::Desk;

/// Numbers clients that add cards.
static CLIENTS: AtomicU64 = AtomicU64::new(1);

/// One client's view of cards.
pub(super) struct Forms {
    desk: Desk,
    /// Which client it is, once it has added one.
    client: OnceLock<u64>,
}

impl Forms {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk, client: OnceLock::new() }
    }
}

impl Drop for Forms {
    fn drop(&mut self) {
        if let Some(client) = self.client.get().copied() {
            self.desk.tell(move |daemon| daemon.client_left(client));
        }
    }
}

#[interface(name = "org.ensemble.Forms1")]
impl Forms {
    async fn add(&self, bundle: String, ability: String, size: String) -> Result<u32, Error> {
        self.desk.only_root("add cards")?;
        let target = target(&bundle, &ability)?;
        let client = *self.client.get_or_init(|| CLIENTS.fetch_add(1, Ordering::Relaxed));
        self.desk.look(move |daemon| daemon.form_add(target, &size, client)).await
    }

    async fn remove(&self, number: u32) -> Result<(), Error> {
        self.desk.only_root("remove cards")?;
        self.desk.look(move |daemon| daemon.form_remove(number)).await
    }

    async fn forms(&self) -> Result<Vec<Form>, Error> {
        self.desk.only_root("see cards")?;
        self.desk.look(|daemon| Ok(daemon.forms())).await
    }

    #[zbus(signal)]
    pub(super) async fn changed(emitter: &SignalEmitter<'_>, number: u32) -> zbus::Result<()>;
}
