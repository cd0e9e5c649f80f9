//! The debug channel: how `ens run -- CMD` runs a command on a device and reads what it writes.
//!
//! ```text
//! frame   u8 kind, u32 length (little endian, at most MAX_PAYLOAD), payload
//! host    Hello            Exec  Stdin* Signal*         PowerOff
//! device         Hello                    Stdout* Stderr* Exit      (Error wherever it is due)
//! ```
//!
//! One command at a time. Each `Exec` gets one `Exit`, also when the program can't be started
//! (`Error` with the reason, then status 127 or 126 as a shell gives); an `Exec` while another
//! command runs gets an `Error` only. Pure: bytes in, frames out, no I/O.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Name of the virtio-serial port that carries the channel in a machine.
pub const PORT: &str = "ensemble.debug";

/// UNIX stream socket of the channel in a container; the agent connects, the runner listens.
pub const SOCKET: &str = "/run/host/debug.sock";

/// Environment variable with another path than [`SOCKET`].
pub const SOCKET_ENV: &str = "ENSEMBLE_DEBUG_SOCKET";

/// Longest payload in bytes; a longer one is refused before anything is stored.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// Bytes before the payload.
pub const HEADER: usize = 5;

/// From the build host to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToDevice {
    /// Run this program (looked up in PATH) with these arguments; never empty.
    Exec(Vec<OsString>),
    /// Bytes for its standard input; none at all means the end of it.
    Stdin(Vec<u8>),
    /// Send this signal to its process group.
    Signal(u8),
    /// Power the device off.
    PowerOff,
    /// Are you there?
    Hello,
}

/// From the device to the build host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToHost {
    /// I am; this is my version.
    Hello(String),
    /// What the command wrote to standard output.
    Stdout(Vec<u8>),
    /// What the command wrote to standard error.
    Stderr(Vec<u8>),
    /// The command ended.
    Exit(Ended),
    /// What was asked could not be done, and why.
    Error(String),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

/// Bytes that are none of ours, or a message that fits no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// A payload of so many bytes, more than [`MAX_PAYLOAD`].
    TooLong(usize),
    /// No message has this kind, or not in this direction.
    Kind(u8),
    /// A message of this kind does not look like this inside.
    Payload(u8),
}

impl ToDevice {
    /// As one frame.
    ///
    /// # Errors
    /// [`Bad::TooLong`], and [`Bad::Payload`] for an `Exec` that is empty or has a NUL inside.
    pub fn encode(&self) -> Result<Vec<u8>, Bad> {
        match self {
            Self::Exec(argv) => {
                let nul = |arg: &OsString| arg.as_bytes().contains(&0);
                if argv.first().is_none_or(|program| program.is_empty()) || argv.iter().any(nul) {
                    return Err(Bad::Payload(1));
                }
                let argv: Vec<&[u8]> = argv.iter().map(|arg| arg.as_bytes()).collect();
                frame(1, &argv.join(&0))
            }
            Self::Stdin(bytes) => frame(2, bytes),
            Self::Signal(number) => frame(3, &[*number]),
            Self::PowerOff => frame(4, &[]),
            Self::Hello => frame(5, &[]),
        }
    }
}

impl ToHost {
    /// As one frame.
    ///
    /// # Errors
    /// [`Bad::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, Bad> {
        match self {
            Self::Hello(version) => frame(16, version.as_bytes()),
            Self::Stdout(bytes) => frame(17, bytes),
            Self::Stderr(bytes) => frame(18, bytes),
            Self::Exit(ended) => {
                let (kind, value) = match ended {
                    Ended::Status(value) => (0, value),
                    Ended::Signal(value) => (1, value),
                };
                let [a, b, c, d] = value.to_le_bytes();
                frame(19, &[kind, a, b, c, d])
            }
            Self::Error(text) => frame(20, text.as_bytes()),
        }
    }
}

/// One frame, not yet understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub(crate) kind: u8,
    pub(crate) payload: Vec<u8>,
}

