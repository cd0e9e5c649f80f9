//! stdout and stderr of services.
//!
//! servicemgr sends for each service one packet over `streams`: its name, and the kept end of its
//! pipe. It sends all of them again to each new journal, and may do so to this one: a pipe that is
//! read already is not read twice.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;
use std::time::Duration;

use sys::seqpacket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ready;
use super::shared::Shared;
use crate::record::line::{Break, Lines};
use crate::record::{Entry, Origin, line, origin};

/// Most pipes that are read: more services than any device has.
const MAX_STREAMS: usize = 4096;

/// Time after which a line that has not ended is taken as it is: a pipe does not tell that the
/// service behind it is gone.
const OPEN_LINE: Duration = Duration::from_secs(3);

/// Device and inode of the pipes that are read.
type Pipes = Rc<RefCell<HashSet<(u64, u64)>>>;

/// Takes streams until `stop` is true, then drains them.
///
/// # Errors
/// The socket cannot be waited for, or is broken.
pub(super) async fn receive(
    shared: Rc<Shared>,
    control: OwnedFd,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let control = ready::of(control, Interest::READABLE)?;
    let (pipes, mut readers) = (Pipes::default(), JoinSet::new());
    loop {
        let mut ready = tokio::select! {
            ready = control.readable() => ready?,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = readers.join_next() => continue,
        };
        let mut name = [0; origin::MAX_SERVICE];
        let (length, fds) = match seqpacket::recv_now(control.get_ref(), &mut name) {
            Ok((0, fds, _)) if fds.is_empty() => break,
            Ok((length, fds, _)) => (length, fds),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                ready.clear_ready();
                continue;
            }
            Err(e) if e.kind() == io::ErrorKind::InvalidData => continue,
            Err(e) => return Err(e),
        };
        match stream(name.get(..length).unwrap_or_default(), fds, &pipes) {
            Ok(Some(stream)) => {
                let (shared, stop, pipes) = (shared.clone(), stop.clone(), pipes.clone());
                readers.spawn_local(async move {
                    stream.read(&shared, stop).await;
                    pipes.borrow_mut().remove(&stream.pipe);
                });
            }
            Ok(None) => {}
            Err(e) => shared.with(|log, _| log.say(4, &format!("cannot read a stream: {e}"))),
        }
    }
    while readers.join_next().await.is_some() {}
    Ok(())
}

/// The output of one service.
struct Stream {
    fd: AsyncFd<File>,
    pipe: (u64, u64),
    origin: Origin,
    name: String,
    lines: RefCell<Lines>,
}

fn stream(name: &[u8], fds: Vec<OwnedFd>, pipes: &Pipes) -> io::Result<Option<Stream>> {
    let bad = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
    let Ok([fd]) = <[OwnedFd; 1]>::try_from(fds) else {
        return Err(bad("its packet does not hold one descriptor"));
    };
    let name = std::str::from_utf8(name).ok().filter(|name| origin::is_service(name));
    let name = name.ok_or_else(|| bad("its name is not that of a service"))?.to_owned();
    let file = File::from(fd);
    let found = file.metadata()?;
    let pipe = (found.dev(), found.ino());
    if pipes.borrow().contains(&pipe) {
        return Ok(None);
    }
    if pipes.borrow().len() >= MAX_STREAMS {
        return Err(bad("there are too many"));
    }
    sys::poll::set_nonblocking(&file)?;
    let fd = ready::of(file, Interest::READABLE)?;
    pipes.borrow_mut().insert(pipe);
    let unit = Some(format!("{name}.service"));
    let origin = Origin { transport: "stdout", unit, ..Origin::default() };
    Ok(Some(Stream { fd, pipe, origin, name, lines: RefCell::default() }))
}

impl Stream {
    /// Reads until the stream or the daemon ends.
    async fn read(&self, shared: &Shared, mut stop: watch::Receiver<bool>) {
        loop {
            let open = self.lines.borrow().is_open();
            let ready = tokio::select! {
                ready = self.fd.readable() => ready,
                _ = stop.wait_for(|stop| *stop) => break,
                () = tokio::time::sleep(OPEN_LINE), if open => {
                    self.finish(shared);
                    continue;
                }
            };
            let Ok(mut ready) = ready else { break };
            match self.take(shared) {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(_) => break,
            }
            tokio::task::yield_now().await;
        }
        // As many pieces as a pipe holds; who goes on writing is not waited for.
        for _ in 0..16 {
            if !self.take(shared).unwrap_or(false) {
                break;
            }
        }
        self.finish(shared);
    }

    /// Reads once. False: the stream has ended.
    fn take(&self, shared: &Shared) -> io::Result<bool> {
        let count = shared.with(|log, room| {
            let count = self.fd.get_ref().read(room)?;
            let bytes = room.get(..count).unwrap_or_default();
            self.lines.borrow_mut().push(bytes, |text, why| {
                if let Some(entry) = self.entry(text, why) {
                    log.take(&entry, &self.origin);
                }
            });
            io::Result::Ok(count)
        })?;
        shared.write();
        Ok(count > 0)
    }

    fn finish(&self, shared: &Shared) {
        shared.with(|log, _| {
            self.lines.borrow_mut().finish(|text, why| {
                if let Some(entry) = self.entry(text, why) {
                    log.take(&entry, &self.origin);
                }
            });
        });
        shared.write();
    }

    fn entry<'a>(&'a self, text: &'a [u8], why: Option<Break>) -> Option<Entry<'a>> {
        Some(line::parse(text, why)?.with("SYSLOG_IDENTIFIER", self.name.as_bytes()))
    }
}
