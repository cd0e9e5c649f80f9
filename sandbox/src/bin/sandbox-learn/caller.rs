//! A process whose call is looked at: its memory, directories and descriptors, by `/proc`.
//!
//! It stands still meanwhile, unless it is killed: whatever can't be read is then not there.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use sandbox::learn::decode::Caller;
use sandbox::learn::resolve::{Kind, Who, World};

/// Longest text that is read: a path, as the kernel takes it.
const MAX_TEXT: usize = 4096;

/// Bytes read at once.
const PIECE: usize = 256;

/// Most bytes of a file that are looked at.
const MAX_HEAD: usize = 8192;

/// One process, while it stands still.
#[derive(Debug)]
pub(crate) struct Process<'a> {
    who: Who,
    ours: &'a BTreeSet<i32>,
    memory: OnceCell<Option<File>>,
}

impl<'a> Process<'a> {
    pub(crate) fn new(thread: i32, process: i32, ours: &'a BTreeSet<i32>) -> Self {
        let root = fs::read_link(format!("/proc/{thread}/root")).unwrap_or_else(|_| "/".into());
        Self { who: Who { process, thread, root }, ours, memory: OnceCell::new() }
    }

    fn memory(&self) -> Option<&File> {
        let open = || File::open(format!("/proc/{}/mem", self.who.thread)).ok();
        self.memory.get_or_init(open).as_ref()
    }
}

/// The process that a thread belongs to.
pub(crate) fn process_of(thread: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

impl World for Process<'_> {
    fn kind(&self, path: &Path) -> Option<Kind> {
        let kind = fs::symlink_metadata(path).ok()?.file_type();
        Some(if kind.is_dir() {
            Kind::Directory
        } else if kind.is_symlink() {
            Kind::Link
        } else if kind.is_char_device() || kind.is_block_device() {
            Kind::Device
        } else if kind.is_socket() {
            Kind::Socket
        } else if kind.is_fifo() {
            Kind::Pipe
        } else {
            Kind::File
        })
    }

    fn link(&self, path: &Path) -> Option<PathBuf> {
        fs::read_link(path).ok()
    }
}

impl Caller for Process<'_> {
    fn who(&self) -> &Who {
        &self.who
    }

    fn text(&self, address: u64) -> Option<Vec<u8>> {
        let memory = self.memory()?;
        let mut all = Vec::new();
        while all.len() < MAX_TEXT {
            let mut piece = [0; PIECE];
            let at = address.checked_add(u64::try_from(all.len()).ok()?)?;
            let read = memory.read_at(&mut piece, at).ok().filter(|read| *read > 0)?;
            let piece = piece.get(..read)?;
            if let Some(end) = piece.iter().position(|b| *b == 0) {
                all.extend(piece.get(..end)?);
                return Some(all);
            }
            all.extend(piece);
        }
        None
    }

    fn bytes(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length.min(MAX_TEXT)];
        self.memory()?.read_exact_at(&mut bytes, address).ok()?;
        Some(bytes)
    }

    fn directory(&self) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/cwd", self.who.thread)).ok()
    }

    fn open(&self, descriptor: i32) -> Option<PathBuf> {
        let path = fs::read_link(format!("/proc/{}/fd/{descriptor}", self.who.thread)).ok()?;
        path.is_absolute().then_some(path)
    }

    fn socket(&self, descriptor: i32) -> Option<(i32, i32, i32)> {
        let kind = sys::observe::socket(self.who.process, descriptor).ok()?;
        Some((kind.family, kind.kind, kind.protocol))
    }

    fn file(&self, path: &Path, offset: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length.min(MAX_HEAD)];
        let read = File::open(path).ok()?.read_at(&mut bytes, offset).ok()?;
        bytes.truncate(read);
        Some(bytes)
    }

    fn ours(&self, process: i32) -> bool {
        process == self.who.process || self.ours.contains(&process)
    }
}
