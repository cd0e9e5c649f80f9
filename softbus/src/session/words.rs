//! What happens to a session, and what it wants done.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::Bye;
use crate::DeviceId;

/// A link, as the daemon counts them.
pub type LinkId = u64;

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Who belongs to the group now, without this device.
    Members(BTreeSet<DeviceId>),
    /// A peer announces itself.
    Announced {
        /// Which.
        peer: DeviceId,
        /// Another one means that it has started anew.
        tag: [u8; 16],
        /// Where it is.
        addresses: Vec<SocketAddr>,
    },
    /// It does not any more.
    Gone(DeviceId),
    /// Where a peer was, or is said to be.
    Known(DeviceId, Vec<SocketAddr>),
    /// All addresses that the owner added, of which nobody knows whose they are.
    Added(Vec<SocketAddr>),
    /// Addresses of this device changed.
    Moved,
    /// A link is up.
    Linked {
        /// Which.
        link: LinkId,
        /// To whom.
        peer: DeviceId,
        /// From here.
        dialed: bool,
    },
    /// A dial ended without one.
    Failed {
        /// Of whom.
        peer: DeviceId,
        /// It answered, and does not want us.
        refused: bool,
    },
    /// A peer greeted on a link.
    Greeted {
        /// Which.
        link: LinkId,
        /// A random number of its process.
        run: u64,
        /// Somebody there needs this link now.
        wanted: bool,
    },
    /// A link is down.
    Closed {
        /// Which.
        link: LinkId,
        /// What the peer said, if it did.
        bye: Option<Bye>,
    },
    /// Somebody here needs a link to this peer now.
    Wanted(DeviceId),
    /// So many streams are open on a link.
    Streams(LinkId, usize),
    /// Time went by.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Dial a peer at all of these addresses; answered by one `Linked` or `Failed`.
    Dial {
        /// Whom.
        peer: DeviceId,
        /// Where.
        addresses: Vec<SocketAddr>,
        /// For its greeting: somebody here needs it.
        wanted: bool,
    },
    /// Close a link, which counts no more; no `Closed` is needed.
    Drop {
        /// Which.
        link: LinkId,
        /// What to say.
        bye: Bye,
    },
    /// A peer is there, or not any more.
    Present(DeviceId, bool),
}
