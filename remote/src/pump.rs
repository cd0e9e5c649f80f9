//! Bytes between a stream of softbus and a TCP connection, both ways, until both have ended.
//!
//! ```text
//! a ──► b   its own thread; the end of one is the end of the other's input
//! a ◄── b
//! ```
//!
//! Invariant: one direction may end long before the other; when the stream is gone, so is the connection. Nothing is kept but
//! what one copy holds: who does not read makes the other wait.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use sys::poll::{For, poll};

/// Carries bytes both ways until both sides have ended.
///
/// # Errors
/// No thread or descriptor is left.
pub fn pump(stream: UnixStream, connection: TcpStream) -> io::Result<()> {
    let (from, to) = (stream.try_clone()?, connection.try_clone()?);
    let out = thread::Builder::new().spawn(move || {
        // However it ended: what there was to carry is carried.
        let _ended = io::copy(&mut &from, &mut &to);
        let how = if is_gone(&from) { Shutdown::Both } else { Shutdown::Write };
        let _gone = to.shutdown(how);
    })?;
    let _ended = io::copy(&mut &connection, &mut &stream);
    let _gone = stream.shutdown(Shutdown::Write);
    let _panicked = out.join();
    Ok(())
}

/// Whether nobody is at the other end any more: not even somebody who only reads.
fn is_gone(stream: &UnixStream) -> bool {
    let looked = poll(&[(stream.as_fd(), For::Hangup)], Some(Duration::ZERO));
    looked.is_ok_and(|ready| ready.iter().any(|ready| ready.hangup))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn pumped() -> (UnixStream, TcpStream, thread::JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        (ours, server, thread::spawn(move || pump(theirs, client)))
    }

    #[test]
    fn a_question_that_has_ended_is_still_answered_in_full() {
        let (mut ours, mut server, pump) = pumped();
        ours.write_all(b"all of it?").unwrap();
        ours.shutdown(Shutdown::Write).unwrap();
        let mut heard = String::new();
        server.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "all of it?");
        let answer = vec![b'x'; 3 << 20];
        let sent = answer.clone();
        let server = thread::spawn(move || server.write_all(&sent));
        let mut came = Vec::new();
        ours.read_to_end(&mut came).unwrap();
        assert!(came == answer);
        server.join().unwrap().unwrap();
        pump.join().unwrap().unwrap();
    }

    #[test]
    fn a_lost_stream_ends_the_connection_though_its_server_says_nothing() {
        let (ours, mut server, pump) = pumped();
        drop(ours);
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        pump.join().unwrap().unwrap();
        // Only now: it did not need the server to end.
        drop(server);
    }
}
