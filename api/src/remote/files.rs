//! How a file gets from one device to another, and goes on where it was cut off.
//!
//! ```text
//! sender    Offer{size, mode, mtime}            From{offset}  Data*  End{digest}
//! receiver                       Have{offset, digest}                            Done     (Failed: wherever it is due)
//! ```
//!
//! `Have` tells how much is there and what its SHA-256 is; the sender goes on from there only if its own file begins so,
//! else from the start. Invariant: `Done` is said of bytes whose digest is the sender's, and of no others.

use crate::debug::{Bad, Frame, frame};

/// Bytes of a digest.
pub const DIGEST: usize = 32;

/// Bytes of a file in one message.
pub const PIECE: usize = 64 << 10;

/// Longest reason, in bytes.
const MAX_REASON: usize = 4096;

/// What sender and receiver say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// This is the file.
    Offer {
        /// Its bytes.
        size: u64,
        /// Its permission bits.
        mode: u32,
        /// When it was last changed: nanoseconds since 1970.
        mtime: i64,
    },
    /// So much of it was there already.
    Have {
        /// Bytes.
        offset: u64,
        /// SHA-256 of them.
        digest: [u8; DIGEST],
    },
    /// What comes begins here: at what the receiver has, or at 0.
    From(u64),
    /// The next bytes; never none.
    Data(Vec<u8>),
    /// That was all of it, and this is its SHA-256.
    End([u8; DIGEST]),
    /// It is where it should be, on disk.
    Done,
    /// It will not be, and why.
    Failed(String),
}

impl Message {
    /// As one frame.
    ///
    /// # Errors
    /// [`Bad`]: more than [`PIECE`], or nothing, in one `Data`.
    pub fn encode(&self) -> Result<Vec<u8>, Bad> {
        match self {
            Self::Offer { size, mode, mtime } => {
                let mut bytes = size.to_le_bytes().to_vec();
                bytes.extend(mode.to_le_bytes());
                bytes.extend(mtime.to_le_bytes());
                frame(48, &bytes)
            }
            Self::Have { offset, digest } => {
                frame(49, &[&offset.to_le_bytes()[..], digest].concat())
            }
            Self::From(offset) => frame(50, &offset.to_le_bytes()),
            Self::Data(bytes) if bytes.is_empty() => Err(Bad::Payload(51)),
            Self::Data(bytes) if bytes.len() > PIECE => Err(Bad::TooLong(bytes.len())),
            Self::Data(bytes) => frame(51, bytes),
            Self::End(digest) => frame(52, digest),
            Self::Done => frame(53, &[]),
            Self::Failed(why) => {
                let end = (0..=MAX_REASON.min(why.len())).rev();
                let end = end.into_iter().find(|at| why.is_char_boundary(*at)).unwrap_or_default();
                frame(54, why.get(..end).unwrap_or_default().as_bytes())
            }
        }
    }
}

impl TryFrom<Frame> for Message {
    type Error = Bad;

    fn try_from(Frame { kind, payload }: Frame) -> Result<Self, Bad> {
        let bad = Bad::Payload(kind);
        if payload.len() > PIECE {
            return Err(Bad::TooLong(payload.len()));
        }
        let mut rest = payload.as_slice();
        let message = match kind {
            48 => Self::Offer {
                size: u64::from_le_bytes(*take(&mut rest).ok_or(bad)?),
                mode: u32::from_le_bytes(*take(&mut rest).ok_or(bad)?),
                mtime: i64::from_le_bytes(*take(&mut rest).ok_or(bad)?),
            },
            49 => Self::Have {
                offset: u64::from_le_bytes(*take(&mut rest).ok_or(bad)?),
                digest: *take(&mut rest).ok_or(bad)?,
            },
            50 => Self::From(u64::from_le_bytes(*take(&mut rest).ok_or(bad)?)),
            51 if payload.is_empty() => return Err(bad),
            51 => return Ok(Self::Data(payload)),
            52 => Self::End(*take(&mut rest).ok_or(bad)?),
            53 => Self::Done,
            54 if payload.len() > MAX_REASON => return Err(bad),
            54 => return String::from_utf8(payload).map(Self::Failed).map_err(|_| bad),
            _ => return Err(Bad::Kind(kind)),
        };
        if rest.is_empty() { Ok(message) } else { Err(bad) }
    }
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::debug::Decoder;

    fn read(bytes: &[u8]) -> Result<Option<Message>, Bad> {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        decoder.take()
    }

    #[test]
    fn every_message_arrives_as_it_was_sent() {
        let all = [
            Message::Offer { size: u64::MAX, mode: 0o755, mtime: -1 },
            Message::Have { offset: 5, digest: [7; DIGEST] },
            Message::From(5),
            Message::Data(vec![1; PIECE]),
            Message::End([9; DIGEST]),
            Message::Done,
            Message::Failed("no room".into()),
        ];
        for message in all {
            assert_eq!(read(&message.encode().unwrap()), Ok(Some(message)));
        }
        assert!(Message::Data(vec![]).encode().is_err());
        assert!(Message::Data(vec![0; PIECE + 1]).encode().is_err());
        assert_eq!(Message::Failed("é".repeat(MAX_REASON)).encode().unwrap().len(), 5 + MAX_REASON);
    }

    proptest! {
        #[test]
        fn any_frame_is_a_message_that_goes_out_the_same_or_none(
            kind in 46_u8..57,
            inside in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let bytes = frame(kind, &inside).unwrap();
            if let Ok(Some(message)) = read(&bytes) {
                prop_assert_eq!(message.encode().unwrap(), bytes);
            }
        }
    }
}
