//! The line to PID 1. See [`api::pid1`] for who says what when.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use api::pid1::{Exit, MAX_PACKET, ToPid1, ToServicemgr};
use sys::poll::{For, poll};
use sys::seqpacket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::ready;

/// How long PID 1 may take to make room for a packet. It reads all the time: longer is a fault.
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// What PID 1 told before it said go.
#[derive(Debug, Default)]
pub(super) struct Hello {
    /// What was held for us, by name.
    pub(super) held: BTreeMap<String, OwnedFd>,
    /// The state of the servicemgr before us.
    pub(super) state: Option<OwnedFd>,
    /// Exits nobody acknowledged: sequence number, process, how.
    pub(super) exits: Vec<(u64, i32, Exit)>,
    /// 1 for the first servicemgr of this boot.
    pub(super) generation: u32,
    /// When PID 1 began, on the clock `CLOCK_BOOTTIME`.
    pub(super) began: Duration,
}

/// The line.
#[derive(Debug)]
pub(super) struct Link {
    socket: AsyncFd<OwnedFd>,
}

impl Hello {
    /// Listens until PID 1 says go. Waits.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`]: PID 1 hung up. Others as [`seqpacket::recv`].
    pub(super) fn listen(socket: &OwnedFd) -> io::Result<Self> {
        let mut hello = Self::default();
        loop {
            let (messages, mut fd) = receive(socket, false)?;
            for message in messages {
                match message {
                    ToServicemgr::Held(name) => hello.held.extend(fd.take().map(|fd| (name, fd))),
                    ToServicemgr::State => hello.state = fd.take(),
                    ToServicemgr::Exited { seq, pid, exit } => hello.exits.push((seq, pid, exit)),
                    ToServicemgr::Go { generation, began } => {
                        hello.generation = generation;
                        hello.began = Duration::from_nanos(began);
                        return Ok(hello);
                    }
                    ToServicemgr::Asked(_) | ToServicemgr::Tasks(_) => {}
                }
            }
        }
    }
}

/// The messages of one packet; none of one that we don't know.
fn receive(socket: &OwnedFd, now: bool) -> io::Result<(Vec<ToServicemgr>, Option<OwnedFd>)> {
    let mut buf = [0; MAX_PACKET];
    let got = if now { seqpacket::recv_now } else { seqpacket::recv };
    let (n, mut fds, _) = got(socket, &mut buf)?;
    if n == 0 && fds.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let messages = ToServicemgr::decode_all(buf.get(..n).unwrap_or_default());
    if messages.is_err() {
        log::error!("PID 1 sent a packet that we do not know: check that it is of this version");
    }
    Ok((messages.unwrap_or_default(), fds.pop()))
}

impl Link {
    /// From the socket on which [`Hello`] came. Needs the runtime.
    ///
    /// # Errors
    /// Those of registering a descriptor.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        sys::poll::set_nonblocking(&socket)?;
        Ok(Self { socket: ready::watch(socket, Interest::READABLE)? })
    }

    /// Waits until [`Link::next`] may have something.
    ///
    /// # Errors
    /// None known.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await?.retain_ready();
        Ok(())
    }

    /// The messages of the next packet, if there is one now.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`]: PID 1 hung up; there is no point in going on.
    pub(super) fn next(&self) -> io::Result<Option<Vec<ToServicemgr>>> {
        let got = self.socket.try_io(Interest::READABLE, |socket| receive(socket, true));
        match got {
            Ok((messages, _)) => Ok(Some(messages)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Tells PID 1 something; waits for room.
    ///
    /// # Errors
    /// PID 1 is gone, or did not read for [`SEND_LIMIT`].
    pub(super) fn send(&self, message: &ToPid1, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let packet = message.encode();
        let fds: Vec<BorrowedFd<'_>> = fd.into_iter().collect();
        let socket = self.socket.get_ref();
        loop {
            match seqpacket::send_now(socket, &packet, &fds) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let ready = poll(&[(socket.as_fd(), For::Writing)], Some(SEND_LIMIT))?;
                    if !ready.iter().any(|r| r.write || r.hangup) {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                other => return other,
            }
        }
    }
}
