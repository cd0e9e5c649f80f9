//! Telling servicemgr (or any manager that speaks `sd_notify`) how we are.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends lines such as `READY=1` to `$NOTIFY_SOCKET`. Without that variable nobody wants to know,
/// and nothing happens.
///
/// # Errors
/// `ENOENT`, `ECONNREFUSED`: the manager is away; it reads the socket again when it is back.
/// `EACCES`: we may not. It is fine to go on in each case: a manager that needs to know times out.
pub fn sd_notify(lines: &str) -> io::Result<()> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(&path)?,
    };
    UnixDatagram::unbound()?.send_to_addr(lines.as_bytes(), &address)?;
    Ok(())
}
