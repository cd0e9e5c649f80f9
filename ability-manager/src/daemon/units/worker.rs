//! What is asked of servicemgr about one instance, one thing after the other.
//!
//! Invariant: what servicemgr did not answer, because it ended, is asked of the next one; a launch is never asked twice of
//! one that has it already.

use std::rc::Rc;

use api::services::{Error, ServicesProxy};
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::super::definition::own;
use super::{Heard, Op, PAUSE, Shared, TRIES, connect, sentence};
use crate::engine::InstanceId;
use crate::store::Mounting;

/// Asks for one instance, in order.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub(super) shared: Rc<Shared>,
    pub(super) instance: InstanceId,
    pub(super) unit: String,
}

impl Worker {
    pub(super) async fn run(self, mut ops: mpsc::UnboundedReceiver<Op>) {
        while let Some(op) = ops.recv().await {
            match op {
                Op::Launch { mounting, definition, uid, granted } => {
                    let heard = match self.launch(mounting, &definition, uid, &granted).await {
                        Ok(()) => Heard::Launched(self.instance),
                        Err(why) => Heard::Refused(self.instance, why),
                    };
                    self.shared.tell(heard).await;
                }
                // What is told to end need not have ended before it is killed.
                Op::Stop | Op::Kill => {
                    let worker = self.clone();
                    spawn_local(async move { worker.again(op).await });
                }
                op => self.again(op).await,
            }
        }
    }

    async fn launch(
        &self,
        mounting: Box<Mounting>,
        definition: &str,
        uid: u32,
        granted: &[String],
    ) -> Result<(), String> {
        self.shared.mount(*mounting).await?;
        self.start(definition, uid, granted).await
    }

    pub(super) async fn start(
        &self,
        definition: &str,
        uid: u32,
        granted: &[String],
    ) -> Result<(), String> {
        let granted: Vec<&str> = granted.iter().map(String::as_str).collect();
        let own = own(&self.unit);
        let mut asked_before = false;
        for _ in 0..TRIES {
            let proxy = self.shared.proxy().await;
            // servicemgr may have started it, and ended before it said so.
            if asked_before {
                if proxy.status(&self.unit).await.is_ok() {
                    return Ok(());
                }
                // Its end, if there was one, was said before this answer, and is heard first.
                tokio::task::yield_now().await;
                self.shared.tell(Heard::Again(self.instance)).await;
            }
            asked_before = true;
            let _turn = self.shared.calls.acquire().await;
            match proxy.launch(&self.unit, definition, uid, &granted, &[&own]).await {
                Err(Error::ZBus(_) | Error::GoingDown(_)) => tokio::time::sleep(PAUSE).await,
                Err(e) => return Err(sentence(&e)),
                Ok(()) => return Ok(()),
            }
        }
        Err("servicemgr ended again and again before it answered".to_owned())
    }

    /// Asks until there is an answer.
    pub(super) async fn again(&self, op: Op) {
        for _ in 0..TRIES {
            let proxy = self.shared.proxy().await;
            match self.call(&proxy, &op).await {
                Err(Error::ZBus(_) | Error::GoingDown(_)) => tokio::time::sleep(PAUSE).await,
                // It has ended meanwhile.
                Ok(()) | Err(Error::NoSuchService(_)) => return,
                Err(e) => {
                    log::warn!("{}: {op:?}: {}", self.unit, sentence(&e));
                    return;
                }
            }
        }
    }

    async fn call(&self, proxy: &ServicesProxy<'static>, op: &Op) -> Result<(), Error> {
        let unit = self.unit.as_str();
        if matches!(op, Op::Stop) {
            let _turn = self.shared.stops.acquire().await;
            let own = connect(&self.shared.socket).await.map_err(Error::ZBus)?;
            return ServicesProxy::new(&own).await.map_err(Error::ZBus)?.stop(unit).await;
        }
        let _turn = self.shared.calls.acquire().await;
        match op {
            // It is not asked this way.
            Op::Launch { .. } => Ok(()),
            Op::Freeze => proxy.freeze(unit).await,
            Op::Thaw => proxy.thaw(unit).await,
            Op::Stop | Op::Kill => proxy.kill(unit).await,
            Op::Priority(score) => proxy.set_priority(unit, *score).await,
        }
    }
}
