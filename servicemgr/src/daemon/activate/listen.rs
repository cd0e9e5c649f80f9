//! Opens the sockets and FIFOs of a service, on its behalf.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;

use model::service::{Address, Socket, SocketKind};
use sys::bind::{self, Access, Kind};
use sys::passwd::Users;

/// Opens one. `etc` is where `passwd` lies.
///
/// # Errors
/// What we tried, why not, and what to do.
pub(in crate::daemon) fn listen(socket: &Socket, etc: &Path) -> Result<OwnedFd, String> {
    let place = place(&socket.address);
    let owner = match &socket.user {
        None => None,
        Some(name) => Some(owner(name, etc).map_err(|why| format!("socket {place}: {why}"))?),
    };
    let access = Access { mode: socket.mode, owner, backlog: socket.backlog };
    open(socket, &access).map_err(|e| format!("socket {place}: {e}{}", advice(&e)))
}

fn open(socket: &Socket, access: &Access) -> io::Result<OwnedFd> {
    let kind = match socket.kind {
        SocketKind::Stream => Some(Kind::Stream),
        SocketKind::Datagram => Some(Kind::Datagram),
        SocketKind::Seqpacket => Some(Kind::Seqpacket),
        SocketKind::Fifo => None,
    };
    match (&socket.address, kind) {
        (Address::Path(path), None) => bind::fifo(Path::new(path), access),
        (Address::Path(path), Some(kind)) => bind::unix_for(Path::new(path), kind, access),
        (Address::Ip(address), Some(kind)) => bind::ip(*address, kind, access.backlog),
        (Address::Vsock { cid, port }, Some(kind)) => {
            bind::vsock(*cid, *port, kind, access.backlog)
        }
        (Address::Ip(_) | Address::Vsock { .. }, None) => {
            Err(io::Error::new(ErrorKind::InvalidInput, "a FIFO has a path"))
        }
    }
}

fn owner(name: &str, etc: &Path) -> Result<(u32, u32), String> {
    let users = Users::read(etc).map_err(|e| format!("/etc/passwd: {e}"))?;
    let user = users.find(name);
    let user =
        user.ok_or_else(|| format!("user {name}: not in /etc/passwd: add it to [[user]]"))?;
    Ok((user.uid, user.gid))
}

/// Where it listens, for people.
fn place(address: &Address) -> String {
    match address {
        Address::Path(path) => path.clone(),
        Address::Ip(address) => address.to_string(),
        Address::Vsock { cid: u32::MAX, port } => format!("vsock:{port}"),
        Address::Vsock { cid, port } => format!("vsock:{cid}:{port}"),
    }
}

fn advice(e: &io::Error) -> &'static str {
    match e.kind() {
        ErrorKind::AddrInUse => ": something else listens there: stop it, or choose another",
        ErrorKind::AlreadyExists => ": something else is there: remove it, or choose another path",
        ErrorKind::ReadOnlyFilesystem => ": choose a path below /run or /var",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Name;

    #[test]
    fn an_error_is_a_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("there");
        std::fs::write(&path, "kept").unwrap();
        let mut socket = Socket {
            name: Name::try_from("x").unwrap(),
            address: Address::Path(path.display().to_string()),
            kind: SocketKind::Fifo,
            mode: 0o600,
            user: None,
            backlog: 1,
            accept: false,
        };
        let error = |socket: &Socket| {
            let why = listen(socket, directory.path()).unwrap_err();
            why.replace(&directory.path().display().to_string(), "DIR")
        };
        assert_eq!(
            error(&socket),
            "socket DIR/there: EEXIST: File exists: something else is there: remove it, or choose \
             another path"
                .replace("EEXIST: File exists", "File exists (os error 17)")
        );
        socket.user = Some("web".into());
        assert_eq!(
            error(&socket),
            "socket DIR/there: /etc/passwd: No such file or directory (os error 2)"
        );
        std::fs::write(directory.path().join("passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
        assert_eq!(
            error(&socket),
            "socket DIR/there: user web: not in /etc/passwd: add it to [[user]]"
        );
    }
}
