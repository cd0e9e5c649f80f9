//! Signals as messages on a descriptor, and sending them.
//!
//! Invariant: no handler of ours ever runs; what is listed here is blocked and read. A child gets
//! its signals back in `start` and `spawn`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// What PID 1 reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// `SIGCHLD`: children ended; reap until there is none.
    Child,
    /// `SIGTERM`.
    Terminate,
    /// `SIGINT`; on a machine also Ctrl-Alt-Del.
    Interrupt,
    /// `SIGPWR`: the power fails.
    Power,
}

/// These signals, blocked and waiting to be read.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks the signals of [`Taken`] and opens the descriptor. Call before any thread starts.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn open() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGPWR] {
            set.add(signal);
        }
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next signal, or none for now.
    ///
    /// # Errors
    /// None known.
    pub fn next(&self) -> io::Result<Option<Taken>> {
        let Some(info) = self.0.read_signal()? else { return Ok(None) };
        let signal = i32::try_from(info.ssi_signo).map_err(io::Error::other)?;
        Ok(Some(match signal {
            libc::SIGTERM => Taken::Terminate,
            libc::SIGINT => Taken::Interrupt,
            libc::SIGPWR => Taken::Power,
            _ => Taken::Child,
        }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Signals by which people end what they have begun (hang up, interrupt, quit, terminate), blocked and waiting to be
/// read: for a tool that hands them on.
#[derive(Debug)]
pub struct Asked(SignalFd);

impl Asked {
    /// Blocks them and opens the descriptor. Call before any thread starts.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn open() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
            set.add(signal);
        }
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The number of the next one, or none for now.
    ///
    /// # Errors
    /// None known.
    pub fn next(&self) -> io::Result<Option<u8>> {
        let info = self.0.read_signal()?;
        info.map(|info| u8::try_from(info.ssi_signo).map_err(io::Error::other)).transpose()
    }
}

impl AsFd for Asked {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A signal we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// `SIGTERM`: please end.
    Terminate,
    /// `SIGKILL`: ended.
    Kill,
}

impl Sent {
    fn number(self) -> Signal {
        match self {
            Self::Terminate => Signal::SIGTERM,
            Self::Kill => Signal::SIGKILL,
        }
    }
}

/// Sends to one process. That it is gone already is fine.
///
/// # Errors
/// `EPERM`: not ours.
pub fn send(pid: i32, signal: Sent) -> io::Result<()> {
    send_to(Pid::from_raw(pid), signal)
}

/// Sends to every process of our pid namespace but PID 1. That there is none is fine.
///
/// # Errors
/// `EPERM`: not one of them is ours. `EINVAL`: we are not PID 1; nothing was sent.
pub fn send_to_all(signal: Sent) -> io::Result<()> {
    // kill(-1) of anyone else would hit the whole host.
    if Pid::this().as_raw() != 1 {
        return Err(Errno::EINVAL.into());
    }
    send_to(Pid::from_raw(-1), signal)
}

fn send_to(pid: Pid, signal: Sent) -> io::Result<()> {
    match kill(pid, signal.number()) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Waits for ever: for PID 1 of a machine when there is nothing left to do.
pub fn wait_for_ever() -> ! {
    loop {
        nix::unistd::pause();
    }
}
