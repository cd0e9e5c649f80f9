//! What clients of the control socket are told without having asked: signals.
//!
//! Invariant: who does not read what it is told misses some of it, and nobody waits for it.

use api::abilities::PATH;
use tokio::sync::broadcast;
use zbus::Connection;
use zbus::object_server::SignalEmitter;

use super::Daemon;
use super::cards::Forms;
use super::choices::Choices;

/// Signals that wait for a client; one that lets more wait misses the first of them.
pub(super) const TOLD: usize = 256;

/// Something that clients are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Choices have come or gone.
    Choices,
    /// This card was filled, could not be, or is gone.
    Form(u32),
}

impl Daemon {
    /// Tells all clients.
    pub(super) fn tell_clients(&self, told: Told) {
        // Nobody listens.
        let _none = self.clients.send(told);
    }
}

/// Tells one client, for as long as it is there.
pub(super) async fn tell(
    connection: &Connection,
    mut told: broadcast::Receiver<Told>,
) -> zbus::Result<()> {
    let emitter = SignalEmitter::new(connection, PATH)?;
    loop {
        match told.recv().await {
            Ok(Told::Choices) => Choices::changed(&emitter).await?,
            Ok(Told::Form(number)) => Forms::changed(&emitter, number).await?,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        }
    }
}
