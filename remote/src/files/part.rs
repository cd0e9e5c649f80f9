//! A file on its way: `.NAME.part` beside where it is going.
//!
//! Anything may lie at that name in a directory of others: what is not a plain file of ours alone is removed first. Locked,
//! so that two who send to one place do not mix.

use std::fs::{self, File, FileTimes, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use api::remote::files::DIGEST;
use sha2::{Digest, Sha256};

use super::{Hashing, digest};

/// Tries to lock a part, with a pause after each: six seconds. When a link was lost, the one who comes again may be here before
/// the end of the first try is noticed.
const TRIES: u32 = 30;

/// The pause.
const PAUSE: Duration = Duration::from_millis(200);

/// What is there of a file.
pub(super) struct Part {
    file: File,
    path: PathBuf,
    target: PathBuf,
    size: u64,
    length: u64,
    hasher: Sha256,
}

impl Part {
    /// Opens what is there of a file of `size` bytes that is to be `target`, and reads it.
    pub(super) fn open(target: &Path, size: u64) -> Result<Self, String> {
        Self::open_after(target, size, TRIES)
    }

    fn open_after(target: &Path, size: u64, tries: u32) -> Result<Self, String> {
        let name = target.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let path = target.with_file_name(format!(".{name}.part"));
        let wrong = |e: io::Error| format!("cannot write {}: {e}", path.display());
        let file = own(&path).map_err(wrong)?;
        if !locked(&file, tries).map_err(wrong)? {
            return Err(format!("{} is being written already", target.display()));
        }
        let (path, target) = (path.clone(), target.to_owned());
        let mut part = Self { file, path, target, size, length: 0, hasher: Sha256::new() };
        part.length = io::copy(&mut &part.file, &mut Hashing(&mut part.hasher))
            .map_err(|e| part.wrong(&e))?;
        if part.length > size {
            part.anew()?;
        }
        let needed = size - part.length;
        let free = sys::disk::free(&part.path).map_err(|e| part.wrong(&e))?;
        if needed > free {
            return Err(format!("no room: {needed} more bytes are needed, and {free} are free"));
        }
        Ok(part)
    }

    /// Bytes that are there.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Their digest.
    pub(super) fn digest(&self) -> [u8; DIGEST] {
        digest(&self.hasher)
    }

    /// Nothing is there.
    pub(super) fn anew(&mut self) -> Result<(), String> {
        self.file.set_len(0).map_err(|e| self.wrong(&e))?;
        io::Seek::rewind(&mut self.file).map_err(|e| self.wrong(&e))?;
        (self.length, self.hasher) = (0, Sha256::new());
        Ok(())
    }

    /// More of it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let length = u64::try_from(bytes.len()).ok().and_then(|more| self.length.checked_add(more));
        let Some(length) = length.filter(|length| *length <= self.size) else {
            return Err("more came than was offered".to_owned());
        };
        self.file.write_all(bytes).map_err(|e| self.wrong(&e))?;
        self.hasher.update(bytes);
        self.length = length;
        Ok(())
    }

    /// All of it is there: it becomes the target.
    pub(super) fn finish(
        mut self,
        theirs: [u8; DIGEST],
        mode: u32,
        mtime: i64,
    ) -> Result<(), String> {
        if self.length != self.size {
            return Err(format!("{} of {} bytes came", self.length, self.size));
        }
        if self.digest() != theirs {
            // What is wrong is nothing to go on from.
            self.anew()?;
            return Err("what arrived is not what was sent: send it again".to_owned());
        }
        let put = || -> io::Result<()> {
            self.file.set_times(FileTimes::new().set_modified(time(mtime)))?;
            self.file.set_permissions(Permissions::from_mode(mode))?;
            self.file.sync_all()?;
            fs::rename(&self.path, &self.target)?;
            let directory = self.target.parent().filter(|path| !path.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
        };
        put().map_err(|e| format!("cannot put it at {}: {e}", self.target.display()))
    }

    fn wrong(&self, e: &io::Error) -> String {
        format!("cannot write {}: {e}", self.path.display())
    }
}

/// The file at `path`, which is ours alone.
fn own(path: &Path) -> io::Result<File> {
    let how = |new: bool| {
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(!new).create_new(new).truncate(false);
        how.mode(0o600).custom_flags(sys::regular::NO_LINK).open(path)
    };
    if let Ok(file) = how(false) {
        let about = file.metadata()?;
        if about.is_file() && about.nlink() == 1 && about.uid() == sys::process::user() {
            return Ok(file);
        }
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => how(true),
    }
}

/// Whether it is ours now.
fn locked(file: &File, tries: u32) -> io::Result<bool> {
    for _ in 0..tries {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(PAUSE),
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
    Ok(false)
}

/// Nanoseconds since 1970, which may be before it.
fn time(mtime: i64) -> SystemTime {
    let apart = Duration::from_nanos(mtime.unsigned_abs());
    let time = match mtime {
        0.. => SystemTime::UNIX_EPOCH.checked_add(apart),
        _ => SystemTime::UNIX_EPOCH.checked_sub(apart),
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_who_send_to_one_place_do_not_mix_and_the_second_waits_a_moment() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target");
        let first = Part::open(&target, 1).unwrap();
        let refused = Part::open_after(&target, 1, 1).err().unwrap();
        assert_eq!(refused, format!("{} is being written already", target.display()));
        let second = std::thread::spawn(move || Part::open(&target, 1).map(drop));
        drop(first);
        assert_eq!(second.join().unwrap(), Ok(()));
    }
}
