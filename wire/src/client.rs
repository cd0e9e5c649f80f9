//! D-Bus with one daemon over its socket, one call after the other, without a runtime: it waits by waiting.
//!
//! ```text
//! greeting + first call ──one write──► daemon
//!                answer ◄─────────────         signals that come before it are kept
//! ```
//!
//! The library makes and reads the messages; here is only the way they take. Nothing in the greeting
//! depends on what the daemon says, so it goes out with the first call, unless that has descriptors. Invariant: no wait ends later
//! than the connection's deadline.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sys::poll::{For, poll};
use sys::seqpacket;
use zbus::connection::socket::ReadHalf;
use zbus::zvariant::{DynamicType, Type};
use zbus::{Message, message};

/// Bytes taken from the socket at once.
const PIECE: usize = 4096;

/// Longest line of a daemon's greeting.
const MAX_LINE: usize = 1024;

/// Bytes of what a daemon greets with that knows us: `OK` and 32 digits, and that it agrees to descriptors.
const GREETINGS: [usize; 2] = [37, 15];

/// Signals kept while an answer is waited for; who sends more is no daemon of ours.
const MAX_SIGNALS: usize = 4096;

/// Until when to wait, `None`: for ever.
pub type Deadline = Option<Instant>;

/// So long from now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one clock")]
pub fn within(limit: Duration) -> Deadline {
    Instant::now().checked_add(limit)
}

/// What is called.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    /// Its path.
    pub path: &'static str,
    /// The interface of it.
    pub interface: &'static str,
}

/// A connection to a daemon.
#[derive(Debug)]
pub struct Wire(RefCell<Inner>);

#[derive(Debug)]
struct Inner {
    reader: Reader,
    /// What goes out with the next call.
    greeting: Vec<u8>,
    /// Lines that the daemon owes for it.
    owed: usize,
    signals: VecDeque<Message>,
}

impl Wire {
    /// Connects; nothing is said yet. `fds`: answers may carry descriptors.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    pub fn connect(path: &Path, fds: bool, until: Deadline) -> io::Result<Self> {
        Ok(Self::over(UnixStream::connect(path)?, fds, until))
    }

    fn over(stream: UnixStream, fds: bool, until: Deadline) -> Self {
        let uid = sys::process::user().to_string();
        let uid: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
        let passing = if fds { "NEGOTIATE_UNIX_FD\r\n" } else { "" };
        let greeting = format!("\0AUTH EXTERNAL {uid}\r\n{passing}BEGIN\r\n").into_bytes();
        let reader = Reader { stream, until, early: Vec::new(), fds: Vec::new(), exact: fds };
        let (owed, signals) = (1 + usize::from(fds), VecDeque::new());
        Self(RefCell::new(Inner { reader, greeting, owed, signals }))
    }

    /// Calls and waits for the answer.
    ///
    /// # Errors
    /// What the daemon says. [`zbus::Error::InputOutput`]: the connection is gone, or its deadline is
    /// over ([`ErrorKind::WouldBlock`]).
    pub fn call<B, R>(&self, object: Object, member: &str, body: &B) -> zbus::Result<R>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        let call = Message::method_call(object.path, member).interface(object.interface);
        let answer = self.0.borrow_mut().ask(&call.build(body)?, None)?;
        answer.body().deserialize()
    }

    /// As [`Wire::call`]; signals that come before the answer are handed to `told`, which may not use this connection.
    ///
    /// # Errors
    /// As [`Wire::call`].
    pub fn call_told<B, R>(
        &self,
        object: Object,
        member: &str,
        body: &B,
        told: &mut dyn FnMut(&Message),
    ) -> zbus::Result<R>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        let call = Message::method_call(object.path, member).interface(object.interface);
        let answer = self.0.borrow_mut().ask(&call.build(body)?, Some(told))?;
        answer.body().deserialize()
    }

    /// Waits until something comes over it, or until `other` can be read. Answers whether it was the first.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub fn comes_before(&self, other: BorrowedFd<'_>) -> io::Result<bool> {
        let inner = self.0.borrow();
        if !inner.signals.is_empty() || !inner.reader.early.is_empty() {
            return Ok(true);
        }
        let stream = inner.reader.stream.as_fd();
        loop {
            let ready = poll(&[(stream, For::Reading), (other, For::Reading)], None)?;
            match ready.as_slice() {
                [ours, _] if ours.read || ours.hangup => return Ok(true),
                [_, other] if other.read || other.hangup => return Ok(false),
                _ => {}
            }
        }
    }

    /// The next signal.
    ///
    /// # Errors
    /// As [`Wire::call`].
    pub fn signal(&self) -> zbus::Result<Message> {
        let mut inner = self.0.borrow_mut();
        loop {
            if let Some(signal) = inner.signals.pop_front() {
                return Ok(signal);
            }
            let message = inner.reader.message()?;
            inner.keep(message)?;
        }
    }
}

