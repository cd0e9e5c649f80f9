//! Where a bundle is read from, piece by piece: a file, or bytes in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::refused::{Kind, Refused};

/// Something that is read at a place.
pub trait ReadAt {
    /// Reads some bytes that lie at `at`; 0 is the end.
    ///
    /// # Errors
    /// It cannot be read.
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<usize>;

    /// How many bytes there are.
    ///
    /// # Errors
    /// It cannot be asked.
    fn length(&self) -> io::Result<u64>;
}

impl ReadAt for File {
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, bytes, at)
    }

    fn length(&self) -> io::Result<u64> {
        let about = self.metadata()?;
        if about.is_file() {
            return Ok(about.len());
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let mut piece = from;
        io::Read::read(&mut piece, bytes)
    }

    fn length(&self) -> io::Result<u64> {
        u64::try_from(self.len()).map_err(io::Error::other)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(at, bytes)
    }

    fn length(&self) -> io::Result<u64> {
        self.as_slice().length()
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(at, bytes)
    }

    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }
}

/// Fills `bytes` with what lies at `at`; `what` is how it is called in a refusal.
pub(crate) fn exactly(
    file: &dyn ReadAt,
    at: u64,
    bytes: &mut [u8],
    what: &str,
) -> Result<(), Refused> {
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let place = at.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        match file.read_at(place, rest) {
            Ok(0) => {
                return Err(Refused::damaged(what, place, "the file ends here: it is cut off"));
            }
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(what, place, &error)),
        }
    }
    Ok(())
}

pub(crate) fn unreadable(what: &str, at: u64, error: &io::Error) -> Refused {
    Refused::new(Kind::Unreadable, what, Some(at), format!("it cannot be read: {error}"))
}

/// How long `file` is.
pub(crate) fn length(file: &dyn ReadAt) -> Result<u64, Refused> {
    file.length().map_err(|error| {
        Refused::new(Kind::Unreadable, "the bundle", None, format!("it cannot be read: {error}"))
    })
}

/// A number of `N` bytes at `at`, which lies within `bytes` wherever this is called; zeros if not.
pub(crate) fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}
