//! The line between a virtual machine and its host.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, VsockAddr};

use super::{Kind, listen, sort};

/// A stream socket at `port`, for peers that call context id `cid` (`u32::MAX`: any of ours).
///
/// # Errors
/// - `EAFNOSUPPORT`: this kernel has no vsock: load `vsock` and its transport.
/// - `EADDRINUSE`, `EADDRNOTAVAIL` (no such `cid` here), `EACCES` (ports under 1024 are root's).
/// - `EPROTONOSUPPORT`: no transport has datagrams.
pub fn vsock(cid: u32, port: u32, kind: Kind, backlog: u32) -> io::Result<OwnedFd> {
    if kind == Kind::Datagram {
        return Err(Errno::EPROTONOSUPPORT.into());
    }
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket::socket(AddressFamily::Vsock, sort(kind), flags, None)?;
    socket::bind(socket.as_raw_fd(), &VsockAddr::new(cid, port))?;
    listen(&socket, backlog)?;
    Ok(socket)
}
