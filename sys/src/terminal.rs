//! The terminal of a tool, and pseudo-terminals for containers.
//!
//! Invariant: whatever a program in between does to the terminal, dropping [`Saved`] gives it back
//! as it was.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::pty::openpty;
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};

/// A terminal's settings, put back when dropped.
pub struct Saved {
    terminal: OwnedFd,
    settings: Termios,
}

impl std::fmt::Debug for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Saved").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl Saved {
    /// Remembers the settings of `terminal`.
    ///
    /// # Errors
    /// `ENOTTY`: it is no terminal.
    pub fn of(terminal: impl AsFd) -> io::Result<Self> {
        let settings = termios::tcgetattr(&terminal)?;
        Ok(Self { terminal: terminal.as_fd().try_clone_to_owned()?, settings })
    }

    /// What is typed is not shown.
    ///
    /// # Errors
    /// As [`Self::raw`].
    pub fn hide(&self) -> io::Result<()> {
        let mut hidden = self.settings.clone();
        hidden.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
        hidden.local_flags.insert(LocalFlags::ICANON | LocalFlags::ISIG);
        Ok(termios::tcsetattr(&self.terminal, SetArg::TCSAFLUSH, &hidden)?)
    }

    /// Every key goes to the reader as it is: no echo, no lines, no signals.
    ///
    /// # Errors
    /// `EIO`: we are in the background and orphaned.
    pub fn raw(&self) -> io::Result<()> {
        let mut raw = self.settings.clone();
        termios::cfmakeraw(&mut raw);
        Ok(termios::tcsetattr(&self.terminal, SetArg::TCSANOW, &raw)?)
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        // The terminal may be gone (hung up): then there is nothing to put back.
        let _gone = termios::tcsetattr(&self.terminal, SetArg::TCSANOW, &self.settings);
    }
}

/// A new pseudo-terminal: the side that we read and write, and the terminal itself.
///
/// # Errors
/// `ENOSPC`, `EMFILE`: no pseudo-terminal or descriptor is left.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let pty = openpty(None, None)?;
    for fd in [&pty.master, &pty.slave] {
        nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    }
    Ok((pty.master, pty.slave))
}
/// Opens a terminal for reading and writing without making it ours.
///
/// # Errors
/// `ENOENT`, `ENXIO`, `ENODEV`, `EIO`: there is none.
pub fn open(path: &std::path::Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut how = std::fs::OpenOptions::new();
    how.read(true).write(true).custom_flags(libc::O_NOCTTY).open(path)
}
