//! Bytes between a stream and a socket, both ways, until both have ended.
//!
//! Invariant: one direction may end long before the other, and then the rest of the other still arrives. What broke on one
//! side breaks on the other.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

/// Bytes under way in one direction.
const PIECE: usize = 64 << 10;

/// Carries bytes until both directions have ended.
pub async fn pump<R, W>(reader: R, writer: W, socket: UnixStream)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (from, to) = socket.into_split();
    tokio::join!(carry(from, writer), carry(reader, to));
}

/// Until the end of `from`, which becomes that of `to`; both are dropped with whatever breaks.
async fn carry<R, W>(mut from: R, mut to: W)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut piece = vec![0; PIECE];
    loop {
        let count = match from.read(&mut piece).await {
            Ok(0) => break,
            Ok(count) => count,
            Err(_broken) => return,
        };
        if to.write_all(piece.get(..count).unwrap_or_default()).await.is_err() {
            return;
        }
    }
    // Who is gone does not miss it.
    let _gone = to.shutdown().await;
}
