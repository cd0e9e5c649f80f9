//! Packets with descriptors between two processes: `SOCK_SEQPACKET` pairs, and datagrams alike.
//!
//! Invariant: every descriptor that arrives is close-on-exec and owned by what is returned, also
//! when the packet is refused; so a hostile sender cannot leak descriptors into us or our children,
//! nor make us wait when we close them.
//! Nothing here looks into a packet.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    self, AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sockopt,
};
use nix::unistd::{Gid, Pid, Uid};

/// Most descriptors that may come along with one packet; more make [`recv`] refuse it.
pub const MAX_FDS: usize = 16;

/// Who sent a packet, as the kernel saw it. Needs [`ask_credentials`] on the receiving socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Process id in our pid namespace; 0 if the sender is not visible from it.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A connected pair of `SOCK_SEQPACKET` sockets, close-on-exec, blocking.
///
/// # Errors
/// `EMFILE`, `ENFILE`: too many open files. Trying again later may help.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair_with(SockFlag::SOCK_CLOEXEC)
}

/// Like [`pair`], both ends non-blocking.
///
/// # Errors
/// As [`pair`].
pub fn pair_nonblocking() -> io::Result<(OwnedFd, OwnedFd)> {
    pair_with(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)
}

fn pair_with(flags: SockFlag) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socket::socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?)
}

/// Asks the kernel to tell with each packet who sent it.
///
/// # Errors
/// None known for a UNIX socket.
pub fn ask_credentials(fd: impl AsFd) -> io::Result<()> {
    Ok(socket::setsockopt(&fd, sockopt::PassCred, &true)?)
}

/// Asks the kernel to tell with each packet who sent it, by a descriptor of the process too: it
/// says something even when the sender has ended ([`crate::pidfd`]).
///
/// # Errors
/// `ENOPROTOOPT`: the kernel is older than 6.5; there are the credentials still.
#[expect(unsafe_code, reason = "nix does not know the option")]
pub fn ask_pidfd(fd: impl AsFd) -> io::Result<()> {
    let (on, size) = (1_i32, libc::socklen_t::try_from(size_of::<i32>()).unwrap_or(0));
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one number of that size, which outlives the call.
    let set =
        unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, PASS_PIDFD, (&raw const on).cast(), size) };
    Errno::result(set)?;
    Ok(())
}

/// `SO_PASSPIDFD` and `SCM_PIDFD`, which libc does not have.
const PASS_PIDFD: i32 = 76;
const PIDFD: i32 = 4;

/// Sends one packet, whole or not at all. Waits for room if the socket is blocking.
///
/// # Errors
/// - `EAGAIN` ([`io::ErrorKind::WouldBlock`]): no room, and the socket is non-blocking.
/// - `EPIPE`, `ECONNRESET`, `ENOTCONN`: the other side is gone. No `SIGPIPE` is raised.
/// - `EMSGSIZE`: longer than the send buffer. `ETOOMANYREFS`: too many descriptors in flight.
pub fn send(fd: impl AsFd, packet: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_with(fd.as_fd(), packet, fds, MsgFlags::MSG_NOSIGNAL)
}

/// Like [`send`], never waits.
///
/// # Errors
/// As [`send`].
pub fn send_now(fd: impl AsFd, packet: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_with(fd.as_fd(), packet, fds, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT)
}

fn send_with(
    fd: BorrowedFd<'_>,
    packet: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: MsgFlags,
) -> io::Result<()> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[][..] } else { &rights[..] };
    let sent = again(|| {
        socket::sendmsg::<()>(fd.as_raw_fd(), &[IoSlice::new(packet)], control, flags, None)
    })?;
    if sent == packet.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Takes one packet: its length in `buf`, what came along, and who sent it if [`ask_credentials`]
/// was called. Length 0 with no descriptors is the end of a connection. Waits if the socket is
/// blocking.
///
/// # Errors
/// - `EAGAIN` ([`io::ErrorKind::WouldBlock`]): nothing there, and the socket is non-blocking.
/// - `ECONNRESET`: the other side is gone with packets of ours unread.
/// - [`io::ErrorKind::InvalidData`]: longer than `buf` or more than [`MAX_FDS`] descriptors. The
///   packet is gone and its descriptors are closed; the next one can be taken.
pub fn recv(
    fd: impl AsFd,
    buf: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>, Option<Credentials>)> {
    plain(recv_with(fd.as_fd(), buf, MsgFlags::MSG_CMSG_CLOEXEC))
}

