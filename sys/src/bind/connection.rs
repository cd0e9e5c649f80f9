//! Connections: taking one, and who is at the other end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockaddrLike, SockaddrStorage};

/// Takes a connection that waits at `listener`; it blocks, as programs expect. `None`: there is
/// none, and `listener` does not block.
///
/// # Errors
/// `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`: no room for now; it goes on waiting. `EINVAL`,
/// `EOPNOTSUPP`: not listening.
#[expect(unsafe_code, reason = "nix gives the new descriptor as a number")]
pub fn accept(listener: impl AsFd) -> io::Result<Option<OwnedFd>> {
    loop {
        match socket::accept4(listener.as_fd().as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            // SAFETY: the kernel just made it for us, and nobody else knows it.
            Ok(fd) => return Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) })),
            Err(Errno::EAGAIN) => return Ok(None),
            // Errors of a connection that went away before it was taken (accept(2)).
            Err(
                Errno::EINTR
                | Errno::ECONNABORTED
                | Errno::ENETDOWN
                | Errno::EPROTO
                | Errno::EHOSTDOWN
                | Errno::EHOSTUNREACH
                | Errno::ENETUNREACH,
            ) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// An address on the network; an IPv4 one as such, also on an IPv6 socket.
    Ip(SocketAddr),
    /// The host of this virtual machine, or another machine on it.
    Vsock {
        /// Context id.
        cid: u32,
        /// Port.
        port: u32,
    },
    /// A process of this device.
    Local,
}

/// Who is at the other end of the connection `fd`.
///
/// # Errors
/// `ENOTCONN`: it has hung up already.
pub fn peer(fd: impl AsFd) -> io::Result<Peer> {
    let name: SockaddrStorage = socket::getpeername(fd.as_fd().as_raw_fd())?;
    if let Some(v4) = name.as_sockaddr_in() {
        return Ok(Peer::Ip(SocketAddr::new(IpAddr::V4(v4.ip()), v4.port())));
    }
    if let Some(v6) = name.as_sockaddr_in6() {
        return Ok(Peer::Ip(SocketAddr::new(v6.ip().to_canonical(), v6.port())));
    }
    match (name.family(), name.as_vsock_addr()) {
        (Some(AddressFamily::Vsock), Some(v)) => Ok(Peer::Vsock { cid: v.cid(), port: v.port() }),
        _ => Ok(Peer::Local),
    }
}
