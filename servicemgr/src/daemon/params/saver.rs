//! Parameters on their way to the disk, one write at a time, beside the loop: a disk may take its
//! time, and services do not wait for it.
//!
//! ```text
//! idle ──save──► writing ──done──► idle, those who wait are answered
//!                   │ save             ▲
//!                   └──► more is due ──┘ written at once after
//! ```
//!
//! Invariant: who is answered, on whose behalf something was saved, finds it after a power cut.

use std::fs::{self, File};
use std::future::pending;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use api::params::Error;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::daemon::bus::Reply;
use crate::params::PERSIST;

type Waiting = Vec<Reply<Result<(), Error>>>;

/// The one write.
#[derive(Debug)]
pub(in crate::daemon) struct Saver {
    path: PathBuf,
    writing: Option<(JoinHandle<io::Result<()>>, Waiting)>,
    /// The text that comes after it.
    due: Option<(String, Waiting)>,
}

impl Saver {
    /// Nothing to be written to this file yet.
    pub(in crate::daemon) fn new(path: PathBuf) -> Self {
        Self { path, writing: None, due: None }
    }

    /// Whether a value of this name may be on its way.
    pub(super) fn is_saving(&self, name: &str) -> bool {
        name.starts_with(PERSIST) && self.writing.is_some()
    }

    /// Writes this text in place of the last; `reply` hears when it is on disk. Needs the runtime.
    pub(in crate::daemon) fn save(
        &mut self,
        text: String,
        reply: Option<Reply<Result<(), Error>>>,
    ) {
        let mut waiting = self.due.take().map(|(_, waiting)| waiting).unwrap_or_default();
        waiting.extend(reply);
        self.due = Some((text, waiting));
        self.begin();
    }

    /// Until a write has ended. Nothing is lost when this is dropped.
    pub(in crate::daemon) async fn ended(&mut self) -> io::Result<()> {
        match &mut self.writing {
            Some((task, _)) => task.await.unwrap_or_else(|e| Err(io::Error::other(e))),
            None => pending().await,
        }
    }

    /// A write has ended like this.
    pub(in crate::daemon) fn answer(&mut self, written: &io::Result<()>) {
        if let Err(e) = written {
            log::error!("could not save parameters in {}: {e}", self.path.display());
        }
        let Some((_, waiting)) = self.writing.take() else { return };
        for reply in waiting {
            let answer = written.as_ref().copied().map_err(|e| {
                let path = self.path.display();
                Error::NotSaved(format!(
                    "it is set till reboot, but could not be saved in {path}: {e}"
                ))
            });
            let _hung_up = reply.send(answer);
        }
        self.begin();
    }

    fn begin(&mut self) {
        if self.writing.is_none()
            && let Some((text, waiting)) = self.due.take()
        {
            let path = self.path.clone();
            self.writing = Some((spawn_blocking(move || replace(&path, &text)), waiting));
        }
    }
}

/// The old text or the new one, whenever the power goes.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(directory)?.sync_all()
}
