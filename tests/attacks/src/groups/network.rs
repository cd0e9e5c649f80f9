//! Networks: reaching services that listen, listening oneself, seeing and changing the network.

use crate::attack::{Attempt, Refused, blocked, got, if_so};
use crate::facts::Facts;
use crate::needs::{DCCP, FAST_OPEN, IPV6, MPTCP, PACKET, ROUTE, SCTP, VICTIM};
use crate::tools::{
    bind, close, connect, inet, inet_of, inet6, receive, same_network, socket, steal_from, unix,
    write,
};
use crate::{attacks, sys};

pub(super) mod families;
pub(crate) mod netlink;

const STREAM: i32 = libc::SOCK_STREAM;
const DATAGRAM: i32 = libc::SOCK_DGRAM;

attacks! { Network:
    "tcp-connect" [VICTIM] "talks to a service that listens on the device" =>
        |v| steal_from(v, socket(libc::AF_INET, STREAM, 0)?, &inet(v.tcp));
    "tcp6-connect" [VICTIM, IPV6] "talks to a service over IPv6" =>
        |v| steal_from(v, socket(libc::AF_INET6, STREAM, 0)?, &inet6(v.tcp));
    "tcp-connect-again" [VICTIM] "connects after an AF_UNSPEC, past checks of the first time" => |v| {
        let fd = socket(libc::AF_INET, STREAM, 0)?;
        let _ = connect(fd, &[0; 16]);
        steal_from(v, fd, &inet(v.tcp))
    };
    "udp-send" [VICTIM] "talks to a service without a connection" =>
        |v| steal_from(v, socket(libc::AF_INET, DATAGRAM, 0)?, &inet(v.udp));
    "udplite-send" [VICTIM] "talks to a service by UDP-Lite" => |v| {
        const UDP_LITE: i32 = 136;
        let fd = socket(libc::AF_INET, DATAGRAM, UDP_LITE)?;
        same_network(v, fd)?;
        connect(fd, &inet(v.udp))?;
        write(fd, b"hello")?;
        got("sent a packet")
    };
    "mptcp-connect" [VICTIM, MPTCP] "talks to a service by MPTCP, which rules for TCP do not see" =>
        |v| steal_from(v, socket(libc::AF_INET, STREAM, libc::IPPROTO_MPTCP)?, &inet(v.tcp));
    "fast-open" [VICTIM, FAST_OPEN] "talks to a service without a call to connect" => |v| {
        let fd = socket(libc::AF_INET, STREAM, 0)?;
        let (to, flags) = (inet(v.tcp), libc::MSG_FASTOPEN);
        sys!(SYS_sendto, fd, b"hello", 5, flags, &to[..], to.len())?;
        let answer = receive(fd)?;
        if_so(v.is_in(&answer), "the victim told it the secret", "another answered")
    };
    "sctp-connect" [SCTP] "opens an SCTP socket, with much of the kernel behind it" =>
        |v| opens(v, libc::AF_INET, STREAM, 132);
    "dccp-connect" [DCCP] "opens a DCCP socket, with much of the kernel behind it" =>
        |v| opens(v, libc::AF_INET, 6, 33);
    "listen-on-port" [VICTIM] "offers a service on a port" => |v| {
        let fd = socket(libc::AF_INET, STREAM, 0)?;
        bind(fd, &inet_of([0, 0, 0, 0], 48_123))?;
        listens(v, fd)
    };
    "listen-on-low-port" [VICTIM] "offers a service on a port of the system" => |v| {
        let fd = socket(libc::AF_INET, STREAM, 0)?;
        bind(fd, &inet_of([0, 0, 0, 0], 81))?;
        listens(v, fd)
    };
    "listen-without-bind" [VICTIM] "offers a service on a port that rules for bind never saw" =>
        |v| listens(v, socket(libc::AF_INET, STREAM, 0)?);
    "mptcp-listen" [VICTIM, MPTCP] "offers a service by MPTCP" => |v| {
        let fd = socket(libc::AF_INET, STREAM, libc::IPPROTO_MPTCP)?;
        bind(fd, &inet_of([0, 0, 0, 0], 48_124))?;
        listens(v, fd)
    };
    "udp-bind" [VICTIM] "takes packets on a port" => |v| {
        let fd = socket(libc::AF_INET, DATAGRAM, 0)?;
        same_network(v, fd)?;
        bind(fd, &inet_of([0, 0, 0, 0], 48_125))?;
        got("has port 48125")
    };
    "hijack-port" [VICTIM] "gets packets that were meant for another service" => |v| {
        let fd = socket(libc::AF_INET, DATAGRAM, 0)?;
        same_network(v, fd)?;
        let (level, option) = (libc::SOL_SOCKET, libc::SO_REUSEADDR);
        sys!(SYS_setsockopt, fd, level, option, &[1_i32], 4)?;
        bind(fd, &inet(v.udp))?;
        let from = socket(libc::AF_INET, DATAGRAM, 0)?;
        connect(from, &inet(v.udp))?;
        write(from, b"for the victim")?;
        let packet = receive(fd)?;
        if_so(packet == b"for the victim", "got a packet of the victim", "got another packet")
    };
    "abstract-connect" [VICTIM] "talks to a service by a socket that no path rule covers" => |v| {
        let name = format!("@{}", v.abstract_name);
        steal_from(v, socket(libc::AF_UNIX, STREAM, 0)?, &unix(&name))
    };
    "abstract-squat" [VICTIM] "takes the abstract name of a service before it starts" => |v| {
        let fd = socket(libc::AF_UNIX, STREAM, 0)?;
        same_network(v, fd)?;
        bind(fd, &unix("@ensemble-attack"))?;
        got("has the name")
    };
    "ping" [VICTIM] "sends echo requests by a raw socket" => |v| {
        let fd = socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)?;
        same_network(v, fd)?;
        connect(fd, &inet(0))?;
        write(fd, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0])?;
        let packet = receive(fd)?;
        if_so(packet.len() >= 28, "sent one and got it", "got nothing")
    };
    "forge-source" [VICTIM] "sends packets in the name of another device" => |v| {
        let fd = socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)?;
        same_network(v, fd)?;
        let packet = [
            0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 127, 9, 9, 9, 127, 0, 0, 1, // IPv4
            0xbb, 0xbb, 0xbb, 0xbc, 0, 8, 0, 0, // UDP
        ];
        let to = inet(0);
        sys!(SYS_sendto, fd, &packet, packet.len(), 0, &to[..], to.len())?;
        got("sent one from 127.9.9.9")
    };
    "sniff" [VICTIM, PACKET] "reads the packets of others" => sniff;
    "way-out" [VICTIM, ROUTE] "can send packets out of the device" => |v| {
        let fd = socket(libc::AF_INET, DATAGRAM, 0)?;
        same_network(v, fd)?;
        connect(fd, &inet_of([192, 0, 2, 1], 9))?; // an address for documentation; nothing is sent
        got("there is a way to 192.0.2.1")
    };
    "configure-interface" [VICTIM] "changes an interface of the device" => |v| {
        let fd = socket(libc::AF_INET, DATAGRAM, 0)?;
        same_network(v, fd)?;
        bring_up(fd, "lo")?;
        got("set the flags of lo (the same)")
    };
    "list-interfaces" [VICTIM] "learns the addresses of the device" => |v| {
        const SIOCGIFCONF: u32 = 0x8912;
        let fd = socket(libc::AF_INET, DATAGRAM, 0)?;
        same_network(v, fd)?;
        let mut list = [0_u64; 128];
        let mut request = [1024, crate::raw::Arg::arg(&mut list)];
        sys!(SYS_ioctl, fd, SIOCGIFCONF, &mut request)?;
        if_so(request[0] & 0xffff_ffff > 0, "read the list", "there are none")
    };
    "mark-packets" [VICTIM] "marks its packets as those of somebody else, for firewalls" => |v| {
        let fd = socket(libc::AF_INET, DATAGRAM, 0)?;
        same_network(v, fd)?;
        sys!(SYS_setsockopt, fd, libc::SOL_SOCKET, libc::SO_MARK, &[7_i32], 4)?;
        got("set a mark")
    };
    "transparent-proxy" [VICTIM] "answers for addresses that are not of the device" => |v| {
        let fd = socket(libc::AF_INET, STREAM, 0)?;
        same_network(v, fd)?;
        sys!(SYS_setsockopt, fd, libc::SOL_IP, libc::IP_TRANSPARENT, &[1_i32], 4)?;
        bind(fd, &inet_of([198, 51, 100, 1], 48_126))?;
        got("bound 198.51.100.1")
    };
    "force-buffers" [VICTIM] "takes more memory for packets than anyone may" => |v| {
        let fd = socket(libc::AF_INET, DATAGRAM, 0)?;
        same_network(v, fd)?;
        let (level, mut now, mut size) = (libc::SOL_SOCKET, [0_i32], [4_u32]);
        sys!(SYS_setsockopt, fd, level, libc::SO_RCVBUFFORCE, &[64 << 20], 4)?;
        sys!(SYS_getsockopt, fd, level, libc::SO_RCVBUF, &mut now, &mut size)?;
        if_so(now[0] >= 64 << 20, format!("has {} MiB", now[0] >> 20), "the buffer stayed small")
    };
}

