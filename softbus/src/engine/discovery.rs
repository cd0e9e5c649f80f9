//! Announcing and listening on every network of the device, by multicast DNS.
//!
//! ```text
//!            ┌────────── too much is said (cache over its limit) ──────────┐
//!        listening ◄──────────────── a while later ─────────────────── quiet: no socket, nothing is cached
//!            │ └── announce, networks that come and go
//!            └── stop: a goodbye for each announcement
//! ```
//!
//! The library keeps whatever answers it hears, without a limit of its own: so what it keeps is counted, and above
//! [`MAX_CACHED`] records it is closed for [`QUIET`]. In a flood it reads and reads, and does not hear that it is to end: so
//! its sockets are deafened first. What is known of ours by then stays known.
//!
//! Invariants: no name leaves the device unless it pairs; a device that can't multicast works on by addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use mdns_sd::{
    IfKind, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use super::Event;
use super::announced::{Announced, Announcement, News, Table};
use super::gate::Gate;

/// What devices are found under.
pub const SERVICE: &str = "_ensemble._udp.local.";

/// The port of multicast DNS.
pub const PORT: u16 = 5353;

/// Records that the library may keep: 512 devices with some four records each, and what others on the network say.
const MAX_CACHED: i64 = 4096;

/// How often they are counted; the library tells of nothing that it only keeps.
const COUNT: Duration = Duration::from_secs(5);

/// How long nothing is listened to once too much was said.
const QUIET: Duration = Duration::from_secs(30);

/// How long after a change of the networks the library looks for more.
const UNSETTLED: Duration = Duration::from_secs(5);

/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the engine wants.
pub(super) enum Command {
    /// Announce these, and nothing else.
    Announce(Vec<Announcement>),
    /// The device's addresses are others now.
    Addresses(Vec<SocketAddr>),
    /// Say goodbye.
    Stop(oneshot::Sender<()>),
}

/// One who listens and announces.
pub(super) struct Discovery {
    pub(super) gate: Arc<dyn Gate>,
    pub(super) events: mpsc::Sender<Event>,
    /// Where links are accepted.
    pub(super) port: u16,
    /// Another port than [`PORT`] in tests; then on loopback too.
    pub(super) multicast_port: u16,
    pub(super) table: Table,
    pub(super) started: Instant,
    pub(super) announcing: Vec<Own>,
    pub(super) deaf: Option<String>,
}

/// An announcement of this device under the name drawn for it.
pub(super) struct Own {
    instance: String,
    what: Announcement,
}

/// The library, while it runs.
struct Ear {
    library: ServiceDaemon,
    heard: Receiver<ServiceEvent>,
}

/// What wakes the one who listens.
enum Wake {
    Command(Option<Command>),
    Heard(ServiceEvent),
    /// The library has ended the browsing: too much came at once.
    Ended,
    Count,
    Time,
}

