//! The loop that carries bytes between the host and its command.
//!
//! Back-pressure: an output of the command is read only when the host took all that was written
//! before; the host is read only while the command's input has room.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use api::debug::{Decoder, ToHost};
use sys::poll::{For, Ready, poll};
use sys::sd_notify::sd_notify;

use crate::channel::{Channel, Place};
use crate::command::{Command, Piece};
use crate::session::{Action, Event, Session, Stream};

/// Bytes read from the host at once.
const PIECE: usize = 64 << 10;

/// Bytes of answers that may wait for the host; with more, it is not listened to until it reads.
const MAX_OUT: usize = 1 << 20;

/// Serves one host after the other; returns at once if this device has no channel.
///
/// # Errors
/// The channel can't be opened or polled, in words for people.
pub fn run() -> io::Result<()> {
    let Some(place) = Place::find().map_err(|e| context("cannot look for the channel", &e))? else {
        sd_notify("READY=1\nSTATUS=no debug channel: boot with `ens run` to have one")?;
        return Ok(());
    };
    let named = format!("cannot open the debug channel {place:?}");
    let mut channel = Channel::new(place);
    channel.open().map_err(|e| context(&named, &e))?;
    sd_notify("READY=1")?;
    loop {
        let file = channel.wait_for_host().map_err(|e| context(&named, &e))?;
        let end = Host::new(file).serve();
        if let Err(e) = &end {
            complain(e);
        }
        channel.hang_up(end.is_err());
    }
}

/// Serves one host over a channel whose reads and writes do not wait, until it is gone, and its command with it.
///
/// # Errors
/// The channel is broken, or the host speaks something else.
pub fn one(channel: &File) -> io::Result<()> {
    Host::new(channel).serve()
}

/// Writes an error where servicemgr collects it for the journal.
pub fn complain(e: &io::Error) {
    // Nobody is left to tell when this fails.
    let _ = writeln!(io::stderr(), "debug-agent: {e}");
}

fn context(what: &str, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{what}: {e}"))
}

/// What a descriptor in a poll is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Host,
    Input,
    Output(Stream),
    End,
}

/// One host, while it is there.
struct Host<'a> {
    channel: &'a File,
    decoder: Decoder,
    session: Session,
    command: Option<Command>,
    /// Frames that the channel did not take yet.
    out: Vec<u8>,
    gone: bool,
}

impl<'a> Host<'a> {
    fn new(channel: &'a File) -> Self {
        Self {
            channel,
            decoder: Decoder::default(),
            session: Session::default(),
            command: None,
            out: Vec::new(),
            gone: false,
        }
    }

    /// Until the host is gone, and its command with it.
    fn serve(mut self) -> io::Result<()> {
        let end = loop {
            if let Err(e) = self.turn() {
                break Err(e);
            }
            if self.gone {
                break Ok(());
            }
        };
        for action in self.session.step(Event::HostGone) {
            if action == Action::Kill {
                self.kill();
            }
        }
        end
    }

    /// Waits for something, and deals with it.
    fn turn(&mut self) -> io::Result<()> {
        let draining = self.session.is_draining() && self.out.is_empty();
        let ready = {
            let (slots, wanted): (Vec<Slot>, Vec<_>) = self.wanted().into_iter().unzip();
            let ready = poll(&wanted, draining.then_some(Duration::ZERO))?;
            slots.into_iter().zip(ready).collect::<Vec<_>>()
        };
        let mut quiet = draining;
        for (slot, ready) in ready {
            match slot {
                Slot::Host => self.host(ready)?,
                Slot::Input if ready.write || ready.hangup => {
                    self.command.iter_mut().for_each(Command::pump);
                }
                Slot::Output(stream) if ready.read || ready.hangup => {
                    quiet = false;
                    self.output(stream)?;
                }
                Slot::End if ready.read => {
                    let ended = self.command.as_mut().map(Command::ended).transpose()?.flatten();
                    ended.into_iter().try_for_each(|how| self.step(Event::Ended(how)))?;
                }
                Slot::Input | Slot::Output(_) | Slot::End => {}
            }
        }
        if quiet { self.step(Event::Quiet) } else { Ok(()) }
    }

