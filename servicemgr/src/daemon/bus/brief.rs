//! Questions in brief (the crate [`brief`]): one comes, its answer goes, and that was all.
//!
//! They mean what the bus's calls of the same name mean, and are answered by them; what needs more words
//! than "done", or than how a job ended, is left to the bus.

use std::io;

use api::services::Error;
use brief::{Answer, Question};
use tokio::net::UnixStream;
use wire::{receive, send};

/// A question, on its own.
#[derive(Debug)]
pub(in crate::daemon) enum Asked {
    Start(String),
    Stop(String),
    PowerOff,
    Reboot,
    Halt,
}

impl Asked {
    /// What the first bytes of a client ask, if they do.
    pub(in crate::daemon) fn read(bytes: &[u8]) -> Option<Self> {
        Some(match Question::read(bytes)? {
            Question::Start(name) => Self::Start(name.to_owned()),
            Question::Stop(name) => Self::Stop(name.to_owned()),
            Question::PowerOff => Self::PowerOff,
            Question::Reboot => Self::Reboot,
            Question::Halt => Self::Halt,
        })
    }
}

/// Answers with what became of it, unless the client hangs up meanwhile or says more.
pub(super) async fn serve(
    stream: &UnixStream,
    done: impl Future<Output = Result<(), Error>>,
) -> io::Result<()> {
    let mut more = [0];
    let done = tokio::select! {
        biased;
        done = done => done,
        _more = receive(stream, &mut more) => return Ok(()),
    };
    let (what, why) = answer(&done).parts();
    let bytes = [&[what], why.as_bytes()].concat();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let sent = send(stream, rest).await?;
        rest = rest.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Whoever is refused may ask again, and is told on the bus; how a job ended is told here, or it would
/// be done a second time.
fn answer(done: &Result<(), Error>) -> Answer<'_> {
    match done {
        Ok(()) => Answer::Done,
        Err(Error::Failed(why)) => Answer::Failed(why),
        Err(Error::Replaced(why)) => Answer::Replaced(why),
        Err(
            Error::ZBus(_)
            | Error::NoSuchService(_)
            | Error::Refused(_)
            | Error::BadDefinition(_)
            | Error::NotPermitted(_)
            | Error::GoingDown(_),
        ) => Answer::InFull,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_how_a_job_ended_is_told() {
        let why = || "why".to_owned();
        assert_eq!(answer(&Ok(())), Answer::Done);
        assert_eq!(answer(&Err(Error::Failed(why()))), Answer::Failed("why"));
        assert_eq!(answer(&Err(Error::Replaced(why()))), Answer::Replaced("why"));
        for refusal in [Error::NoSuchService, Error::Refused, Error::NotPermitted, Error::GoingDown]
        {
            assert_eq!(answer(&Err(refusal(why()))), Answer::InFull);
        }
    }

    #[test]
    fn a_greeting_of_the_bus_asks_nothing() {
        assert!(Asked::read(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n").is_none());
        assert!(matches!(Asked::read(b"+\x03web"), Some(Asked::Start(name)) if name == "web"));
    }
}
