//! What comes from outside, read as the daemon reads it: one way in for each, to be tried with bytes
//! that nobody would send (`fuzz/`).
//!
//! Invariant: whatever comes, these return. A panic, or an answer that does not come, is a fault.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::bus::{Desk, QUEUE};
use super::{broker, bus, said, state};

/// How long a client that has hung up may keep a connection: a machine under load is slow.
const LONGEST: Duration = Duration::from_secs(10);

/// A datagram for `$NOTIFY_SOCKET`.
pub fn notify(datagram: &[u8]) {
    let _any = said::Said::parse(datagram);
}

/// What the system bus sends.
pub fn broker(stream: &[u8]) {
    broker::read_all(stream);
}

/// The log of an earlier servicemgr.
///
/// # Errors
/// No memory for the file.
pub fn state(log: &[u8]) -> io::Result<()> {
    let mut file = sys::memfd::create("state")?;
    file.write_all(log)?;
    state::Saved::read(file.into()).map(drop)
}

/// A client of the control socket that greets, says this and hangs up. Nobody does what it asks for;
/// `uid` is who it is.
///
/// # Errors
/// The kernel has no sockets, or the connection outlives the client.
pub fn control(said: &[u8], uid: u32) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut client, ours) = UnixStream::pair()?;
        // What does not fit into the socket at once was long enough.
        client.set_nonblocking(true)?;
        let _full = client.write(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n");
        let _full = client.write(said);
        client.shutdown(Shutdown::Write)?;
        ours.set_nonblocking(true)?;
        let (requests, mut asked) = mpsc::channel(QUEUE);
        let (here, seen) = watch::channel(());
        let nobody = tokio::spawn(async move { while asked.recv().await.is_some() {} });
        let desk = Desk::new(requests, seen);
        let served =
            bus::serve_one(tokio::net::UnixStream::from_std(ours)?, desk, uid, "1".repeat(32));
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let _nonsense = tokio::time::timeout(LONGEST, served).await.map_err(late)?;
        drop(here);
        nobody.abort();
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_these_return() {
        for bytes in [&b""[..], b"l", b"READY=1\nFDNAME=\xff", b"OK\r\nl\x01\0\x01", &[0xFF; 64]] {
            notify(bytes);
            broker(bytes);
            state(bytes).unwrap();
            control(bytes, 0).unwrap();
        }
    }
}
