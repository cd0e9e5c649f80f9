//! What the two say to each other.
//!
//! ```text
//! length (2 bytes, little-endian) · postcard of a Message, at most 4 KiB
//! ```
//!
//! `Hello` and `End` never change their form: by them any two versions can say that they do not fit.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::joining::Standing;
use crate::trust::{Entry, Form, GroupId, Name, Secret};

/// Bytes of a message.
pub const MAX_FRAME: usize = 4096;

/// Versions of pairing that this program speaks: the first and the last.
pub const VERSIONS: (u16, u16) = (1, 1);

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The first of either.
    Hello {
        /// The first and the last version it speaks.
        versions: (u16, u16),
        /// What it is called.
        name: Name,
        /// What kind it is.
        form: Form,
    },
    /// It is over, and why.
    End(Refusal),
    /// The sink's owner said yes; the code is shown.
    Show,
    /// One side of SPAKE2.
    Share(Vec<u8>),
    /// That the code was known.
    Proof([u8; 32]),
    /// It was not; so many tries are left.
    Wrong(u8),
    /// In which group each is.
    Standing(Standing),
    /// Some of the group's entries.
    Entries(Vec<Entry>),
    /// All entries are sent.
    Welcome {
        /// Which group.
        group: GroupId,
        /// Its secret.
        secret: Secret,
    },
    /// The group is stored.
    Joined,
}

/// What was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Step {
    /// The first message.
    Hello,
    /// The yes of the sink's owner.
    Confirm,
    /// The code, typed.
    Code,
    /// Whether the code was right.
    Proof,
    /// That both are in one group.
    Group,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hello => "the other device's greeting",
            Self::Confirm => "a yes on the device that shows the code",
            Self::Code => "the code",
            Self::Proof => "the check of the code",
            Self::Group => "the exchange of the group",
        })
    }
}

/// Why there is no pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// It pairs with another.
    #[error("it is pairing with another device: try again when that is done")]
    Busy,
    /// Too many wrong codes.
    #[error("too many wrong codes: no code is taken for {0} s")]
    Frozen(u32),
    /// Its owner said no.
    #[error("it was declined")]
    Declined,
    /// No version in common.
    #[error("the versions do not fit: update the older device")]
    Version,
    /// Three wrong codes.
    #[error("the code was wrong three times: pair again, with a new code")]
    Code,
    /// The other did not know the code that it should have shown.
    #[error(
        "the other device does not know the code: something stands between the two, or it is another device"
    )]
    Proof,
    /// It took too long.
    #[error("no time was left, waiting for {0}")]
    TimedOut(Step),
    /// Each is in a group of its own.
    #[error(
        "the devices are in different groups: on one of them, leave first: ensctl device leave"
    )]
    OtherGroup,
    /// Nobody of the two may add the other.
    #[error(
        "only an owner of the group adds devices: pair with one, or make this one: ensctl device level DEVICE owner"
    )]
    NotOwner,
    /// What came was not what is said at this point.
    #[error("what came is not what is said at this point")]
    Malformed,
    /// Somebody gave up.
    #[error("it was given up")]
    Cancelled,
    /// The disk.
    #[error("the group could not be stored")]
    Storage,
    /// The group that was sent is not one that this device is in.
    #[error("the group that came does not hold together")]
    Group,
    /// The group is full.
    #[error("the group holds as many devices as it can")]
    Full,
}

impl Refusal {
    /// What it was about.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::Busy | Self::Frozen(_) | Self::Version | Self::Malformed => Step::Hello,
            Self::Declined | Self::Cancelled => Step::Confirm,
            Self::Code => Step::Code,
            Self::Proof => Step::Proof,
            Self::TimedOut(step) => *step,
            Self::OtherGroup | Self::NotOwner | Self::Storage | Self::Group | Self::Full => {
                Step::Group
            }
        }
    }
}

impl Step {
    /// One word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Confirm => "confirm",
            Self::Code => "code",
            Self::Proof => "proof",
            Self::Group => "group",
        }
    }
}

/// A message as it is sent, with its length.
#[must_use]
pub fn encode(message: &Message) -> Vec<u8> {
    // What is encoded here was cut to fit.
    let body = postcard::to_stdvec(message).unwrap_or_default();
    let length = u16::try_from(body.len()).unwrap_or_default();
    [&length.to_le_bytes()[..], &body].concat()
}

/// A message as it came, without its length.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Message> {
    let (message, rest) =
        postcard::take_from_bytes(bytes.get(..bytes.len().min(MAX_FRAME))?).ok()?;
    (rest.is_empty() && bytes.len() <= MAX_FRAME).then_some(message)
}
