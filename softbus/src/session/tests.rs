//! Stories of peers that come and go, on a network that is a list, and what must hold whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// The way of a packet.
const WAY: Duration = Duration::from_millis(20);

/// After so long without a word a link is closed: as the engine does.
const IDLE: Duration = Duration::from_secs(12);

/// How long the engine dials, and when it sends.
const DIAL: Duration = Duration::from_secs(4);
const SENT: [u64; 3] = [0, 1, 3];

fn id(number: usize) -> DeviceId {
    DeviceId([u8::try_from(number).unwrap(); 32])
}

fn at(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(number).unwrap()], 4433))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[derive(Debug)]
enum Later {
    Tell(usize, Event),
    /// A packet of a dial is sent; `bool`: it is the last one.
    Sent(usize, usize, bool),
    /// If nothing came through since, the link is closed at both ends.
    Idle(LinkId),
}

/// Devices 1 to n of one group in one network.
struct Net {
    now: Duration,
    devices: BTreeMap<usize, (Session, u64)>,
    queue: Vec<(Duration, u64, Later)>,
    links: BTreeMap<LinkId, (usize, usize)>,
    dials: BTreeSet<(usize, usize)>,
    cut: bool,
    cuts: u64,
    count: u64,
}

impl Net {
    fn of(n: usize) -> Self {
        let devices =
            (1..=n).map(|one| (one, (Session::new(id(one)), u64::try_from(one).unwrap())));
        let (queue, links) = (vec![], BTreeMap::new());
        let mut net = Self {
            now: Duration::from_secs(1),
            devices: devices.collect(),
            queue,
            links,
            dials: BTreeSet::new(),
            cut: false,
            cuts: 0,
            count: 0,
        };
        for one in 1..=n {
            net.tell(one, Event::Members((1..=n).map(id).collect()));
        }
        net
    }

    fn later(&mut self, wait: Duration, what: Later) {
        self.count += 1;
        self.queue.push((self.now + wait, self.count, what));
    }

    fn tell(&mut self, device: usize, event: Event) {
        let Some((session, _)) = self.devices.get_mut(&device) else { return };
        let jitter = u16::try_from((self.count * 7919) % 65536).unwrap();
        for action in session.on(self.now, event, jitter) {
            self.act(device, action);
        }
    }

    fn act(&mut self, device: usize, action: Action) {
        match action {
            Action::Dial { peer, addresses, .. } => {
                let peer = usize::from(peer.0[0]);
                assert!(self.dials.insert((device, peer)), "two dials of {peer} by {device}");
                assert!(!addresses.is_empty());
                for (n, second) in SENT.into_iter().enumerate() {
                    self.later(
                        Duration::from_secs(second),
                        Later::Sent(device, peer, n + 1 == SENT.len()),
                    );
                }
            }
            Action::Drop { link, bye } => {
                let Some((a, b)) = self.links.remove(&link) else { return };
                let other = if a == device { b } else { a };
                let wait = if self.cut { IDLE } else { WAY };
                self.later(
                    wait,
                    Later::Tell(
                        other,
                        Event::Closed { link, bye: Some(bye).filter(|_| !self.cut) },
                    ),
                );
            }
            Action::Present(..) => {}
        }
    }

