//! A stream socket in the file system, from the side of who connects.

use crate::call;

/// A connection.
#[derive(Debug)]
pub struct Socket(i32);

impl Socket {
    /// Connects to the socket at `path`.
    #[must_use]
    pub fn connect(path: &str) -> Option<Self> {
        let socket = Self(i32::try_from(call::socket()).ok().filter(|fd| *fd >= 0)?);
        (call::connect(socket.0, path) == 0).then_some(socket)
    }

    /// Sends all of it at once. False: it could not.
    #[must_use]
    pub fn send(&self, bytes: &[u8]) -> bool {
        usize::try_from(call::send(self.0, bytes)) == Ok(bytes.len())
    }

    /// Waits so many milliseconds at most until there is something to read.
    #[must_use]
    pub fn wait(&self, milliseconds: i32) -> bool {
        call::wait(self.0, milliseconds)
    }

    /// Waits for the next byte, which stays to be read. `None`: there will be none.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        call::peek(self.0)
    }

    /// Is descriptor `fd` from now on, for a program that is executed. False: it could not be.
    #[must_use]
    pub fn leave_as(self, fd: i32) -> bool {
        let left = call::dup2(self.0, fd) >= 0;
        if self.0 == fd {
            // It stays open: it is what was asked for.
            core::mem::forget(self);
        }
        left
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        call::close(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_question_is_sent_and_its_answer_is_seen_and_still_there() {
        let path = std::env::temp_dir().join(format!("bare-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let socket = Socket::connect(path.to_str().unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(socket.send(b"who?"));
        let (mut server, _) = listener.accept().unwrap();
        let mut question = [0; 4];
        server.read_exact(&mut question).unwrap();
        assert_eq!(&question, b"who?");
        assert!(!socket.wait(0), "there is no answer yet");
        server.write_all(b"me").unwrap();
        assert!(socket.wait(1000));
        assert_eq!((socket.peek(), socket.peek()), (Some(b'm'), Some(b'm')));
        drop(server);
        assert_eq!(socket.peek(), Some(b'm'));
    }

    #[test]
    fn nobody_there_is_no_connection_and_a_hang_up_no_answer() {
        assert!(Socket::connect("/nowhere/at/all").is_none());
        assert!(Socket::connect(&"x".repeat(200)).is_none());
        let path = std::env::temp_dir().join(format!("bare-gone-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let socket = Socket::connect(path.to_str().unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        drop(listener);
        assert_eq!(socket.peek(), None);
        assert!(!socket.send(b"who?"));
    }
}
