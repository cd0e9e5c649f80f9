//! One link of pairing: messages in, messages out.
//!
//! ```text
//! source opens the stream, sink takes it ─► length (2 bytes), message ◄──► … ─► all confirmed ─► closed
//! ```
//!
//! Invariant: no message is longer than it may be; what was said last arrives before the link is closed.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::daemon::mail::Mail;
use crate::engine::{Link, Receiver, Sender};
use crate::pairing::{ANSWER, Event, MAX_FRAME, Message, Refusal, encode};

/// How long the last words may take to be confirmed, and the other to hang up then.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is said when there is no more to say.
const OVER: &str = "pairing is over";

/// Talks over a link until it ends, or nothing more is to be said.
pub(super) async fn talk(mail: Mail, link: Link, opens: bool, out: mpsc::Receiver<Vec<u8>>) {
    let number = link.number();
    let stream = async {
        let stream = if opens { link.open().await } else { link.accept().await };
        stream.map_err(io::Error::other)
    };
    if let Ok(Ok((sender, receiver))) = timeout(ANSWER, stream).await {
        let ended = tokio::select! {
            () = write(sender, &link, out) => true,
            _ = read(&mail, number, receiver) => false,
        };
        if ended {
            return;
        }
    }
    mail.tell(move |hub| hub.happens(number, Event::Closed)).await;
    link.close(OVER);
}

/// Whatever it brings, an end of it is one.
async fn read(mail: &Mail, number: usize, mut receiver: Receiver) -> io::Result<()> {
    loop {
        let length = usize::from(receiver.read_u16_le().await?);
        if length > MAX_FRAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = vec![0; length];
        receiver.read_exact(&mut body).await?;
        mail.tell(move |hub| hub.happens(number, Event::Frame(body))).await;
    }
}

/// Says all that is to be said; then the link is closed, by the other if it is quick.
async fn write(mut sender: Sender, link: &Link, mut out: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = out.recv().await {
        if sender.write_all(&bytes).await.is_err() {
            // The reader sees the same.
            return std::future::pending().await;
        }
    }
    let last = async {
        // What was not confirmed by then is lost: the other finds out by the end.
        let _lost = sender.finish().await;
        link.closed().await;
    };
    let _late = timeout(LAST_WORDS, last).await;
    link.close(OVER);
}

/// One more wants to pair, while one does.
pub(super) async fn busy(link: Link) {
    let answer = async {
        let (mut sender, _receiver) = link.accept().await.map_err(io::Error::other)?;
        sender.write_all(&encode(&Message::End(Refusal::Busy))).await?;
        sender.finish().await
    };
    // It is told by the end of the link as well.
    let _late = timeout(LAST_WORDS, answer).await;
    link.close(OVER);
}