    fn step(&mut self, what: Later) {
        match what {
            Later::Tell(device, event) => self.tell(device, event),
            Later::Sent(a, b, last) => {
                let there = self.devices.contains_key(&b) && !self.cut;
                if !self.dials.contains(&(a, b)) {
                } else if there {
                    self.dials.remove(&(a, b));
                    self.count += 1;
                    let link = self.count;
                    self.links.insert(link, (a, b));
                    for (end, peer, dialed) in [(a, b, true), (b, a, false)] {
                        let run = self.devices[&peer].1;
                        self.later(
                            WAY,
                            Later::Tell(end, Event::Linked { link, peer: id(peer), dialed }),
                        );
                        self.later(
                            2 * WAY,
                            Later::Tell(end, Event::Greeted { link, run, wanted: false }),
                        );
                    }
                } else if last {
                    self.dials.remove(&(a, b));
                    self.later(
                        DIAL - ms(3000),
                        Later::Tell(a, Event::Failed { peer: id(b), refused: false }),
                    );
                }
            }
            Later::Idle(link) => {
                if let Some((a, b)) = self.links.remove(&link) {
                    for end in [a, b] {
                        self.tell(end, Event::Closed { link, bye: None });
                    }
                }
            }
        }
        let most = |session: &Session| session.links.len() + session.dialing.len();
        assert!(self.devices.values().all(|(session, _)| most(session) <= MAX_LINKS));
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self.queue.iter().enumerate().min_by_key(|(_, (at, n, _))| (*at, *n));
            let next = next.map(|(index, (at, ..))| (*at, index));
            let due = self
                .devices
                .iter()
                .filter_map(|(n, (s, _))| Some((s.deadline()?.max(self.now), *n)))
                .min();
            match (next, due) {
                (Some((at, index)), due) if at <= end && due.is_none_or(|(due, _)| at <= due) => {
                    self.now = at;
                    let (.., what) = self.queue.remove(index);
                    self.step(what);
                }
                (_, Some((due, device))) if due <= end => {
                    self.now = due;
                    self.tell(device, Event::Tick);
                    let after = self.devices[&device].0.deadline();
                    assert!(after.is_none_or(|after| after > due), "it would tick for ever");
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// Everybody hears that this device is there.
    fn announce(&mut self, device: usize, tag: u8) {
        let others: Vec<usize> = self.devices.keys().copied().filter(|n| *n != device).collect();
        for other in others {
            let event =
                Event::Announced { peer: id(device), tag: [tag; 16], addresses: vec![at(device)] };
            self.later(WAY, Later::Tell(other, event));
        }
    }

    fn cut(&mut self, cut: bool) {
        (self.cut, self.cuts) = (cut, self.cuts + 1);
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        self.queue.retain(|(.., what)| !matches!(what, Later::Idle(_)));
        if cut {
            links.into_iter().for_each(|link| self.later(IDLE, Later::Idle(link)));
        }
    }

    fn sees(&self, a: usize, b: usize) -> bool {
        self.devices[&a].0.present(&id(b))
    }

    /// Each two are linked by one link, which is the same at both ends.
    fn all_linked(&self) -> bool {
        let link = |a: usize, b: usize| self.devices[&a].0.link(&id(b));
        let mut pairs =
            self.devices.keys().flat_map(|a| self.devices.keys().map(move |b| (*a, *b)));
        pairs.all(|(a, b)| a == b || (link(a, b).is_some() && link(a, b) == link(b, a)))
    }
}

#[test]
fn two_that_announce_themselves_have_one_link_within_a_second() {
    let mut net = Net::of(2);
    net.run(Duration::from_secs(60));
    assert!(!net.sees(1, 2), "nobody knows where");
    net.announce(1, 1);
    net.announce(2, 1);
    net.run(ms(1000));
    assert!(net.all_linked());
    assert_eq!(net.links.len(), 1);
}

#[test]
fn where_only_one_hears_the_other_they_find_each_other_as_well() {
    for silent in [1, 2] {
        let mut net = Net::of(2);
        net.announce(3 - silent, 1);
        net.run(ms(2000));
        assert!(net.all_linked(), "{silent}");
    }
}

#[test]
fn both_dial_at_once_and_one_link_stays() {
    let mut net = Net::of(2);
    for (a, b) in [(1, 2), (2, 1)] {
        net.tell(a, Event::Known(id(b), vec![at(b)]));
    }
    assert_eq!(net.dials.len(), 2);
    net.run(ms(1000));
    assert!(net.all_linked());
    assert_eq!(net.links.len(), 1);
}

#[test]
fn a_cut_is_seen_within_15_s_and_its_end_within_5_s_without_anybody_announcing_anything() {
    for length in [13, 20, 47, 200] {
        let mut net = Net::of(2);
        net.announce(1, 1);
        net.announce(2, 1);
        net.run(ms(3000));
        net.cut(true);
        net.run(ms(11_000));
        assert!(net.sees(1, 2), "a short cut is nothing");
        net.run(ms(4000));
        assert!(!net.sees(1, 2) && !net.sees(2, 1));
        net.run(Duration::from_secs(length.max(15) - 15));
        net.cut(false);
        net.run(ms(5000));
        assert!(net.all_linked(), "after {length} s");
    }
}

#[test]
fn after_a_day_an_announcement_or_an_address_of_our_own_is_enough() {
    for event in 0..3 {
        let mut net = Net::of(2);
        net.announce(1, 1);
        net.announce(2, 1);
        net.run(ms(3000));
        net.cut(true);
        net.run(Duration::from_secs(24 * 3600));
        net.cut(false);
        match event {
            0 => net.announce(1, 2),
            1 => net.announce(2, 2),
            _ => net.tell(1, Event::Moved),
        }
        net.run(ms(5000));
        assert!(net.all_linked(), "{event}");
    }
}

#[test]
fn a_peer_that_is_gone_for_long_is_dialed_rarely() {
    let mut net = Net::of(2);
    net.tell(1, Event::Known(id(2), vec![at(2)]));
    net.devices.remove(&2);
    net.run(Duration::from_secs(1200));
    let mut dials = 0;
    for _ in 0..3600 {
        let before = net.dials.len();
        net.run(ms(1000));
        dials += usize::from(net.dials.len() > before);
    }
    assert!((5..=13).contains(&dials), "{dials} in an hour");
}

#[test]
fn a_peer_that_starts_anew_is_there_again_before_anybody_missed_it() {
    for who in [1, 2] {
        let mut net = Net::of(2);
        net.announce(1, 1);
        net.announce(2, 1);
        net.run(ms(20_000));
        net.devices.insert(who, (Session::new(id(who)), 77));
        net.tell(who, Event::Members([id(1), id(2)].into()));
        net.announce(1, 2);
        net.announce(2, 2);
        net.run(ms(4000));
        assert!(net.all_linked(), "{who}");
    }
}

#[test]
fn who_is_removed_is_hung_up_on_at_once_and_told() {
    let mut net = Net::of(2);
    net.announce(2, 1);
    net.run(ms(3000));
    let session = &mut net.devices.get_mut(&1).unwrap().0;
    let link = session.link(&id(2)).unwrap();
    let actions = session.on(net.now, Event::Members([id(1)].into()), 0);
    assert_eq!(actions, [Action::Drop { link, bye: Bye::Removed }, Action::Present(id(2), false)]);
    let event = Event::Linked { link: 99, peer: id(2), dialed: false };
    assert_eq!(session.on(net.now, event, 0), [Action::Drop { link: 99, bye: Bye::Removed }]);
    assert_eq!(session.deadline(), None);
}

#[test]
fn fifty_devices_see_each_other_over_few_links_and_who_is_wanted_gets_one() {
    let mut net = Net::of(50);
    (1..=50).for_each(|device| net.announce(device, 1));
    net.run(Duration::from_secs(30));
    assert!((1..=50).all(|a| (1..=50).all(|b| a == b || net.sees(a, b))));
    // What one says reaches all.
    let mut reached = BTreeSet::from([1]);
    while let Some((a, b)) =
        net.links.values().find(|(a, b)| reached.contains(a) != reached.contains(b))
    {
        reached.extend([*a, *b]);
    }
    assert_eq!(reached.len(), 50, "{reached:?}");
    let far = (2..=50).find(|other| net.devices[&1].0.link(&id(*other)).is_none()).unwrap();
    net.tell(1, Event::Wanted(id(far)));
    net.run(ms(200));
    assert!(net.devices[&1].0.links.len() <= MAX_LINKS);
}

fn events() -> impl Strategy<Value = Event> {
    let peer = (1..6usize).prop_map(id);
    let addresses = prop::collection::vec((0..9usize).prop_map(at), 0..12);
    let bye = prop::option::of(prop::sample::select(vec![
        Bye::Another,
        Bye::Full,
        Bye::Removed,
        Bye::Left,
        Bye::Silent,
        Bye::Version,
        Bye::Ending,
    ]));
    prop_oneof![
        prop::collection::btree_set(peer.clone(), 0..6).prop_map(Event::Members),
        (peer.clone(), any::<[u8; 16]>(), addresses.clone())
            .prop_map(|(peer, tag, addresses)| Event::Announced { peer, tag, addresses }),
        peer.clone().prop_map(Event::Gone),
        (peer.clone(), addresses.clone()).prop_map(|(peer, all)| Event::Known(peer, all)),
        addresses.prop_map(Event::Added),
        Just(Event::Moved),
        (0..90u64, peer.clone()).prop_map(|(link, peer)| Event::Linked {
            link,
            peer,
            dialed: false
        }),
        (peer.clone(), any::<bool>()).prop_map(|(peer, refused)| Event::Failed { peer, refused }),
        (0..90u64, 0..3u64, any::<bool>()).prop_map(|(link, run, wanted)| Event::Greeted {
            link,
            run,
            wanted
        }),
        (0..90u64, bye).prop_map(|(link, bye)| Event::Closed { link, bye }),
        peer.prop_map(Event::Wanted),
        (0..90u64, 0..3usize).prop_map(|(link, streams)| Event::Streams(link, streams)),
        Just(Event::Tick),
    ]
}

proptest! {
    /// Whatever comes in whatever order.
    #[test]
    fn there_are_never_two_dials_to_a_peer_nor_too_many_links(
        all in prop::collection::vec((events(), 0..20_000u64, any::<u16>()), 0..200),
    ) {
        let mut session = Session::new(id(3));
        let (mut now, mut next) = (Duration::ZERO, 1000);
        let mut dials: BTreeSet<DeviceId> = BTreeSet::new();
        let mut links: BTreeSet<LinkId> = BTreeSet::new();
        let mut there: BTreeSet<DeviceId> = BTreeSet::new();
        for (mut event, wait, jitter) in all {
            now += ms(wait);
            // A dial that was asked for ends once, one way or the other; a link has a number of its own.
            match &mut event {
                Event::Failed { peer, .. } if !dials.remove(peer) => continue,
                Event::Linked { link, peer, dialed } => {
                    (*link, *dialed) = (next, dials.remove(peer));
                    next += 1;
                    links.insert(*link);
                }
                Event::Closed { link, .. } | Event::Greeted { link, .. } | Event::Streams(link, _) => {
                    let index = usize::try_from(*link).unwrap();
                    let Some(one) = links.iter().nth(index % links.len().max(1)) else { continue };
                    *link = *one;
                }
                _ => {}
            }
            if let Event::Closed { link, .. } = &event {
                links.remove(link);
            }
            for action in session.on(now, event, jitter) {
                match action {
                    Action::Dial { peer, addresses, .. } => {
                        prop_assert!(dials.insert(peer), "two dials");
                        prop_assert!(!addresses.is_empty() && addresses.len() <= 3 * MAX_ADDRESSES);
                        prop_assert!(peer != id(3));
                    }
                    Action::Drop { link, .. } => prop_assert!(links.remove(&link), "it was dropped already"),
                    Action::Present(peer, true) => prop_assert!(there.insert(peer)),
                    Action::Present(peer, false) => prop_assert!(there.remove(&peer)),
                }
            }
            prop_assert!(links.len() + dials.len() <= MAX_LINKS);
            prop_assert!(dials.len() <= MAX_DIALS);
            prop_assert!(session.peers.len() <= 5);
            prop_assert!(session.peers.values().all(|peer| peer.fresh.len() <= 2));
            prop_assert!((1..6).all(|n| session.present(&id(n)) == there.contains(&id(n))));
            // Nothing is forgotten: who may be dialed is being dialed, or will be.
            let waits = |(peer, one): (&DeviceId, &Peer)| one.due.is_some() || !one.cut() || dials.contains(peer);
            prop_assert!(session.peers.iter().all(waits));
        }
    }
}
