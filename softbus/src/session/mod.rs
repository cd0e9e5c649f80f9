//! What becomes of each peer: whom to dial, when, and whether it is there. Pure.
//!
//! ```text
//!            due               linked             greeted
//! offline ────────► dialing ──────────► greeting ─────────► online ─┐
//!    ▲ │ ▲             │ failed            │ 5 s                     │ closed, replaced, removed
//!    │ │ └─ pause ◄────┴───────────────────┴─────────────────────────┘
//!    │ └─ no room ─► held: it is there as long as it announces itself
//!    └─ due: announced, address known or added, own address changed, somebody wants it, pause over
//! ```
//!
//! Both ends run this, and both may dial at once: of two links that came up together the one that was dialed by the smaller id
//! stays, otherwise the younger one; a peer that has started anew is believed at once. Invariants: never two dials to a peer at
//! once, never more than [`MAX_LINKS`] links and dials together; a peer that is not of the group has neither; what is kept
//! is bounded by the group.

mod bye;
pub mod control;
mod peer;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::DeviceId;
pub use bye::Bye;
use peer::{Peer, Up};
pub use words::{Action, Event, LinkId};

/// Most links, those that are being dialed among them: what a small device can keep alive.
pub const MAX_LINKS: usize = 16;

/// Links that are kept because a peer is there; those above are for who is wanted now, and for greetings.
pub const KEPT: usize = 14;

/// Links that a device of a group with more than [`KEPT`] others makes by itself: with those that others make to it there is a way between any
/// two, and always a device that has room for one more. If each made as many as it keeps, the first ones would be a group of their own.
pub const SOUGHT: usize = 6;

/// Dials at once: each sends to all addresses of a peer.
pub const MAX_DIALS: usize = 4;

/// Addresses of a peer that are kept, of each kind.
pub const MAX_ADDRESSES: usize = 8;

/// How long a link may be up without a greeting.
pub const GREETING: Duration = Duration::from_secs(5);

/// So long the end with the greater id lets the other dial first.
pub const GRACE: Duration = Duration::from_millis(1500);

/// Two links that came up within this were dialed at the same time.
pub const CROSSING: Duration = Duration::from_secs(5);

/// After something has changed a peer is dialed without long pauses, for so long: it is most likely about to be there.
pub const EAGER: Duration = Duration::from_secs(300);

/// Pause between two eager dials.
pub const EAGER_PAUSE: Duration = Duration::from_millis(700);

/// Longest pause between two dials.
pub const MAX_PAUSE: Duration = Duration::from_secs(300);

/// Pause after a peer said that it has no room, or does not know us.
pub const REFUSED_PAUSE: Duration = Duration::from_secs(120);

/// All peers of a device.
#[derive(Debug)]
pub struct Session {
    own: DeviceId,
    peers: BTreeMap<DeviceId, Peer>,
    /// Whose link this is.
    links: BTreeMap<LinkId, DeviceId>,
    /// Of whom a dial is under way, whether they belong to the group still or not.
    dialing: BTreeSet<DeviceId>,
    /// Addresses of anybody.
    added: Vec<SocketAddr>,
}

impl Session {
    /// Of a device that knows nobody yet.
    #[must_use]
    pub fn new(own: DeviceId) -> Self {
        let (peers, links) = (BTreeMap::new(), BTreeMap::new());
        Self { own, peers, links, dialing: BTreeSet::new(), added: Vec::new() }
    }

    /// The link over which a peer is reached now.
    #[must_use]
    pub fn link(&self, peer: &DeviceId) -> Option<LinkId> {
        self.peers.get(peer)?.current.as_ref().map(|up| up.link)
    }

    /// Whether a peer is there.
    #[must_use]
    pub fn present(&self, peer: &DeviceId) -> bool {
        self.peers.get(peer).is_some_and(Peer::present)
    }

    /// Where a peer may be found.
    #[must_use]
    pub fn addresses(&self, peer: &DeviceId) -> Vec<SocketAddr> {
        self.peers.get(peer).map(|peer| peer.addresses(&self.added)).unwrap_or_default()
    }

    /// Takes an event and says what is to be done. `jitter` is any number: peers that all lost each other at the same moment do not
    /// all come back at the same moment.
    pub fn on(&mut self, now: Duration, event: Event, jitter: u16) -> Vec<Action> {
        let mut actions = Vec::new();
        self.take(now, event, jitter, &mut actions);
        self.silent(now, jitter, &mut actions);
        self.dial(now, &mut actions);
        for (id, peer) in &mut self.peers {
            if peer.due.is_none() && peer.cut() && !self.dialing.contains(id) {
                peer.lost(now, jitter);
            }
            if peer.told != peer.present() {
                peer.told = peer.present();
                actions.push(Action::Present(*id, peer.told));
            }
        }
        actions
    }

