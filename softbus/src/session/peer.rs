//! One peer: where it may be, when it is dialed next, and over which links it is reached.
//!
//! Invariant: a peer that is reached is not dialed.

use std::net::SocketAddr;
use std::time::Duration;

use super::{CROSSING, EAGER, EAGER_PAUSE, GRACE, LinkId, MAX_ADDRESSES, MAX_PAUSE, REFUSED_PAUSE};

/// A link that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Up {
    pub(super) link: LinkId,
    /// From here.
    pub(super) dialed: bool,
    pub(super) at: Duration,
    /// A random number of the peer's process; known once it has greeted.
    pub(super) run: u64,
    pub(super) streams: usize,
    pub(super) used: Duration,
}

impl Up {
    /// Whether this one, which has just greeted, takes the place of `old`. `first`: this device has the smaller id.
    pub(super) fn replaces(&self, old: &Self, first: bool) -> bool {
        let together = self.at.abs_diff(old.at) <= CROSSING;
        if self.run != old.run || !together || self.dialed == old.dialed {
            return true;
        }
        self.dialed == first
    }
}

/// What is known of a peer.
#[derive(Debug, Default)]
pub(super) struct Peer {
    pub(super) announced: Option<([u8; 16], Vec<SocketAddr>)>,
    /// Where it was, or is said to be.
    pub(super) known: Vec<SocketAddr>,
    /// When it is dialed next.
    pub(super) due: Option<Duration>,
    /// It has greeted here.
    pub(super) current: Option<Up>,
    /// It has not greeted here yet; at most one that was dialed, and one that was taken.
    pub(super) fresh: Vec<Up>,
    failures: u32,
    /// Until when it is dialed without long pauses.
    eager: Duration,
    /// There is no room for a link to it, here or there.
    pub(super) held: bool,
    /// Somebody needs it.
    pub(super) wanted: bool,
    /// Whether others were last told that it is there.
    pub(super) told: bool,
}

impl Peer {
    pub(super) fn new(now: Duration) -> Self {
        Self { due: Some(now), eager: now.saturating_add(EAGER), ..Self::default() }
    }

    pub(super) fn present(&self) -> bool {
        self.current.is_some() || (self.held && self.announced.is_some())
    }

    /// There is no link to it.
    pub(super) fn cut(&self) -> bool {
        self.current.is_none() && self.fresh.is_empty()
    }

    pub(super) fn ups(&self) -> impl Iterator<Item = &Up> {
        self.current.iter().chain(&self.fresh)
    }

    /// Where it may be found; `added` are addresses of anybody.
    pub(super) fn addresses(&self, added: &[SocketAddr]) -> Vec<SocketAddr> {
        let announced = self.announced.iter().flat_map(|(_, addresses)| addresses);
        let mut all: Vec<SocketAddr> = Vec::new();
        for address in announced.chain(&self.known).chain(added) {
            if !all.contains(address) {
                all.push(*address);
            }
        }
        all
    }

    /// Whether a dial makes sense when it is due.
    pub(super) fn may_dial(&self, added: &[SocketAddr]) -> bool {
        let somewhere = self.announced.iter().any(|(_, addresses)| !addresses.is_empty());
        self.cut() && (somewhere || !self.known.is_empty() || !added.is_empty())
    }

    /// `first`: this device has the smaller id, and dials first.
    pub(super) fn announced(
        &mut self,
        now: Duration,
        tag: [u8; 16],
        mut addresses: Vec<SocketAddr>,
        first: bool,
    ) {
        addresses.truncate(MAX_ADDRESSES);
        addresses.sort_unstable();
        let news = Some((tag, addresses));
        if self.announced != news {
            self.announced = news;
            self.hope(now, if first { now } else { now.saturating_add(GRACE) });
        }
    }

    /// The newest addresses count.
    pub(super) fn know(&mut self, now: Duration, addresses: Vec<SocketAddr>) {
        for address in addresses.into_iter().rev() {
            if !self.known.contains(&address) {
                self.known.insert(0, address);
                self.hope(now, now);
            }
        }
        self.known.truncate(MAX_ADDRESSES);
    }

    /// Something changed: it is dialed at this time, and soon again if it does not answer.
    pub(super) fn hope(&mut self, now: Duration, at: Duration) {
        (self.failures, self.eager) = (0, now.saturating_add(EAGER));
        if self.cut() {
            self.due = Some(self.due.map_or(at, |due| due.min(at)));
        }
    }

    /// It has greeted, and this is the link to it.
    pub(super) fn up(&mut self, up: Up) {
        self.current = Some(up);
        (self.failures, self.due, self.held, self.wanted) = (0, None, false, false);
    }

    /// It was there a moment ago.
    pub(super) fn lost(&mut self, now: Duration, jitter: u16) {
        self.hope(now, now.saturating_add(some(EAGER_PAUSE, jitter)));
    }

    pub(super) fn failed(&mut self, now: Duration, refused: bool, jitter: u16) {
        (self.held, self.wanted) = (false, false);
        self.failures = self.failures.saturating_add(1);
        let doubled = Duration::from_secs(1).saturating_mul(1 << self.failures.min(9));
        let pause = match refused {
            true => REFUSED_PAUSE,
            false if now < self.eager => EAGER_PAUSE,
            false => doubled.min(MAX_PAUSE),
        };
        self.due = Some(now.saturating_add(pause).saturating_add(some(pause, jitter)));
    }

    /// It is there, and there is no room for a link to it.
    pub(super) fn full(&mut self, now: Duration) {
        (self.held, self.wanted) = (true, false);
        self.due = Some(now.saturating_add(REFUSED_PAUSE));
    }
}

/// At most half of a pause.
fn some(pause: Duration, jitter: u16) -> Duration {
    pause.saturating_mul(u32::from(jitter)) / (2 * u32::from(u16::MAX))
}
