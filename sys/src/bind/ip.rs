//! TCP and UDP, on IPv4 and IPv6.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockaddrStorage, setsockopt, sockopt};

use super::{Kind, listen, sort};

/// A TCP ([`Kind::Stream`]) or UDP ([`Kind::Datagram`]) socket at `address`.
///
/// - `SO_REUSEADDR`: connections of its predecessor that linger are not in its way.
/// - `IP_FREEBIND`: the address may come later, for sockets are open before the network is up.
/// - `[::]` takes IPv4 too (`IPV6_V6ONLY` off), whatever `net.ipv6.bindv6only` says.
///
/// # Errors
/// - `EADDRINUSE`: somebody listens there already.
/// - `EACCES`: a port that only root may use, and we are not root.
/// - `EAFNOSUPPORT`: this kernel has no IPv6.
/// - `EPROTONOSUPPORT`: [`Kind::Seqpacket`] is not for IP.
pub fn ip(address: SocketAddr, kind: Kind, backlog: u32) -> io::Result<OwnedFd> {
    if kind == Kind::Seqpacket {
        return Err(Errno::EPROTONOSUPPORT.into());
    }
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let socket = socket::socket(family, sort(kind), SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    setsockopt(&socket, sockopt::IpFreebind, &true)?;
    if address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
    }
    socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    if kind == Kind::Stream {
        listen(&socket, backlog)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::super::{Peer, accept, peer};
    use super::*;

    fn free(address: &str) -> SocketAddr {
        TcpListener::bind(address).unwrap().local_addr().unwrap()
    }

    #[test]
    fn a_tcp_socket_takes_connections_and_knows_who_calls() {
        let address = free("127.0.0.1:0");
        let listener = ip(address, Kind::Stream, 5).unwrap();
        crate::poll::set_nonblocking(&listener).unwrap();
        assert!(accept(&listener).unwrap().is_none());
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"x").unwrap();
        let mut taken = TcpStream::from(accept(&listener).unwrap().unwrap());
        taken.read_exact(&mut [0]).unwrap();
        assert_eq!(peer(&taken).unwrap(), Peer::Ip(client.local_addr().unwrap()));
        // The port is free for its successor at once.
        drop((taken, listener, client));
        drop(ip(address, Kind::Stream, 5).unwrap());
    }

    #[test]
    fn a_udp_socket_takes_packets() {
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let socket = UdpSocket::from(ip(address, Kind::Datagram, 0).unwrap());
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"hi", address).unwrap();
        assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 2);
    }

    #[test]
    fn an_address_that_is_not_there_yet_will_do_and_a_taken_port_will_not() {
        drop(ip("192.0.2.7:7000".parse().unwrap(), Kind::Stream, 5).unwrap());
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = ip(taken.local_addr().unwrap(), Kind::Stream, 5).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
