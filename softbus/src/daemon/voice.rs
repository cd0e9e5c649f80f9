//! Tells servicemgr who is here: parameters, by which services start.
//!
//! Invariant: what is told is how it is now; how it was meanwhile is passed over. When servicemgr can't be told, it is
//! tried again with the next change, and after [`AGAIN`].

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use api::params::ParamsProxy;
use tokio::sync::watch;
use tokio::time::timeout;
use zbus::connection::Builder;

/// How long servicemgr may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pause before it is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// What a parameter is of a device that is not of the group any more.
const GONE: &str = "removed";

/// Tells for as long as there is something to tell.
pub(super) async fn speak(socket: &Path, mut wanted: watch::Receiver<BTreeMap<String, String>>) {
    let mut told = BTreeMap::new();
    let mut failed = false;
    loop {
        let now = wanted.borrow_and_update().clone();
        let all = timeout(PATIENCE, tell(socket, &told, &now)).await;
        match all.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into())) {
            Ok(()) => (told, failed) = (now, false),
            Err(e) if !failed => {
                super::say(4, &format!("telling servicemgr which devices are here: {e}"));
                failed = true;
            }
            Err(_) => {}
        }
        let changed = if failed {
            timeout(AGAIN, wanted.changed()).await
        } else {
            Ok(wanted.changed().await)
        };
        if matches!(changed, Ok(Err(_))) {
            return;
        }
    }
}

async fn tell(
    socket: &Path,
    told: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> zbus::Result<()> {
    let gone =
        told.keys().filter(|name| !now.contains_key(*name)).map(|name| (name.as_str(), GONE));
    let new = now.iter().filter(|(name, value)| told.get(*name) != Some(value));
    let all: Vec<(&str, &str)> =
        gone.chain(new.map(|(name, value)| (name.as_str(), value.as_str()))).collect();
    // At its first start a device has nobody, and nothing to say about it.
    if all.is_empty() || (told.is_empty() && all == [("devices.online", "0")]) {
        return Ok(());
    }
    // servicemgr's socket always takes.
    let connection = Builder::unix_stream(UnixStream::connect(socket)?).p2p().build().await?;
    let params = ParamsProxy::new(&connection).await?;
    for (name, value) in all {
        params.set(name, value).await.map_err(|e| zbus::Error::Failure(format!("{name}: {e}")))?;
    }
    Ok(())
}
