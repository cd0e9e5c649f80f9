//! Who may be linked to: asked after each handshake, at both ends, before a byte of what the peer has to say is read.
//!
//! Invariants: a link that the gate refused was never seen outside of the engine; pairing is spoken only while the window
//! is open, and its name is not even among the protocols otherwise.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use iroh::endpoint::{AfterHandshakeOutcome, Connection, EndpointHooks, Side, VarInt};

use super::announced::Announced;
use crate::DeviceId;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Members of a group with each other.
    Session,
    /// Two devices that are about to belong together.
    Pairing,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Session, Self::Pairing];

    /// Its name on the wire. A version that old devices can't speak gets a new one, and both are offered.
    #[must_use]
    pub const fn name(self) -> &'static [u8] {
        match self {
            Self::Session => b"ensemble/1",
            Self::Pairing => b"ensemble-pair/1",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }
}

/// Who decides. Its answers come from what the daemon keeps: it must neither wait nor ask anybody.
pub trait Gate: Send + Sync {
    /// May there be a link with `peer`? The key was proved.
    ///
    /// # Errors
    /// Why not. The peer is told.
    fn admit(&self, peer: &DeviceId, protocol: Protocol) -> Result<(), &'static str>;

    /// Is this from a device of ours? Then strangers' announcements never crowd it out.
    fn expects(&self, announced: &Announced) -> bool {
        let _ = announced;
        false
    }
}

/// Why a link was closed, as a number that both ends know.
pub(super) mod code {
    /// Nothing more to say.
    pub(crate) const DONE: u32 = 0;
    /// The gate refused.
    pub(crate) const REFUSED: u32 = 1;
    /// As many links as may be.
    pub(crate) const BUSY: u32 = 2;
}

/// Is pairing spoken?
#[derive(Debug, Clone, Default)]
pub(super) struct Window(Arc<AtomicBool>);

impl Window {
    /// Opens or shuts it; the protocols that are spoken from now on.
    pub(super) fn set(&self, open: bool) -> Vec<Vec<u8>> {
        self.0.store(open, Ordering::SeqCst);
        Protocol::ALL
            .into_iter()
            .filter(|protocol| open || *protocol != Protocol::Pairing)
            .map(|protocol| protocol.name().to_vec())
            .collect()
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Asks the gate for the engine.
pub(super) struct Guard {
    pub(super) gate: Arc<dyn Gate>,
    pub(super) window: Window,
}

impl Guard {
    fn decide(&self, connection: &Connection) -> Result<(), &'static str> {
        let protocol = Protocol::named(connection.alpn()).ok_or("this protocol is not spoken")?;
        let incoming = connection.side() == Side::Server;
        if protocol == Protocol::Pairing && incoming && !self.window.is_open() {
            return Err("nobody here waits for a new device");
        }
        self.gate.admit(&DeviceId(*connection.remote_id().as_bytes()), protocol)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("window", &self.window).finish_non_exhaustive()
    }
}

impl EndpointHooks for Guard {
    async fn after_handshake<'a>(&'a self, connection: &'a Connection) -> AfterHandshakeOutcome {
        match self.decide(connection) {
            Ok(()) => AfterHandshakeOutcome::Accept,
            Err(reason) => AfterHandshakeOutcome::Reject {
                error_code: VarInt::from_u32(code::REFUSED),
                reason: reason.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairing_is_among_the_protocols_only_while_the_window_is_open() {
        let window = Window::default();
        assert_eq!(window.set(false), [b"ensemble/1".to_vec()]);
        assert_eq!(window.set(true), [b"ensemble/1".to_vec(), b"ensemble-pair/1".to_vec()]);
    }

    #[test]
    fn each_protocol_is_found_by_its_name() {
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::named(protocol.name()), Some(protocol));
        }
        assert_eq!(Protocol::named(b"h3"), None);
    }
}