impl Inner {
    fn ask(
        &mut self,
        call: &Message,
        mut told: Option<&mut dyn FnMut(&Message)>,
    ) -> zbus::Result<Message> {
        let fds: Vec<_> = call.data().fds().iter().map(AsFd::as_fd).collect();
        let mut bytes = std::mem::take(&mut self.greeting);
        if !fds.is_empty() {
            // They come with bytes, and nobody takes any before both have agreed on them.
            self.reader.send(&bytes, &[])?;
            bytes.clear();
            self.greeted()?;
        }
        bytes.extend(&**call.data());
        self.reader.send(&bytes, &fds)?;
        self.greeted()?;
        let serial = call.primary_header().serial_num();
        loop {
            let message = self.reader.message()?;
            if message.header().reply_serial() != Some(serial) {
                match &mut told {
                    Some(told) if message.message_type() == message::Type::Signal => told(&message),
                    _ => self.keep(message)?,
                }
                continue;
            }
            return match message.message_type() {
                message::Type::Error => Err(message.into()),
                _ => Ok(message),
            };
        }
    }

    /// Reads what is owed for the greeting.
    fn greeted(&mut self) -> io::Result<()> {
        let owed = GREETINGS.iter().take(std::mem::take(&mut self.owed));
        owed.copied().try_for_each(|length| self.reader.line(length))
    }

    fn keep(&mut self, message: Message) -> zbus::Result<()> {
        if self.signals.len() >= MAX_SIGNALS {
            return Err(bad("too many signals").into());
        }
        // Nothing else comes unasked that would be for us.
        if message.message_type() == message::Type::Signal {
            self.signals.push_back(message);
        }
        Ok(())
    }
}

fn bad(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

/// What comes from the daemon, and the socket.
#[derive(Debug)]
struct Reader {
    stream: UnixStream,
    until: Deadline,
    /// What was taken and not read yet.
    early: Vec<u8>,
    fds: Vec<OwnedFd>,
    /// Nothing of the next message is taken: descriptors that come with it are its own.
    exact: bool,
}

impl Reader {
    /// How long may be waited now, for the socket.
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    fn wait(&self) -> io::Result<Option<Duration>> {
        let Some(until) = self.until else { return Ok(None) };
        match until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::WouldBlock.into()),
            wait => Ok(Some(wait)),
        }
    }

    /// Descriptors go with the first byte.
    fn send(&mut self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        if let Some(wait) = self.wait()? {
            self.stream.set_write_timeout(Some(wait))?;
        }
        match bytes.split_first_chunk::<1>().filter(|_| !fds.is_empty()) {
            Some((first, rest)) => {
                seqpacket::send(&self.stream, first, fds)?;
                self.stream.write_all(rest)
            }
            None => self.stream.write_all(bytes),
        }
    }

    /// Takes what there is, at least a byte; no more than is `wanted` when that counts.
    fn take(&mut self, wanted: usize) -> io::Result<()> {
        if let Some(wait) = self.wait()? {
            self.stream.set_read_timeout(Some(wait))?;
        }
        let mut piece = [0; PIECE];
        let most = if self.exact { wanted.clamp(1, PIECE) } else { PIECE };
        let piece = piece.get_mut(..most).unwrap_or_default();
        let (count, fds, _) = seqpacket::recv(&self.stream, piece)?;
        self.early.extend(piece.iter().take(count));
        self.fds.extend(fds);
        if count > 0 { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// One line of the greeting, which must be a yes, and then has this length.
    fn line(&mut self, length: usize) -> io::Result<()> {
        let end = loop {
            match self.early.windows(2).position(|end| end == b"\r\n") {
                Some(end) => break end + 2,
                None if self.early.len() > MAX_LINE => return Err(bad("its greeting has no end")),
                None => self.take(length.saturating_sub(self.early.len()))?,
            }
        };
        let line: Vec<u8> = self.early.drain(..end).collect();
        if line.starts_with(b"OK ") || line.starts_with(b"AGREE_UNIX_FD") {
            return Ok(());
        }
        Err(bad(&format!("it greets with {}", line.trim_ascii_end().escape_ascii())))
    }

    /// One message. The library's reader can wait; ours never lets it.
    fn message(&mut self) -> zbus::Result<Message> {
        let (mut early, mut fds) = (Vec::new(), Vec::new());
        let mut read = self.receive_message(0, &mut early, &mut fds);
        match read.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(message) => message,
            Poll::Pending => Err(io::Error::from(ErrorKind::WouldBlock).into()),
        }
    }
}

