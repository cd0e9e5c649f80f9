//! That the device has come to a network, or left one.
//!
//! Whoever brings a device to a network writes down who knows names there: when that is written, routes have changed. ability-manager has a
//! network of its own, in which the kernel tells nothing of the device's. Nothing waits here while no work needs a network.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use sys::inotify::{Change, Inotify, What};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What is written then.
const NAMES: &str = "/run/resolv.conf";

/// Waits until it may have changed.
///
/// # Errors
/// Nobody may watch it: the device is looked at now and then all the same.
pub(super) async fn change() -> io::Result<()> {
    changed(Path::new(NAMES)).await
}

/// Watches its directory: the file may come later, or be put in place of another one.
async fn changed(path: &Path) -> io::Result<()> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let inotify = Inotify::open()?;
    inotify.watch(above)?;
    let ready = watched(inotify.as_fd().try_clone_to_owned()?)?;
    loop {
        ready.readable().await?.clear_ready();
        let changes = inotify.next()?;
        let any =
            |change: &Change| change.what == What::Overflow || change.name.as_deref() == Some(name);
        if changes.iter().any(any) {
            return Ok(());
        }
    }
}

#[expect(deprecated, reason = "the new name is unsafe, for types that do not own what they name")]
fn watched(inotify: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(inotify, Interest::READABLE)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_that_comes_or_is_written_anew_is_noticed_and_others_are_not() {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("resolv.conf");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            assert!(changed(&path.join("nowhere")).await.is_err());
            let brief = Duration::from_millis(20);
            for text in ["", "nameserver 10.0.2.3"] {
                let wrote = async {
                    fs::write(at.path().join("other"), "").unwrap();
                    tokio::time::sleep(brief).await;
                    fs::write(&path, text).unwrap();
                };
                let ((noticed, other), ()) = tokio::join!(
                    async { (changed(&path).await, at.path().join("other").exists()) },
                    wrote
                );
                noticed.unwrap();
                assert!(other && path.exists());
            }
        });
    }
}