impl TryFrom<Frame> for ToDevice {
    type Error = Bad;

    fn try_from(Frame { kind, payload }: Frame) -> Result<Self, Bad> {
        match (kind, payload.as_slice()) {
            (1, [] | [0, ..]) => Err(Bad::Payload(kind)),
            (1, joined) => {
                let args = joined.split(|byte| *byte == 0);
                Ok(Self::Exec(args.map(|arg| OsString::from_vec(arg.to_vec())).collect()))
            }
            (2, _) => Ok(Self::Stdin(payload)),
            (3, [number]) => Ok(Self::Signal(*number)),
            (4, []) => Ok(Self::PowerOff),
            (5, []) => Ok(Self::Hello),
            (3..=5, _) => Err(Bad::Payload(kind)),
            _ => Err(Bad::Kind(kind)),
        }
    }
}

impl TryFrom<Frame> for ToHost {
    type Error = Bad;

    fn try_from(Frame { kind, payload }: Frame) -> Result<Self, Bad> {
        let text = |bytes| String::from_utf8(bytes).map_err(|_| Bad::Payload(kind));
        match kind {
            16 => text(payload).map(Self::Hello),
            17 => Ok(Self::Stdout(payload)),
            18 => Ok(Self::Stderr(payload)),
            19 => {
                let (how, value) = payload.split_first().ok_or(Bad::Payload(kind))?;
                let value = value.try_into().map_err(|_| Bad::Payload(kind))?;
                match how {
                    0 => Ok(Self::Exit(Ended::Status(i32::from_le_bytes(value)))),
                    1 => Ok(Self::Exit(Ended::Signal(i32::from_le_bytes(value)))),
                    _ => Err(Bad::Payload(kind)),
                }
            }
            20 => text(payload).map(Self::Error),
            _ => Err(Bad::Kind(kind)),
        }
    }
}

/// Cuts a stream of bytes into messages.
///
/// Holds less than one frame plus what was pushed last, if [`Decoder::take`] is called until it
/// has nothing more before the next push. After an error the stream has no meaning any more.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, if all of it is there: [`ToDevice`] on the device, [`ToHost`] on the host.
    ///
    /// # Errors
    /// [`Bad`]: the other side speaks something else; hang up.
    pub fn take<M: TryFrom<Frame, Error = Bad>>(&mut self) -> Result<Option<M>, Bad> {
        let Some(([kind, length @ ..], rest)) = self.bytes.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_PAYLOAD {
            return Err(Bad::TooLong(length));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let frame = Frame { kind: *kind, payload: payload.to_vec() };
        self.bytes.drain(..HEADER + length);
        M::try_from(frame).map(Some)
    }

    /// Whether part of a frame waits for its rest: the stream must not end here.
    #[must_use]
    pub fn is_within_a_frame(&self) -> bool {
        !self.bytes.is_empty()
    }
}

pub(crate) fn frame(kind: u8, payload: &[u8]) -> Result<Vec<u8>, Bad> {
    let too_long = Bad::TooLong(payload.len());
    if payload.len() > MAX_PAYLOAD {
        return Err(too_long);
    }
    let length = u32::try_from(payload.len()).map_err(|_| too_long)?;
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.push(kind);
    bytes.extend(length.to_le_bytes());
    bytes.extend(payload);
    Ok(bytes)
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(n) => write!(f, "a frame of {n} bytes; at most {MAX_PAYLOAD}"),
            Self::Kind(kind) => write!(f, "no message has kind {kind} here"),
            Self::Payload(kind) => write!(f, "a message of kind {kind} with a wrong inside"),
        }
    }
}

