//! D-Bus messages as bytes, as far as we talk to the bus: calls out, answers and signals in. Pure.
//!
//! ```text
//! \0AUTH … BEGIN ─► bus         greeting, in lines; then messages, in both directions
//! OK …\r\nl…l…   ─► cut ─► line or message ─► read
//! ```
//!
//! A line of a greeting never begins as a message does, so whoever begins to listen between two of
//! them knows what comes. Everything that arrives is checked; nothing panics.

use std::num::NonZeroU32;
use std::os::fd::{AsFd, OwnedFd};

use serde::{Deserialize, Serialize};
use zbus::message::Message;
use zbus::wire::serialized::{Context, Data};
use zbus::wire::{DynamicType, LE, Type};
use zbus::{Fd, ObjectPath, Variant};

use super::policy::Policy;

/// Longest message that is looked at, in bytes: what a bus has to say to us is a hundredth of it.
pub(super) const MAX_MESSAGE: usize = 64 << 10;

/// Longest line of a greeting, in bytes.
const MAX_LINE: usize = 512;

/// Bytes that tell how long a message is.
const HEADER: usize = 16;

/// The controller's greeting, all of it at once; descriptors will be sent.
pub(super) const GREETING_WITH_DESCRIPTORS: &[u8] =
    b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";

/// The greeting of an ordinary client, all of it at once.
pub(super) const GREETING: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

/// The first thing among bytes that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// A line of a greeting of this length, with its end.
    Line(usize),
    /// A message of this length.
    Message(usize),
    /// At least so many bytes are needed to tell, or to have all of it.
    More(usize),
}

/// Something else than D-Bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nonsense;

/// Looks for the first line or message in `bytes`.
///
/// # Errors
/// It can't be either.
pub(super) fn cut(bytes: &[u8]) -> Result<Cut, Nonsense> {
    match bytes.first() {
        None => Ok(Cut::More(1)),
        Some(b'l') => message(bytes),
        // Big-endian: nobody on our own machine speaks so.
        Some(b'B') => Err(Nonsense),
        Some(_) => match bytes.windows(2).position(|two| two == b"\r\n") {
            Some(end) => Ok(Cut::Line(end + 2)),
            None if bytes.len() < MAX_LINE => Ok(Cut::More(bytes.len() + 1)),
            None => Err(Nonsense),
        },
    }
}

fn message(bytes: &[u8]) -> Result<Cut, Nonsense> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let (Some(body), Some(fields)) = (number(4), number(12)) else {
        return Ok(Cut::More(HEADER));
    };
    let length = fields.checked_next_multiple_of(8).and_then(|f| f.checked_add(body));
    let length = length.and_then(|l| l.checked_add(HEADER)).ok_or(Nonsense)?;
    Ok(if bytes.len() < length { Cut::More(length) } else { Cut::Message(length) })
}

/// Reads a whole stream, and every body that somebody here may ask for.
pub(in crate::daemon) fn read_all(mut stream: &[u8]) {
    while let Ok(Cut::Line(length) | Cut::Message(length)) = cut(stream) {
        let (now, later) = stream.split_at(length.min(stream.len()));
        if let Some(heard) = Heard::read(now) {
            let _any = (heard.text(), heard.body::<(String, String, String)>());
            let _any = (heard.body::<(String,)>(), heard.body::<(u64,)>(), heard.body::<(bool,)>());
        }
        stream = later;
    }
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It wants something.
    Call,
    /// What we wanted was done.
    Done,
    /// What we wanted was not done.
    Refused,
    /// It tells something.
    Signal,
}

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    /// What it is.
    pub(super) kind: Kind,
    /// Its number.
    pub(super) serial: u32,
    /// The number of what it answers.
    pub(super) answers: u32,
    /// Object.
    pub(super) path: String,
    /// Interface.
    pub(super) interface: String,
    /// Method or signal.
    pub(super) member: String,
    /// Name of the error.
    pub(super) error: String,
    /// Who sent it; on the controller's line nobody says so.
    pub(super) sender: String,
    /// To whom; empty: to everybody who wants it.
    pub(super) destination: String,
    signature: String,
    body: Vec<u8>,
}

