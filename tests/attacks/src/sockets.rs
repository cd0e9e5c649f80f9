//! Sockets: made, named and talked over by system calls.

use crate::attack::{Attempt, Refused, if_so};
use crate::facts::Facts;
use crate::sys;
use crate::tools::write;

/// A socket.
///
/// # Errors
/// As `socket`.
pub fn socket(family: i32, kind: i32, protocol: i32) -> Result<usize, Refused> {
    sys!(SYS_socket, family, kind | libc::SOCK_CLOEXEC, protocol)
}

/// The address of a port of 127.0.0.1.
#[must_use]
pub fn inet(port: u16) -> Vec<u8> {
    inet_of([127, 0, 0, 1], port)
}

/// An address of IPv4.
#[must_use]
pub fn inet_of(ip: [u8; 4], port: u16) -> Vec<u8> {
    let mut bytes = family(libc::AF_INET);
    bytes.extend(port.to_be_bytes());
    bytes.extend(ip);
    bytes.extend([0; 8]);
    bytes
}

/// The address of a port of `::1`.
#[must_use]
pub fn inet6(port: u16) -> Vec<u8> {
    let mut bytes = family(libc::AF_INET6);
    bytes.extend(port.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0; 4]);
    bytes
}

/// The address of a socket in the file system, or an abstract one when it starts with `@`.
#[must_use]
pub fn unix(path: &str) -> Vec<u8> {
    let mut bytes = family(libc::AF_UNIX);
    match path.strip_prefix('@') {
        Some(name) => {
            bytes.push(0);
            bytes.extend(name.as_bytes());
        }
        None => {
            bytes.extend(path.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}

/// The start of an address.
#[must_use]
pub fn family(number: i32) -> Vec<u8> {
    u16::try_from(number).unwrap_or(0).to_ne_bytes().to_vec()
}

/// Binds.
///
/// # Errors
/// As `bind`.
pub fn bind(socket: usize, address: &[u8]) -> Result<usize, Refused> {
    sys!(SYS_bind, socket, address, address.len())
}

/// Connects.
///
/// # Errors
/// As `connect`.
pub fn connect(socket: usize, address: &[u8]) -> Result<usize, Refused> {
    sys!(SYS_connect, socket, address, address.len())
}

/// Reads from a socket, for a second at most.
///
/// # Errors
/// As `recvfrom`; `EAGAIN` when nothing came.
pub fn receive(socket: usize) -> Result<Vec<u8>, Refused> {
    // struct pollfd: descriptor, and POLLIN above it.
    let mut poll = [u64::try_from(socket).unwrap_or(0) | 1 << 32];
    let second = [1_i64, 0];
    let _ = sys!(SYS_ppoll, &mut poll, 1, &second, 0, 0);
    let mut buffer = vec![0_u8; 4096];
    let flags = libc::MSG_DONTWAIT;
    let length = sys!(SYS_recvfrom, socket, &mut buffer[..], buffer.len(), flags, 0, 0)?;
    buffer.truncate(length);
    Ok(buffer)
}

/// Connects, says something, and looks for the secret in the answer.
///
/// # Errors
/// When nothing answers, or another.
pub fn steal_from(facts: &Facts, socket: usize, address: &[u8]) -> Attempt {
    connect(socket, address)?;
    let _ = write(socket, b"hello"); // those that greet first need none
    let answer = receive(socket)?;
    if_so(facts.is_in(&answer), "the victim told it the secret", "another answered")
}
