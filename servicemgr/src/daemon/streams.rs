//! The output of services on its way to the journal.
//!
//! ```text
//! service ──stdout, stderr──► pipe (held at PID 1) ──name + descriptor──► journal
//!                                                   ──name──► it has ended: nobody will write any more
//! ```
//!
//! Each service has one pipe for good, so nothing is lost while the journal restarts. When there
//! will be no journal any more, the pipes are emptied here so that nobody blocks on a full one.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use sys::pipe::{self, Blank};
use sys::seqpacket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use super::launcher::Socket;
use super::ready;

/// Pipes that are made at once while a boot makes many: what they have in the kernel is side by side then,
/// and not alone in pages whose other things were given back. More would make the table of
/// descriptors long, of which every start takes a copy.
const AT_ONCE: usize = 16;

/// All pipes, and the line to the journal.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pipes: BTreeMap<String, OwnedFd>,
    journal: Option<AsyncFd<OwnedFd>>,
    unsent: VecDeque<Unsent>,
    drains: Vec<JoinHandle<()>>,
    draining: bool,
    /// Pipes for services that start soon.
    blank: Vec<Blank>,
    /// How many more will start, at most.
    expected: usize,
}

/// What the journal is to hear of the pipe of a service.
#[derive(Debug, PartialEq, Eq)]
enum Unsent {
    Pipe(String),
    End(String),
}

impl Streams {
    /// Takes a pipe over that was held, or a new one.
    pub(super) fn insert(&mut self, name: &str, kept: OwnedFd) {
        let kept = sys::above::lifted(kept);
        if self.draining {
            self.drains.extend(drain(&kept));
        }
        self.pipes.insert(name.to_owned(), kept);
        self.unsent.push_back(Unsent::Pipe(name.to_owned()));
    }

    /// So many services may come soon that have no pipe yet.
    pub(super) fn expect(&mut self, services: usize) {
        self.expected = services;
        if services == 0 {
            self.blank = Vec::new();
        }
    }

    /// A new pipe: the end for [`Streams::insert`], and a first end to write.
    ///
    /// # Errors
    /// As [`pipe::lasting`].
    pub(super) fn make(&mut self, uid: u32) -> io::Result<(OwnedFd, OwnedFd)> {
        if self.blank.is_empty() {
            let count = self.expected.min(AT_ONCE);
            self.blank = (0..count).map_while(|_| Blank::new().ok()).collect();
        }
        self.expected = self.expected.saturating_sub(1);
        match self.blank.pop() {
            Some(blank) => blank.lasting(uid),
            None => pipe::lasting(uid),
        }
    }

    /// The pipe of a service.
    #[must_use]
    pub(super) fn pipe(&self, name: &str) -> Option<&OwnedFd> {
        self.pipes.get(name)
    }

    /// Forgets the pipe of a service that is no more. Whether there was one. What was written to it
    /// and not sent yet is sent first.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.flush();
        let there = self.pipes.remove(name).is_some();
        self.unsent.retain(|unsent| !matches!(unsent, Unsent::Pipe(pipe) if pipe == name));
        if there && self.journal.is_some() {
            self.unsent.push_back(Unsent::End(name.to_owned()));
            self.flush();
        }
        there
    }

    /// A journal begins, or one is running already (`again` is false): its end of the line is with
    /// it, this is ours. Needs the runtime.
    ///
    /// # Errors
    /// Those of registering a descriptor.
    pub(super) fn connect(&mut self, ours: OwnedFd, again: bool) -> io::Result<()> {
        sys::poll::set_nonblocking(&ours)?;
        self.journal = Some(ready::watch(ours, Interest::WRITABLE)?);
        if again {
            self.unsent = self.pipes.keys().cloned().map(Unsent::Pipe).collect();
        }
        self.draining = false;
        for task in self.drains.drain(..) {
            task.abort();
        }
        self.flush();
        Ok(())
    }

    /// No journal will read any more: what is written, also to `sockets`, goes nowhere.
    pub(super) fn give_up(&mut self, sockets: &[Socket]) {
        if !self.draining {
            self.draining = true;
            self.journal = None;
            self.drains = self.pipes.values().filter_map(drain).collect();
            self.drains.extend(sockets.iter().filter_map(|(_, socket)| refuse(socket)));
        }
    }

    /// Sends what the journal does not have yet, as far as there is room.
    pub(super) fn flush(&mut self) {
        let Some(journal) = &self.journal else { return };
        while let Some(unsent) = self.unsent.front() {
            let (name, pipe) = match unsent {
                Unsent::Pipe(name) => (name, self.pipes.get(name)),
                Unsent::End(name) => (name, None),
            };
            let pipe: Vec<_> = pipe.map(AsFd::as_fd).into_iter().collect();
            let sent = journal.try_io(Interest::WRITABLE, |line| {
                seqpacket::send_now(line, name.as_bytes(), &pipe)
            });
            match sent {
                Ok(()) => {
                    self.unsent.pop_front();
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // The journal is dying; its successor gets all of them.
                Err(_) => {
                    self.journal = None;
                    return;
                }
            }
        }
    }

    /// Waits until [`Streams::flush`] can go on; for ever if it has nothing to do.
    pub(super) async fn writable(&self) {
        if let (Some(journal), false) = (&self.journal, self.unsent.is_empty())
            && let Ok(mut guard) = journal.writable().await
        {
            guard.retain_ready();
            return;
        }
        pending::<()>().await;
    }
}

