//! Who is asked: ability-manager and servicemgr, on the sockets that `ensctl` asks.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use api::abilities::{AbilitiesProxy, BundlesProxy, Started, Want};
use api::paths::{ABILITIES_SOCKET, SERVICES_SOCKET};
use api::services::ServicesProxy;
use sys::clock::monotonic;
use tokio::runtime::{Builder, Runtime};
use zbus::Connection;

/// A connection to each.
#[derive(Debug)]
pub(crate) struct Asking {
    runtime: Runtime,
    abilities: AbilitiesProxy<'static>,
    services: ServicesProxy<'static>,
}

impl Asking {
    /// Connects, and tells how long the first answer of ability-manager takes, which may have to start for it.
    pub(crate) fn new() -> io::Result<(Self, Duration)> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let services = runtime.block_on(async {
            ServicesProxy::new(&connect(SERVICES_SOCKET).await?).await.map_err(io::Error::other)
        })?;
        let began = monotonic();
        let abilities = runtime.block_on(async {
            let connection = connect(ABILITIES_SOCKET).await?;
            let bundles = BundlesProxy::new(&connection).await.map_err(io::Error::other)?;
            let _all = bundles.list().await.map_err(io::Error::other)?;
            AbilitiesProxy::new(&connection).await.map_err(io::Error::other)
        })?;
        let took = monotonic() - began;
        Ok((Self { runtime, abilities, services }, took))
    }

    /// The first thing that is asked of ability-manager is to start an app.
    pub(crate) fn with_start(bundle: &str) -> io::Result<(Self, Started, Duration)> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let services = runtime.block_on(async {
            ServicesProxy::new(&connect(SERVICES_SOCKET).await?).await.map_err(io::Error::other)
        })?;
        let began = monotonic();
        let (abilities, started) = runtime.block_on(async {
            let connection = connect(ABILITIES_SOCKET).await?;
            let abilities = AbilitiesProxy::new(&connection).await.map_err(io::Error::other)?;
            let started = abilities.start(want(bundle), true).await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((abilities, started))
        })?;
        let took = monotonic() - began;
        Ok((Self { runtime, abilities, services }, started, took))
    }

    /// Starts an app in front: from the call to its answer.
    pub(crate) fn start(&self, bundle: &str) -> io::Result<(Started, Duration)> {
        self.timed(self.abilities.start(want(bundle), true), bundle)
    }

    /// Brings a mission to the front that has a process.
    pub(crate) fn show(&self, mission: u32) -> io::Result<Duration> {
        self.timed(self.abilities.show(mission), "show").map(|(_, took)| took)
    }

    /// Ends an instance, until its processes are gone.
    pub(crate) fn stop(&self, unit: &str) -> io::Result<Duration> {
        self.timed(self.abilities.stop(unit), unit).map(|(_, took)| took)
    }

    /// A call that is answered without anything to do, by each of both.
    pub(crate) fn nothing(&self) -> io::Result<(Duration, Duration)> {
        let (_, manager) = self.timed(self.abilities.candidates(want("none.at.all")), "call")?;
        let (_, services) = self.timed(self.services.system(), "call")?;
        Ok((manager, services))
    }

    /// An instance without ability-manager: servicemgr alone.
    pub(crate) fn launch(&self, unit: &str, definition: &str, uid: u32) -> io::Result<Duration> {
        self.timed(self.services.launch(unit, definition, uid, &[], &[]), unit)
            .map(|(_, took)| took)
    }

    /// All of that but the start.
    pub(crate) fn prepare(&self, definition: &str, uid: u32) -> io::Result<Duration> {
        self.timed(self.services.prepare(definition, uid, &[]), "prepare").map(|(_, took)| took)
    }

    /// Ends what was started so.
    pub(crate) fn kill(&self, unit: &str) -> io::Result<()> {
        self.timed(self.services.stop(unit), unit).map(drop)
    }

    fn timed<T, E: std::error::Error + Send + Sync + 'static>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        what: &str,
    ) -> io::Result<(T, Duration)> {
        let began = monotonic();
        let answer = self.runtime.block_on(call);
        let took = monotonic() - began;
        Ok((answer.map_err(|e| io::Error::other(format!("{what}: {e}")))?, took))
    }
}

async fn connect(socket: &str) -> io::Result<Connection> {
    let stream = UnixStream::connect(socket)?;
    let connection = zbus::connection::Builder::unix_stream(stream).p2p().build().await;
    connection.map_err(io::Error::other)
}

fn want(bundle: &str) -> Want {
    Want { bundle: Some(bundle.to_owned()), ability: Some("main".to_owned()), ..Want::default() }
}
