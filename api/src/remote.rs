//! What one device of an owner lets another do: run a command, carry a file, reach a port.
//!
//! ```text
//! ensctl ─ socket ─ softbus ══ stream ══ softbus ─ socket ─ remote (root)
//!   Open ─────────────────────► who may? ─────────────────► what?
//!        ◄──────────────────── Opened │ Refused ───────────────────
//!   then as the target speaks: run  [`crate::debug`]    file  [`files`]    port  bytes as they are
//! ```
//!
//! Frames are those of [`crate::debug`]. Pure: bytes in, frames out. Invariant: nothing is stored before its length is
//! known to be legal; what can't be sent is refused where it is made.

pub mod files;

use std::collections::BTreeMap;
use std::fmt;

use crate::debug::{Bad, HEADER, frame};

/// Where `remote` listens; only softbus may connect.
pub const SOCKET: &str = "/run/ensemble/remote.sock";

/// Longest inside of an [`Open`] or an [`Answer`], in bytes: a path and a few words.
pub const MAX_OPEN: usize = 16 << 10;

/// Most arguments of an [`Open`].
pub const MAX_ARGUMENTS: usize = 16;

/// Longest name of a target, and of an argument.
const MAX_NAME: usize = 32;

const OPEN: u8 = 32;
const OPENED: u8 = 33;
const REFUSED: u8 = 34;

/// Something to open a stream to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open {
    /// `run`, `file` or `port`.
    pub target: String,
    /// What the target wants to know.
    pub arguments: BTreeMap<String, String>,
}

/// Whether it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What follows is what the target says.
    Opened,
    /// It was not, and nothing follows.
    Refused {
        /// What did not work: `trust`, `remote`, `file` …
        step: String,
        /// Why, and what to do about it.
        reason: String,
    },
}

/// The kind and the length of what follows this header.
///
/// # Errors
/// [`Bad::TooLong`]: longer than [`MAX_OPEN`].
pub fn announced(header: [u8; HEADER]) -> Result<(u8, usize), Bad> {
    let [kind, length @ ..] = header;
    match usize::try_from(u32::from_le_bytes(length)) {
        Ok(length) if length <= MAX_OPEN => Ok((kind, length)),
        other => Err(Bad::TooLong(other.unwrap_or(usize::MAX))),
    }
}

impl Open {
    /// To this target, with these arguments.
    #[must_use]
    pub fn new(target: &str, arguments: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { target: target.to_owned(), arguments: arguments.iter().map(own).collect() }
    }

    /// An argument; empty when it is not there.
    #[must_use]
    pub fn argument(&self, name: &str) -> &str {
        self.arguments.get(name).map_or("", String::as_str)
    }

    /// As one frame.
    ///
    /// # Errors
    /// [`Bad`]: a name that is none, more than [`MAX_ARGUMENTS`] or [`MAX_OPEN`].
    pub fn encode(&self) -> Result<Vec<u8>, Bad> {
        let legal = |name: &String| is_name(name);
        let named = legal(&self.target) && self.arguments.keys().all(legal);
        if !named || self.arguments.len() > MAX_ARGUMENTS {
            return Err(Bad::Payload(OPEN));
        }
        let pairs = self.arguments.iter().flat_map(|(name, value)| [name, value]);
        let mut bytes = Vec::new();
        for text in std::iter::once(&self.target).chain(pairs) {
            put(&mut bytes, text).ok_or(Bad::Payload(OPEN))?;
        }
        bounded(OPEN, &bytes)
    }

    /// From the inside of a frame.
    ///
    /// # Errors
    /// [`Bad`]: it is no such frame.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, Bad> {
        if kind != OPEN {
            return Err(Bad::Kind(kind));
        }
        let mut rest = payload;
        let mut text = || take(&mut rest).ok_or(Bad::Payload(OPEN));
        let target = text()?;
        let mut arguments = BTreeMap::new();
        while let Ok(name) = text() {
            let value = text()?;
            let twice = arguments.insert(name, value).is_some();
            if twice || arguments.len() > MAX_ARGUMENTS {
                return Err(Bad::Payload(OPEN));
            }
        }
        let named = is_name(&target) && arguments.keys().all(|name| is_name(name));
        // A name that is cut off is no end.
        if named && rest.is_empty() {
            Ok(Self { target, arguments })
        } else {
            Err(Bad::Payload(OPEN))
        }
    }
}

impl Answer {
    /// A refusal; what is too long of it is cut off.
    #[must_use]
    pub fn refused(step: &str, reason: &str) -> Self {
        let cut = |text: &str, most: usize| {
            let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
            text.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
        };
        Self::Refused { step: cut(step, MAX_NAME), reason: cut(reason, MAX_OPEN / 2) }
    }