type Later<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

impl ReadHalf for Reader {
    fn recvmsg<'a, 'b, 'c>(&'a mut self, buf: &'b mut [u8]) -> Later<'c, (usize, Vec<OwnedFd>)>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            if self.early.is_empty() {
                self.take(buf.len())?;
            }
            let count = self.early.len().min(buf.len());
            buf.iter_mut().zip(self.early.drain(..count)).for_each(|(to, from)| *to = from);
            Ok((count, std::mem::take(&mut self.fds)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::thread::{self, JoinHandle};

    use api::services::{Error, INTERFACE, PATH};
    use zbus::message::Header;

    use super::*;

    const OBJECT: Object = Object { path: PATH, interface: INTERFACE };

    /// A daemon that hears one call, after the greeting, and says what `answer` makes of it.
    fn daemon(
        answer: impl FnOnce(&Header<'_>) -> Vec<u8> + Send + 'static,
    ) -> (UnixStream, JoinHandle<()>) {
        let (client, mut stream) = UnixStream::pair().unwrap();
        let thread = thread::spawn(move || {
            let mut early = vec![0; PIECE];
            let count = stream.read(&mut early).unwrap();
            early.truncate(count);
            assert!(early.starts_with(b"\0AUTH EXTERNAL 3"), "{}", early.escape_ascii());
            let begin = early.windows(7).position(|end| end == b"BEGIN\r\n").unwrap();
            let early = early.split_off(begin + 7);
            let fds = Vec::new();
            let mut reader = Reader { stream, until: None, early, fds, exact: false };
            let call = reader.message().unwrap();
            reader.send(&answer(&call.header()), &[]).unwrap();
        });
        (client, thread)
    }

    fn soon() -> Deadline {
        within(Duration::from_secs(10))
    }

    fn status(client: UnixStream, until: Deadline) -> Result<String, Error> {
        Ok(Wire::over(client, false, until).call(OBJECT, "Status", &("web",))?)
    }

    #[test]
    fn a_question_goes_out_in_one_piece_and_its_answer_comes_back() {
        let (client, daemon) = daemon(|call| {
            assert_eq!(call.member().unwrap().as_str(), "Status");
            let answer = Message::method_return(call).build(&"ready").unwrap();
            [&b"OK g\r\n"[..], &**answer.data()].concat()
        });
        assert_eq!(status(client, soon()), Ok("ready".to_owned()));
        daemon.join().unwrap();
    }

    #[test]
    fn an_answer_is_found_behind_signals_and_they_are_kept() {
        let (client, daemon) = daemon(|call| {
            let signal = |n: u32| Message::signal(PATH, INTERFACE, "Changed").build(&n).unwrap();
            let answer = Message::method_return(call).build(&"ready").unwrap();
            let all = [signal(1), signal(2), answer, signal(3)];
            let bytes = all.iter().flat_map(|m| m.data().to_vec());
            b"OK g\r\n".iter().copied().chain(bytes).collect()
        });
        let wire = Wire::over(client, false, soon());
        assert_eq!(wire.call::<_, String>(OBJECT, "Status", &("web",)), Ok("ready".to_owned()));
        daemon.join().unwrap();
        let number = || wire.signal().unwrap().body().deserialize::<u32>().unwrap();
        assert_eq!([number(), number(), number()], [1, 2, 3]);
        assert!(matches!(wire.signal(), Err(zbus::Error::InputOutput(_))), "it has hung up");
    }

    #[test]
    fn whichever_comes_first_is_told() {
        let (client, mut daemon) = UnixStream::pair().unwrap();
        let (mut typing, typed) = UnixStream::pair().unwrap();
        let wire = Wire::over(client, false, soon());
        typing.write_all(b"y").unwrap();
        assert!(!wire.comes_before(typed.as_fd()).unwrap());
        daemon.write_all(b"x").unwrap();
        assert!(wire.comes_before(typed.as_fd()).unwrap());
    }

    #[test]
    fn a_descriptor_goes_with_its_call_once_the_daemon_has_agreed() {
        let (client, mut stream) = UnixStream::pair().unwrap();
        let daemon = thread::spawn(move || {
            let mut greeting = [0; 512];
            let count = stream.read(&mut greeting).unwrap();
            assert!(
                greeting[..count].ends_with(b"NEGOTIATE_UNIX_FD\r\nBEGIN\r\n"),
                "and no call yet"
            );
            stream.write_all(b"OK g\r\nAGREE_UNIX_FD\r\n").unwrap();
            let (early, fds) = (vec![], vec![]);
            let mut reader = Reader { stream, until: soon(), early, fds, exact: true };
            let call = reader.message().unwrap();
            let passed: zbus::OwnedFd = call.body().deserialize().unwrap();
            let mut text = String::new();
            std::fs::File::from(OwnedFd::from(passed)).read_to_string(&mut text).unwrap();
            let answer = Message::method_return(&call.header()).build(&text).unwrap();
            reader.send(answer.data(), &[]).unwrap();
        });
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"ready").unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let wire = Wire::over(client, true, soon());
        let answer = wire.call::<_, String>(OBJECT, "Install", &(zbus::Fd::from(file.as_fd()),));
        assert_eq!(answer, Ok("ready".to_owned()));
        daemon.join().unwrap();
    }

    #[test]
    fn a_descriptor_is_of_the_answer_that_it_comes_with_and_signals_before_it_are_told() {
        let (client, mut stream) = UnixStream::pair().unwrap();
        let (mut early, fds) = (vec![0; PIECE], vec![]);
        let daemon = thread::spawn(move || {
            let count = stream.read(&mut early).unwrap();
            let begin = early.windows(7).position(|end| end == b"BEGIN\r\n").unwrap() + 7;
            let early = early[begin..count].to_vec();
            let mut reader = Reader { stream, until: soon(), early, fds, exact: false };
            let call = reader.message().unwrap();
            let signal = |n: u32| Message::signal(PATH, INTERFACE, "Fetching").build(&n).unwrap();
            let file = tempfile::tempfile().unwrap();
            let answer = Message::method_return(&call.header());
            let answer = answer.build(&zbus::Fd::from(file.as_fd())).unwrap();
            // All at once: the client is slow.
            let greeting = format!("OK {}\r\nAGREE_UNIX_FD\r\n", "0".repeat(32)).into_bytes();
            let before = [&greeting, &**signal(1).data(), &**signal(2).data()].concat();
            reader.send(&before, &[]).unwrap();
            reader.send(answer.data(), &[file.as_fd()]).unwrap();
        });
        let wire = Wire::over(client, true, soon());
        let mut heard = Vec::new();
        let mut told = |signal: &Message| heard.push(signal.body().deserialize::<u32>().unwrap());
        let answer = wire.call_told::<_, zbus::OwnedFd>(OBJECT, "Fetch", &("x",), &mut told);
        assert!(answer.is_ok(), "{answer:?}");
        assert_eq!(heard, [1, 2]);
        daemon.join().unwrap();
    }

    #[test]
    fn a_refusal_has_its_name_and_its_words() {
        let (client, daemon) = daemon(|call| {
            let error = Message::error(call, "org.ensemble.Services1.Error.NoSuchService");
            let error = error.build(&"no web").unwrap();
            [&b"OK g\r\n"[..], &**error.data()].concat()
        });
        assert_eq!(status(client, soon()), Err(Error::NoSuchService("no web".into())));
        daemon.join().unwrap();
    }

    #[test]
    fn silence_ends_at_the_deadline_and_a_hang_up_at_once() {
        let kind = |answer: Result<String, Error>| match answer {
            Err(Error::ZBus(zbus::Error::InputOutput(e))) => e.kind(),
            other => unreachable!("{other:?}"),
        };
        let (client, _silent) = UnixStream::pair().unwrap();
        let late = status(client, within(Duration::from_millis(20)));
        assert_eq!(kind(late), ErrorKind::WouldBlock);
        let (client, daemon) = daemon(|_| b"OK g\r\n".to_vec());
        assert_eq!(kind(status(client, soon())), ErrorKind::UnexpectedEof);
        daemon.join().unwrap();
    }

    #[test]
    fn who_greets_with_anything_else_is_not_believed() {
        for greeting in [&b"REJECTED EXTERNAL\r\n"[..], b"HTTP/1.1 400\r\n\r\n", &[b'x'; 2000]] {
            let (client, daemon) = daemon(move |_| greeting.to_vec());
            assert!(status(client, soon()).is_err());
            daemon.join().unwrap();
        }
    }
}