impl Discovery {
    /// Works until it is stopped or the engine is gone.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut ear = self.listen().await;
        let mut until = None;
        let mut counting = every(COUNT);
        loop {
            match wake(ear.as_ref(), &mut commands, &mut counting, until).await {
                Wake::Command(None) => break,
                Wake::Command(Some(Command::Stop(done))) => {
                    stop(ear.take()).await;
                    // Who asked waits no more: nothing to tell.
                    let _ = done.send(());
                    return;
                }
                Wake::Command(Some(Command::Announce(what))) => self.announce(ear.as_ref(), what),
                Wake::Command(Some(Command::Addresses(addresses))) => {
                    self.moved(ear.as_ref(), &addresses).await;
                    until = until.or(Some(Instant::now() + UNSETTLED));
                }
                Wake::Heard(event) => self.hear(event).await,
                Wake::Ended => ear = self.quiet(ear.take(), &mut until).await,
                Wake::Count if too_much(ear.as_ref()).await => {
                    ear = self.quiet(ear.take(), &mut until).await;
                }
                Wake::Count => {}
                Wake::Time => {
                    until = None;
                    match &ear {
                        Some(ear) => look_at_networks(ear, 0),
                        None => ear = self.listen().await,
                    }
                }
            }
        }
        stop(ear).await;
    }

    /// Opens the library; says why when that is impossible, and goes on without.
    async fn listen(&mut self) -> Option<Ear> {
        match open(self.multicast_port) {
            Ok(ear) => {
                for own in &self.announcing {
                    self.say(&ear, own);
                }
                self.tell_deaf(None).await;
                Some(ear)
            }
            Err(reason) => {
                self.tell_deaf(Some(reason.to_string())).await;
                None
            }
        }
    }

    /// Closes the library for a while.
    async fn quiet(&mut self, ear: Option<Ear>, until: &mut Option<Instant>) -> Option<Ear> {
        // Refused: then it ends when the flood does.
        let _ = sys::deafen::deafen(self.multicast_port);
        stop(ear).await;
        *until = Some(Instant::now() + QUIET);
        for stranger in self.table.forget_strangers() {
            self.tell(Event::Gone(stranger)).await;
        }
        let reason = format!(
            "too much is announced on this network; listening again in {} s",
            QUIET.as_secs()
        );
        self.tell_deaf(Some(reason)).await;
        None
    }

    fn announce(&mut self, ear: Option<&Ear>, what: Vec<Announcement>) {
        let (kept, ended): (Vec<_>, Vec<_>) = std::mem::take(&mut self.announcing)
            .into_iter()
            .partition(|own| what.contains(&own.what));
        self.announcing = kept;
        if let Some(ear) = ear {
            for own in ended {
                // Its queue is full or it has ended: the record ends by its time.
                let _ = ear.library.unregister(&format!("{}.{SERVICE}", own.instance));
            }
        }
        for what in what {
            if self.announcing.iter().any(|own| own.what == what) {
                continue;
            }
            let Some(instance) = lot() else { continue };
            let own = Own { instance, what };
            if let Some(ear) = ear {
                self.say(ear, &own);
            }
            self.announcing.push(own);
        }
    }

    fn say(&self, ear: &Ear, own: &Own) {
        let host = format!("{}.local.", own.instance);
        let info = ServiceInfo::new(
            SERVICE,
            &own.instance,
            &host,
            (),
            self.port,
            own.what.properties().as_slice(),
        );
        let Ok(mut info) = info.map(ServiceInfo::enable_addr_auto) else { return };
        // The name was drawn from 2^64: nobody has it already.
        info.set_requires_probe(false);
        // Its queue of 100 is full, or it has ended: it is opened again and told then.
        let _ = ear.library.register(info);
    }

    /// The networks have changed: the library looks at them until they are settled.
    async fn moved(&mut self, ear: Option<&Ear>, addresses: &[SocketAddr]) {
        if let Some(ear) = ear {
            look_at_networks(ear, 1);
        }
        let deaf = probe(addresses, self.multicast_port).err();
        self.tell_deaf(deaf).await;
    }

    async fn hear(&mut self, event: ServiceEvent) {
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let Some(announced) = announced(&service) else { return };
                if self.announcing.iter().any(|own| own.instance == announced.instance) {
                    return;
                }
                let (gate, now) = (Arc::clone(&self.gate), self.started.elapsed());
                if self.table.heard(&announced, |one| gate.expects(one), now) == News::Told {
                    self.tell(Event::Announced(announced)).await;
                }
            }
            ServiceEvent::ServiceRemoved(_, name) => {
                if let Some(gone) = instance(&name).and_then(|instance| self.table.gone(instance)) {
                    self.tell(Event::Gone(gone)).await;
                }
            }
            _ => {}
        }
    }

    /// Said once, until it changes.
    async fn tell_deaf(&mut self, deaf: Option<String>) {
        if self.deaf != deaf {
            self.deaf.clone_from(&deaf);
            self.tell(Event::Deaf(deaf)).await;
        }
    }

    /// Nobody listens any more: the engine is about to stop.
    async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }
}