/// Empties a pipe for as long as the task lives.
fn drain(kept: &OwnedFd) -> Option<JoinHandle<()>> {
    let pipe = ready::watch(kept.try_clone().ok()?, Interest::READABLE).ok()?;
    Some(tokio::spawn(async move {
        while let Ok(mut guard) = pipe.readable().await {
            match pipe::drain(&pipe) {
                Ok(true) => {}
                Ok(false) => guard.clear_ready(),
                Err(_) => return,
            }
            // Others have their turn, however fast somebody writes.
            tokio::task::yield_now().await;
        }
    }))
}

/// Takes the datagrams of a socket away for as long as the task lives: their senders would wait for
/// ever when 512 are there. One that listens hangs up on whoever connects, who would wait as well.
fn refuse(socket: &OwnedFd) -> Option<JoinHandle<()>> {
    // The journal that comes after wants it so as well.
    sys::poll::set_nonblocking(socket).ok()?;
    let socket = ready::watch(socket.try_clone().ok()?, Interest::READABLE).ok()?;
    Some(tokio::spawn(async move {
        while let Ok(mut guard) = socket.readable().await {
            match taken(&socket) {
                Ok(()) => {}
                // Longer than the byte that we have for it: it is gone all the same.
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(_) => return,
            }
            // Others have their turn, however fast somebody writes.
            tokio::task::yield_now().await;
        }
    }))
}

/// Takes one datagram, or one connection, and forgets it.
fn taken(socket: &AsyncFd<OwnedFd>) -> io::Result<()> {
    match seqpacket::recv_now(socket, &mut [0; 1]) {
        Err(e) if !matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::WouldBlock) => {
            match sys::bind::accept(socket)? {
                Some(_) => Ok(()),
                None => Err(io::ErrorKind::WouldBlock.into()),
            }
        }
        received => received.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_asks_a_journal_that_will_not_come_is_hung_up_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bus");
        let socket = OwnedFd::from(UnixListener::bind(&path).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let task = refuse(&socket).unwrap();
            let asked = tokio::task::spawn_blocking(move || {
                (0..2)
                    .map(move |_| {
                        let mut client = UnixStream::connect(&path)?;
                        client.set_read_timeout(Some(Duration::from_secs(20)))?;
                        client.read(&mut [0])
                    })
                    .collect::<io::Result<Vec<_>>>()
            });
            assert_eq!(asked.await.unwrap().unwrap(), [0, 0]);
            assert!(!task.is_finished(), "and so is the next");
            task.abort();
        });
    }

    #[test]
    fn pipes_are_made_together_while_many_are_expected_and_one_by_one_after() {
        let mut streams = Streams::default();
        assert!(streams.make(0).is_ok() && streams.blank.is_empty());
        streams.expect(AT_ONCE + 2);
        assert!(streams.make(0).is_ok());
        assert_eq!(streams.blank.len(), AT_ONCE - 1);
        for _ in 1..AT_ONCE {
            assert!(streams.make(0).is_ok());
        }
        assert!(streams.make(0).is_ok());
        assert_eq!(streams.blank.len(), 1, "no more than are expected");
        streams.expect(0);
        assert!(streams.blank.is_empty(), "the boot is over");
    }
}
