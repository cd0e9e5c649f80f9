//! Permissions on the control socket, for one client.
//!
//! The loop decides and answers; here the answer waits until it holds: the system bus has the new policy, the
//! service is up again. A watcher that does not read what it is told is hung up on.

use std::time::Duration;

use api::permissions::{Outcome, PATH, Row, Shown};
use api::services::Error;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, interface};

use super::change::{After, Wish};
use crate::daemon::Daemon;
use crate::daemon::bus::{Desk, Reply};
use crate::engine::Ask;

/// How long the system bus may take for a new policy before the answer says that it has not.
const BUS_LIMIT: Duration = Duration::from_secs(5);

/// Clients that may watch at a time: as many as may be there.
const MAX_WATCHERS: usize = 64;

/// Decisions that a watcher may have before it; one that has more is hung up on.
const WATCH_QUEUE: usize = 64;

/// Service, permission, and whether it has it now.
pub(super) type Decided = (String, String, bool);

/// One client's view.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct Client {
    desk: Desk,
    uid: u32,
}

impl Client {
    /// The path at which it is served.
    pub(in crate::daemon) const PATH: &str = PATH;

    /// For a client of this user.
    pub(in crate::daemon) fn new(desk: Desk, uid: u32) -> Self {
        Self { desk, uid }
    }

    async fn call<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Daemon, Reply<T>) + Send + 'static,
    ) -> Result<T, Error> {
        let gone = || Error::GoingDown("servicemgr is ending; try again".into());
        self.desk.call(ask).await.ok_or_else(gone)
    }

    async fn decide(&self, name: String, wish: Wish, rehearse: bool) -> Result<Outcome, Error> {
        let uid = self.uid;
        if uid != 0 && !rehearse {
            let what = wish.word();
            let why = format!("{what}: only root may, and you are user {uid}");
            return Err(Error::NotPermitted(why));
        }
        let service = name.clone();
        let ask = move |daemon: &mut Daemon, reply: Reply<_>| {
            let _hung_up = reply.send(daemon.decide(&service, &wish, uid, rehearse));
        };
        let (mut outcome, After { bus, restart }) = self.call(ask).await??;
        if let Some(bus) = bus
            // One that ends meanwhile begins anew with the new policy.
            && timeout(BUS_LIMIT, bus).await.is_err()
        {
            outcome.notes.push("the system bus has not taken its new policy yet".into());
        }
        if restart {
            self.call(move |daemon, reply| daemon.ask(&name, Ask::Restart, reply)).await??;
        }
        Ok(outcome)
    }
}

#[interface(name = "org.ensemble.Permissions1")]
impl Client {
    async fn list(&self, service: String) -> Result<Vec<Row>, Error> {
        self.call(move |daemon, reply| drop(reply.send(daemon.permissions_of(&service)))).await?
    }

    async fn show(&self, permission: String) -> Result<Shown, Error> {
        self.call(move |daemon, reply| drop(reply.send(daemon.show_permission(&permission))))
            .await?
    }

    async fn grant(
        &self,
        service: String,
        permission: String,
        now: bool,
        rehearse: bool,
    ) -> Result<Outcome, Error> {
        self.decide(service, Wish::Grant { permission, now }, rehearse).await
    }

    async fn revoke(
        &self,
        service: String,
        permission: String,
        gently: bool,
        rehearse: bool,
    ) -> Result<Outcome, Error> {
        self.decide(service, Wish::Revoke { permission, gently }, rehearse).await
    }

    async fn reset(&self, service: String, rehearse: bool) -> Result<Outcome, Error> {
        self.decide(service, Wish::Reset, rehearse).await
    }

    async fn watch(
        &self,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        let ask = |daemon: &mut Daemon, reply: Reply<_>| {
            let _hung_up = reply.send(daemon.watch_permissions());
        };
        let told = self.call(ask).await??;
        tokio::spawn(pass_on(told, emitter.to_owned(), connection.clone()));
        Ok(())
    }

    #[zbus(signal)]
    async fn changed(
        emitter: &SignalEmitter<'_>,
        service: &str,
        permission: &str,
        granted: bool,
    ) -> zbus::Result<()>;
}

/// Decisions become signals, for as long as somebody is there to hear them.
async fn pass_on(
    mut told: mpsc::Receiver<Decided>,
    emitter: SignalEmitter<'static>,
    connection: Connection,
) {
    loop {
        let decided = tokio::select! {
            decided = told.recv() => decided,
            () = connection.closed() => return,
        };
        let Some((service, permission, granted)) = decided else { break };
        if Client::changed(&emitter, &service, &permission, granted).await.is_err() {
            break;
        }
    }
    // It was too slow, or we end. It may be gone already.
    let _gone = connection.close().await;
}

impl Daemon {
    fn watch_permissions(&mut self) -> Result<mpsc::Receiver<Decided>, Error> {
        let watchers = &mut self.permissions.watchers;
        watchers.retain(|watcher| !watcher.is_closed());
        if watchers.len() >= MAX_WATCHERS {
            let why = format!("{MAX_WATCHERS} clients watch permissions already: try again later");
            return Err(Error::Refused(why));
        }
        let (sender, told) = mpsc::channel(WATCH_QUEUE);
        watchers.push(sender);
        Ok(told)
    }

    /// Tells those who watch.
    pub(super) fn tell_decided(&mut self, decided: &Decided) {
        // One that is gone or too slow is dropped, which hangs up on it.
        self.permissions.watchers.retain(|watcher| watcher.try_send(decided.clone()).is_ok());
    }
}
