//! Sockets and FIFOs, opened on behalf of others: UNIX sockets with a path here, the rest below.
//!
//! They block, as programs expect of what they are handed. Nothing here decides who may connect.

mod connection;
mod fifo;
mod ip;
mod vsock;

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::socket::{
    self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr, getsockopt, sockopt,
};
use nix::sys::stat::Mode;
use nix::unistd::fchownat;

pub use connection::{Peer, accept, peer};
pub use fifo::fifo;
pub use ip::ip;
pub use vsock::vsock;

/// Connections that may wait to be accepted, when nothing is said.
const BACKLOG: u32 = 128;

/// Who may use a path, and its length of queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Permission bits.
    pub mode: u32,
    /// User and group it belongs to; `None`: ours.
    pub owner: Option<(u32, u32)>,
    /// Connections that may wait to be accepted; the kernel takes no more than
    /// `net.core.somaxconn`.
    pub backlog: u32,
}

/// Type of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A byte stream, listening.
    Stream,
    /// Packets without a connection; each tells who sent it.
    Datagram,
    /// Packets with a connection, listening.
    Seqpacket,
}

/// A socket at `path` with these permission bits. Missing directories are made (0755); a socket
/// that somebody left there is replaced. It blocks, as programs expect of what they are handed.
///
/// # Errors
/// - `EEXIST`, `EADDRINUSE`: something that is not a socket is there.
/// - `ENAMETOOLONG`, `EINVAL`: the path is longer than 107 bytes.
/// - `EROFS`, `EACCES`, `ENOTDIR`: no socket can be made there.
pub fn unix(path: &Path, kind: Kind, mode: u32) -> io::Result<OwnedFd> {
    unix_for(path, kind, &Access { mode, owner: None, backlog: BACKLOG })
}

/// As [`unix`], for somebody else.
///
/// # Errors
/// As [`unix`]; `EPERM`: only root gives things away.
pub fn unix_for(path: &Path, kind: Kind, access: &Access) -> io::Result<OwnedFd> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket::socket(AddressFamily::Unix, sort(kind), flags, None)?;
    if kind == Kind::Datagram {
        socket::setsockopt(&socket, sockopt::PassCred, &true)?;
    }
    socket::bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    give(path, access)?;
    if kind != Kind::Datagram {
        listen(&socket, access.backlog)?;
    }
    Ok(socket)
}

fn sort(kind: Kind) -> SockType {
    match kind {
        Kind::Stream => SockType::Stream,
        Kind::Datagram => SockType::Datagram,
        Kind::Seqpacket => SockType::SeqPacket,
    }
}

fn listen(socket: &OwnedFd, backlog: u32) -> io::Result<()> {
    let most = i32::from(Backlog::MAXCONN);
    let backlog = i32::try_from(backlog).unwrap_or(most).min(most);
    Ok(socket::listen(socket, Backlog::new(backlog)?)?)
}

/// Sets owner and mode of the socket at `path` and of nothing else: in a directory that belongs to
/// somebody, a link to any file may have taken its place.
fn give(path: &Path, access: &Access) -> io::Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let place = fs::File::from(open(path, flags, Mode::empty())?);
    if !place.metadata()?.file_type().is_socket() {
        return Err(Errno::EADDRINUSE.into());
    }
    if let Some((user, group)) = access.owner {
        let (user, group) = (Some(user.into()), Some(group.into()));
        fchownat(&place, "", user, group, AtFlags::AT_EMPTY_PATH)?;
    }
    let this = format!("/proc/self/fd/{}", place.as_raw_fd());
    fs::set_permissions(this, Permissions::from_mode(access.mode))
}

/// User id of the process at the other end, as it was when it connected.
///
/// # Errors
/// None known for a connected UNIX socket.
pub fn peer_uid(fd: impl AsFd) -> io::Result<u32> {
    let fd: BorrowedFd<'_> = fd.as_fd();
    Ok(getsockopt(&fd, sockopt::PeerCredentials)?.uid())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    #[test]
    fn a_socket_replaces_one_that_was_left_but_not_a_file() {
        let directory = std::env::temp_dir().join(format!("bind-{}", std::process::id()));
        let path = directory.join("deep/socket");
        drop(unix(&path, Kind::Stream, 0o600).unwrap());
        let _open = unix(&path, Kind::Stream, 0o666).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        let client = UnixStream::connect(&path).unwrap();
        assert_eq!(peer_uid(&client).unwrap(), crate::process::user());
        let datagram = directory.join("datagram");
        let _open = unix(&datagram, Kind::Datagram, 0o666).unwrap();
        UnixDatagram::unbound().unwrap().send_to(b"x", &datagram).unwrap();
        let file = directory.join("file");
        fs::write(&file, "kept").unwrap();
        assert!(unix(&file, Kind::Seqpacket, 0o600).is_err());
        let link = directory.join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let before = fs::metadata(&file).unwrap().permissions();
        let access = Access { mode: 0o777, owner: None, backlog: 1 };
        assert!(give(&link, &access).is_err());
        assert_eq!(fs::metadata(&file).unwrap().permissions(), before);
        fs::remove_dir_all(&directory).unwrap();
    }
}
