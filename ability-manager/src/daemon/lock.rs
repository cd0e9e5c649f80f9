//! The lock of the device, on the control socket.
//!
//! ```text
//! lock ─► nothing else is started ─► what may not run while it is locked ends
//!      ─► what servicemgr made ahead for apps is let go of ─► keys leave the kernel ─► answer
//! unlock ─► the try counts ─► the secret is looked at, beside all else ─► keys are in the kernel ─► answer
//! ```
//!
//! Invariants: one secret is looked at at a time; while the device is locked, or being locked, no ability is started that
//! does not say `before-unlock`, and none is prepared.

use std::path::{Path, PathBuf};

use api::abilities::Error;
use api::lock::{State, Status};
use model::bundle::DATA;
use tokio::sync::Semaphore;
use zbus::interface;
use zeroize::Zeroizing;

use super::ahead::Ahead;
use super::control::{Desk, Reply};
use super::decide::error;
use super::{Daemon, clock};
use crate::engine::{Event, Exit, Target};
use crate::vault::{Lock, Opened, attempts};

/// Secrets that are looked at at a time: each takes its 64 MiB.
static TRIES: Semaphore = Semaphore::const_new(1);

/// A lock that has begun.
#[derive(Debug, Default)]
pub(super) struct Locking {
    /// Who waits for it; nobody while there is none.
    waiting: Vec<Reply<()>>,
    /// Nothing runs that may not, and servicemgr was asked to let go of what it made ahead.
    asked: bool,
}

/// One client's view of it.
pub(super) struct Locks {
    desk: Desk,
}

impl Locks {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk }
    }

    /// The owner's key, if this is the secret.
    async fn open(&self, secret: Vec<u8>) -> Result<Opened, Error> {
        let secret = Zeroizing::new(secret);
        let _turn = TRIES.acquire().await;
        let attempt =
            |daemon: &mut Daemon| daemon.store.attempt(clock()).map_err(|why| error(&why));
        let attempt = self.desk.look(attempt).await?;
        let opened = tokio::task::spawn_blocking(move || attempt.open(&secret)).await;
        let opened = opened.map_err(|e| Error::Failed(format!("looking at the secret: {e}")))?;
        let Some(opened) = opened else {
            let wait = |daemon: &mut Daemon| daemon.lock_status();
            let wait = self.desk.look(wait).await?.wait;
            let wait = if wait > 0 { format!("; try again in {wait} s") } else { String::new() };
            return Err(Error::Refused(format!("that is not the secret{wait}")));
        };
        self.desk
            .look(|daemon| {
                daemon.store.right(clock()).map_err(|why| error(&why))?;
                Ok(opened)
            })
            .await
    }

    /// Another secret counts from now on, or none; the one of before, if there is one, must be told.
    async fn change(&self, before: Vec<u8>, secret: Option<Vec<u8>>) -> Result<(), Error> {
        let secret = secret.map(Zeroizing::new);
        if self.desk.look(|daemon| daemon.lock_status()).await?.state != State::NoSecret {
            let opened = self.open(before).await?;
            self.desk.look(|daemon| daemon.unlocked(opened)).await?;
        } else if secret.is_none() {
            return Err(Error::Refused("the device has no secret".to_owned()));
        }
        let sealing = |daemon: &mut Daemon| daemon.store.sealing().map_err(|why| error(&why));
        let sealing = self.desk.look(sealing).await?;
        let _turn = TRIES.acquire().await;
        let seal = move || sealing.seal(secret.as_ref().map(|secret| secret.as_slice()));
        let sealed = tokio::task::spawn_blocking(seal).await;
        let sealed = sealed.map_err(|e| Error::Failed(format!("sealing the owner's key: {e}")))?;
        let sealed = sealed.map_err(|why| error(&why))?;
        self.desk
            .look(move |daemon| daemon.store.set_secret(sealed).map_err(|why| error(&why)))
            .await
    }
}

#[interface(name = "org.ensemble.Lock1")]
impl Locks {
    async fn status(&self) -> Result<Status, Error> {
        self.desk.look(|daemon| daemon.lock_status()).await
    }

    async fn set(&self, before: Vec<u8>, secret: Vec<u8>) -> Result<(), Error> {
        self.desk.only_root("lock set")?;
        self.change(before, Some(secret)).await
    }

    async fn remove(&self, secret: Vec<u8>) -> Result<(), Error> {
        self.desk.only_root("lock remove")?;
        self.change(secret, None).await
    }

