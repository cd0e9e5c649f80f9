//! The kernel's own log, `/dev/kmsg`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::ready;
use super::shared::Shared;
use crate::record::{Origin, kmsg};

/// Most records that are taken before they are written and other inputs get their turn.
const BATCH: usize = 256;

/// The kernel's log.
#[derive(Debug)]
pub(super) struct Kernel {
    fd: AsyncFd<File>,
    /// Where the number of the next record is kept while the device runs, so that a new journal does
    /// not take all records again.
    memory: PathBuf,
    next: std::cell::Cell<u64>,
}

impl Kernel {
    /// Opens it.
    ///
    /// # Errors
    /// `ENOENT`, `EPERM`, `EACCES`: there is none for us, as in most containers.
    pub(super) fn open(path: &Path, memory: PathBuf) -> io::Result<Rc<Self>> {
        let file = File::open(path)?;
        sys::poll::set_nonblocking(&file)?;
        let fd = ready::of(file, Interest::READABLE)?;
        let next = fs::read_to_string(&memory).ok().and_then(|text| text.trim().parse().ok());
        Ok(Rc::new(Self { fd, memory, next: next.unwrap_or(0).into() }))
    }

    /// Takes records for ever.
    ///
    /// # Errors
    /// It cannot be read any more.
    pub(super) async fn receive(self: Rc<Self>, shared: Rc<Shared>) -> io::Result<()> {
        let mut first = true;
        loop {
            let mut ready = self.fd.readable().await?;
            if !self.take(&shared)? {
                ready.clear_ready();
                // All that the kernel said while it booted: that much does not come again soon.
                if std::mem::take(&mut first) {
                    sys::memory::give_back();
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes what is there, a batch at most. True: there may be more.
    ///
    /// # Errors
    /// It cannot be read any more.
    pub(super) fn take(&self, shared: &Shared) -> io::Result<bool> {
        let before = self.next.get();
        let mut more = true;
        for _ in 0..BATCH {
            let read = shared.with(|log, room| {
                let count = self.fd.get_ref().read(room)?;
                let record = room.get(..count).unwrap_or_default();
                if let Some((sequence, entry)) = kmsg::parse(record)
                    && sequence >= self.next.get()
                {
                    self.next.set(sequence + 1);
                    log.take(&entry, &Origin { transport: "kernel", ..Origin::default() });
                }
                io::Result::Ok(count)
            });
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    more = false;
                    break;
                }
                // The kernel wrote over records that nobody had read.
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                    shared.with(|log, _| log.say(4, "the kernel's log ran over, records are lost"));
                }
                Err(e) => return Err(e),
            }
        }
        shared.write();
        if self.next.get() != before {
            // Without it a new journal takes the records once more; nothing is lost.
            let _ = fs::write(&self.memory, self.next.get().to_string());
        }
        Ok(more)
    }
}
