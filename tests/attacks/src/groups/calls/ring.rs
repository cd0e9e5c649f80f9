//! io_uring: one entry in, one answer out.

use crate::attack::Stop;
use crate::raw::{self, Arg};
use crate::sys;
use crate::tools::map;

/// Operations.
pub(super) const NOP: u8 = 0;
pub(super) const OPENAT: u8 = 18;
pub(super) const SOCKET: u8 = 45;

/// Where the entries are, in the file of a ring.
const ENTRIES: usize = 0x1000_0000;

/// What is asked of a ring.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) operation: u8,
    pub(super) fd: i32,
    pub(super) offset: u64,
    pub(super) address: usize,
}

pub(super) struct Ring {
    fd: usize,
    rings: usize,
    entries: usize,
    parameters: [u32; 30],
}

impl Ring {
    pub(super) fn new() -> Result<Self, Stop> {
        let mut parameters = [0_u32; 30];
        let fd = sys!(SYS_io_uring_setup, 2, &mut parameters)?;
        let rings = map(8192, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd)?;
        let both = libc::PROT_READ | libc::PROT_WRITE;
        let entries = sys!(SYS_mmap, 0, 4096, both, libc::MAP_SHARED, fd, ENTRIES)?;
        Ok(Self { fd, rings, entries, parameters })
    }

    /// An address in the rings, by the place of its offset among the parameters.
    fn at(&self, place: usize) -> usize {
        self.rings + self.parameters.get(place).copied().unwrap_or(0).arg()
    }

    /// Gives the entry to the kernel: what the call would have returned.
    pub(super) fn submit(&self, entry: &Entry) -> Result<i32, Stop> {
        const SUBMIT_TAIL: usize = 11;
        const SUBMIT_ARRAY: usize = 16;
        const ANSWERS: usize = 25;
        const WAIT: i32 = 1;
        let mut bytes = vec![entry.operation, 0, 0, 0];
        bytes.extend(entry.fd.to_ne_bytes());
        bytes.extend(entry.offset.to_ne_bytes());
        bytes.extend(entry.address.to_ne_bytes());
        bytes.resize(64, 0);
        raw::store(self.entries, &bytes);
        raw::store(self.at(SUBMIT_ARRAY), &[0; 4]);
        raw::store(self.at(SUBMIT_TAIL), &1_u32.to_ne_bytes());
        sys!(SYS_io_uring_enter, self.fd, 1, 1, WAIT, 0, 0)?;
        let answer = raw::load(self.at(ANSWERS) + 8, 4);
        Ok(i32::from_ne_bytes(answer.try_into().unwrap_or_default()))
    }
}