type Header<'a> = (u8, u8, u8, u8, u32, u32, Vec<(u8, Variant<'a>)>);

impl Heard {
    /// Reads one whole message.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let data = Data::new(bytes, Context::new(LE, 0));
        let (header, _): (Header<'_>, usize) = data.deserialize().ok()?;
        let (_, kind, _, _, length, serial, fields) = header;
        let kind = match kind {
            1 => Kind::Call,
            2 => Kind::Done,
            3 => Kind::Refused,
            4 => Kind::Signal,
            _ => return None,
        };
        let body = bytes.len().checked_sub(usize::try_from(length).ok()?)?;
        let mut heard = Self {
            kind,
            serial,
            answers: 0,
            path: String::new(),
            interface: String::new(),
            member: String::new(),
            error: String::new(),
            sender: String::new(),
            destination: String::new(),
            signature: String::new(),
            body: bytes.get(body..)?.to_vec(),
        };
        for field in fields {
            match field {
                (1, Variant::ObjectPath(path)) => heard.path = path.as_str().to_owned(),
                (2, Variant::Str(text)) => heard.interface = text.as_str().to_owned(),
                (3, Variant::Str(text)) => heard.member = text.as_str().to_owned(),
                (4, Variant::Str(text)) => heard.error = text.as_str().to_owned(),
                (5, Variant::U32(number)) => heard.answers = number,
                (6, Variant::Str(text)) => heard.destination = text.as_str().to_owned(),
                (7, Variant::Str(text)) => heard.sender = text.as_str().to_owned(),
                (8, Variant::Signature(signature)) => {
                    heard.signature = signature.to_string_no_parens();
                }
                _ => {}
            }
        }
        Some(heard)
    }

    /// The first thing in its body, if that is a text.
    pub(super) fn text(&self) -> Option<&str> {
        if !self.signature.starts_with('s') {
            return None;
        }
        let (length, rest) = self.body.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        std::str::from_utf8(rest.get(..length)?).ok()
    }

    /// Its body, if it is of this type.
    pub(super) fn body<T>(&self) -> Option<T>
    where
        T: Type + for<'a> Deserialize<'a>,
    {
        if self.signature != T::SIGNATURE.to_string_no_parens() {
            return None;
        }
        let data = Data::new(self.body.as_slice(), Context::new(LE, 0));
        data.deserialize().ok().map(|(body, _)| body)
    }
}

/// A message to send.
#[derive(Debug)]
pub(super) struct Packet {
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// What goes with it.
    pub(super) fd: Option<OwnedFd>,
}

/// A method of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method<'a> {
    /// Who has it; empty for the other end of the line.
    pub(super) at: &'a str,
    /// The object.
    pub(super) path: &'a str,
    /// Its interface.
    pub(super) interface: &'a str,
    /// The method.
    pub(super) member: &'a str,
}

