//! The native socket and `/dev/log`.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use sys::seqpacket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::log::Protocol;
use super::ready;
use super::shared::Shared;
use crate::record::Origin;
use crate::record::native::{MAX_DATAGRAM, Refused};

/// Most datagrams that are taken before they are written and other inputs get their turn.
const BATCH: usize = 256;

/// Takes datagrams for ever.
///
/// # Errors
/// The socket cannot be waited for, or is broken.
pub(super) async fn receive(shared: Rc<Shared>, socket: Rc<Socket>) -> io::Result<()> {
    loop {
        let mut ready = socket.fd.readable().await?;
        if !socket.take(&shared)? {
            ready.clear_ready();
        }
        tokio::task::yield_now().await;
    }
}

/// A datagram socket.
#[derive(Debug)]
pub(super) struct Socket {
    fd: AsyncFd<OwnedFd>,
    protocol: Protocol,
    room: std::cell::RefCell<Vec<u8>>,
}

impl Socket {
    /// Around a socket that was handed over. Senders are known from now on.
    ///
    /// # Errors
    /// It is not a socket, or cannot be waited for.
    pub(super) fn new(fd: OwnedFd, protocol: Protocol) -> io::Result<Rc<Self>> {
        seqpacket::ask_credentials(&fd)?;
        let fd = ready::of(fd, Interest::READABLE)?;
        // Zeroed pages that no datagram was long enough to touch take no memory.
        Ok(Rc::new(Self { fd, protocol, room: vec![0; MAX_DATAGRAM].into() }))
    }

    /// Takes what is there, a batch at most. True: there may be more.
    ///
    /// # Errors
    /// The socket is broken.
    pub(super) fn take(&self, shared: &Shared) -> io::Result<bool> {
        let mut room = self.room.borrow_mut();
        let mut more = Ok(true);
        for _ in 0..BATCH {
            match seqpacket::recv_now(self.fd.get_ref(), &mut room) {
                Ok((length, fds, sender)) => {
                    let payload = room.get(..length).unwrap_or_default();
                    shared.with(|log, _| log.datagram(self.protocol, payload, fds, sender));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    more = Ok(false);
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                    shared.with(|log, _| log.refuse(Refused::Long, &Origin::default()));
                }
                Err(e) => {
                    more = Err(e);
                    break;
                }
            }
        }
        shared.write();
        more
    }
}
