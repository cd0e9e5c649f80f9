//! What a client of the control socket sends, before the bus library sees it.
//!
//! ```text
//! client ──lines──► Greeting (here: who it is, the kernel said) ──BEGIN──► Reader ──messages──► zbus
//!   └─a few bytes─► brief
//! ```
//!
//! Everybody may connect, and the library trusts who does: an empty line ends it by a panic, a
//! header makes it take 128 MiB, and calls whose answers nobody reads pile up. Invariant: it sees
//! only messages of bounded size and number, and no descriptors.

use std::future::Future;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sys::seqpacket;
use tokio::io::Interest;
use tokio::net::UnixStream;
use zbus::connection::socket::{BoxedSplit, ReadHalf, Split, WriteHalf};

use super::bus::brief::Asked;

/// Longest greeting, in bytes; a library needs about a hundred.
const MAX_GREETING: usize = 4096;

/// Longest message, in bytes: a name and a header.
const MAX_MESSAGE: usize = 16 << 10;

/// Calls that one client may have unanswered.
const MAX_CALLS: usize = 16;

/// Bytes that say how long a message is.
const HEADER: usize = 16;

type Later<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// How a client goes on.
pub(super) enum Client {
    /// With messages of the bus.
    Bus(BoxedSplit),
    /// Its one question waits for an answer.
    Brief(UnixStream, Asked),
}

/// Greets the client as D-Bus wants it, unless its first bytes are a question.
///
/// # Errors
/// It hung up, or speaks something else.
pub(super) async fn greet(stream: UnixStream, guid: &str) -> io::Result<Client> {
    let mut greeting = Greeting::default();
    while !greeting.begun {
        let mut buf = [0; 1024];
        let count = receive(&stream, &mut buf).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = buf.get(..count).unwrap_or_default();
        if let Some(asked) = Asked::read(bytes).filter(|_| greeting.heard == 0) {
            return Ok(Client::Brief(stream, asked));
        }
        let mut answer = greeting.hear(bytes, guid)?;
        while !answer.is_empty() {
            let sent = send(&stream, answer.as_bytes()).await?;
            answer.drain(..sent);
        }
    }
    let (stream, unanswered) = (Arc::new(stream), Arc::new(AtomicUsize::new(0)));
    let meter = Meter { unanswered: Arc::clone(&unanswered), ..Meter::default() };
    let reader = Reader { stream: Arc::clone(&stream), early: greeting.bytes, meter };
    Ok(Client::Bus(Split::new(Box::new(reader), Box::new(Writer { stream, unanswered }))))
}

/// Takes bytes. Descriptors that come along are closed: no call of ours takes any.
pub(super) async fn receive(stream: &UnixStream, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_io(Interest::READABLE, || seqpacket::recv_now(stream, buf)) {
            Ok((count, ..)) => return Ok(count),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}

pub(super) async fn send(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    loop {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

/// The lines before the first message. The kernel told us who the client is, so what it claims to
/// be is not looked at.
#[derive(Debug, Default)]
struct Greeting {
    bytes: Vec<u8>,
    heard: usize,
    opened: bool,
    known: bool,
    begun: bool,
}

impl Greeting {
    /// Takes bytes and gives the answer. Once it has begun, `bytes` are of the first message.
    fn hear(&mut self, bytes: &[u8], guid: &str) -> io::Result<String> {
        self.heard += bytes.len();
        if self.heard > MAX_GREETING {
            return Err(bad("the greeting does not end"));
        }
        self.bytes.extend(bytes);
        if !self.opened {
            match self.bytes.first() {
                None => return Ok(String::new()),
                Some(0) => self.bytes.drain(..1),
                Some(_) => return Err(bad("a client begins with a zero byte")),
            };
            self.opened = true;
        }
        let mut answer = String::new();
        while !self.begun
            && let Some(end) = self.bytes.windows(2).position(|end| end == b"\r\n")
        {
            let line: Vec<u8> = self.bytes.drain(..end + 2).collect();
            let line = std::str::from_utf8(&line).map_err(|_| bad("a line that is no text"))?;
            answer += &self.line(line.trim_ascii_end(), guid)?;
        }
        Ok(answer)
    }

    fn line(&mut self, line: &str, guid: &str) -> io::Result<String> {
        let mut words = line.split_ascii_whitespace();
        let (what, mechanism, identity) = (words.next(), words.next(), words.next());
        Ok(match (what, mechanism) {
            (Some("AUTH"), Some("EXTERNAL")) if identity.is_none() => "DATA\r\n".to_owned(),
            (Some("AUTH"), Some("EXTERNAL")) | (Some("DATA"), _) => {
                self.known = true;
                format!("OK {guid}\r\n")
            }
            (Some("AUTH" | "CANCEL" | "ERROR"), _) => {
                self.known = false;
                "REJECTED EXTERNAL\r\n".to_owned()
            }
            (Some("BEGIN"), _) if self.known => {
                self.begun = true;
                String::new()
            }
            (Some("BEGIN"), _) => return Err(bad("it begins before it said who it is")),
            _ => "ERROR not here\r\n".to_owned(),
        })
    }
}

/// Looks at the header of each message as it passes.
#[derive(Debug, Default)]
struct Meter {
    header: Vec<u8>,
    /// Bytes of the present message that are still to come.
    left: usize,
    unanswered: Arc<AtomicUsize>,
}

impl Meter {
    fn pass(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let wanted = if self.left > 0 { self.left } else { HEADER - self.header.len() };
            let (now, later) = bytes.split_at(wanted.min(bytes.len()));
            bytes = later;
            if self.left > 0 {
                self.left -= now.len();
                continue;
            }
            self.header.extend(now);
            if self.header.len() == HEADER {
                self.left = length(&self.header).ok_or_else(|| bad("a message too long"))?;
                self.header.clear();
                if self.unanswered.fetch_add(1, Ordering::Relaxed) >= MAX_CALLS {
                    return Err(bad("too many calls at once"));
                }
            }
        }
        Ok(())
    }
}

/// Bytes of a message after its header, unless they are too many.
fn length(header: &[u8]) -> Option<usize> {
    let number = |at: usize| {
        let bytes: [u8; 4] = header.get(at..at + 4)?.try_into().ok()?;
        let little = header.first() == Some(&b'l');
        let n = if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        usize::try_from(n).ok().filter(|n| *n <= MAX_MESSAGE)
    };
    let (body, fields) = (number(4)?, number(12)?);
    Some(fields.next_multiple_of(8) + body).filter(|n| *n <= MAX_MESSAGE)
}

/// What comes from the client.
#[derive(Debug)]
struct Reader {
    stream: Arc<UnixStream>,
    /// What came with the greeting.
    early: Vec<u8>,
    meter: Meter,
}

impl ReadHalf for Reader {
    fn recvmsg<'a, 'b, 'c>(&'a mut self, buf: &'b mut [u8]) -> Later<'c, (usize, Vec<OwnedFd>)>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let early = self.early.len().min(buf.len());
            let count = if early > 0 {
                buf.iter_mut().zip(self.early.drain(..early)).for_each(|(to, from)| *to = from);
                early
            } else {
                receive(&self.stream, buf).await?
            };
            self.meter.pass(buf.get(..count).unwrap_or_default())?;
            Ok((count, Vec::new()))
        })
    }
}

