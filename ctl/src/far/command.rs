//! `ensctl run --on`: a program on another device, with its input, output, signals and end.
//!
//! ```text
//! stdin ──┐                                   ┌──► stdout, stderr
//!         ├─► frames of api::debug ◄─ socket ─┤
//! Ctrl-C ─┘   (the second hangs up)           └──► exit status
//! ```
//!
//! Invariant: input is read only when all before it is sent, output only when all before it is written: who does not read
//! makes the other wait, and signals get through at once. What runs there ends with the socket.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use api::debug::{Decoder, Ended, ToDevice, ToHost};
use sys::poll::{For, Ready, poll};
use sys::signals::Asked;

use crate::fault::Fault;
use crate::run::Out;

/// Exit status when nothing was run, as podman has it.
const NOT_RUN: u8 = 125;

/// Exit status when the connection was lost, as ssh has it.
const LOST: u8 = 255;

/// Added to the number of a signal that ended the program, as shells do.
const BY_SIGNAL: u8 = 128;

/// What a program ends with whose reader has gone.
const BROKEN_PIPE: u8 = BY_SIGNAL + 13;

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// Runs it; answers with what to end with.
pub(crate) fn run(device: &str, argv: &[String], json: bool, out: &Out) -> ExitCode {
    let code = match begin(device, argv) {
        Err(fault) => {
            let _code = out.complain(&fault);
            NOT_RUN
        }
        Ok(mut session) => match session.led(device, out) {
            Ok(code) => code,
            Err(fault) => {
                let _code = out.complain(&fault);
                LOST
            }
        },
    };
    if json {
        // Nobody is left to tell when this fails.
        let _gone = out.json(&serde_json::json!({ "device": device, "status": code }));
    }
    ExitCode::from(code)
}

fn begin(device: &str, argv: &[String]) -> Result<Session, Fault> {
    let asked = ToDevice::Exec(argv.iter().map(Into::into).collect()).encode();
    let asked = asked.map_err(|bad| Fault::Refused(format!("this can't be sent: {bad}")))?;
    let here = |e: io::Error| Fault::NotWell(format!("cannot begin: {e}"));
    let stream = super::open(device, "run", &HashMap::new())?;
    // Until now Ctrl-C ends us, and nothing has run.
    let signals = Asked::open().map_err(here)?;
    stream.set_nonblocking(true).map_err(here)?;
    let input = io::stdin().as_fd().try_clone_to_owned().map_err(here)?;
    Ok(Session {
        stream,
        signals,
        input: Some(File::from(input)),
        decoder: Decoder::default(),
        out: asked,
        interrupted: false,
    })
}

struct Session {
    stream: UnixStream,
    signals: Asked,
    input: Option<File>,
    decoder: Decoder,
    /// Frames that the socket did not take yet.
    out: Vec<u8>,
    interrupted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Stream,
    Signals,
    Input,
}

impl Session {
    fn led(&mut self, device: &str, out: &Out) -> Result<u8, Fault> {
        let lost = |e: &io::Error| {
            Fault::NotWell(format!(
                "the connection to {device} was lost ({e}), and what ran there is ended"
            ))
        };
        loop {
            for (slot, ready) in self.wait().map_err(|e| lost(&e))? {
                let ended = match slot {
                    Slot::Signals if ready.read => self.signalled(out)?,
                    Slot::Input if ready.read || ready.hangup => {
                        self.feed();
                        None
                    }
                    Slot::Stream => {
                        if ready.write {
                            self.flush().map_err(|e| lost(&e))?;
                        }
                        let heard = if ready.read || ready.hangup {
                            self.listen().map_err(|e| lost(&e))?
                        } else {
                            Vec::new()
                        };
                        self.told(heard, device, out)?
                    }
                    Slot::Signals | Slot::Input => None,
                };
                if let Some(code) = ended {
                    return Ok(code);
                }
            }
        }
    }

