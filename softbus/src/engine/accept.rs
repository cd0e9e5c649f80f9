//! Strangers that knock: who they are, whether the gate admits them, and a place for their link.
//!
//! ```text
//! packet ─► crowded and address unproved? ─yes─► "say that again from there"
//!              └─no─► handshake (10 s) ─► gate ─► place ─► "admitted" ─► Event::Incoming
//! ```
//!
//! Invariant: at most [`MAX_HANDSHAKES`] strangers cost anything at a time; none of them can hold up another.

use std::sync::Arc;

use iroh::Endpoint;
use iroh::endpoint::{Connection, Incoming, VarInt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::Event;
use super::dial::ADMITTED;
use super::gate::{Protocol, code};
use super::limits::{CROWDED, HANDSHAKE, MAX_HANDSHAKES, MAX_LINKS};
use super::link::Link;

/// What each of the tasks needs.
#[derive(Clone)]
pub(super) struct Porch {
    pub(super) places: Arc<Semaphore>,
    pub(super) events: mpsc::Sender<Event>,
}

/// Answers until the endpoint is closed.
pub(super) async fn answer(endpoint: Endpoint, porch: Porch) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    while let Some(incoming) = endpoint.accept().await {
        if crowded(&handshakes) && !incoming.remote_addr_validated() {
            // An error says that the address is proved; then the next packet is treated as such.
            let _ = incoming.retry();
            continue;
        }
        match Arc::clone(&handshakes).try_acquire_owned() {
            Ok(turn) => drop(tokio::spawn(welcome(incoming, porch.clone(), turn))),
            Err(_) => incoming.ignore(),
        }
    }
}

fn crowded(handshakes: &Semaphore) -> bool {
    handshakes.available_permits() <= MAX_HANDSHAKES.saturating_sub(CROWDED)
}

/// One stranger, from its first packet to a link. Whatever fails concerns the stranger only, who is told by QUIC.
async fn welcome(incoming: Incoming, porch: Porch, turn: OwnedSemaphorePermit) {
    let Ok(accepting) = incoming.accept() else { return };
    let Ok(Ok(connection)) = timeout(HANDSHAKE, accepting).await else { return };
    let Some(protocol) = Protocol::named(connection.alpn()) else { return };
    let Ok(place) = Arc::clone(&porch.places).try_acquire_owned() else {
        let reason = format!("there are {MAX_LINKS} links already");
        connection.close(VarInt::from_u32(code::BUSY), reason.as_bytes());
        return;
    };
    if admit(&connection).await.is_none() {
        return;
    }
    drop(turn);
    let link = Link::new(connection, protocol, place);
    // The daemon is gone: so is the link.
    let _ = porch.events.send(Event::Incoming { link, protocol }).await;
}

/// Tells the peer that it is in. Nothing waits for the peer here: one byte is always taken.
async fn admit(connection: &Connection) -> Option<()> {
    let mut stream = timeout(HANDSHAKE, connection.open_uni()).await.ok()?.ok()?;
    stream.write_all(&[ADMITTED]).await.ok()?;
    stream.finish().ok()
}
