//! Learning that children ended.

#![expect(unsafe_code, reason = "nix's waitpid loses a child that a real-time signal ended")]

use std::io;

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

/// What [`reap`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaped {
    /// This child is gone; its id is free for reuse.
    Ended {
        /// Process id.
        pid: i32,
        /// How it ended.
        how: How,
    },
    /// All that are left still run.
    Running,
    /// There are no children.
    Childless,
}

/// Takes one child that ended, adopted orphans included. Never waits.
///
/// # Errors
/// None known.
pub fn reap() -> io::Result<Reaped> {
    take(libc::WNOHANG)
}

/// Like [`reap`], waits until one ends.
///
/// # Errors
/// None known.
pub fn wait() -> io::Result<Reaped> {
    take(0)
}

fn take(flags: libc::c_int) -> io::Result<Reaped> {
    loop {
        let mut status = 0;
        // SAFETY: `status` outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, flags) };
        let how = if libc::WIFEXITED(status) {
            How::Status(libc::WEXITSTATUS(status))
        } else {
            How::Signal(libc::WTERMSIG(status))
        };
        match Errno::result(pid) {
            Ok(0) => return Ok(Reaped::Running),
            Ok(pid) => return Ok(Reaped::Ended { pid, how }),
            Err(Errno::ECHILD) => return Ok(Reaped::Childless),
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Whether there is a child, running or ended. Reaps none.
#[must_use]
pub fn any_child() -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    // Any other answer, EINVAL for an unknown signal among them, is about a child.
    waitid(Id::All, flags) != Err(Errno::ECHILD)
}