/// A call. `None`: something of it is no D-Bus, which is a fault of ours.
pub(super) fn call<B>(serial: u32, method: Method<'_>, body: &B) -> Option<Packet>
where
    B: Serialize + DynamicType,
{
    let mut call = Message::method_call(method.path, method.member)
        .interface(method.interface)
        .serial(NonZeroU32::new(serial)?);
    if !method.at.is_empty() {
        call = call.destination(method.at);
    }
    packet(&call.build(body).ok()?)
}

/// The answer to a call, with nothing in it.
pub(super) fn answer(serial: u32, to: u32) -> Option<Packet> {
    let asked = Message::method_call("/", "Asked").serial(NonZeroU32::new(to)?).build(&()).ok()?;
    let answer = Message::method_return(&asked.header()).serial(NonZeroU32::new(serial)?);
    packet(&answer.build(&()).ok()?)
}

fn packet(message: &Message) -> Option<Packet> {
    let fd = message.data().fds().first().map(|fd| fd.as_fd().try_clone_to_owned());
    Some(Packet { bytes: message.data().bytes().to_vec(), fd: fd.transpose().ok()? })
}

/// What `AddListener` takes.
pub(super) fn listener<'a>(
    path: &'a str,
    socket: &'a OwnedFd,
    policy: Policy,
) -> Option<(ObjectPath<'a>, Fd<'a>, Variant<'a>)> {
    Some((ObjectPath::try_from(path).ok()?, Fd::from(socket), Variant::new(policy)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ASK: Method<'_> = Method { at: "a.b", path: "/a/b", interface: "a.b.C", member: "Do" };

    fn asked() -> Vec<u8> {
        call(7, ASK, &("x", 5_u64)).unwrap().bytes
    }

    #[test]
    fn what_is_called_is_what_is_heard() {
        let heard = Heard::read(&asked()).unwrap();
        assert_eq!((heard.kind, heard.serial, heard.answers), (Kind::Call, 7, 0));
        assert_eq!((heard.path.as_str(), heard.member.as_str()), ("/a/b", "Do"));
        assert_eq!(heard.body::<(String, u64)>(), Some(("x".to_owned(), 5)));
        assert_eq!(heard.body::<(u64,)>(), None, "of another type");
        assert_eq!((heard.interface.as_str(), heard.destination.as_str()), ("a.b.C", "a.b"));
        assert_eq!(heard.text(), Some("x"));
        let number = Heard::read(&call(7, ASK, &5_u64).unwrap().bytes).unwrap();
        assert_eq!(number.text(), None);
        let heard = Heard::read(&answer(8, 7).unwrap().bytes).unwrap();
        assert_eq!((heard.kind, heard.serial, heard.answers), (Kind::Done, 8, 7));
    }

    #[test]
    fn lines_and_messages_are_told_apart_wherever_one_begins_to_listen() {
        let mut stream = b"DATA\r\nOK 12\r\n".to_vec();
        stream.extend(asked());
        assert_eq!(cut(&stream), Ok(Cut::Line(6)));
        assert_eq!(cut(&stream[6..]), Ok(Cut::Line(7)));
        assert_eq!(cut(&stream[13..]), Ok(Cut::Message(stream.len() - 13)));
        assert_eq!(cut(&stream[13..stream.len() - 1]), Ok(Cut::More(stream.len() - 13)));
        assert_eq!(cut(b"OK 1"), Ok(Cut::More(5)));
        assert_eq!(cut(b""), Ok(Cut::More(1)));
        assert_eq!(cut(&[b'x'; MAX_LINE]), Err(Nonsense));
    }

    proptest! {
        #[test]
        fn nothing_that_arrives_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _any = cut(&bytes);
            let _any = Heard::read(&bytes).map(|heard| heard.body::<(String, u64)>());
            let _any = Heard::read(&bytes).map(|heard| heard.text().map(str::len));
        }

        #[test]
        fn nor_does_a_message_with_some_bytes_changed(
            changes in prop::collection::vec((0_usize..150, any::<u8>()), 1..6),
        ) {
            let mut bytes = asked();
            for (at, byte) in changes {
                bytes.get_mut(at).into_iter().for_each(|b| *b = byte);
            }
            let _any = cut(&bytes);
            let _any = Heard::read(&bytes).map(|heard| heard.body::<(String, u64)>());
            let _any = Heard::read(&bytes).map(|heard| heard.text().map(str::len));
        }

        #[test]
        fn a_cut_is_never_longer_than_what_is_there(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            match cut(&bytes) {
                Ok(Cut::Line(length) | Cut::Message(length)) => prop_assert!(length <= bytes.len()),
                Ok(Cut::More(length)) => prop_assert!(length > bytes.len()),
                Err(Nonsense) => {}
            }
        }
    }
}
