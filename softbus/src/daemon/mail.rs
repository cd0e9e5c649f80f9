//! How everything else speaks with the hub: one question after the other, which it carries out by itself.
//!
//! Invariant: at most [`WAITING`] questions wait; who has one more waits with it.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::hub::Hub;

/// Questions that wait.
const WAITING: usize = 256;

/// A question.
pub(super) type Ask = Box<dyn FnOnce(&mut Hub) + Send>;

/// Where questions go.
#[derive(Debug, Clone)]
pub(super) struct Mail(mpsc::Sender<Ask>);

/// Of one answer.
pub(super) type Reply<T> = oneshot::Sender<T>;

impl Mail {
    /// A new one, and where its questions come out.
    pub(super) fn new() -> (Self, mpsc::Receiver<Ask>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Has this done. Whether it was: the hub ends before us.
    pub(super) async fn tell(&self, ask: impl FnOnce(&mut Hub) + Send + 'static) -> bool {
        self.0.send(Box::new(ask)).await.is_ok()
    }

    /// Has this done and waits for what is answered; none if the hub ends.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Hub, Reply<T>) + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.tell(move |hub| ask(hub, reply)).await;
        answer.await.ok()
    }

    /// Has this done after a while.
    pub(super) fn later(&self, wait: Duration, ask: impl FnOnce(&mut Hub) + Send + 'static) {
        let mail = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            mail.tell(ask).await;
        });
    }
}
