//! Descriptors handed over by who started us, as systemd does it (`LISTEN_FDS`).

use std::env;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{self, FcntlArg, FdFlag};

/// The first one.
const FIRST: RawFd = 3;

/// Most that are taken: nobody hands over more, and a wrong number must not close the world.
const MAX: RawFd = 64;

/// What was handed over to this process, with the names of `LISTEN_FDNAMES` (empty: it has none),
/// close-on-exec. Nothing when nothing was, or the variables are meant for another process.
/// Call it first in `main`, before anything is opened; the second call answers with nothing.
///
/// # Errors
/// `EBADF`: a descriptor that was announced is not open: whoever started us is broken.
pub fn take() -> io::Result<Vec<(String, OwnedFd)>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let number = |name: &str| env::var(name).ok().and_then(|v| v.parse::<RawFd>().ok());
    let ours = number("LISTEN_PID").is_some_and(|pid| u32::try_from(pid) == Ok(std::process::id()));
    let count = number("LISTEN_FDS").unwrap_or(0).clamp(0, MAX);
    if !ours || TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    (FIRST..FIRST + count)
        .map(|raw| Ok((names.next().unwrap_or_default().to_owned(), own(raw)?)))
        .collect()
}

#[expect(unsafe_code, reason = "a descriptor handed over is only a number")]
fn own(raw: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD only looks whether the number is open.
    Errno::result(unsafe { libc::fcntl(raw, libc::F_GETFD) })?;
    // SAFETY: it is open, ours by the protocol, and `take` hands each out once.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    fcntl::fcntl(fd.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(fd)
}