    /// When there is something to do without an event.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let free = self.dialing.len() < MAX_DIALS;
        let (wanted, unwanted) = (self.room(true), self.room(false));
        let due = |(id, peer): (&DeviceId, &Peer)| {
            let room = !peer.held || if peer.wanted { wanted } else { unwanted };
            let may = free && room && peer.may_dial(&self.added) && !self.dialing.contains(id);
            peer.due.filter(|_| may)
        };
        let silent = |up: &Up| up.at.saturating_add(GREETING);
        let greetings = self.peers.values().flat_map(|peer| peer.fresh.iter().map(silent));
        self.peers.iter().filter_map(due).chain(greetings).min()
    }

    /// Whether there is room for one more link that is made from here.
    fn room(&self, wanted: bool) -> bool {
        if wanted || self.peers.len() <= KEPT {
            return self.taken() < if wanted { MAX_LINKS } else { KEPT };
        }
        let ups = self.peers.values().flat_map(Peer::ups);
        let made = ups.filter(|up| up.dialed).count() + self.dialing.len();
        self.taken() < KEPT && made < SOUGHT
    }

    fn take(&mut self, now: Duration, event: Event, jitter: u16, actions: &mut Vec<Action>) {
        match event {
            Event::Members(members) => self.members(now, &members, actions),
            Event::Announced { peer: id, tag, addresses } => {
                let first = self.own < id;
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.announced(now, tag, addresses, first);
                }
            }
            Event::Gone(peer) => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.announced = None;
                    peer.held = false;
                }
            }
            Event::Known(peer, addresses) => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.know(now, addresses);
                }
            }
            Event::Added(mut addresses) => {
                addresses.truncate(MAX_ADDRESSES);
                self.added = addresses;
                self.peers.values_mut().for_each(|peer| peer.hope(now, now));
            }
            Event::Moved => self.peers.values_mut().for_each(|peer| peer.hope(now, now)),
            Event::Linked { link, peer, dialed } => self.linked(now, link, peer, dialed, actions),
            Event::Failed { peer, refused } => {
                self.dialing.remove(&peer);
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.failed(now, refused, jitter);
                }
            }
            Event::Greeted { link, run, wanted } => self.greeted(now, link, run, wanted, actions),
            Event::Closed { link, bye } => self.closed(now, link, bye, jitter),
            Event::Wanted(peer) => {
                if let Some(peer) = self.peers.get_mut(&peer).filter(|peer| peer.current.is_none())
                {
                    peer.wanted = true;
                    peer.hope(now, now);
                }
            }
            Event::Streams(link, streams) => {
                let peer = self.links.get(&link).and_then(|peer| self.peers.get_mut(peer));
                if let Some(up) =
                    peer.and_then(|peer| peer.current.as_mut()).filter(|up| up.link == link)
                {
                    (up.streams, up.used) = (streams, now);
                }
            }
            Event::Tick => {}
        }
    }

    fn members(&mut self, now: Duration, members: &BTreeSet<DeviceId>, actions: &mut Vec<Action>) {
        let gone: Vec<DeviceId> =
            self.peers.keys().filter(|id| !members.contains(id)).copied().collect();
        for id in gone {
            let Some(peer) = self.peers.remove(&id) else { continue };
            for up in peer.ups() {
                self.links.remove(&up.link);
                actions.push(Action::Drop { link: up.link, bye: Bye::Removed });
            }
            if peer.told {
                actions.push(Action::Present(id, false));
            }
        }
        for id in members.iter().filter(|id| **id != self.own) {
            self.peers.entry(*id).or_insert_with(|| Peer::new(now));
        }
    }

    fn linked(
        &mut self,
        now: Duration,
        link: LinkId,
        id: DeviceId,
        dialed: bool,
        actions: &mut Vec<Action>,
    ) {
        if dialed {
            self.dialing.remove(&id);
        }
        let room = self.taken() < MAX_LINKS;
        let Some(peer) = self.peers.get_mut(&id) else {
            actions.push(Action::Drop { link, bye: Bye::Removed });
            return;
        };
        if !room {
            actions.push(Action::Drop { link, bye: Bye::Full });
            return;
        }
        // It has at most one of each kind that has not greeted: the one before was cut.
        if let Some(before) = peer.fresh.iter().position(|up| up.dialed == dialed) {
            let up = peer.fresh.swap_remove(before);
            self.links.remove(&up.link);
            actions.push(Action::Drop { link: up.link, bye: Bye::Another });
        }
        peer.fresh.push(Up { link, dialed, at: now, run: 0, streams: 0, used: now });
        self.links.insert(link, id);
    }

    fn greeted(
        &mut self,
        now: Duration,
        link: LinkId,
        run: u64,
        wanted: bool,
        actions: &mut Vec<Action>,
    ) {
        let full = self.peers.values().filter(|peer| peer.current.is_some()).count() >= KEPT;
        let Some(id) = self.links.get(&link).copied() else { return };
        let first = self.own < id;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(at) = peer.fresh.iter().position(|up| up.link == link) else { return };
        let new = Up { run, used: now, ..peer.fresh.swap_remove(at) };
        let needed = wanted || peer.wanted;
        let (lost, bye) = match peer.current.as_ref() {
            Some(old) if new.replaces(old, first) => (Some(old.link), Bye::Another),
            Some(_) => (Some(link), Bye::Another),
            None if full && !needed => (Some(link), Bye::Full),
            None => (None, Bye::Full),
        };
        if lost != Some(link) {
            peer.up(new);
        } else if bye == Bye::Full {
            peer.full(now);
        }
        if let Some(link) = lost {
            self.links.remove(&link);
            actions.push(Action::Drop { link, bye });
        } else if full {
            self.evict(&id, now, actions);
        }
    }

    /// Ends the link that was not used for longest, of those that are not in use.
    fn evict(&mut self, but: &DeviceId, now: Duration, actions: &mut Vec<Action>) {
        let idle = |(id, peer): (&DeviceId, &Peer)| {
            let up = peer.current.as_ref().filter(|up| up.streams == 0 && id != but)?;
            Some((up.used, *id))
        };
        let Some((_, id)) = self.peers.iter().filter_map(idle).min() else { return };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(up) = peer.current.take() else { return };
        peer.full(now);
        self.links.remove(&up.link);
        actions.push(Action::Drop { link: up.link, bye: Bye::Full });
    }

    fn closed(&mut self, now: Duration, link: LinkId, bye: Option<Bye>, jitter: u16) {
        let Some(peer) = self.links.remove(&link).and_then(|id| self.peers.get_mut(&id)) else {
            return;
        };
        peer.fresh.retain(|up| up.link != link);
        let current = peer.current.take_if(|up| up.link == link).is_some();
        if !peer.cut() {
            return;
        }
        match bye {
            Some(Bye::Full) => peer.full(now),
            Some(Bye::Removed | Bye::Left | Bye::Version) => peer.failed(now, true, jitter),
            _ if current => peer.lost(now, jitter),
            _ => peer.failed(now, false, jitter),
        }
    }

    /// Ends links on which nobody greets.
    fn silent(&mut self, now: Duration, jitter: u16, actions: &mut Vec<Action>) {
        for peer in self.peers.values_mut() {
            let late = peer.fresh.extract_if(.., |up| up.at.saturating_add(GREETING) <= now);
            let late: Vec<LinkId> = late.map(|up| up.link).collect();
            for link in &late {
                self.links.remove(link);
                actions.push(Action::Drop { link: *link, bye: Bye::Silent });
            }
            if !late.is_empty() && peer.cut() {
                peer.failed(now, false, jitter);
            }
        }
    }

    /// Dials who is due: first those that somebody wants, then those that announce themselves.
    fn dial(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let due = |(id, peer): &(&DeviceId, &Peer)| {
            let now = peer.due.is_some_and(|due| due <= now);
            now && peer.may_dial(&self.added) && !self.dialing.contains(id)
        };
        let order = |(id, peer): (&DeviceId, &Peer)| {
            (!peer.wanted, peer.announced.is_none(), self.lot(id), *id)
        };
        let mut all: Vec<_> = self.peers.iter().filter(due).map(order).collect();
        all.sort_unstable();
        for (unwanted, .., id) in all {
            if !unwanted && self.taken() >= MAX_LINKS {
                self.evict(&id, now, actions);
            }
            let (room, free) = (self.room(!unwanted), self.dialing.len() < MAX_DIALS);
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.held = !room;
            if free && !peer.held {
                peer.due = None;
                self.dialing.insert(id);
                let addresses = peer.addresses(&self.added);
                actions.push(Action::Dial { peer: id, addresses, wanted: !unwanted });
            }
        }
    }

    /// In which order this device dials others: each has an order of its own.
    fn lot(&self, id: &DeviceId) -> u64 {
        let bytes = self.own.0.iter().zip(id.0).map(|(own, other)| own ^ other.rotate_left(3));
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// Places of links that are taken.
    fn taken(&self) -> usize {
        self.links.len() + self.dialing.len()
    }
}
