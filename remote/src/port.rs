//! A TCP server on this device, at its loopback.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take to accept.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects to who listens at this port of the loopback, by IPv4 or IPv6.
///
/// # Errors
/// Why not, in words for people.
pub fn reach(port: &str) -> Result<TcpStream, String> {
    let number: u16 = match port.parse() {
        Ok(number @ 1..) => number,
        _ => return Err(format!("`{port}` is no port: a number from 1 to 65535")),
    };
    let four = SocketAddr::from((Ipv4Addr::LOCALHOST, number));
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, number));
    let first = match TcpStream::connect_timeout(&four, PATIENCE) {
        Ok(stream) => return Ok(stream),
        Err(e) => e,
    };
    TcpStream::connect_timeout(&six, PATIENCE)
        .map_err(|_| format!("nobody answers at port {number} of its loopback: {first}"))
}
