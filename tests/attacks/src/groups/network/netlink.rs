//! Netlink: the kernel's own bus, for lists of everything and changes of the network.

use crate::attack::{Attempt, Stop, blocked, got, if_so};
use crate::facts::Facts;
use crate::needs::{AUDIT, NETFILTER, SOCK_DIAG, VICTIM};
use crate::tools::{bind, family, receive, same_network, socket, write};
use crate::{attacks, sys};

const ROUTE: i32 = 0;
const LIST: i32 = 4;
const AUDITING: i32 = 9;
const FIREWALL: i32 = 12;
const EVENTS: i32 = 15;
const GENERIC: i32 = 16;

const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const DUMP: u16 = 0x300;
const ERROR: u16 = 2;

attacks! { Network:
    "netlink-list-links" [VICTIM] "learns the interfaces and addresses of hardware" => |v| {
        const GET_LINK: u16 = 18;
        let fd = netlink(v, ROUTE)?;
        let answer = ask(fd, GET_LINK, REQUEST | DUMP, &[0; 16])?;
        if_so(!answer.is_empty(), format!("{} bytes about interfaces", answer.len()), "nothing")
    };
    "netlink-list-neighbours" [VICTIM] "learns which devices are near by" => |v| {
        const GET_NEIGHBOUR: u16 = 30;
        let fd = netlink(v, ROUTE)?;
        ask(fd, GET_NEIGHBOUR, REQUEST | DUMP, &[0; 12])?;
        got("the kernel answered")
    };
    "netlink-add-address" [VICTIM] "gives the device an address" => |v| {
        const NEW: u16 = 20;
        const DELETE: u16 = 21;
        let fd = netlink(v, ROUTE)?;
        // struct ifaddrmsg: IPv4, /8, host scope, interface 1; then IFA_LOCAL 127.9.9.8.
        let address = [2, 8, 0, 254, 1, 0, 0, 0, 8, 0, 2, 0, 127, 9, 9, 8];
        ask(fd, NEW, REQUEST | ACKNOWLEDGE | 0x400, &address)?;
        let _ = ask(fd, DELETE, REQUEST | ACKNOWLEDGE, &address);
        got("lo had 127.9.9.8")
    };
    "netlink-new-link" [VICTIM] "makes a network interface" => |v| {
        const NEW: u16 = 16;
        let fd = netlink(v, ROUTE)?;
        // No kind is given, so nothing is made: who may not make one hears EPERM before that.
        let mut link = vec![0_u8; 16];
        link.extend([12, 0, 3, 0]);
        link.extend(b"attack0\0");
        for_a_kind_that_exists(ask(fd, NEW, REQUEST | ACKNOWLEDGE | 0x400, &link))
    };
    "netlink-device-events" [] "hears of every device that comes and goes" => |v| {
        let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW, EVENTS)?;
        bind(fd, &group(1))?;
        same_network(v, fd)?;
        got("listens")
    };
    "netlink-forge-event" [VICTIM] "tells others of devices that are not there" => |v| {
        let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW, EVENTS)?;
        same_network(v, fd)?;
        // To the group of udev's listeners (4), as nobody of Ensemble listens there.
        let (to, text) = (group(4), b"libudev\0attack");
        sys!(SYS_sendto, fd, text, text.len(), 0, &to[..], to.len())?;
        got("sent one")
    };
    "netlink-sockets" [VICTIM, SOCK_DIAG] "lists the connections of everybody" => |v| {
        let seen = lists_sockets(v.tcp)?;
        if_so(seen, "saw the victim's port", "only its own")
    };
    "netlink-audit" [AUDIT] "talks to the auditing of the kernel" => |_| {
        const GET: u16 = 1000;
        let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW, AUDITING)?;
        let answer = ask(fd, GET, REQUEST | ACKNOWLEDGE, &[])?;
        if_so(!answer.is_empty(), "the kernel told its state", "nothing")
    };
    "netlink-forge-audit" [AUDIT] "writes records into the audit log" => |_| {
        const USER: u16 = 1112;
        let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW, AUDITING)?;
        ask(fd, USER, REQUEST | ACKNOWLEDGE, b"op=attack\0\0\0")?;
        got("wrote one")
    };
    "netlink-generic" [VICTIM] "finds the parts of the kernel that can be talked to" => |v| {
        const CONTROL: u16 = 16;
        let fd = netlink(v, GENERIC)?;
        let answer = ask(fd, CONTROL, REQUEST | DUMP, &[3, 1, 0, 0])?;
        if_so(answer.len() > 64, format!("{} bytes of families", answer.len()), "none")
    };
    "netlink-firewall" [NETFILTER, VICTIM] "changes the firewall" => |v| {
        const BATCH_BEGIN: u16 = 16;
        let fd = netlink(v, FIREWALL)?;
        for_a_kind_that_exists(ask(fd, BATCH_BEGIN, REQUEST | ACKNOWLEDGE, &[0, 0, 0, 10]))
    };
}

fn netlink(v: &Facts, protocol: i32) -> Result<usize, Stop> {
    let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol)?;
    same_network(v, fd)?;
    Ok(fd)
}

/// Who may not change the network hears so before the kernel looks at what is to be changed.
fn for_a_kind_that_exists(answer: Result<Vec<u8>, Stop>) -> Attempt {
    match answer {
        Ok(_) => got("the kernel did it"),
        Err(Stop::Blocked(why)) if why.ends_with("EOPNOTSUPP") => {
            got("the kernel would do it for a kind that exists")
        }
        Err(stop) => Err(stop),
    }
}

/// The address of a group of listeners.
fn group(bit: u32) -> Vec<u8> {
    let mut address = family(libc::AF_NETLINK);
    address.extend([0; 6]);
    address.extend(bit.to_ne_bytes());
    address
}

/// Sends a message and gives back the first answer.
fn ask(fd: usize, kind: u16, flags: u16, body: &[u8]) -> Result<Vec<u8>, Stop> {
    let length = u32::try_from(16 + body.len()).unwrap_or(0);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    message.extend(body);
    write(fd, &message)?;
    let answer = receive(fd)?;
    if answer.get(4..6) != Some(&ERROR.to_ne_bytes()) {
        return Ok(answer);
    }
    let code: [u8; 4] = answer.get(16..20).and_then(|b| b.try_into().ok()).unwrap_or_default();
    match i32::from_ne_bytes(code) {
        0 => Ok(answer),
        error => blocked(format!("netlink: {}", crate::errno::Errno(-error))),
    }
}

/// Asks for all TCP sockets that listen: whether one has this port.
///
/// # Errors
/// When the kernel does not tell.
pub(crate) fn lists_sockets(port: u16) -> Result<bool, Stop> {
    const BY_FAMILY: u16 = 20;
    let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW, LIST)?;
    let mut body = vec![2, 6, 0, 0];
    body.extend((1_u32 << 10).to_ne_bytes());
    body.resize(56, 0);
    let answer = ask(fd, BY_FAMILY, REQUEST | DUMP, &body)?;
    let port = port.to_be_bytes();
    // Answers are of one size each, with the port at the same place.
    let size = |at: usize| -> usize {
        let bytes: [u8; 4] =
            answer.get(at..at + 4).and_then(|b| b.try_into().ok()).unwrap_or_default();
        usize::try_from(u32::from_ne_bytes(bytes)).unwrap_or(0).next_multiple_of(4)
    };
    let mut at = 0;
    while size(at) >= 16 {
        if answer.get(at + 20..at + 22) == Some(&port[..]) {
            return Ok(true);
        }
        at += size(at);
    }
    Ok(false)
}