async fn wake(
    ear: Option<&Ear>,
    commands: &mut mpsc::Receiver<Command>,
    counting: &mut Interval,
    until: Option<Instant>,
) -> Wake {
    let heard = async {
        match ear {
            Some(ear) => ear.heard.recv_async().await.map_or(Wake::Ended, Wake::Heard),
            None => std::future::pending().await,
        }
    };
    let time = async {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        command = commands.recv() => Wake::Command(command),
        () = time => Wake::Time,
        _ = counting.tick(), if ear.is_some() => Wake::Count,
        wake = heard => wake,
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn open(port: u16) -> mdns_sd::Result<Ear> {
    let library = ServiceDaemon::new_with_port(port)?;
    if port == PORT {
        library.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    }
    // The engine hears of changes by itself, and says when to look.
    library.set_ip_check_interval(0)?;
    let heard = library.browse(SERVICE)?;
    Ok(Ear { library, heard })
}

async fn stop(ear: Option<Ear>) {
    let Some(ear) = ear else { return };
    if let Ok(done) = ear.library.shutdown() {
        // Later than that nobody waits for it; its records end by their time.
        let _ = timeout(GOODBYE, done.recv_async()).await;
    }
}

fn look_at_networks(ear: &Ear, seconds: u32) {
    // Its queue of 100 is full: it is busy with as many changes.
    let _ = ear.library.set_ip_check_interval(seconds);
}

async fn too_much(ear: Option<&Ear>) -> bool {
    let Some(Ok(metrics)) = ear.map(|ear| ear.library.get_metrics()) else { return false };
    let Ok(Ok(metrics)) = timeout(GOODBYE, metrics.recv_async()).await else {
        // So busy that it does not answer: that is too much as well.
        return true;
    };
    let cached: i64 = metrics
        .iter()
        .filter(|(name, _)| name.starts_with("cached-"))
        .map(|(_, count)| count)
        .sum();
    cached > MAX_CACHED
}

/// 16 digits that say nothing; none before the kernel has anything random, which the key of the device needed already.
fn lot() -> Option<String> {
    let mut bytes = [0; 8];
    sys::random::fill(&mut bytes).ok()?;
    Some(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

/// The part of a record's name that was drawn.
fn instance(name: &str) -> Option<&str> {
    let instance = name.strip_suffix(SERVICE)?.strip_suffix('.')?;
    (1..=63).contains(&instance.len()).then_some(instance)
}

fn announced(service: &ResolvedService) -> Option<Announced> {
    let what = Announcement::read(|key| service.get_property_val(key).flatten())?;
    let port = service.get_port();
    let addresses: Vec<_> =
        service.get_addresses().iter().filter_map(|address| reachable(address, port)).collect();
    let instance = instance(service.get_fullname())?;
    (port != 0 && !addresses.is_empty()).then(|| Announced::new(instance, what, addresses))
}

/// An address that can be dialed: one of a single device, and with its network when it means nothing without.
fn reachable(address: &ScopedIp, port: u16) -> Option<SocketAddr> {
    let ip = address.to_ip_addr();
    if ip.is_unspecified() || ip.is_multicast() {
        return None;
    }
    match (ip, address) {
        (IpAddr::V6(v6), ScopedIp::V6(scoped)) if v6.is_unicast_link_local() => {
            Some(SocketAddrV6::new(v6, port, 0, scoped.scope_id().index).into())
        }
        (IpAddr::V4(v4), _) if v4.is_broadcast() => None,
        _ => Some(SocketAddr::new(ip, port)),
    }
}

/// Can a packet leave for everybody near from any of the addresses? An empty message is sent, which all ignore.
fn probe(addresses: &[SocketAddr], port: u16) -> Result<(), String> {
    const EVERYBODY: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
    const EMPTY: [u8; 12] = [0; 12];
    let mut failed = None;
    for address in addresses.iter().map(SocketAddr::ip).filter(IpAddr::is_ipv4) {
        let sent = UdpSocket::bind((address, 0))
            .and_then(|socket| socket.send_to(&EMPTY, (EVERYBODY, port)));
        match sent {
            Ok(_) => return Ok(()),
            Err(error) => failed = Some(format!("can't multicast from {address}: {error}")),
        }
    }
    failed.map_or(Ok(()), Err)
}