/// Whether others can come to a socket that listens: only in the device's network it matters.
fn listens(v: &Facts, fd: usize) -> Attempt {
    sys!(SYS_listen, fd, 1)?;
    same_network(v, fd)?;
    let (mut name, mut size) = ([0_u8; 16], [16_u32]);
    sys!(SYS_getsockname, fd, &mut name, &mut size)?;
    let port = u16::from_be_bytes([name[2], name[3]]);
    let caller = socket(libc::AF_INET, STREAM, 0)?;
    connect(caller, &inet(port))?;
    got(format!("somebody came to port {port}"))
}

/// A socket of some family, in the device's network.
fn opens(v: &Facts, family: i32, kind: i32, protocol: i32) -> Attempt {
    let fd = socket(family, kind, protocol)?;
    same_network(v, fd)?;
    close(fd);
    got("has such a socket")
}

/// Sets the flags of an interface as they are, and up.
pub(super) fn bring_up(socket: usize, name: &str) -> Result<(), Refused> {
    const GET: u32 = 0x8913;
    const SET: u32 = 0x8914;
    const UP: u8 = 1;
    let mut request = [0_u8; 40];
    for (to, from) in request.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    sys!(SYS_ioctl, socket, GET, &mut request)?;
    request[16] |= UP;
    sys!(SYS_ioctl, socket, SET, &request).map(drop)
}

fn sniff(v: &Facts) -> Attempt {
    const ALL: i32 = 0x0300; // ETH_P_ALL, as the network orders bytes
    let fd = socket(libc::AF_PACKET, libc::SOCK_RAW, ALL)?;
    same_network(v, fd)?;
    let caller = socket(libc::AF_INET, DATAGRAM, 0)?;
    connect(caller, &inet(v.udp))?;
    write(caller, b"hello")?;
    for _ in 0..50 {
        if v.is_in(&receive(fd)?) {
            return got("read the victim's answer");
        }
    }
    blocked("saw no packet of the victim")
}
