//! A command of the host: its process group, its pipes, its end.
//!
//! Never waits: bytes for its input that the pipe does not take stay in `pending`.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio};

use api::debug::Ended;
use sys::{child, poll};

use crate::session::Stream;

/// Bytes of input that may wait for the command; with more, the host has to wait. So many that
/// a signal which follows a few frames of input still gets through.
pub const MAX_PENDING: usize = 4 << 20;

/// Bytes taken from an output at once: what a pipe holds.
const PIECE: usize = 64 << 10;

/// Where commands are looked up.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Home of root, where commands start if it exists.
const HOME: &str = "/root";

/// A process that was started and not yet forgotten.
#[derive(Debug)]
pub struct Command {
    process: Child,
    pidfd: OwnedFd,
    ended: bool,
    stdin: Option<ChildStdin>,
    stdin_ends: bool,
    pending: Vec<u8>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// What a look at an output gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing for now.
    Nothing,
    /// Nobody can write to it any more.
    End,
}

impl Command {
    /// Starts `argv` as the leader of its own group, with an environment of its own.
    ///
    /// # Errors
    /// - `NotFound`, `PermissionDenied`, `ENOEXEC`: the program.
    /// - `EAGAIN`, `ENOMEM`, `EMFILE`: limits. `E2BIG`: the arguments.
    pub fn start(argv: &[OsString]) -> io::Result<Self> {
        let (program, args) = argv.split_first().ok_or(ErrorKind::InvalidInput)?;
        let kept = |name: &str, default: &str| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            (name.to_owned(), value.unwrap_or_else(|| default.into()))
        };
        let home = if Path::new(HOME).is_dir() { HOME } else { "/" };
        let mut process = std::process::Command::new(program)
            .args(args)
            .env_clear()
            .envs([("PATH", PATH), ("HOME", HOME), ("USER", "root"), ("LOGNAME", "root")])
            .envs([kept("LANG", "C.UTF-8"), kept("TERM", "linux")])
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let command = Self {
            pidfd: child::pidfd(&process)?,
            ended: false,
            stdin: process.stdin.take(),
            stdin_ends: false,
            pending: Vec::new(),
            stdout: process.stdout.take(),
            stderr: process.stderr.take(),
            process,
        };
        command.stdin.as_ref().map(poll::set_nonblocking).transpose()?;
        command.stdout.as_ref().map(poll::set_nonblocking).transpose()?;
        command.stderr.as_ref().map(poll::set_nonblocking).transpose()?;
        Ok(command)
    }

    /// Readable when the command ends; none once that is known.
    #[must_use]
    pub fn end(&self) -> Option<BorrowedFd<'_>> {
        (!self.ended).then(|| self.pidfd.as_fd())
    }

    /// Writable when the command takes more of what waits for it; none if nothing waits.
    #[must_use]
    pub fn hungry(&self) -> Option<BorrowedFd<'_>> {
        self.stdin.as_ref().filter(|_| !self.pending.is_empty()).map(AsFd::as_fd)
    }

    /// Whether it may be fed more.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.pending.len() < MAX_PENDING
    }

    /// Readable when the command wrote something; none once that output ended.
    #[must_use]
    pub fn output(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        match stream {
            Stream::Stdout => self.stdout.as_ref().map(AsFd::as_fd),
            Stream::Stderr => self.stderr.as_ref().map(AsFd::as_fd),
        }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// None known for a child of ours.
    pub fn ended(&mut self) -> io::Result<Option<Ended>> {
        let status = self.process.try_wait()?;
        self.ended = status.is_some();
        // A status has a code or a signal, so the last default is never used.
        let how = |status: std::process::ExitStatus| match status.code() {
            Some(code) => Ended::Status(code),
            None => Ended::Signal(status.signal().unwrap_or_default()),
        };
        Ok(status.map(how))
    }

    /// Adds bytes to its input.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.stdin.is_some() && !self.stdin_ends {
            self.pending.extend_from_slice(bytes);
            self.pump();
        }
    }

    /// Ends its input, after what was fed.
    pub fn close_stdin(&mut self) {
        self.stdin_ends = true;
        self.pump();
    }

    /// Writes what its pipe takes. A command that closed its input is not fed any more.
    pub fn pump(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        while !self.pending.is_empty() {
            match stdin.write(&self.pending) {
                Ok(taken) => drop(self.pending.drain(..taken)),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.pending.clear();
                    self.stdin_ends = true;
                }
            }
        }
        if self.stdin_ends {
            self.stdin = None;
        }
    }

    /// Takes a piece of an output.
    ///
    /// # Errors
    /// `EIO`: not known for a pipe.
    pub fn read(&mut self, stream: Stream) -> io::Result<Piece> {
        let mut bytes = vec![0; PIECE];
        let got = match stream {
            Stream::Stdout => self.stdout.as_mut().map(|out| out.read(&mut bytes)),
            Stream::Stderr => self.stderr.as_mut().map(|out| out.read(&mut bytes)),
        };
        match got {
            None => Ok(Piece::Nothing),
            Some(Err(e)) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                Ok(Piece::Nothing)
            }
            Some(Err(e)) => Err(e),
            Some(Ok(0)) => {
                match stream {
                    Stream::Stdout => self.stdout = None,
                    Stream::Stderr => self.stderr = None,
                }
                Ok(Piece::End)
            }
            Some(Ok(length)) => {
                bytes.truncate(length);
                Ok(Piece::Bytes(bytes))
            }
        }
    }

    /// Sends its group a signal.
    ///
    /// # Errors
    /// As [`child::signal_group`].
    pub fn signal(&self, number: u8) -> io::Result<()> {
        // After its end the number of the group may be another's.
        if self.ended { Ok(()) } else { child::signal_group(&self.process, number.into()) }
    }

    /// Kills its group, unless it ended, and takes its end.
    ///
    /// # Errors
    /// As [`Command::signal`].
    pub fn kill(mut self) -> io::Result<()> {
        if !self.ended {
            child::signal_group(&self.process, 9)?;
            self.process.wait()?;
        }
        Ok(())
    }
}