    async fn unlock(&self, secret: Vec<u8>) -> Result<(), Error> {
        self.desk.only_root("lock unlock")?;
        let opened = self.open(secret).await?;
        self.desk.look(|daemon| daemon.unlocked(opened)).await
    }

    async fn lock(&self) -> Result<(), Error> {
        self.desk.only_root("lock lock")?;
        self.desk.call(|daemon, reply| daemon.lock(reply)).await
    }
}

impl Daemon {
    fn lock_status(&self) -> Result<Status, Error> {
        let state = self.store.lock_state().map_err(|why| error(&why))?;
        let wait = self.store.lock_wait(clock()).map_err(|why| error(&why))?;
        Ok(Status {
            state: match state {
                Lock::None => State::NoSecret,
                Lock::Open => State::Unlocked,
                Lock::Locked => State::Locked,
            },
            encrypts: self.store.encrypts(),
            wait: wait.map_or(0, |left| u32::try_from(attempts::seconds(left)).unwrap_or(u32::MAX)),
        })
    }

    /// The secret was right.
    fn unlocked(&mut self, opened: Opened) -> Result<(), Error> {
        self.store.unlock(opened).map_err(|why| error(&why))?;
        self.ahead = Ahead::begin(clock());
        self.cards.unlocked();
        log::info!("unlocked");
        Ok(())
    }

    fn lock(&mut self, reply: Reply<()>) {
        match self.store.lock_state() {
            Ok(Lock::Locked) => return drop(reply.send(Ok(()))),
            Ok(Lock::Open) => {}
            // It says what to do about it.
            Ok(Lock::None) | Err(_) => {
                let done = self.store.lock().map(drop).map_err(|why| error(&why));
                return drop(reply.send(done));
            }
        }
        self.locking.waiting.push(reply);
        let ending = self.lives.iter().filter(|(_, live)| !self.runs_locked(&live.target));
        let events = ending.map(|(id, _)| Event::Finish { instance: *id, why: Exit::Locked });
        self.next.extend(events.collect::<Vec<_>>());
        self.pump();
        self.lock_once_ended();
    }

    /// Once nothing runs that may not, and no data are copied, what was made ahead goes.
    pub(super) fn lock_once_ended(&mut self) {
        let Locking { waiting, asked } = &self.locking;
        let ended = || self.lives.values().all(|live| self.runs_locked(&live.target));
        if !waiting.is_empty() && !*asked && ended() && !self.changes.is_making() {
            self.locking.asked = true;
            self.units.let_go(PathBuf::from(DATA));
        }
    }

    /// Locks, once nothing that was made ahead shows what apps stored.
    pub(super) fn lock_let_go(&mut self, tree: &Path) {
        if tree != Path::new(DATA) || !self.locking.asked {
            return;
        }
        let done = self.store.lock();
        match &done {
            Ok(0) => log::info!("locked"),
            Ok(busy) => {
                log::info!("locked; {busy} apps have files of el2 open, and no more of them");
            }
            Err(why) => log::error!("locking: {why}"),
        }
        for reply in std::mem::take(&mut self.locking).waiting {
            // Who has hung up meanwhile wants no answer.
            let _gone = reply.send(done.as_ref().map(|_| ()).map_err(error));
        }
        self.do_changes();
    }

    /// Whether a lock has begun, and has not ended.
    pub(super) fn is_being_locked(&self) -> bool {
        !self.locking.waiting.is_empty()
    }

    /// Whether the device is locked, or is being locked, or nobody knows.
    pub(super) fn is_locked(&self) -> bool {
        self.is_being_locked() || matches!(self.store.lock_state(), Ok(Lock::Locked) | Err(_))
    }

    fn runs_locked(&self, target: &Target) -> bool {
        let held = self.store.get(&target.bundle);
        let ability = held.and_then(|held| held.manifest.ability(target.ability.as_str()));
        ability.is_some_and(|ability| ability.before_unlock)
    }

    /// Why an ability is not started now, if it is for the lock.
    pub(super) fn locked_out(&self, target: &Target) -> Option<String> {
        if self.runs_locked(target) {
            return None;
        }
        let locked = match self.store.lock_state() {
            Ok(Lock::Locked) => "the device is locked",
            Ok(_) if !self.locking.waiting.is_empty() => "the device is being locked",
            Ok(_) => return None,
            Err(why) => return Some(why.to_string()),
        };
        Some(format!(
            "{locked}, and `{}` does not run before its owner has unlocked it: `ensctl lock unlock`",
            target.ability
        ))
    }
}
