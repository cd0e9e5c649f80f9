//! What both ends of a link say to each other on its first stream.
//!
//! ```text
//! Hello ─► ◄─ Hello      versions, how much of the group's log each has
//! Entries ─► ◄─ Entries  what the other lacks; Seen after each, until both have the same
//! Profile                when the digest in Hello was another one
//! ```
//!
//! A frame is its length (four bytes, the low one first) and one message in postcard. Who reads ignores kinds that it does not
//! know and what follows a message, so that later versions may say more. Invariant: no frame is longer than [`MAX_FRAME`].

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::profile::Profile;
use crate::trust::{Entry, Secret, Seen};

/// Longest frame, in bytes, without its length.
pub const MAX_FRAME: usize = 64 << 10;

/// Oldest version of the protocol that is spoken.
pub const OLDEST: u16 = 1;

/// Newest one.
pub const NEWEST: u16 = 1;

/// First words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Oldest version that is spoken.
    pub oldest: u16,
    /// Newest one.
    pub newest: u16,
    /// A random number of this process.
    pub run: u64,
    /// Somebody needs this link now.
    pub wanted: bool,
    /// Seconds since 1970, as this device's clock has them: nothing is decided by it.
    pub time: u64,
    /// Digest of the profile.
    pub profile: [u8; 32],
    /// How much of the group's log is there.
    pub seen: Seen,
}

/// A message. Kinds are only ever added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// First words.
    Hello(Hello),
    /// Entries of the log that the other lacks.
    Entries(Vec<Entry>),
    /// How much is there now.
    Seen(Seen),
    /// What this device is and has, and where it is reached.
    Profile(Profile, Vec<SocketAddr>),
    /// The other's profile is not known here.
    AskProfile,
    /// By what the group's devices know each other's announcements.
    Secret(Secret),
}

/// Kinds of messages that this version knows.
const KINDS: u8 = 6;

/// Why a frame is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is too long.
    #[error("a message of more than {MAX_FRAME} bytes")]
    Long,
    /// It is not what it says.
    #[error("a message that is none")]
    Nonsense,
}

/// A message as a frame.
///
/// # Errors
/// It is too long.
pub fn frame(message: &Message) -> Result<Vec<u8>, Wrong> {
    let body = postcard::to_stdvec(message).map_err(|_| Wrong::Nonsense)?;
    let length =
        u32::try_from(body.len()).ok().filter(|_| body.len() <= MAX_FRAME).ok_or(Wrong::Long)?;
    Ok([&length.to_le_bytes()[..], &body].concat())
}

/// The length of a frame, by its first four bytes.
///
/// # Errors
/// It is too long.
pub fn length(head: [u8; 4]) -> Result<usize, Wrong> {
    let length = usize::try_from(u32::from_le_bytes(head)).map_err(|_| Wrong::Long)?;
    if length <= MAX_FRAME { Ok(length) } else { Err(Wrong::Long) }
}

/// The message of a frame; none of a kind that only later versions know.
///
/// # Errors
/// It is nonsense.
pub fn message(body: &[u8]) -> Result<Option<Message>, Wrong> {
    match body.first() {
        Some(KINDS..) => Ok(None),
        _ => postcard::take_from_bytes(body)
            .map(|(message, _)| Some(message))
            .map_err(|_| Wrong::Nonsense),
    }
}

/// The version that both speak.
#[must_use]
pub fn version(theirs: &Hello) -> Option<u16> {
    let newest = NEWEST.min(theirs.newest);
    (newest >= OLDEST.max(theirs.oldest)).then_some(newest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello(oldest: u16, newest: u16) -> Hello {
        let (profile, seen) = ([7; 32], Seen::default());
        Hello { oldest, newest, run: 1, wanted: false, time: 0, profile, seen }
    }

    #[test]
    fn a_message_is_read_back_and_later_versions_may_say_more() {
        let sent = Message::Hello(hello(1, 1));
        let bytes = frame(&sent).unwrap();
        let (head, body) = bytes.split_first_chunk::<4>().unwrap();
        assert_eq!(length(*head), Ok(body.len()));
        assert_eq!(message(body), Ok(Some(sent.clone())));
        let longer = [body, b"more"].concat();
        assert_eq!(message(&longer), Ok(Some(sent)));
        assert_eq!(message(&[KINDS, 1, 2]), Ok(None));
        assert_eq!(message(&[]), Err(Wrong::Nonsense));
        assert_eq!(length([0xff; 4]), Err(Wrong::Long));
    }

    #[test]
    fn all_kinds_that_there_are_are_known() {
        let last = postcard::to_stdvec(&Message::AskProfile).unwrap();
        assert_eq!(last, [KINDS - 2], "Secret is the one behind it");
    }

    #[test]
    fn the_newest_version_of_both_is_spoken() {
        assert_eq!(version(&hello(1, 1)), Some(1));
        assert_eq!(version(&hello(1, 3)), Some(1));
        assert_eq!(version(&hello(2, 3)), None);
        assert_eq!(version(&hello(0, 0)), None);
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_hurts(body in prop::collection::vec(any::<u8>(), 0..600)) {
            let _any = message(&body);
        }
    }
}
