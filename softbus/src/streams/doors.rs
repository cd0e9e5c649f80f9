//! Who gets through to `remote`, and how many at a time.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use api::remote::Open;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::Refusal;
use crate::DeviceId;

/// Streams of one peer at a time: a browser over a forwarded port opens six to a server.
pub const OF_ONE: usize = 24;

/// Streams of all peers at a time. servicemgr starts 64 processes of `remote` at most.
pub const OF_ALL: usize = 60;

/// What a peer may open here.
const TARGETS: [&str; 3] = ["run", "file", "port"];

/// A peer that opens a stream.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub id: DeviceId,
    /// What it is called.
    pub name: String,
    /// Its level, in one word.
    pub level: String,
    /// Whether that is owner.
    pub owner: bool,
}

/// What is between peers and `remote`.
#[derive(Debug)]
pub struct Doors {
    remote: PathBuf,
    open: Arc<Mutex<HashMap<DeviceId, usize>>>,
}

/// One of the streams that may be there; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    open: Arc<Mutex<HashMap<DeviceId, usize>>>,
    id: DeviceId,
}

impl Default for Doors {
    fn default() -> Self {
        Self::new(api::remote::SOCKET.into())
    }
}

impl Doors {
    /// `remote` listens here.
    #[must_use]
    pub fn new(remote: PathBuf) -> Self {
        Self { remote, open: Arc::default() }
    }

    /// Streams that are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// A place for one more stream.
    pub(super) fn enter(&self, caller: &Caller) -> Result<Place, Refusal> {
        let busy = |why: String| Refusal::new("busy", why);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= OF_ALL {
            return Err(busy(format!("{OF_ALL} streams are open on it, and no more may be")));
        }
        let of_one = open.entry(caller.id).or_default();
        if *of_one >= OF_ONE {
            return Err(busy(format!("{OF_ONE} streams of this device are open on it already")));
        }
        *of_one += 1;
        Ok(Place { open: Arc::clone(&self.open), id: caller.id })
    }

    /// To `remote`, if `caller` may; it has heard what is wanted, and answers itself.
    pub(super) async fn through(
        &self,
        caller: &Caller,
        open: &Open,
    ) -> Result<UnixStream, Refusal> {
        allowed(caller, open)?;
        let off = |why: &str| Refusal::new("remote", why);
        let mut remote = UnixStream::connect(&self.remote).await.map_err(|e| match e.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => off(
                "it lets no other device run commands, carry files or reach ports: its service `remote` is off",
            ),
            _ => off(&format!("it can't reach its service `remote`: {e}")),
        })?;
        let bytes = open.encode().map_err(|bad| off(&bad.to_string()))?;
        remote.write_all(&bytes).await.map_err(|e| off(&e.to_string()))?;
        Ok(remote)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.id);
            }
        }
    }
}

/// Whether a peer may open this here.
pub(super) fn allowed(caller: &Caller, open: &Open) -> Result<(), Refusal> {
    let target = open.target.as_str();
    if !TARGETS.contains(&target) {
        let why = format!("it opens no `{target}` to others: is its version older?");
        return Err(Refusal::new("version", why));
    }
    if !caller.owner {
        let Caller { name, level, .. } = caller;
        let why = format!(
            "`{target}` is for owners of the group, and {name} is a {level}: `ensctl device level {name} owner` on an owner changes that"
        );
        return Err(Refusal::new("level", why));
    }
    Ok(())
}
