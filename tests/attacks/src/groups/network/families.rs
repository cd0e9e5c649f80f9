//! Every family of sockets that an app has no use for: each is a large part of the kernel.
//!
//! To have the socket is to have worked: what follows is a matter of the bug of the month.

use super::opens;
use crate::attack::{got, if_so};
use crate::needs::{
    ALG, BLUETOOTH, CAN, IEEE802154, KEY, LLC, NFC, PHONET, PPPOX, RDS, RXRPC, TIPC, VSOCK, XDP,
};
use crate::tools::{bind, connect, family, read, socket, write};
use crate::{attacks, sys};

attacks! { Network:
    "family-vsock" [VSOCK] "talks to the machine around this one" => |_| {
        let fd = socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)?;
        let mut host = family(libc::AF_VSOCK);
        host.extend([0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        let _ = connect(fd, &host); // whether somebody listens there is another matter
        got("has such a socket")
    };
    "family-alg" [ALG] "has the kernel encrypt for it" => |_| {
        let fd = socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)?;
        let mut address = family(libc::AF_ALG);
        address.extend(b"hash");
        address.resize(24, 0);
        address.extend(b"sha256");
        address.resize(88, 0);
        bind(fd, &address)?;
        let hash = sys!(SYS_accept4, fd, 0, 0, 0)?;
        write(hash, b"attack")?;
        let sum = read(hash)?;
        if_so(sum.len() == 32, "got a sum", "got no sum")
    };
    "family-xdp" [XDP] "shares memory with the drivers of the network" =>
        |v| opens(v, libc::AF_XDP, libc::SOCK_RAW, 0);
    "family-key" [KEY] "manages keys of IPsec" => |v| opens(v, libc::AF_KEY, libc::SOCK_RAW, 2);
    "family-can" [CAN] "talks on the buses of a car" => |v| opens(v, libc::AF_CAN, libc::SOCK_RAW, 1);
    "family-bluetooth" [BLUETOOTH] "talks to devices near by" =>
        |v| opens(v, libc::AF_BLUETOOTH, libc::SOCK_RAW, 1);
    "family-tipc" [TIPC] "opens a socket of TIPC" => |v| opens(v, libc::AF_TIPC, libc::SOCK_RDM, 0);
    "family-rds" [RDS] "opens a socket of RDS" => |v| opens(v, libc::AF_RDS, libc::SOCK_SEQPACKET, 0);
    "family-rxrpc" [RXRPC] "opens a socket of RxRPC" => |v| opens(v, libc::AF_RXRPC, libc::SOCK_DGRAM, 2);
    "family-llc" [LLC] "opens a socket of LLC" => |v| opens(v, libc::AF_LLC, libc::SOCK_DGRAM, 0);
    "family-nfc" [NFC] "talks to cards near by" => |v| opens(v, libc::AF_NFC, libc::SOCK_SEQPACKET, 0);
    "family-pppox" [PPPOX] "opens a socket of PPP" => |v| opens(v, libc::AF_PPPOX, libc::SOCK_STREAM, 0);
    "family-ieee802154" [IEEE802154] "opens a socket of low-power radio" =>
        |v| opens(v, libc::AF_IEEE802154, libc::SOCK_DGRAM, 0);
    "family-phonet" [PHONET] "opens a socket of Phonet" => |v| opens(v, libc::AF_PHONET, libc::SOCK_DGRAM, 0);
}