    fn wait(&self) -> io::Result<Vec<(Slot, Ready)>> {
        let what = if self.out.is_empty() { For::Reading } else { For::Both };
        let mut wanted: Vec<(Slot, (BorrowedFd<'_>, For))> = vec![
            (Slot::Signals, (self.signals.as_fd(), For::Reading)),
            (Slot::Stream, (self.stream.as_fd(), what)),
        ];
        if let Some(input) = self.input.as_ref().filter(|_| self.out.is_empty()) {
            wanted.push((Slot::Input, (input.as_fd(), For::Reading)));
        }
        let (slots, wanted): (Vec<Slot>, Vec<_>) = wanted.into_iter().unzip();
        Ok(slots.into_iter().zip(poll(&wanted, None)?).collect())
    }

    fn say(&mut self, message: &ToDevice) {
        // Signals and pieces of input always fit a frame.
        self.out.extend(message.encode().unwrap_or_default());
    }

    /// Hands on a signal; the second one is meant for us.
    fn signalled(&mut self, out: &Out) -> Result<Option<u8>, Fault> {
        while let Some(number) = self.signals.next()? {
            if self.interrupted {
                return Ok(Some(BY_SIGNAL.saturating_add(number)));
            }
            self.interrupted = true;
            self.say(&ToDevice::Signal(number));
            if out.live() {
                out.say("(once more to hang up)")?;
            }
        }
        Ok(None)
    }

    /// Reads input once. One that can't be read has ended.
    fn feed(&mut self) {
        let mut bytes = vec![0; PIECE];
        let Some(input) = &mut self.input else { return };
        let count = match input.read(&mut bytes) {
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => return,
            other => other.unwrap_or_default(),
        };
        bytes.truncate(count);
        if count == 0 {
            self.input = None;
        }
        self.say(&ToDevice::Stdin(bytes));
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                // What it said before it closed is still to be heard.
                Err(e) if e.kind() == ErrorKind::BrokenPipe => {
                    self.out.clear();
                    self.input = None;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn listen(&mut self) -> io::Result<Vec<ToHost>> {
        let mut bytes = vec![0; PIECE];
        match self.stream.read(&mut bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.decoder.push(bytes.get(..count).unwrap_or_default()),
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(e) => return Err(e),
        }
        let mut all = Vec::new();
        while let Some(message) = self.decoder.take().map_err(io::Error::other)? {
            all.push(message);
        }
        Ok(all)
    }

    /// Does what the other device said; the exit status when it was the last.
    fn told(&self, heard: Vec<ToHost>, device: &str, out: &Out) -> Result<Option<u8>, Fault> {
        for message in heard {
            let written = match message {
                ToHost::Stdout(bytes) => put(&mut io::stdout(), &bytes),
                ToHost::Stderr(bytes) => put(&mut io::stderr(), &bytes),
                ToHost::Error(why) => {
                    out.say(&format!("{device}: {why}"))?;
                    Ok(())
                }
                ToHost::Hello(_) => Ok(()),
                ToHost::Exit(ended) => return Ok(Some(status(ended))),
            };
            match written {
                Err(e) if e.kind() == ErrorKind::BrokenPipe => return Ok(Some(BROKEN_PIPE)),
                other => other?,
            }
        }
        Ok(None)
    }
}

fn put(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

/// The exit status for how a program ended.
fn status(ended: Ended) -> u8 {
    match ended {
        // The kernel keeps only the low byte too.
        Ended::Status(code) => code.to_le_bytes().first().copied().unwrap_or(LOST),
        Ended::Signal(number) => {
            u8::try_from(number).map_or(LOST, |number| number.saturating_add(BY_SIGNAL))
        }
    }
}

#[cfg(test)]
mod tests {
    use api::debug::HEADER;
    use api::remote::{Answer, Open};

    use super::*;

    #[test]
    fn it_ends_as_the_program_did() {
        assert_eq!(status(Ended::Status(0)), 0);
        assert_eq!(status(Ended::Status(7)), 7);
        assert_eq!(status(Ended::Signal(15)), 143);
        assert_eq!(status(Ended::Signal(-1)), LOST);
    }

    /// Runs a command by who does it on a device, in a thread.
    fn far(argv: &[&str], input: &[u8]) -> Result<u8, Fault> {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || remote::serve::serve(theirs));
        ours.write_all(&Open::new("run", &[]).encode().unwrap()).unwrap();
        let mut opened = [0; HEADER];
        ours.read_exact(&mut opened).unwrap();
        assert_eq!(Answer::decode(opened[0], &[]), Ok(Answer::Opened));
        let argv = argv.iter().map(Into::into).collect();
        session(ours, ToDevice::Exec(argv).encode().unwrap(), input).led("tv", &Out::standard())
    }

    fn session(stream: UnixStream, out: Vec<u8>, input: &[u8]) -> Session {
        stream.set_nonblocking(true).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let (signals, decoder) = (Asked::open().unwrap(), Decoder::default());
        Session { stream, signals, input: Some(file), decoder, out, interrupted: false }
    }

    #[test]
    fn a_far_program_has_its_input_and_its_status_is_ours() {
        let sh = |script: &str, input: &[u8]| far(&["/bin/sh", "-c", script], input);
        assert_eq!(sh("exit 3", b""), Ok(3));
        let much = vec![b'x'; 5_000_000];
        assert_eq!(sh("test $(wc -c) = 5000000 && exit 4", &much), Ok(4));
        assert_eq!(sh("exec head -c 1 > /dev/null", &much), Ok(0), "the rest is read by nobody");
        assert_eq!(sh("kill -9 $$", b""), Ok(137));
        assert_eq!(far(&["/no/such/program"], b""), Ok(127));
        assert_eq!(far(&["/etc"], b""), Ok(126));
    }

    #[test]
    fn a_lost_connection_is_no_end_of_the_program() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let lost = session(ours, Vec::new(), b"").led("tv", &Out::standard()).unwrap_err();
        let why = lost.to_string();
        assert!(why.starts_with("the connection to tv was lost"), "{why}");
        assert!(why.ends_with("what ran there is ended"), "{why}");
    }
}
