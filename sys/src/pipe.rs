//! A pipe that outlives those who write to it.
//!
//! ```text
//! service ──write only──► pipe ◄──read and write── the end that is kept and passed around
//! ```
//!
//! The kept end can also write, so a reader never sees the end of the stream while nobody writes,
//! and a new write end can be opened from it at any time.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, SpliceFFlags, tee};
use nix::unistd::{Uid, fchown, pipe2};

/// A pipe that nobody has yet. The kernel keeps pipes that were made one after the other side by side;
/// among what else a start makes, and gives back, each would hold a page for itself.
#[derive(Debug)]
pub struct Blank {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Blank {
    /// Makes one.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        Ok(Self { reader, writer })
    }

    /// The end to keep (non-blocking) and a first end to write. The pipe belongs to `uid`, so that a
    /// process of that user may open its own `/dev/stderr`.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`. `ENOENT`, `EACCES`: no `/proc`.
    pub fn lasting(self, uid: u32) -> io::Result<(OwnedFd, OwnedFd)> {
        let mut both = OpenOptions::new();
        let kept = reopen(&self.reader, both.read(true).write(true), libc::O_NONBLOCK)?;
        if uid != 0 {
            fchown(&kept, Some(Uid::from_raw(uid)), None)?;
        }
        Ok((kept, self.writer))
    }
}

/// A pipe for `uid`, as [`Blank::lasting`] has it.
///
/// # Errors
/// As [`Blank::new`] and [`Blank::lasting`].
pub fn lasting(uid: u32) -> io::Result<(OwnedFd, OwnedFd)> {
    Blank::new()?.lasting(uid)
}

/// A further end to write, from the kept one.
///
/// # Errors
/// As [`lasting`].
pub fn writer(kept: impl AsFd) -> io::Result<OwnedFd> {
    reopen(kept, OpenOptions::new().write(true), 0)
}

fn reopen(end: impl AsFd, how: &mut OpenOptions, flags: i32) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", end.as_fd().as_raw_fd());
    Ok(how.custom_flags(flags).open(path)?.into())
}

/// Most bytes that [`drain`] throws away at once: what a pipe holds. Who writes as fast as we read
/// must not keep us here.
const MOST: usize = 64 << 10;

/// Throws away what is in the pipe now; true if there may be more.
///
/// # Errors
/// None known for a kept end.
pub fn drain(kept: impl AsFd) -> io::Result<bool> {
    let mut buf = [0; 4096];
    let mut total = 0;
    while total < MOST {
        match nix::unistd::read(&kept, &mut buf) {
            Ok(0) | Err(Errno::EAGAIN) => return Ok(false),
            Ok(n) => total += n,
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(true)
}

/// What is in the pipe, at most `most` bytes of it, which stay there. Empty: nothing now, or nobody
/// will write any more.
///
/// # Errors
/// `EMFILE`, `ENFILE`: there is no room for a look. `EINVAL`: it is no pipe.
pub fn peek(reader: impl AsFd, most: usize) -> io::Result<Vec<u8>> {
    let (copy, into) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let count = match tee(reader, &into, most, SpliceFFlags::SPLICE_F_NONBLOCK) {
        Ok(count) => count,
        Err(Errno::EAGAIN) => 0,
        Err(e) => return Err(e.into()),
    };
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        match nix::unistd::read(&copy, room)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn the_stream_goes_on_after_its_last_writer() {
        let (kept, first) = lasting(0).unwrap();
        File::from(first).write_all(b"one ").unwrap();
        File::from(writer(&kept).unwrap()).write_all(b"two").unwrap();
        let mut reader = File::from(kept.try_clone().unwrap());
        let mut buf = [0; 16];
        let n = reader.read(&mut buf).unwrap();
        assert_eq!(&buf[..n], b"one two");
        assert_eq!(reader.read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        File::from(writer(&kept).unwrap()).write_all(&[0; 5000]).unwrap();
        assert!(!drain(&kept).unwrap());
        assert_eq!(reader.read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_look_takes_nothing_away() {
        let (reader, mut writer) = io::pipe().unwrap();
        assert_eq!(peek(&reader, 100).unwrap(), b"");
        writer.write_all(b"three\n").unwrap();
        assert_eq!(peek(&reader, 100).unwrap(), b"three\n");
        assert_eq!(peek(&reader, 2).unwrap(), b"th");
        drop(writer);
        assert_eq!(peek(&reader, 100).unwrap(), b"three\n");
        (&reader).read_exact(&mut [0; 6]).unwrap();
        assert_eq!(peek(&reader, 100).unwrap(), b"");
    }

    #[test]
    fn who_writes_without_end_does_not_keep_us() {
        let (kept, first) = lasting(0).unwrap();
        File::from(first).write_all(&[0; MOST]).unwrap();
        assert!(drain(&kept).unwrap(), "there may be more");
        assert!(!drain(&kept).unwrap());
    }
}