    /// What to wait for now. The end comes last, so that output seen with it goes first.
    fn wanted(&self) -> Vec<(Slot, (BorrowedFd<'_>, For))> {
        let fed = self.command.as_ref().is_none_or(Command::has_room);
        let room = fed && self.out.len() < MAX_OUT;
        let host = match (room, self.out.is_empty()) {
            (true, true) => For::Reading,
            (true, false) => For::Both,
            (false, true) => For::Hangup,
            (false, false) => For::Writing,
        };
        let mut wanted = vec![(Slot::Host, (self.channel.as_fd(), host))];
        let Some(command) = &self.command else { return wanted };
        wanted.extend(command.hungry().map(|fd| (Slot::Input, (fd, For::Writing))));
        if self.out.is_empty() {
            for stream in [Stream::Stdout, Stream::Stderr] {
                let fd = command.output(stream);
                wanted.extend(fd.map(|fd| (Slot::Output(stream), (fd, For::Reading))));
            }
        }
        wanted.extend(command.end().map(|fd| (Slot::End, (fd, For::Reading))));
        wanted
    }

    fn host(&mut self, ready: Ready) -> io::Result<()> {
        if ready.write {
            self.flush()?;
        }
        if ready.read {
            self.listen()
        } else {
            self.gone |= ready.hangup;
            Ok(())
        }
    }

    /// Reads once, and does what it says.
    fn listen(&mut self) -> io::Result<()> {
        let mut bytes = vec![0; PIECE];
        let mut channel = self.channel;
        match channel.read(&mut bytes) {
            Ok(0) => self.gone = true,
            Ok(length) => self.decoder.push(bytes.get(..length).unwrap_or_default()),
            Err(e) if passes(&e) => {}
            Err(e) if is_gone(&e) => self.gone = true,
            Err(e) => return Err(context("cannot read the debug channel", &e)),
        }
        loop {
            match self.decoder.take() {
                Ok(None) => return Ok(()),
                Ok(Some(message)) => self.step(Event::Host(message))?,
                Err(bad) => {
                    let why = format!("the host speaks another language: {bad}");
                    self.send(&ToHost::Error(why.clone()))?;
                    return Err(io::Error::new(ErrorKind::InvalidData, why));
                }
            }
        }
    }

    fn output(&mut self, stream: Stream) -> io::Result<()> {
        let Some(command) = &mut self.command else { return Ok(()) };
        match command.read(stream)? {
            Piece::Nothing => Ok(()),
            Piece::Bytes(bytes) => self.step(Event::Output(stream, bytes)),
            Piece::End => self.step(Event::OutputEnd(stream)),
        }
    }

    /// Tells the session, and does what it says.
    fn step(&mut self, event: Event) -> io::Result<()> {
        for action in self.session.step(event) {
            match (action, &mut self.command) {
                (Action::Send(message), _) => self.send(&message)?,
                (Action::Start(argv), _) => match Command::start(&argv) {
                    Ok(command) => self.command = Some(command),
                    Err(e) => return self.step(not_started(&argv, &e)),
                },
                (Action::Feed(bytes), Some(command)) => command.feed(&bytes),
                (Action::CloseStdin, Some(command)) => command.close_stdin(),
                (Action::Signal(number), Some(command)) => {
                    if let Err(e) = command.signal(number) {
                        self.send(&ToHost::Error(format!("cannot send signal {number}: {e}")))?;
                    }
                }
                (Action::Kill, _) => self.kill(),
                (Action::Forget, _) => self.command = None,
                (Action::Feed(_) | Action::CloseStdin | Action::Signal(_), None) => {}
            }
        }
        Ok(())
    }

    fn kill(&mut self) {
        if let Some(Err(e)) = self.command.take().map(Command::kill) {
            complain(&context("cannot kill the command of the host that is gone", &e));
        }
    }

    fn send(&mut self, message: &ToHost) -> io::Result<()> {
        let frame = message.encode();
        self.out.extend(frame.map_err(|bad| io::Error::new(ErrorKind::InvalidData, bad))?);
        self.flush()
    }

    /// Writes what the channel takes.
    fn flush(&mut self) -> io::Result<()> {
        let mut channel = self.channel;
        while !self.out.is_empty() {
            match channel.write(&self.out) {
                Ok(taken) => drop(self.out.drain(..taken)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if passes(&e) => {}
                Err(e) if is_gone(&e) => {
                    self.gone = true;
                    return Ok(());
                }
                Err(e) => return Err(context("cannot write to the debug channel", &e)),
            }
        }
        Ok(())
    }
}

fn passes(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
}

fn is_gone(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

fn not_started(argv: &[std::ffi::OsString], e: &io::Error) -> Event {
    let program = argv.first().map(|program| program.to_string_lossy()).unwrap_or_default();
    let (status, why) = match e.kind() {
        ErrorKind::NotFound => (127, "no such program on this device".to_owned()),
        _ => (126, e.to_string()),
    };
    Event::NotStarted { status, why: format!("cannot start `{program}`: {why}") }
}
