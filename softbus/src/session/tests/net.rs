//! A network that is a list: devices of one group, packets that take their time, a cable that is cut.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::DeviceId;
use crate::session::{Action, Event, LinkId, MAX_LINKS, Session};

/// The way of a packet.
pub(super) const WAY: Duration = Duration::from_millis(20);

/// After so long without a word a link is closed: as the engine does.
pub(super) const IDLE: Duration = Duration::from_secs(12);

/// How long the engine dials, and when it sends.
pub(super) const DIAL: Duration = Duration::from_secs(4);
pub(super) const SENT: [u64; 3] = [0, 1, 3];

pub(super) fn id(number: usize) -> DeviceId {
    DeviceId([u8::try_from(number).unwrap(); 32])
}

pub(super) fn at(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(number).unwrap()], 4433))
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[derive(Debug)]
pub(super) enum Later {
    Tell(usize, Event),
    /// A packet of a dial is sent; `bool`: it is the last one.
    Sent(usize, usize, bool),
    /// If nothing came through since, the link is closed at both ends.
    Idle(LinkId),
}

/// Devices 1 to n of one group in one network.
pub(super) struct Net {
    pub(super) now: Duration,
    pub(super) devices: BTreeMap<usize, (Session, u64)>,
    pub(super) queue: Vec<(Duration, u64, Later)>,
    pub(super) links: BTreeMap<LinkId, (usize, usize)>,
    pub(super) dials: BTreeSet<(usize, usize)>,
    pub(super) cut: bool,
    pub(super) cuts: u64,
    pub(super) count: u64,
}

impl Net {
    pub(super) fn of(n: usize) -> Self {
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

    pub(super) fn later(&mut self, wait: Duration, what: Later) {
        self.count += 1;
        self.queue.push((self.now + wait, self.count, what));
    }

    pub(super) fn tell(&mut self, device: usize, event: Event) {
        let Some((session, _)) = self.devices.get_mut(&device) else { return };
        let jitter = u16::try_from((self.count * 7919) % 65536).unwrap();
        for action in session.on(self.now, event, jitter) {
            self.act(device, action);
        }
    }

    pub(super) fn act(&mut self, device: usize, action: Action) {
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

    pub(super) fn step(&mut self, what: Later) {
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

    pub(super) fn run(&mut self, time: Duration) {
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
    pub(super) fn announce(&mut self, device: usize, tag: u8) {
        let others: Vec<usize> = self.devices.keys().copied().filter(|n| *n != device).collect();
        for other in others {
            let event =
                Event::Announced { peer: id(device), tag: [tag; 16], addresses: vec![at(device)] };
            self.later(WAY, Later::Tell(other, event));
        }
    }

    pub(super) fn cut(&mut self, cut: bool) {
        (self.cut, self.cuts) = (cut, self.cuts + 1);
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        self.queue.retain(|(.., what)| !matches!(what, Later::Idle(_)));
        if cut {
            links.into_iter().for_each(|link| self.later(IDLE, Later::Idle(link)));
        }
    }

    pub(super) fn sees(&self, a: usize, b: usize) -> bool {
        self.devices[&a].0.present(&id(b))
    }

    /// Each two are linked by one link, which is the same at both ends.
    pub(super) fn all_linked(&self) -> bool {
        let link = |a: usize, b: usize| self.devices[&a].0.link(&id(b));
        let mut pairs =
            self.devices.keys().flat_map(|a| self.devices.keys().map(move |b| (*a, *b)));
        pairs.all(|(a, b)| a == b || (link(a, b).is_some() && link(a, b) == link(b, a)))
    }
}
