//! A row of numbers in memory that outlives the process which writes it.
//!
//! The kernel may write one too: [`crate::spawn`] has it note the id of a new process there before that
//! process runs, so whoever maps the file next knows of it whatever became of us.

#![expect(unsafe_code, reason = "memory that is shared through a file")]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::unistd::{Whence, lseek};

/// The numbers, mapped. All are 0 in a new file.
#[derive(Debug)]
pub struct Numbers {
    first: NonNull<AtomicI32>,
    count: usize,
    /// No place from here on was ever written: looking at a page of a mapped file takes memory.
    used: AtomicUsize,
}

// SAFETY: atomics may be used from any thread, and the mapping is nobody's in particular.
unsafe impl Send for Numbers {}
// SAFETY: likewise.
unsafe impl Sync for Numbers {}

impl Numbers {
    /// Maps `count` numbers of a file in memory ([`crate::memfd`]), which is made long enough. Pages
    /// that nobody touches take no memory.
    ///
    /// # Errors
    /// `ENOMEM`. `EINVAL`: no numbers at all. `EPERM`: the file is sealed.
    pub fn map(file: impl AsFd, count: usize) -> io::Result<Self> {
        let bytes = count.checked_mul(size_of::<AtomicI32>()).and_then(NonZeroUsize::new);
        let bytes = bytes.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let length = i64::try_from(bytes.get()).map_err(io::Error::other)?;
        let used = AtomicUsize::new(data(file.as_fd()).div_ceil(size_of::<AtomicI32>()));
        nix::unistd::ftruncate(&file, length)?;
        let both = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at a place that the kernel chooses.
        let first = unsafe { mmap(None, bytes, both, MapFlags::MAP_SHARED, &file, 0) }?;
        Ok(Self { first: first.cast(), count, used })
    }

    fn all(&self) -> &[AtomicI32] {
        // SAFETY: so many lie there, aligned (a page begins there), as long as we do.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }

    /// The place of one.
    #[must_use]
    pub fn place(&self, at: usize) -> Option<&AtomicI32> {
        let place = self.all().get(at)?;
        self.used.fetch_max(at.saturating_add(1), Ordering::Relaxed);
        Some(place)
    }

    /// Those that are not 0, with their places.
    #[must_use]
    pub fn written(&self) -> Vec<(usize, i32)> {
        let used = self.all().iter().take(self.used.load(Ordering::Relaxed));
        let all = used.map(|number| number.load(Ordering::Acquire));
        all.enumerate().filter(|(_, number)| *number != 0).collect()
    }
}

/// Where the last page of a file ends that is not a hole.
fn data(file: BorrowedFd<'_>) -> usize {
    let mut end = 0;
    while let Ok(from) = lseek(file, end, Whence::SeekData)
        && let Ok(to) = lseek(file, from, Whence::SeekHole)
        && to > end
    {
        end = to;
    }
    usize::try_from(end).unwrap_or(0)
}

impl Drop for Numbers {
    fn drop(&mut self) {
        let bytes = self.count * size_of::<AtomicI32>();
        // SAFETY: it is our mapping, and nobody can have a reference into it any more.
        // It can only fail for a mapping that is not there.
        let _unmapped = unsafe { munmap(self.first.cast(), bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_writes_the_next_one_reads() {
        let file = crate::memfd::create("numbers").unwrap();
        let numbers = Numbers::map(&file, 2000).unwrap();
        assert_eq!(numbers.written(), []);
        numbers.place(1999).unwrap().store(7, Ordering::Release);
        assert!(numbers.place(2000).is_none());
        drop(numbers);
        assert_eq!(Numbers::map(&file, 2000).unwrap().written(), [(1999, 7)]);
        assert!(Numbers::map(&file, 0).is_err());
    }

    #[test]
    fn looking_for_numbers_takes_no_memory() {
        let file = crate::memfd::create("numbers").unwrap();
        let pages = || std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap()) / 8;
        for value in [7, 8] {
            let numbers = Numbers::map(&file, 8000).unwrap();
            numbers.place(3).unwrap().store(value, Ordering::Release);
            assert_eq!(numbers.written(), [(3, value)]);
            assert_eq!(pages(), 1);
        }
    }
}
