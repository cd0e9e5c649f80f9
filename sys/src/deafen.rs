//! Sockets that hear nothing more, whoever in this process holds them.
//!
//! A library that reads its socket until nothing is left never comes back from a flood: it can't even be told to end. What
//! arrives is dropped by the kernel instead; the library reads what is left, and obeys again.

#![expect(unsafe_code, reason = "looks at descriptors of others; a filter is not in `nix`")]

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{SockType, SockaddrStorage, getsockname, getsockopt, sockopt};

/// Descriptors that are looked at: services here have at most as many.
const MAX_DESCRIPTORS: RawFd = 1024;

/// Makes every UDP socket of this process that is bound to `port` drop what arrives from now on; how many there are. Sending
/// goes on, and so does reading what has arrived. It can't be undone for a socket; new ones hear.
///
/// # Errors
/// `ENOMEM`: the kernel has no room for a filter. The socket goes on as before.
pub fn deafen(port: u16) -> io::Result<usize> {
    let mut deaf = 0;
    for fd in 0..MAX_DESCRIPTORS {
        if bound(fd) == Some(port) {
            match drop_all(fd) {
                // Closed meanwhile, by its owner.
                Ok(()) | Err(Errno::EBADF | Errno::ENOTSOCK) => deaf += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(deaf)
}

/// The port of a UDP socket.
fn bound(fd: RawFd) -> Option<u16> {
    let address: SockaddrStorage = getsockname(fd).ok()?;
    let v4 = address.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::port);
    let port = v4.or_else(|| address.as_sockaddr_in6().map(nix::sys::socket::SockaddrIn6::port))?;
    // SAFETY: only asked, within this call; a descriptor that was closed meanwhile is an error.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    (getsockopt(&socket, sockopt::SockType) == Ok(SockType::Datagram)).then_some(port)
}

fn drop_all(fd: RawFd) -> Result<(), Errno> {
    let code = u16::try_from(libc::BPF_RET | libc::BPF_K).map_err(|_| Errno::EINVAL)?;
    // "return 0": no byte of the packet is kept.
    let mut filter = [libc::sock_filter { code, jt: 0, jf: 0, k: 0 }];
    let program = libc::sock_fprog { len: 1, filter: filter.as_mut_ptr() };
    let size = libc::socklen_t::try_from(size_of_val(&program)).map_err(|_| Errno::EINVAL)?;
    // SAFETY: `program` and `filter` outlive the call, which copies them.
    let result = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_deafened_socket_reads_what_it_has_and_hears_nothing_more_while_others_do() {
        let (deaf, other) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        for socket in [&deaf, &other] {
            socket.set_nonblocking(true).unwrap();
        }
        let (to, also) = (deaf.local_addr().unwrap(), other.local_addr().unwrap());
        other.send_to(b"before", to).unwrap();
        assert_eq!(deafen(to.port()).unwrap(), 1);
        other.send_to(b"after", to).unwrap();
        deaf.send_to(b"sent", also).unwrap();

        let mut word = [0; 8];
        assert_eq!(deaf.recv(&mut word).unwrap(), 6);
        assert_eq!(deaf.recv(&mut word).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(other.recv(&mut word).unwrap(), 4);
    }

    #[test]
    fn a_port_that_nobody_has_deafens_nobody() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(deafen(free).unwrap(), 0);
    }
}