/// What goes to the client.
#[derive(Debug)]
struct Writer {
    stream: Arc<UnixStream>,
    unanswered: Arc<AtomicUsize>,
}

impl WriteHalf for Writer {
    fn sendmsg<'a, 'b, 'c, 'd, 'e>(
        &'a mut self,
        bytes: &'b [u8],
        _: &'c [BorrowedFd<'d>],
    ) -> Later<'e, usize>
    where
        'a: 'e,
        'b: 'e,
        'c: 'e,
        'd: 'e,
        Self: 'e,
    {
        Box::pin(send(&self.stream, bytes))
    }

    /// After each message: an answer.
    fn flush<'a, 'b>(&'a mut self) -> Later<'b, ()>
    where
        'a: 'b,
        Self: 'b,
    {
        let less = |n: usize| n.checked_sub(1);
        // None is unanswered: it was no answer.
        let _none = self.unanswered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        Box::pin(std::future::ready(Ok(())))
    }

    /// It is closed when both halves are dropped.
    fn close<'a, 'b>(&'a mut self) -> Later<'b, ()>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(pieces: &[&[u8]]) -> io::Result<(String, Greeting)> {
        let mut greeting = Greeting::default();
        let mut all = String::new();
        for piece in pieces {
            all += &greeting.hear(piece, "g")?;
        }
        Ok((all, greeting))
    }

    fn header(fields: u32, body: u32) -> Vec<u8> {
        let numbers = [body, 1, fields].map(u32::to_le_bytes).concat();
        [&b"l\x01\0\x01"[..], &numbers].concat()
    }

    #[test]
    fn a_greeting_is_understood_however_it_is_cut() {
        let text = b"\0AUTH\r\nAUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\nl\x01\r\n";
        for size in [1, 3, 100] {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            let (said, greeting) = answers(&pieces).unwrap();
            assert_eq!(said, "REJECTED EXTERNAL\r\nDATA\r\nOK g\r\nERROR not here\r\n");
            assert!(greeting.begun);
            assert_eq!(greeting.bytes, b"l\x01\r\n");
        }
        assert_eq!(answers(&[b"\0AUTH EXTERNAL 30\r\n"]).unwrap().0, "OK g\r\n");
    }

    #[test]
    fn who_does_not_greet_is_hung_up_on() {
        let (long, lines) = (vec![b'x'; MAX_GREETING], b"\r\n".repeat(MAX_GREETING));
        for pieces in [
            &[&b"\n"[..]][..],
            &[b"\0", &long],
            &[b"\0", &lines],
            &[b"\0BEGIN\r\n"],
            &[b"\0\xff\r\n"],
        ] {
            assert!(answers(pieces).is_err(), "{pieces:?}");
        }
    }

    #[test]
    fn messages_pass_if_they_are_short_and_answered() {
        let mut meter = Meter::default();
        let message = [header(5, 3), vec![b'\n'; 11]].concat();
        for _ in 0..MAX_CALLS {
            message.chunks(7).for_each(|piece| meter.pass(piece).unwrap());
        }
        meter.unanswered.store(0, Ordering::Relaxed);
        meter.pass(&message.repeat(MAX_CALLS)).unwrap();
        assert!(meter.pass(&message).is_err(), "nobody reads the answers");
        for long in [header(0, 1 << 20), header(u32::MAX, 1), header(1 << 14, 1)] {
            assert!(Meter::default().pass(&long).is_err());
        }
    }
}
