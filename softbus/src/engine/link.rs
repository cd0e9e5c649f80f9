//! A link with a peer that both gates admitted, and its streams.
//!
//! ```text
//! Link ─ open() ──► (Sender, Receiver)      finish() waits until the peer has everything
//!      ◄ accept() ─                         dropped unfinished: the peer sees an end that is no end
//!      ─ close(reason) or the last clone dropped ─► closed()
//! ```
//!
//! Invariant: whoever holds a [`Link`] holds one of the places of [`MAX_LINKS`](super::MAX_LINKS); the place is free when
//! the last clone is gone.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use iroh::TransportAddr;
use iroh::endpoint::{Connection, ConnectionError, RecvStream, SendStream, VarInt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::gate::{Protocol, code};
use super::limits::said;
use crate::DeviceId;

/// A link with a peer whose key is proved.
#[derive(Debug, Clone)]
pub struct Link {
    connection: Connection,
    protocol: Protocol,
    _place: Arc<OwnedSemaphorePermit>,
}

/// How a link reaches its peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// From address to address.
    Direct(SocketAddr),
    /// Through a relay of the owner's.
    Relay(String),
}

/// A way, and how long a word and its answer take on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Which one.
    pub way: Way,
    /// As estimated now.
    pub round_trip: Duration,
}

/// Why a link is no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// [`Link::close`] was called here, or the last of it was dropped.
    #[error("closed by this device")]
    Here,
    /// The peer closed it and said why; cut, without control characters.
    #[error("closed by the peer: {0}")]
    There(String),
    /// The peer's gate refused, or it has as many links as it may have.
    #[error("refused by the peer: {0}")]
    Refused(String),
    /// Nothing was heard for [`IDLE`](super::IDLE), or the peer started anew.
    #[error("lost: {0}")]
    Lost(&'static str),
    /// What was heard breaks the rules of the protocol.
    #[error("broken: {0}")]
    Broken(String),
}

impl Link {
    pub(super) fn new(
        connection: Connection,
        protocol: Protocol,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self { connection, protocol, _place: Arc::new(place) }
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> DeviceId {
        DeviceId(*self.connection.remote_id().as_bytes())
    }

    /// What it is for.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// A number that no other link of this engine has while this one is there.
    #[must_use]
    pub fn number(&self) -> usize {
        self.connection.stable_id()
    }

    /// A new stream. The peer gets it with the first byte that is written. Waits while as many are open as may be.
    ///
    /// # Errors
    /// The link is closed.
    pub async fn open(&self) -> Result<(Sender, Receiver), Closed> {
        let (sender, receiver) = self.connection.open_bi().await.map_err(closed)?;
        Ok((Sender(sender), Receiver(receiver)))
    }

    /// The next stream that the peer opens. May be dropped while it waits.
    ///
    /// # Errors
    /// The link is closed.
    pub async fn accept(&self) -> Result<(Sender, Receiver), Closed> {
        let (sender, receiver) = self.connection.accept_bi().await.map_err(closed)?;
        Ok((Sender(sender), Receiver(receiver)))
    }

    /// 32 bytes that only the two ends of this link know, for what `label` names.
    ///
    /// # Errors
    /// The engine can't make them: never after a handshake.
    pub fn exporter(&self, label: &str) -> Result<[u8; 32], Closed> {
        let mut bytes = [0; 32];
        let made = self.connection.export_keying_material(&mut bytes, label.as_bytes(), &[]);
        made.map_err(|_| Closed::Broken("no key could be derived from the link".into()))?;
        Ok(bytes)
    }

    /// How it reaches the peer now; none while it looks for a way. Where an address has changed, ways are open before the
    /// library prefers one.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        let paths = self.connection.paths();
        let best = || paths.iter().min_by_key(|path| path.stats().rtt);
        let path = paths.iter().find(|path| path.is_selected()).or_else(best)?;
        let way = match path.remote_addr() {
            TransportAddr::Ip(address) => Way::Direct(*address),
            TransportAddr::Relay(url) => Way::Relay(url.to_string()),
            _ => return None,
        };
        Some(Path { way, round_trip: path.stats().rtt })
    }

    /// Ends it at once: what was written and not confirmed may be lost ([`Sender::finish`] first).
    pub fn close(&self, reason: &str) {
        self.connection.close(VarInt::from_u32(code::DONE), reason.as_bytes());
    }

    /// Waits for its end. May be dropped while it waits.
    pub async fn closed(&self) -> Closed {
        closed(self.connection.closed().await)
    }

    /// Is it at its end?
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.connection.close_reason().is_some()
    }
}

/// What became of a link, in our words.
pub(super) fn closed(error: ConnectionError) -> Closed {
    match error {
        ConnectionError::LocallyClosed => Closed::Here,
        ConnectionError::ApplicationClosed(close) => {
            let reason = said(&close.reason);
            match u32::try_from(close.error_code.into_inner()) {
                Ok(code::REFUSED | code::BUSY) => Closed::Refused(reason),
                _ => Closed::There(reason),
            }
        }
        ConnectionError::TimedOut => Closed::Lost("nothing was heard from it"),
        ConnectionError::Reset => Closed::Lost("it has started anew"),
        other => Closed::Broken(said(other.to_string().as_bytes())),
    }
}

/// The end of a stream that is written to. Waits while the peer does not read.
#[derive(Debug)]
pub struct Sender(SendStream);

impl Sender {
    /// No more follows; waits until the peer has confirmed all of it.
    ///
    /// # Errors
    /// The peer reads no more, or the link is closed: not all has arrived.
    pub async fn finish(mut self) -> io::Result<()> {
        self.0.finish().map_err(io::Error::other)?;
        match self.0.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the peer reads no more")),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// Ends it as a failure: the peer's reads fail instead of ending.
    pub fn abort(mut self) {
        // Closed already: then the peer has seen an end.
        let _ = self.0.reset(VarInt::from_u32(code::REFUSED));
    }
}

impl AsyncWrite for Sender {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.0), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The end of a stream that is read from.
#[derive(Debug)]
pub struct Receiver(RecvStream);

impl Receiver {
    /// Nobody reads any more: the peer's writes fail.
    pub fn abort(mut self) {
        // Ended already: nothing is left to refuse.
        let _ = self.0.stop(VarInt::from_u32(code::REFUSED));
    }
}

impl AsyncRead for Receiver {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.0), cx, buffer)
    }
}