impl std::error::Error for Bad {}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_device() -> Vec<ToDevice> {
        vec![
            ToDevice::Hello,
            ToDevice::Exec(vec!["echo".into(), "".into(), "a b".into(), "".into()]),
            ToDevice::Exec(vec![OsString::from_vec(vec![b'x', 0xff])]),
            ToDevice::Stdin(b"\0\x01two\n".to_vec()),
            ToDevice::Stdin(vec![]),
            ToDevice::Signal(2),
            ToDevice::PowerOff,
        ]
    }

    fn to_host() -> Vec<ToHost> {
        vec![
            ToHost::Hello("ensemble 0.1.0".into()),
            ToHost::Stdout(vec![0; 70_000]),
            ToHost::Stderr(b"oh\n".to_vec()),
            ToHost::Exit(Ended::Status(-1)),
            ToHost::Exit(Ended::Signal(9)),
            ToHost::Error("why: café".into()),
        ]
    }

    /// Pushes `bytes` in pieces of `size` and takes what there is.
    fn taken<M: TryFrom<Frame, Error = Bad>>(bytes: &[u8], size: usize) -> Vec<M> {
        let mut decoder = Decoder::default();
        let mut all = Vec::new();
        for piece in bytes.chunks(size) {
            decoder.push(piece);
            while let Some(message) = decoder.take().unwrap() {
                all.push(message);
            }
        }
        assert!(!decoder.is_within_a_frame());
        all
    }

    #[test]
    fn every_message_arrives_however_the_stream_is_cut() {
        let down: Vec<u8> = to_device().iter().flat_map(|m| m.encode().unwrap()).collect();
        let up: Vec<u8> = to_host().iter().flat_map(|m| m.encode().unwrap()).collect();
        for size in [1, 2, 5, 7, 4096, usize::MAX] {
            assert_eq!(taken::<ToDevice>(&down, size), to_device());
            assert_eq!(taken::<ToHost>(&up, size), to_host());
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_by_its_header_alone() {
        let mut decoder = Decoder::default();
        decoder.push(&[17, 1, 0, 0x10, 0]);
        assert_eq!(decoder.take::<ToHost>(), Err(Bad::TooLong(MAX_PAYLOAD + 1)));
        let long = ToHost::Stdout(vec![0; MAX_PAYLOAD + 1]);
        assert_eq!(long.encode(), Err(Bad::TooLong(MAX_PAYLOAD + 1)));
    }

    #[test]
    fn foreign_frames_are_refused() {
        let refused = |bytes: &[u8]| {
            let mut decoder = Decoder::default();
            decoder.push(bytes);
            decoder.take::<ToDevice>().unwrap_err()
        };
        assert_eq!(refused(&[17, 0, 0, 0, 0]), Bad::Kind(17));
        assert_eq!(refused(&[1, 0, 0, 0, 0]), Bad::Payload(1));
        assert_eq!(refused(&[1, 2, 0, 0, 0, 0, b'x']), Bad::Payload(1));
        assert_eq!(refused(&[3, 2, 0, 0, 0, 1, 1]), Bad::Payload(3));
        assert_eq!(refused(&[4, 1, 0, 0, 0, 1]), Bad::Payload(4));
        let mut decoder = Decoder::default();
        decoder.push(&[19, 5, 0, 0, 0, 7, 0, 0, 0, 0]);
        assert_eq!(decoder.take::<ToHost>(), Err(Bad::Payload(19)));
    }

    #[test]
    fn a_command_that_no_frame_can_carry_is_not_sent() {
        for argv in [vec![], vec!["".into()], vec!["sh".into(), "a\0b".into()]] {
            assert_eq!(ToDevice::Exec(argv).encode(), Err(Bad::Payload(1)));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_messages_or_an_error_and_never_more_than_was_pushed(
            bytes in proptest::collection::vec(0_u8..24, 0..200),
            size in 1_usize..20,
        ) {
            let mut decoder = Decoder::default();
            let mut out = 0;
            for piece in bytes.chunks(size) {
                decoder.push(piece);
                while let Ok(Some(message)) = decoder.take::<ToDevice>() {
                    out += message.encode().unwrap().len();
                }
            }
            assert!(out <= bytes.len());
        }
    }
}
