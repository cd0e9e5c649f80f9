//! What a client of one of our buses sends, before a library of D-Bus sees it.
//!
//! ```text
//! client ──lines──► Greeting (here: who it is, the kernel said) ──BEGIN──► Reader ──messages──► zbus
//!   └─a few bytes─► a question of its own kind
//! ```
//!
//! Everybody may connect, and the library trusts who does: an empty line ends it by a panic, a
//! header makes it take 128 MiB, and calls whose answers nobody reads pile up. Invariant: it sees
//! only messages of bounded size and number, and no descriptors but where they are asked for.

use std::future::Future;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::greeting::Greeting;
use crate::meter::Meter;
use sys::seqpacket;
use tokio::io::Interest;
use tokio::net::UnixStream;
use zbus::connection::socket::{BoxedSplit, ReadHalf, Split, WriteHalf};

type Later<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// What a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the longest message.
    pub message: usize,
    /// Messages that may wait for an answer; `None` where whoever reads takes the next one only when it is done
    /// with the last.
    pub unanswered: Option<usize>,
    /// What becomes of descriptors that come along.
    pub descriptors: Descriptors,
}

/// What becomes of descriptors that come along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descriptors {
    /// The client is told that none can be sent; those that come are closed.
    Refused,
    /// It may be sent some, and may send some, as it may to others; those that it sends are closed.
    Closed,
    /// They are handed on.
    Taken,
}

/// How a client goes on.
#[derive(Debug)]
pub enum Begun<Q> {
    /// With messages of the bus.
    Messages(Reader, Writer),
    /// Its one question waits for an answer.
    Question(UnixStream, Q),
}

/// The halves, as a connection of the library takes them.
#[must_use]
pub fn split(reader: Reader, writer: Writer) -> BoxedSplit {
    Split::new(Box::new(reader), Box::new(writer))
}

/// Greets the client as D-Bus wants it, unless its first bytes are a `question`.
///
/// # Errors
/// It hung up, or speaks something else.
pub async fn greet<Q>(
    stream: UnixStream,
    guid: &str,
    limits: Limits,
    question: impl Fn(&[u8]) -> Option<Q>,
) -> io::Result<Begun<Q>> {
    let mut greeting = Greeting::new(limits.descriptors != Descriptors::Refused);
    while !greeting.begun {
        let mut buf = [0; 1024];
        let (count, _) = receive(&stream, &mut buf).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = buf.get(..count).unwrap_or_default();
        if let Some(asked) = question(bytes).filter(|_| greeting.heard == 0) {
            return Ok(Begun::Question(stream, asked));
        }
        let mut answer = greeting.hear(bytes, guid)?;
        while !answer.is_empty() {
            let sent = send(&stream, answer.as_bytes()).await?;
            answer.drain(..sent);
        }
    }
    let (stream, unanswered) = (Arc::new(stream), Arc::new(AtomicUsize::new(0)));
    let meter = Meter::new(limits, Arc::clone(&unanswered));
    let descriptors = limits.descriptors == Descriptors::Taken && greeting.descriptors;
    let reader = Reader { stream: Arc::clone(&stream), early: greeting.bytes, meter, descriptors };
    Ok(Begun::Messages(reader, Writer { stream, unanswered, descriptors: greeting.descriptors }))
}

/// Takes bytes, and the descriptors that come along.
///
/// # Errors
/// The connection is broken; more descriptors at once than anybody needs.
pub async fn receive(stream: &UnixStream, buf: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    loop {
        stream.readable().await?;
        match stream.try_io(Interest::READABLE, || seqpacket::recv_now(stream, buf)) {
            Ok((count, fds, _)) => return Ok((count, fds)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}

/// Sends bytes; how many it took.
///
/// # Errors
/// The connection is broken.
pub async fn send(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    loop {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

/// Sends descriptors with the first byte of what comes next.
async fn pass(stream: &UnixStream, first: &[u8; 1], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    loop {
        stream.writable().await?;
        match stream.try_io(Interest::WRITABLE, || seqpacket::send_now(stream, first, fds)) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            sent => return sent.map(|()| 1),
        }
    }
}

pub(crate) fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// What comes from the client.
#[derive(Debug)]
pub struct Reader {
    stream: Arc<UnixStream>,
    /// What came with the greeting.
    early: Vec<u8>,
    meter: Meter,
    descriptors: bool,
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
            let (count, mut fds) = if early > 0 {
                buf.iter_mut().zip(self.early.drain(..early)).for_each(|(to, from)| *to = from);
                (early, Vec::new())
            } else {
                receive(&self.stream, buf).await?
            };
            self.meter.pass(buf.get(..count).unwrap_or_default())?;
            if !self.descriptors {
                fds.clear();
            }
            Ok((count, fds))
        })
    }

    fn can_pass_unix_fd(&self) -> bool {
        self.descriptors
    }
}

/// What goes to the client.
#[derive(Debug)]
pub struct Writer {
    stream: Arc<UnixStream>,
    unanswered: Arc<AtomicUsize>,
    /// Both have agreed on descriptors.
    descriptors: bool,
}

impl WriteHalf for Writer {
    fn sendmsg<'a, 'b, 'c, 'd, 'e>(
        &'a mut self,
        bytes: &'b [u8],
        fds: &'c [BorrowedFd<'d>],
    ) -> Later<'e, usize>
    where
        'a: 'e,
        'b: 'e,
        'c: 'e,
        'd: 'e,
        Self: 'e,
    {
        match bytes.first_chunk::<1>() {
            Some(first) if self.descriptors && !fds.is_empty() => {
                Box::pin(pass(&self.stream, first, fds))
            }
            _ => Box::pin(send(&self.stream, bytes)),
        }
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

    fn can_pass_unix_fd(&self) -> bool {
        self.descriptors
    }
}