    /// As one frame.
    ///
    /// # Errors
    /// [`Bad::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, Bad> {
        match self {
            Self::Opened => frame(OPENED, &[]),
            Self::Refused { step, reason } => {
                let mut bytes = Vec::new();
                let put = put(&mut bytes, step).and_then(|()| put(&mut bytes, reason));
                put.ok_or(Bad::Payload(REFUSED))?;
                bounded(REFUSED, &bytes)
            }
        }
    }

    /// From the inside of a frame.
    ///
    /// # Errors
    /// [`Bad`]: it is no such frame.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, Bad> {
        let mut rest = payload;
        match kind {
            OPENED if payload.is_empty() => Ok(Self::Opened),
            REFUSED => match (take(&mut rest), take(&mut rest), rest) {
                (Some(step), Some(reason), []) => Ok(Self::Refused { step, reason }),
                _ => Err(Bad::Payload(kind)),
            },
            OPENED => Err(Bad::Payload(kind)),
            kind => Err(Bad::Kind(kind)),
        }
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.target)
    }
}

fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(legal)
}

fn bounded(kind: u8, bytes: &[u8]) -> Result<Vec<u8>, Bad> {
    if bytes.len() > MAX_OPEN { Err(Bad::TooLong(bytes.len())) } else { frame(kind, bytes) }
}

/// A length of two bytes, and the text.
fn put(bytes: &mut Vec<u8>, text: &str) -> Option<()> {
    bytes.extend(u16::try_from(text.len()).ok()?.to_le_bytes());
    bytes.extend(text.as_bytes());
    Some(())
}

fn take(rest: &mut &[u8]) -> Option<String> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (text, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
    let text = String::from_utf8(text.to_vec()).ok()?;
    *rest = after;
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open(bytes: &[u8]) -> Result<Open, Bad> {
        let (header, payload) = bytes.split_first_chunk::<HEADER>().unwrap();
        let (kind, length) = announced(*header)?;
        assert_eq!(length, payload.len());
        Open::decode(kind, payload)
    }

    #[test]
    fn what_is_asked_arrives_as_it_was_asked() {
        let asked = [
            Open::new("run", &[]),
            Open::new("file", &[("do", "push"), ("path", "/tmp/a b\n"), ("name", "é")]),
        ];
        for asked in asked {
            assert_eq!(open(&asked.encode().unwrap()), Ok(asked));
        }
        for answer in [Answer::Opened, Answer::refused("trust", "tv is a member: why")] {
            let bytes = answer.encode().unwrap();
            assert_eq!(Answer::decode(bytes[0], &bytes[HEADER..]), Ok(answer));
        }
    }

    #[test]
    fn what_no_frame_can_carry_is_not_sent() {
        let long = "x".repeat(MAX_OPEN);
        let many: BTreeMap<_, _> =
            ('a'..='z').map(|name| (name.to_string(), String::new())).collect();
        assert!(Open::new("file", &[("path", &long)]).encode().is_err());
        assert!(Open::new("", &[]).encode().is_err());
        assert!(Open::new("run", &[("TERM", "x")]).encode().is_err());
        assert!(Open { target: "run".into(), arguments: many }.encode().is_err());
        let Answer::Refused { reason, .. } = Answer::refused("x", &"é".repeat(MAX_OPEN)) else {
            unreachable!()
        };
        assert_eq!(reason.len(), MAX_OPEN / 2);
    }

    #[test]
    fn a_header_alone_tells_that_it_is_too_long() {
        assert_eq!(announced([OPEN, 0, 0x40, 0, 0]), Ok((OPEN, MAX_OPEN)));
        assert_eq!(announced([OPEN, 1, 0x40, 0, 0]), Err(Bad::TooLong(MAX_OPEN + 1)));
    }

    #[test]
    fn an_argument_comes_once_and_whole() {
        let twice = [3, 0, b'r', b'u', b'n', 1, 0, b'a', 0, 0, 1, 0, b'a', 0, 0];
        assert_eq!(Open::decode(OPEN, &twice), Err(Bad::Payload(OPEN)));
        for end in 1..twice.len() - 5 {
            let cut = Open::decode(OPEN, &twice[..end]);
            assert_eq!(cut.is_ok(), [5, 10].contains(&end), "{end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_open_that_goes_out_the_same_or_none(
            bytes in proptest::collection::vec(prop_oneof![0_u8..4, b'a'..b'd'], 0..64)
        ) {
            if let Ok(asked) = Open::decode(OPEN, &bytes) {
                prop_assert_eq!(open(&asked.encode().unwrap()), Ok(asked));
            }
            let _ = Answer::decode(REFUSED, &bytes);
        }
    }
}
