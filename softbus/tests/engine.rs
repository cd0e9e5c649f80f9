//! Two engines on loopback, real sockets, nothing between them.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use softbus::DeviceId;
use softbus::engine::{
    Announcement, Closed, Dial, Engine, Event, Gate, Link, MAX_LINKS, Options, Protocol, Step, Way,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// A port of multicast DNS that nobody else on the network uses.
const MULTICAST: u16 = 45_353;

/// Admits those on its list.
#[derive(Default)]
struct Listed(Mutex<BTreeSet<DeviceId>>);

impl Gate for Listed {
    fn admit(&self, peer: &DeviceId, protocol: Protocol) -> Result<(), &'static str> {
        if protocol == Protocol::Pairing || self.0.lock().unwrap().contains(peer) {
            return Ok(());
        }
        Err("not a member")
    }
}

struct Device {
    engine: Engine,
    events: mpsc::Receiver<Event>,
    gate: Arc<Listed>,
}

impl Device {
    async fn new(seed: u8) -> Self {
        Self::with(seed, None).await
    }

    async fn with(seed: u8, multicast: Option<u16>) -> Self {
        let gate = Arc::new(Listed::default());
        let options = Options {
            port: 0,
            only: multicast.is_none().then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            relays: Vec::new(),
            gate: Arc::<Listed>::clone(&gate),
            multicast,
        };
        let (engine, events) = Engine::start(&[seed; 32], options).await.unwrap();
        Self { engine, events, gate }
    }

    fn admit(&self, other: &Self) {
        self.gate.0.lock().unwrap().insert(other.engine.id());
    }

    fn at(&self) -> [SocketAddr; 1] {
        [SocketAddr::from((Ipv4Addr::LOCALHOST, self.engine.port()))]
    }

    async fn dial(
        &self,
        other: &Self,
        protocol: Protocol,
    ) -> Result<Link, softbus::engine::DialError> {
        let addresses = other.at();
        let peer = other.engine.id();
        let dial = Dial { peer, addresses: &addresses, relay: None, protocol, within: LONG };
        timeout(LONG, self.engine.dial(&dial)).await.unwrap()
    }

    async fn incoming(&mut self) -> (Link, Protocol) {
        loop {
            let event = timeout(LONG, self.events.recv()).await.unwrap().unwrap();
            if let Event::Incoming { link, protocol } = event {
                return (link, protocol);
            }
        }
    }
}

/// Two that admit each other.
async fn two() -> (Device, Device) {
    let (phone, tv) = (Device::new(1).await, Device::new(2).await);
    phone.admit(&tv);
    tv.admit(&phone);
    (phone, tv)
}

#[tokio::test]
async fn members_are_linked_and_a_word_goes_both_ways() {
    let (phone, mut tv) = two().await;
    let here = phone.dial(&tv, Protocol::Session).await.unwrap();
    let (there, protocol) = tv.incoming().await;
    assert_eq!(protocol, Protocol::Session);
    assert_eq!((here.peer(), there.peer()), (tv.engine.id(), phone.engine.id()));
    assert!(matches!(here.path().unwrap().way, Way::Direct(address) if address == tv.at()[0]));

    let (mut sender, mut receiver) = here.open().await.unwrap();
    sender.write_all(b"word").await.unwrap();
    let (mut back, mut heard) = there.accept().await.unwrap();
    let mut word = [0; 4];
    heard.read_exact(&mut word).await.unwrap();
    back.write_all(&word).await.unwrap();
    receiver.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"word");

    let label = "ensemble pairing";
    assert_eq!(here.exporter(label).unwrap(), there.exporter(label).unwrap());
    assert_ne!(here.exporter(label).unwrap(), here.exporter("another").unwrap());
}

#[tokio::test]
async fn all_that_was_written_has_arrived_when_finish_returns() {
    let (phone, mut tv) = two().await;
    let here = phone.dial(&tv, Protocol::Session).await.unwrap();
    let (there, _) = tv.incoming().await;
    let read = tokio::spawn(async move {
        let (_, mut receiver) = there.accept().await.unwrap();
        let mut bytes = Vec::new();
        receiver.read_to_end(&mut bytes).await.unwrap();
        (bytes.len(), there)
    });
    let (mut sender, _) = here.open().await.unwrap();
    sender.write_all(&vec![7; 3 << 20]).await.unwrap();
    sender.finish().await.unwrap();
    here.close("done");
    let (length, there) = read.await.unwrap();
    assert_eq!(length, 3 << 20);
    assert_eq!(there.closed().await, Closed::There("done".into()));
    assert_eq!(here.closed().await, Closed::Here);
}

