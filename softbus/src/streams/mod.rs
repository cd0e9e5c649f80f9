//! What a peer may open here, and what is opened on a peer: the streams besides the first of a link.
//!
//! ```text
//! caller   ensctl ─ Open ─► reach ── Open ═══► serve ─ an owner? room? ─► remote     callee
//!             └── socket ── pump ══════════════ pump ── socket ──────────────┘
//! ```
//!
//! softbus may do nothing here itself: it says who asks, and hands on what they say to `remote`, which listens at a socket
//! that only softbus may open. Whoever is an owner of the group is root by that way, so nothing less than an owner gets to it.
//!
//! Invariants: a stream begins with one [`Open`] of bounded size within [`PATIENCE`]; bytes wait in pieces of fixed
//! size, so who does not read makes the other wait; a peer has at most [`OF_ONE`] streams at a time, all of them
//! [`OF_ALL`].

mod doors;
mod pump;

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use api::debug::HEADER;
use api::remote::{Answer, Open, announced};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

pub use doors::{Caller, Doors, OF_ALL, OF_ONE};
pub use pump::pump;

/// How long a peer may take to say what it wants, or to answer. A server behind a port has 5 s of them.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Why a stream was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {reason}")]
pub struct Refusal {
    /// What did not work: `link`, `trust`, `remote`, `file` …
    pub step: String,
    /// Why, and what to do about it.
    pub reason: String,
}

impl Refusal {
    fn new(step: &str, reason: impl Into<String>) -> Self {
        Self { step: step.to_owned(), reason: reason.into() }
    }
}

/// Asks a peer for something over a stream that was just opened. Answers with the socket to hand to who wants it, and
/// with the other end of it, which [`pump`] connects with the stream.
///
/// # Errors
/// [`Refusal`]: of the peer, or that it does not answer.
pub async fn reach<R, W>(
    open: &Open,
    reader: &mut R,
    writer: &mut W,
) -> Result<(OwnedFd, UnixStream), Refusal>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let lost = |e: io::Error| Refusal::new("link", format!("it broke: {e}"));
    let bytes = open.encode().map_err(|bad| Refusal::new("request", bad.to_string()))?;
    let asked = async {
        writer.write_all(&bytes).await.map_err(lost)?;
        writer.flush().await.map_err(lost)?;
        let (kind, payload) = frame(reader).await.map_err(lost)?;
        Answer::decode(kind, &payload).map_err(|bad| Refusal::new("version", bad.to_string()))
    };
    let late = |_| Refusal::new("link", format!("no answer within {} s", PATIENCE.as_secs()));
    match timeout(PATIENCE, asked).await.map_err(late)?? {
        Answer::Refused { step, reason } => Err(Refusal { step, reason }),
        Answer::Opened => {
            let here = |e: io::Error| Refusal::new("socket", format!("none could be made: {e}"));
            let (theirs, ours) = std::os::unix::net::UnixStream::pair().map_err(here)?;
            ours.set_nonblocking(true).map_err(here)?;
            Ok((theirs.into(), UnixStream::from_std(ours).map_err(here)?))
        }
    }
}

/// Serves a stream that `caller` opened, to its end.
pub async fn serve<R, W>(doors: &Doors, caller: &Caller, mut reader: R, mut writer: W)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let begun = async {
        let place = doors.enter(caller)?;
        let heard = timeout(PATIENCE, frame(&mut reader)).await;
        let (kind, payload) = heard
            .map_err(|_| Refusal::new("request", "nothing was asked for in time"))?
            .map_err(|e| Refusal::new("request", e.to_string()))?;
        let open = Open::decode(kind, &payload)
            .map_err(|bad| Refusal::new("version", format!("it can't be read: {bad}")))?;
        let remote = doors.through(caller, &open).await?;
        Ok::<_, Refusal>((place, remote))
    };
    match begun.await {
        Ok((_place, remote)) => pump(reader, writer, remote).await,
        Err(Refusal { step, reason }) => {
            let Ok(bytes) = Answer::refused(&step, &reason).encode() else { return };
            // Who is gone does not hear it.
            let told = async {
                writer.write_all(&bytes).await?;
                writer.shutdown().await
            };
            let _gone = timeout(PATIENCE, told).await;
        }
    }
}

/// One frame, and not a byte more.
async fn frame(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; HEADER];
    reader.read_exact(&mut header).await?;
    let bad = |bad| io::Error::new(io::ErrorKind::InvalidData, bad);
    let (kind, length) = announced(header).map_err(bad)?;
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload).await?;
    Ok((kind, payload))
}

#[cfg(test)]
mod tests;
