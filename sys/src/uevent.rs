//! The kernel's messages about devices that come and go.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, socket,
};

/// Longest message of the kernel (`UEVENT_BUFFER_SIZE` and the path before it), in bytes.
const MAX_MESSAGE: usize = 8192;

/// A socket on which the kernel tells; udev's own messages do not come here.
#[derive(Debug)]
pub struct Uevents(OwnedFd);

impl Uevents {
    /// Listens from now on: open this first, then look at `/sys`, and nothing is missed.
    ///
    /// # Errors
    /// `EPERM`, `EPROTONOSUPPORT`: not allowed here.
    pub fn open() -> io::Result<Self> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        let kernel = 1;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, kernel))?;
        Ok(Self(fd))
    }

    /// Goes on with one of ours that somebody held for us.
    #[must_use]
    pub fn held(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// The next message as `KEY=value` lines, or none for now.
    ///
    /// # Errors
    /// `ENOBUFS`: messages were lost; look at `/sys` again.
    pub fn next(&self) -> io::Result<Option<Vec<String>>> {
        let mut buf = vec![0; MAX_MESSAGE];
        loop {
            match recvfrom::<NetlinkAddr>(self.0.as_raw_fd(), &mut buf) {
                // Only the kernel has port 0; anyone else may have sent the rest.
                Ok((n, Some(from))) if from.pid() == 0 => {
                    let message = buf.get(..n).unwrap_or_default();
                    let lines = message.split(|b| *b == 0).filter(|line| line.contains(&b'='));
                    return Ok(Some(
                        lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect(),
                    ));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl From<Uevents> for OwnedFd {
    fn from(uevents: Uevents) -> Self {
        uevents.0
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
