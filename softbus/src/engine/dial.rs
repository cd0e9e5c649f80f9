//! Dialing a peer: from its key and some addresses to a link that both ends admitted.
//!
//! ```text
//! place free? ─► somebody answers ─► and proves the key ─► our gate admits ─► its gate admits ─► Link
//!   Place          Reach               Prove                 Gate               Admission
//! ```
//!
//! The dialed one says that it admits by one byte on a stream of its own: only then is the link handed out, so that a
//! refusal is an error of dialing and not a link that dies.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use iroh::endpoint::{
    ConnectError, ConnectWithOptsError, ConnectingError, Connection, ConnectionError, VarInt,
};
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayUrl, TransportAddr};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::gate::{Gate, Protocol, code};
use super::limits::{MAX_ADDRESSES, MAX_LINKS, said};
use super::link::{Closed, Link, closed};
use crate::DeviceId;

/// What a peer writes when it has admitted: the version of this agreement.
pub(super) const ADMITTED: u8 = 1;

/// How far a dial came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A free place among the links here.
    Place,
    /// Something to dial: a key, an address or a relay.
    Address,
    /// An answer from one of the addresses.
    Reach,
    /// The proof that the peer holds the key.
    Prove,
    /// The gate of this device.
    Gate,
    /// The gate of the peer.
    Admission,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Place => "finding room for a link",
            Self::Address => "finding an address",
            Self::Reach => "reaching it",
            Self::Prove => "making sure who it is",
            Self::Gate => "asking this device's rules",
            Self::Admission => "being let in by it",
        })
    }
}

/// Why there is no link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {reason}")]
pub struct DialError {
    /// The step that failed.
    pub step: Step,
    /// Why; what a peer said in it is cut, without control characters.
    pub reason: String,
}

impl DialError {
    fn new(step: Step, reason: impl Into<String>) -> Self {
        Self { step, reason: reason.into() }
    }

    pub(super) fn no_place() -> Self {
        Self::new(Step::Place, format!("there are {MAX_LINKS} links already; one must end first"))
    }
}

/// Whom to dial, where, for what.
#[derive(Debug, Clone)]
pub struct Dial<'a> {
    /// Who must be at the other end.
    pub peer: DeviceId,
    /// Where it may be, the best first; at most [`MAX_ADDRESSES`] are tried.
    pub addresses: &'a [SocketAddr],
    /// URL of the relay that it listens at.
    pub relay: Option<&'a str>,
    /// What the link is for.
    pub protocol: Protocol,
    /// How long all of it may take.
    pub within: Duration,
}

impl Dial<'_> {
    fn target(&self) -> Result<EndpointAddr, DialError> {
        let no = |reason: &str| DialError::new(Step::Address, reason);
        let id =
            EndpointId::from_bytes(self.peer.as_bytes()).map_err(|_| no("its id is no key"))?;
        let relay = self.relay.map(str::parse::<RelayUrl>).transpose();
        let relay = relay.map_err(|_| no("the relay's URL can't be read"))?;
        let addresses = self.addresses.iter().take(MAX_ADDRESSES).copied().map(TransportAddr::Ip);
        let target = EndpointAddr::from_parts(id, addresses.chain(relay.map(TransportAddr::Relay)));
        if target.is_empty() {
            Err(no("none is known; it must be announced, or given by hand"))
        } else {
            Ok(target)
        }
    }
}

/// Dials. Dropped while it waits, it leaves nothing.
pub(super) async fn dial(
    endpoint: &Endpoint,
    gate: &dyn Gate,
    dial: &Dial<'_>,
    place: OwnedSemaphorePermit,
) -> Result<Link, DialError> {
    // Asked before a packet leaves: a refused peer does not even learn our address. The guard asks again.
    let admitted = gate.admit(&dial.peer, dial.protocol);
    admitted.map_err(|reason| DialError::new(Step::Gate, reason))?;
    let target = dial.target()?;
    let connecting = async {
        let connection =
            endpoint.connect(target, dial.protocol.name()).await.map_err(not_connected)?;
        wait_for_admission(&connection).await?;
        Ok(connection)
    };
    match timeout(dial.within, connecting).await {
        Ok(Ok(connection)) => Ok(Link::new(connection, dial.protocol, place)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(DialError::new(
            Step::Reach,
            format!("no answer within {} s", dial.within.as_secs()),
        )),
    }
}

async fn wait_for_admission(connection: &Connection) -> Result<(), DialError> {
    let mut word = [0];
    let heard = async {
        let mut stream = connection.accept_uni().await.map_err(closed)?;
        stream.read_exact(&mut word).await.map_err(|_| Closed::Lost("it said nothing"))
    };
    if let Err(error) = heard.await {
        // The stream dies with the link, whose reason is the better one.
        let error = connection.close_reason().map_or(error, closed);
        return Err(DialError::new(Step::Admission, error.to_string()));
    }
    if word != [ADMITTED] {
        connection.close(VarInt::from_u32(code::DONE), b"unknown word of admission");
        return Err(DialError::new(Step::Admission, "it speaks a version that is not known here"));
    }
    Ok(())
}

fn not_connected(error: ConnectError) -> DialError {
    match error {
        ConnectError::Connecting { source: ConnectingError::LocallyRejected { .. }, .. } => {
            DialError::new(Step::Gate, "it belongs to nobody here")
        }
        ConnectError::Connecting {
            source: ConnectingError::ConnectionError { source, .. },
            ..
        }
        | ConnectError::Connection { source, .. } => not_shaken(source),
        ConnectError::Connect { source: ConnectWithOptsError::SelfConnect { .. }, .. } => {
            DialError::new(Step::Address, "this is the device itself")
        }
        other => DialError::new(Step::Reach, said(other.to_string().as_bytes())),
    }
}

fn not_shaken(error: ConnectionError) -> DialError {
    /// The alert of TLS for a protocol that is not spoken, as QUIC carries it.
    const NO_PROTOCOL: u64 = 0x100 + 120;
    match &error {
        ConnectionError::ConnectionClosed(close) if u64::from(close.error_code) == NO_PROTOCOL => {
            DialError::new(
                Step::Admission,
                "it does not wait for a new device now, or speaks no version that is known here",
            )
        }
        ConnectionError::TimedOut => DialError::new(Step::Reach, "no answer"),
        ConnectionError::TransportError(_) => {
            DialError::new(Step::Prove, "who answers there is another device")
        }
        _ => DialError::new(Step::Admission, closed(error).to_string()),
    }
}
