//! Links by public key and announcements on the local network: the only part that knows iroh and multicast DNS.
//!
//! ```text
//!  daemon ── dial(peer, addresses) ──────► Engine ══ UDP, QUIC ══► other devices, relays of the owner
//!         ── open_window, announce ──────►   │  └─── multicast ───► _ensemble._udp.local
//!         ◄─ Event ──────────────────────────┤
//!            Incoming Announced Gone Addresses Deaf
//!         ◄─ Gate::admit(peer, protocol)? ───┘     both ways, after the peer proved its key
//! ```
//!
//! Links are made on demand and cost a keep-alive while they are there; a device whose links are all closed sends nothing but
//! its announcement. Only addresses that were announced or given, and relays that were configured, are ever written to:
//! there is no look-up of devices in anybody's directory, no mapping of ports at a router, no check of the internet.
//!
//! Invariants: no link is handed out whose peer has not proved its key and passed the gates of both ends; everything that a
//! peer or a stranger can make this engine keep has a number in [`limits`](MAX_LINKS).

mod accept;
mod announced;
mod dial;
mod discovery;
mod gate;
mod limits;
mod link;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{NetReportConfig, PortmapperConfig, presets};
use iroh::tls::CaTlsConfig;
use iroh::{Endpoint, RelayMode, RelayUrl, SecretKey, Watcher};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};

pub use announced::{
    Announced, Announcement, MAX_EXPECTED, MAX_FORM, MAX_NAME, MAX_STRANGERS, TAG,
};
pub use dial::{Dial, DialError, Step};
pub use discovery::{PORT, SERVICE};
pub use gate::{Gate, Protocol};
pub use limits::{IDLE, KEEP_ALIVE, MAX_ADDRESSES, MAX_EVENTS, MAX_HANDSHAKES, MAX_LINKS};
pub use link::{Closed, Link, Path, Receiver, Sender, Way};

use crate::DeviceId;

/// How long the engine may take to say goodbye to all.
const STOP: Duration = Duration::from_secs(3);

/// Wishes of the daemon that the one who announces has not yet seen.
const MAX_COMMANDS: usize = 16;

/// What an engine is started with.
#[derive(Clone)]
pub struct Options {
    /// UDP port of links; 0: any that is free ([`Engine::port`] tells, to be used again the next time).
    pub port: u16,
    /// Listen on this address only; none: on all, of both families.
    pub only: Option<IpAddr>,
    /// Relays of the owner's.
    pub relays: Vec<Relay>,
    /// Who may be linked to.
    pub gate: Arc<dyn Gate>,
    /// Port of multicast DNS, [`PORT`] but in tests; none: neither announce nor listen.
    pub multicast: Option<u16>,
}

/// A relay of the owner's, for devices that can't reach each other directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// `https://relay.example:443`
    pub url: String,
    /// Who vouches for its name: certificates (DER). Nobody else is believed.
    pub certificates: Vec<Vec<u8>>,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A peer has dialed; both gates have admitted.
    Incoming {
        /// The link.
        link: Link,
        /// What for.
        protocol: Protocol,
    },
    /// A device is near, or says something else than before. Nothing of it is proved.
    Announced(Announced),
    /// A device announces itself no more.
    Gone(Announced),
    /// Where this device can be reached has changed: all of it.
    Addresses(Vec<SocketAddr>),
    /// Announcing and listening are impossible for this reason; with none, possible again. Said once each.
    Deaf(Option<String>),
}

/// The engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port or the address.
    #[error("can't listen on UDP port {port}: {reason}; another program may have it")]
    Listen {
        /// Which one.
        port: u16,
        /// What the system says.
        reason: String,
    },
    /// A relay's URL.
    #[error("can't use the relay `{0}`: that is no URL; write `https://NAME:PORT`")]
    Relay(String),
}