/// Like [`recv`], never waits.
///
/// # Errors
/// As [`recv`].
pub fn recv_now(
    fd: impl AsFd,
    buf: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>, Option<Credentials>)> {
    plain(recv_with(fd.as_fd(), buf, MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT))
}

/// Like [`recv_now`], but the packet stays where it is and comes again with the next call.
///
/// # Errors
/// As [`recv`]; a refused packet stays too.
pub fn peek_now(
    fd: impl AsFd,
    buf: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>, Option<Credentials>)> {
    plain(look_now(fd, buf))
}

/// Like [`peek_now`], with all that came along.
///
/// # Errors
/// As [`peek_now`].
pub fn look_now(fd: impl AsFd, buf: &mut [u8]) -> io::Result<Packet> {
    let now = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    recv_with(fd.as_fd(), buf, now | MsgFlags::MSG_PEEK)
}

/// Takes one packet away without looking at it. Descriptors that came along are closed.
///
/// # Errors
/// As [`recv_now`].
pub fn discard_now(fd: impl AsFd) -> io::Result<()> {
    again(|| socket::recv(fd.as_fd().as_raw_fd(), &mut [], MsgFlags::MSG_DONTWAIT))?;
    Ok(())
}

/// A packet with all that came along.
#[derive(Debug, Default)]
pub struct Packet {
    /// Bytes of it in the buffer.
    pub length: usize,
    /// Descriptors.
    pub fds: Vec<OwnedFd>,
    /// Who sent it, after [`ask_credentials`].
    pub from: Option<Credentials>,
    /// Its process, after [`ask_pidfd`], if the kernel still knows it.
    pub pidfd: Option<OwnedFd>,
}

type Plain = io::Result<(usize, Vec<OwnedFd>, Option<Credentials>)>;

fn plain(packet: io::Result<Packet>) -> Plain {
    packet.map(|packet| (packet.length, packet.fds, packet.from))
}

/// Room for everything a sender can attach (`SCM_MAX_FD` descriptors, its credentials and itself),
/// so that the kernel cuts control data only when we may not open more files.
const CONTROL: usize = 16 + 253 * 4 + 4 + 16 + size_of::<libc::ucred>() + 4 + 16 + 8;

/// Aligned as `cmsghdr` wants it.
#[repr(align(8))]
struct Control([u8; CONTROL]);

#[expect(unsafe_code, reason = "nix drops the numbers of received descriptors when some were cut")]
fn recv_with(fd: BorrowedFd<'_>, buf: &mut [u8], flags: MsgFlags) -> io::Result<Packet> {
    let mut control = Control([0; CONTROL]);
    let mut iov = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    let mut header = libc::msghdr {
        msg_name: std::ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: &raw mut iov,
        msg_iovlen: 1,
        msg_control: control.0.as_mut_ptr().cast(),
        msg_controllen: CONTROL,
        msg_flags: 0,
    };
    let got = loop {
        // SAFETY: every pointer in `header` is to a live local or to `buf`, with its true length.
        let got = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags.bits()) };
        match Errno::result(got) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    let filled = control.0.get(..header.msg_controllen).unwrap_or(&control.0);
    let packet = attachments(filled);
    let cut = header.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
    if cut || packet.fds.len() > MAX_FDS {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "packet longer than we take"));
    }
    Ok(Packet { length: usize::try_from(got).unwrap_or(0), ..packet })
}

