//! One connection to dbus-broker, without a library: what is taken from it is whole.
//!
//! ```text
//! peek ─► line or message ─► it is acted on ─► done: it is taken from the socket, in one call
//! ```
//!
//! Invariant: between two system calls the socket stands between two messages, also when we are
//! killed. So the controller's line, which PID 1 holds, can be gone on with by the next servicemgr,
//! and what was not acted on comes to it again. A message is sent in one call, too: up to
//! [`MAX_SENT`] bytes the kernel takes all of it or nothing.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use sys::seqpacket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::message::{self, Cut, Heard, MAX_MESSAGE, Packet};
use crate::daemon::ready;

/// Longest message that is sent, in bytes: what a UNIX socket takes as one piece, with room to spare.
pub(super) const MAX_SENT: usize = 32 << 10;

/// Packets that may wait for room. The bus reads all the time; more is a fault of it.
const MAX_UNSENT: usize = 8192;

/// Bytes that are looked at first: most messages are shorter.
const GLANCE: usize = 1024;

/// What the other side said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A line of its greeting, without its end.
    Line(String),
    /// A message.
    Message(Heard),
    /// A message that is no good: too long, or not of a form that we know.
    Odd,
}

/// One end of a line.
#[derive(Debug)]
pub(super) struct Line {
    socket: AsyncFd<OwnedFd>,
    unsent: VecDeque<Packet>,
    /// Length of what was heard last and is not taken yet.
    heard: usize,
    /// Bytes of it that are still to come, of a message too long to wait for.
    left: usize,
}

impl Line {
    /// Our end of a line. Needs the runtime.
    ///
    /// # Errors
    /// Those of registering a descriptor.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        sys::poll::set_nonblocking(&socket)?;
        let socket = ready::watch(socket, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { socket, unsent: VecDeque::new(), heard: 0, left: 0 })
    }

    /// Waits until [`Line::next`] or [`Line::flush`] may have something to do.
    pub(super) async fn ready(&self) {
        let reads = async {
            match self.socket.readable().await {
                Ok(mut guard) => guard.retain_ready(),
                Err(_) => pending().await,
            }
        };
        let writes = async {
            match self.socket.writable().await {
                Ok(mut guard) if !self.unsent.is_empty() => guard.retain_ready(),
                _ => pending().await,
            }
        };
        tokio::select! { () = reads => {} () = writes => {} }
    }

    /// Sends a packet, after those that wait.
    ///
    /// # Errors
    /// The other side is gone or does not read, or the packet is too long: nothing can be said any
    /// more.
    pub(super) fn send(&mut self, packet: Packet) -> io::Result<()> {
        if packet.bytes.len() > MAX_SENT || self.unsent.len() >= MAX_UNSENT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.unsent.push_back(packet);
        self.flush()
    }

    /// Sends what waits, as far as there is room.
    ///
    /// # Errors
    /// As [`Line::send`].
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while let Some(packet) = self.unsent.front() {
            let fds: Vec<_> = packet.fd.iter().map(AsFd::as_fd).collect();
            let sent = self.socket.try_io(Interest::WRITABLE, |socket| {
                seqpacket::send_now(socket, &packet.bytes, &fds)
            });
            match sent {
                Ok(()) => drop(self.unsent.pop_front()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// What came, if all of it is here. It stays until [`Line::done`].
    ///
    /// # Errors
    /// The other side is gone, or speaks something else.
    pub(super) fn next(&mut self) -> io::Result<Option<Item>> {
        let left = &mut self.left;
        let got = self.socket.try_io(Interest::READABLE, |socket| {
            skip(socket, left)?;
            peek(socket)
        });
        match got {
            Ok((item, length)) => {
                self.heard = length;
                Ok(Some(item))
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Takes away what [`Line::next`] gave.
    ///
    /// # Errors
    /// As [`seqpacket::recv`].
    pub(super) fn done(&mut self) -> io::Result<()> {
        self.left = std::mem::take(&mut self.heard);
        match skip(self.socket.get_ref(), &mut self.left) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            other => other,
        }
    }
}

/// Takes `left` bytes away, in one call if they are no more than [`MAX_MESSAGE`] and all there.
fn skip(socket: &OwnedFd, left: &mut usize) -> io::Result<()> {
    let mut buf = vec![0; (*left).min(MAX_MESSAGE)];
    while *left > 0 {
        let room = buf.get_mut(..(*left).min(MAX_MESSAGE)).unwrap_or_default();
        let (count, ..) = seqpacket::recv_now(socket, room)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left = left.saturating_sub(count);
    }
    Ok(())
}

/// Looks at what came. `WouldBlock` when it is not all there yet.
fn peek(socket: &OwnedFd) -> io::Result<(Item, usize)> {
    let mut buf = vec![0; GLANCE];
    loop {
        let (count, ..) = seqpacket::peek_now(socket, &mut buf)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = buf.get(..count).unwrap_or_default();
        let cut = message::cut(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        match cut {
            Cut::Line(length) => {
                let line = bytes.get(..length).unwrap_or_default();
                let line = String::from_utf8_lossy(line).trim_end().to_owned();
                return Ok((Item::Line(line), length));
            }
            Cut::Message(length) => {
                let heard = Heard::read(bytes.get(..length).unwrap_or_default());
                return Ok((heard.map_or(Item::Odd, Item::Message), length));
            }
            Cut::More(length) if length > MAX_MESSAGE => return Ok((Item::Odd, length)),
            Cut::More(length) if length > buf.len() => buf.resize(length, 0),
            Cut::More(_) => return Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}