#[tokio::test]
async fn a_stream_that_is_aborted_does_not_look_complete() {
    let (phone, mut tv) = two().await;
    let here = phone.dial(&tv, Protocol::Session).await.unwrap();
    let (there, _) = tv.incoming().await;
    let (mut sender, _receiver) = here.open().await.unwrap();
    sender.write_all(b"half").await.unwrap();
    let (_sender, mut heard) = there.accept().await.unwrap();
    let mut word = [0; 4];
    heard.read_exact(&mut word).await.unwrap();
    sender.abort();
    assert!(heard.read_to_end(&mut Vec::new()).await.is_err());
}

#[tokio::test]
async fn who_is_no_member_there_is_told_why_and_never_seen() {
    let (stranger, mut tv) = (Device::new(3).await, Device::new(4).await);
    stranger.admit(&tv);
    let error = stranger.dial(&tv, Protocol::Session).await.unwrap_err();
    assert_eq!(error.step, Step::Admission);
    assert_eq!(error.reason, "refused by the peer: not a member");
    while let Ok(event) = tv.events.try_recv() {
        assert!(!matches!(event, Event::Incoming { .. }));
    }
    assert_eq!(tv.engine.links(), 0);
}

#[tokio::test]
async fn who_is_no_member_here_is_not_even_written_to() {
    let (phone, tv) = (Device::new(5).await, Device::new(6).await);
    tv.admit(&phone);
    let error = phone.dial(&tv, Protocol::Session).await.unwrap_err();
    assert_eq!((error.step, error.reason.as_str()), (Step::Gate, "not a member"));
}

#[tokio::test]
async fn another_device_at_the_address_is_not_mistaken_for_the_peer() {
    let (phone, mut tv, thief) = (Device::new(7).await, Device::new(8).await, Device::new(9).await);
    phone.admit(&tv);
    thief.admit(&phone);
    let addresses = thief.at();
    let (peer, protocol) = (tv.engine.id(), Protocol::Session);
    let dial = Dial { peer, addresses: &addresses, relay: None, protocol, within: LONG };
    let error = phone.engine.dial(&dial).await.unwrap_err();
    assert_eq!(error.step, Step::Prove, "{error}");
    while let Ok(event) = tv.events.try_recv() {
        assert!(!matches!(event, Event::Incoming { .. }));
    }
}

#[tokio::test]
async fn pairing_is_answered_only_while_the_window_is_open() {
    let (phone, mut tv) = (Device::new(10).await, Device::new(11).await);
    let shut = phone.dial(&tv, Protocol::Pairing).await.unwrap_err();
    assert_eq!(shut.step, Step::Admission, "{shut}");

    tv.engine.open_window(true);
    let here = phone.dial(&tv, Protocol::Pairing).await.unwrap();
    let (there, protocol) = tv.incoming().await;
    assert_eq!(protocol, Protocol::Pairing);

    tv.engine.open_window(false);
    let shut = phone.dial(&tv, Protocol::Pairing).await.unwrap_err();
    assert_eq!(shut.step, Step::Admission, "{shut}");
    assert!(!here.is_closed() && !there.is_closed());
}

#[tokio::test]
async fn nobody_there_is_said_within_the_time_given() {
    let (phone, tv) = two().await;
    // Bound and never read: nobody answers, and nothing says so.
    let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addresses = [silent.local_addr().unwrap()];
    let within = Duration::from_millis(300);
    let peer = tv.engine.id();
    let dial =
        Dial { peer, addresses: &addresses, relay: None, protocol: Protocol::Session, within };
    let error = timeout(LONG, phone.engine.dial(&dial)).await.unwrap().unwrap_err();
    assert_eq!(error.step, Step::Reach, "{error}");

    let dial = Dial { addresses: &[], ..dial };
    let error = phone.engine.dial(&dial).await.unwrap_err();
    assert_eq!(error.step, Step::Address, "{error}");
    assert_eq!(phone.engine.links(), 0);
}