/// What the kernel wrote: `[length: usize][level: i32][kind: i32][data]`, padded to a word.
fn attachments(mut control: &[u8]) -> Packet {
    const WORD: usize = size_of::<usize>();
    const HEADER: usize = WORD + 8;
    let mut packet = Packet::default();
    while let Some((length, rest)) = control.split_first_chunk() {
        let length = usize::from_ne_bytes(*length);
        let Some(data) = control.get(HEADER..length) else { break };
        let int = |bytes: &[u8], at: usize| {
            bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(-1, i32::from_ne_bytes)
        };
        match (int(rest, 0), int(rest, 4)) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                packet.fds.extend(data.chunks_exact(4).map(|b| own(int(b, 0))));
            }
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                packet.from = Some(Credentials {
                    pid: int(data, 0),
                    uid: int(data, 4).cast_unsigned(),
                    gid: int(data, 8).cast_unsigned(),
                });
            }
            // A negative number is the errno why there is none.
            (libc::SOL_SOCKET, PIDFD) if int(data, 0) >= 0 => {
                packet.pidfd = Some(own(int(data, 0)));
            }
            _ => {}
        }
        control = control.get(length.next_multiple_of(WORD)..).unwrap_or_default();
    }
    packet
}

#[expect(unsafe_code, reason = "a received descriptor arrives as a number")]
fn own(raw: RawFd) -> OwnedFd {
    // SAFETY: the kernel made this descriptor for us in this very recvmsg; nobody else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    // Whoever closes the last descriptor of a socket with SO_LINGER waits as long as its maker
    // chose: a stranger could stop us for an hour. ENOTSOCK: what is no socket does not linger.
    let none = libc::linger { l_onoff: 0, l_linger: 0 };
    let _no_socket = socket::setsockopt(&fd, sockopt::Linger, &none);
    fd
}

fn again<T>(mut call: impl FnMut() -> nix::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

impl Credentials {
    /// Our own.
    #[must_use]
    pub fn ours() -> Self {
        Self {
            pid: Pid::this().as_raw(),
            uid: Uid::effective().as_raw(),
            gid: Gid::effective().as_raw(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_packet_arrives_whole_with_its_descriptors_and_its_sender() {
        let (a, b) = pair().unwrap();
        ask_credentials(&b).unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send(&a, b"hello", &[writer.as_fd()]).unwrap();
        drop(writer);
        let mut buf = [0; 64];
        let (n, mut fds, who) = recv(&b, &mut buf).unwrap();
        assert_eq!(&buf[..n], b"hello");
        assert_eq!(who, Some(Credentials::ours()));
        std::fs::File::from(fds.pop().unwrap()).write_all(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    #[test]
    fn descriptors_of_a_refused_packet_are_closed() {
        let (a, b) = pair_nonblocking().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send(&a, b"many", &[writer.as_fd(); 253]).unwrap();
        drop(writer);
        assert_eq!(recv(&b, &mut [0; 8]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "every writer is closed");
    }

    #[test]
    fn closing_a_strangers_socket_does_not_wait_for_its_data() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _never_reads = listener.accept().unwrap();
        sender.set_nonblocking(true).unwrap();
        while sender.write(&[0; 65536]).is_ok() {}
        let minute = libc::linger { l_onoff: 1, l_linger: 60 };
        socket::setsockopt(&sender, sockopt::Linger, &minute).unwrap();
        let (a, b) = pair().unwrap();
        send(&a, b"long", &[sender.as_fd()]).unwrap();
        send(&a, b"x", &[sender.as_fd()]).unwrap();
        drop(sender);
        let began = crate::clock::monotonic();
        assert!(recv(&b, &mut [0; 1]).is_err(), "refused");
        drop(recv(&b, &mut [0; 1]).unwrap());
        assert!(crate::clock::monotonic() - began < std::time::Duration::from_secs(30));
    }

    #[test]
    fn an_oversized_packet_is_refused_and_the_next_one_arrives() {
        let (a, b) = pair_nonblocking().unwrap();
        let (_reader, writer) = io::pipe().unwrap();
        send(&a, &[7; 100], &[writer.as_fd()]).unwrap();
        send(&a, b"ok", &[writer.as_fd(); MAX_FDS + 1]).unwrap();
        send(&a, b"next", &[]).unwrap();
        let mut buf = [0; 64];
        for _ in 0..2 {
            assert_eq!(recv(&b, &mut buf).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        assert_eq!(recv(&b, &mut buf).unwrap().0, 4);
        assert_eq!(recv(&b, &mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn the_end_of_the_other_side_is_an_empty_packet_then_a_broken_pipe() {
        let (a, b) = pair().unwrap();
        drop(a);
        assert_eq!(recv(&b, &mut [0; 8]).unwrap().0, 0);
        assert_eq!(send(&b, b"x", &[]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
