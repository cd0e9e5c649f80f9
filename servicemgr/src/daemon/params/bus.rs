//! Parameters on the control socket, for one client.
//!
//! The loop answers; here a wait gets its limit, and what a watcher is told becomes signals. Nobody
//! waits for a client that does not read: it is hung up on.

use std::time::Duration;

use api::params::{Error, PATH, Param};
use tokio::sync::mpsc;
use tokio::time::timeout;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, interface};

use crate::daemon::Daemon;
use crate::daemon::bus::{Desk, Reply};

/// Longest wait: a day. Who wants more asks again.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

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
}

#[interface(name = "org.ensemble.Params1")]
impl Client {
    #[zbus(name = "Get")]
    async fn value(&self, name: String) -> Result<String, Error> {
        let look = move |daemon: &mut Daemon, reply: Reply<Option<String>>| {
            let _hung_up = reply.send(daemon.param(&name));
        };
        let none = || Error::NoSuchParameter("no parameter is called that".into());
        self.call(look).await?.ok_or_else(none)
    }

    #[zbus(name = "Set")]
    async fn set_value(&self, name: String, value: String) -> Result<(), Error> {
        let uid = self.uid;
        let set = move |daemon: &mut Daemon, reply: Reply<Result<(), Error>>| {
            if uid != 0 && !daemon.owns_param(uid, &name) {
                let why = format!("set: only root may, and you are user {uid}");
                let _gone = reply.send(Err(Error::NotPermitted(why)));
                return;
            }
            daemon.set_param(&name, &value, reply);
        };
        self.call(set).await?
    }

    async fn list(&self, prefix: String) -> Result<Vec<Param>, Error> {
        self.call(move |daemon, reply| drop(reply.send(daemon.params(&prefix)))).await
    }

    async fn wait(&self, name: String, value: String, milliseconds: u64) -> Result<String, Error> {
        let limit = Duration::from_millis(milliseconds).min(MAX_WAIT);
        let answer = self.call(move |daemon, reply| daemon.wait_param(name, value, reply));
        let late = |_| Error::TimedOut(format!("it did not get this value within {limit:?}"));
        timeout(limit, answer).await.map_err(late)??
    }

    async fn watch(
        &self,
        prefix: String,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        let ask = move |daemon: &mut Daemon, reply: Reply<Result<mpsc::Receiver<Param>, Error>>| {
            let _hung_up = reply.send(daemon.watch_params(prefix));
        };
        let told = self.call(ask).await??;
        tokio::spawn(pass_on(told, emitter.to_owned(), connection.clone()));
        Ok(())
    }

    #[zbus(signal)]
    async fn changed(emitter: &SignalEmitter<'_>, name: &str, value: &str) -> zbus::Result<()>;
}

/// Changes become signals, for as long as somebody is there to hear them.
async fn pass_on(
    mut told: mpsc::Receiver<Param>,
    emitter: SignalEmitter<'static>,
    connection: Connection,
) {
    loop {
        let change = tokio::select! {
            change = told.recv() => change,
            () = connection.closed() => return,
        };
        let Some(Param { name, value }) = change else { break };
        if Client::changed(&emitter, &name, &value).await.is_err() {
            break;
        }
    }
    // It was too slow, or we end. It may be gone already.
    let _gone = connection.close().await;
}