#[tokio::test]
async fn there_are_sixteen_links_and_one_that_ends_makes_room() {
    let (phone, mut tv) = two().await;
    let mut links = Vec::new();
    for _ in 0..MAX_LINKS {
        let here = phone.dial(&tv, Protocol::Session).await.unwrap();
        links.push((here, tv.incoming().await.0));
    }
    let error = phone.dial(&tv, Protocol::Session).await.unwrap_err();
    assert_eq!(error.step, Step::Place, "{error}");

    let third = Device::new(12).await;
    third.admit(&tv);
    tv.admit(&third);
    let error = third.dial(&tv, Protocol::Session).await.unwrap_err();
    assert_eq!(error.step, Step::Admission, "{error}");
    assert!(error.reason.contains("16 links"), "{error}");

    drop(links.pop());
    phone.dial(&tv, Protocol::Session).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_vanishes_is_noticed_within_15_seconds() {
    let phone = Device::new(13).await;
    let id = phone.engine.id();
    let (seen, told) = oneshot::channel();
    let (vanish, vanished) = oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let tv = Device::new(14).await;
            tv.gate.0.lock().unwrap().insert(id);
            seen.send((tv.engine.id(), tv.at())).unwrap();
            let _ = vanished.await;
            std::mem::forget(tv);
        });
        // Never polled again: its socket stays, and it says nothing more.
        std::mem::forget(runtime);
    });
    let (peer, addresses) = told.await.unwrap();
    phone.gate.0.lock().unwrap().insert(peer);
    let protocol = Protocol::Session;
    let dial = Dial { peer, addresses: &addresses, relay: None, protocol, within: LONG };
    let link = phone.engine.dial(&dial).await.unwrap();
    drop(vanish);
    thread.join().unwrap();
    let closed = timeout(Duration::from_secs(15), link.closed()).await.expect("noticed in time");
    assert!(matches!(closed, Closed::Lost(_)), "{closed}");
}

#[tokio::test]
async fn an_engine_that_stops_says_so_to_its_peers() {
    let (phone, mut tv) = two().await;
    let here = phone.dial(&tv, Protocol::Session).await.unwrap();
    let (_there, _) = tv.incoming().await;
    tv.engine.stop().await;
    let closed = timeout(Duration::from_secs(5), here.closed()).await.unwrap();
    assert!(matches!(closed, Closed::There(_)), "{closed}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let tv = Device::new(15).await;
    let options = Options {
        port: tv.engine.port(),
        only: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        relays: Vec::new(),
        gate: Arc::new(Listed::default()),
        multicast: None,
    };
    let error = Engine::start(&[16; 32], options).await.unwrap_err().to_string();
    assert!(error.contains(&tv.engine.port().to_string()), "{error}");
}

async fn until<T>(device: &mut Device, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let look = async {
        loop {
            let event = device.events.recv().await.unwrap_or_else(|| panic!("the engine ended"));
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    };
    timeout(LONG, look).await.unwrap()
}

#[tokio::test]
async fn devices_near_are_heard_by_their_tag_and_their_goodbye() {
    let mut phone = Device::with(17, Some(MULTICAST)).await;
    let tv = Device::with(18, Some(MULTICAST)).await;
    let tag = Announcement::Member([0x5a; 16]);
    tv.engine.announce(vec![tag.clone()]).await;
    let port = tv.engine.port();
    let heard = until(&mut phone, |event| match event {
        Event::Announced(heard) if heard.what == tag => Some(heard),
        _ => None,
    })
    .await;
    assert!(heard.addresses.iter().all(|address| address.port() == port));

    // A new hour: the old one says goodbye, and nothing tells that both are one device but the address.
    let next = Announcement::Member([0x5b; 16]);
    tv.engine.announce(vec![next.clone()]).await;
    let (mut gone, mut come) = (false, None);
    until(&mut phone, |event| {
        match event {
            Event::Gone(old) if old.what == tag => gone = true,
            Event::Announced(new) if new.what == next => come = Some(new.instance),
            _ => {}
        }
        (gone && come.is_some()).then_some(())
    })
    .await;
    assert_ne!(come.unwrap(), heard.instance);

    tv.engine.stop().await;
    until(&mut phone, |event| matches!(event, Event::Gone(old) if old.what == next).then_some(()))
        .await;
}