/// The engine. Clones are the same one.
#[derive(Clone)]
pub struct Engine {
    endpoint: Endpoint,
    gate: Arc<dyn Gate>,
    window: gate::Window,
    places: Arc<Semaphore>,
    discovery: mpsc::Sender<discovery::Command>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("port", &self.port).finish_non_exhaustive()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts one that is `key`'s. Events come until it is stopped; who does not take them stops new links and
    /// announcements, not those that are there.
    ///
    /// # Errors
    /// The port is taken; a relay can't be read.
    pub async fn start(
        key: &[u8; 32],
        options: Options,
    ) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        let window = gate::Window::default();
        let endpoint = bind(key, &options, &window).await?;
        let places = Arc::new(Semaphore::new(MAX_LINKS));
        let (events, receiver) = mpsc::channel(MAX_EVENTS);
        let (commands, wishes) = mpsc::channel(MAX_COMMANDS);
        let porch = accept::Porch { places: Arc::clone(&places), events: events.clone() };
        let engine =
            Self { endpoint, gate: options.gate, window, places, discovery: commands.clone() };
        tokio::spawn(accept::answer(engine.endpoint.clone(), porch));
        tokio::spawn(watch_addresses(engine.endpoint.clone(), events.clone(), commands));
        if let Some(multicast_port) = options.multicast {
            let discovery = discovery::Discovery {
                gate: Arc::clone(&engine.gate),
                events,
                port: engine.port(),
                multicast_port,
                table: announced::Table::new(),
                started: Instant::now(),
                announcing: Vec::new(),
                deaf: None,
            };
            tokio::spawn(discovery.run(wishes));
        }
        Ok((engine, receiver))
    }

    /// Who this device is.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        DeviceId(*self.endpoint.id().as_bytes())
    }

    /// The UDP port of links.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.endpoint.bound_sockets().first().map_or(0, SocketAddr::port)
    }

    /// Where this device can be reached now, as far as it knows itself.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.endpoint.addr().ip_addrs().copied().collect()
    }

    /// Dials, and hands out a link that both gates admitted. May be dropped while it waits.
    ///
    /// # Errors
    /// The step that failed, and why.
    pub async fn dial(&self, dial: &Dial<'_>) -> Result<Link, DialError> {
        let place =
            Arc::clone(&self.places).try_acquire_owned().map_err(|_| DialError::no_place())?;
        dial::dial(&self.endpoint, &*self.gate, dial, place).await
    }

    /// Links that are there, or are being dialed.
    #[must_use]
    pub fn links(&self) -> usize {
        MAX_LINKS.saturating_sub(self.places.available_permits())
    }

    /// Lets devices that want to be paired in, or no longer. Links of pairing that are there stay.
    pub fn open_window(&self, open: bool) {
        self.endpoint.set_alpns(self.window.set(open));
    }

    /// Announces these from now on and nothing else; what was announced and is not among them gets a goodbye.
    /// What breaks a rule of [`Announcement`] is left out.
    pub async fn announce(&self, what: Vec<Announcement>) {
        let what = what.into_iter().filter(Announcement::is_sound).collect();
        // Without discovery there is nobody to tell.
        let _ = self.discovery.send(discovery::Command::Announce(what)).await;
    }

    /// Says goodbye to the network and to every peer; nothing works afterwards.
    pub async fn stop(&self) {
        let goodbye = async {
            let (done, said) = oneshot::channel();
            if self.discovery.send(discovery::Command::Stop(done)).await.is_ok() {
                // It ended by itself: then it has said goodbye.
                let _ = said.await;
            }
        };
        let close = self.endpoint.close();
        // A peer that does not confirm the end finds out by silence.
        let _ = timeout(STOP, async { tokio::join!(goodbye, close) }).await;
    }
}

async fn bind(
    key: &[u8; 32],
    options: &Options,
    window: &gate::Window,
) -> Result<Endpoint, StartError> {
    let refused = |reason: String| StartError::Listen { port: options.port, reason };
    let guard = gate::Guard { gate: Arc::clone(&options.gate), window: window.clone() };
    let mut builder = Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(key))
        .alpns(window.set(false))
        .transport_config(limits::transport())
        .hooks(guard)
        .relay_mode(relays(&options.relays)?)
        .portmapper_config(PortmapperConfig::Disabled)
        .net_report_config(NetReportConfig::minimal())
        .clear_ip_transports();
    // A list of nobody is no list to the engine; without relays nobody is ever asked.
    if !options.relays.is_empty() {
        builder = builder.ca_tls_config(believed(&options.relays));
    }
    let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let addresses = options.only.as_ref().map_or(all.as_slice(), std::slice::from_ref);
    for address in addresses {
        let address = SocketAddr::new(*address, options.port);
        builder = builder.bind_addr(address).map_err(|error| refused(error.to_string()))?;
    }
    builder.bind().await.map_err(|error| refused(error.to_string()))
}

fn relays(relays: &[Relay]) -> Result<RelayMode, StartError> {
    if relays.is_empty() {
        return Ok(RelayMode::Disabled);
    }
    let urls = relays
        .iter()
        .map(|relay| relay.url.parse().map_err(|_| StartError::Relay(relay.url.clone())));
    Ok(RelayMode::custom(urls.collect::<Result<Vec<RelayUrl>, _>>()?))
}

/// The certificates of the owner's relays, and of nobody else.
fn believed(relays: &[Relay]) -> CaTlsConfig {
    let certificates = relays.iter().flat_map(|relay| relay.certificates.iter().cloned());
    CaTlsConfig::custom_roots(certificates.map(Into::into))
}

/// Tells of each change of this device's addresses.
async fn watch_addresses(
    endpoint: Endpoint,
    events: mpsc::Sender<Event>,
    discovery: mpsc::Sender<discovery::Command>,
) {
    let mut watched = endpoint.watch_addr();
    let closed = endpoint.closed();
    drop(endpoint);
    let watch = async {
        let mut last = Vec::new();
        loop {
            let mut addresses: Vec<SocketAddr> = watched.get().ip_addrs().copied().collect();
            addresses.sort_unstable();
            if addresses != last {
                last.clone_from(&addresses);
                // Without discovery there is nobody to tell.
                let _ = discovery.send(discovery::Command::Addresses(addresses.clone())).await;
                if events.send(Event::Addresses(addresses)).await.is_err() {
                    return;
                }
            }
            if watched.updated().await.is_err() {
                return;
            }
        }
    };
    // Ends with the endpoint: nothing is left to tell.
    let _ = closed.run_until(watch).await;
}
