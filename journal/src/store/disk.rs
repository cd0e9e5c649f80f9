//! Where the log's files are: one directory, the active file and archived ones with numbers.
//!
//! ```text
//! system.export ── archive(7) ──► system@7.export ── remove(7) ──► gone
//! ```
//!
//! Nothing here decides; `Store` does.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The files, as the store sees them. Tests have one that fills up and breaks.
pub trait Disk: std::fmt::Debug {
    /// Numbers and sizes of archived files.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn archived(&self) -> io::Result<BTreeMap<u64, u64>>;

    /// Opens an archived file, or the active one (`None`), which may go on growing while it is read.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]: there is none.
    fn read(&self, number: Option<u64>) -> io::Result<Box<dyn Read>>;

    /// Writes at this place of the active file, all or nothing; makes the file if there is none.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`], [`io::ErrorKind::QuotaExceeded`]: removing a file helps.
    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the active file.
    ///
    /// # Errors
    /// The disk.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;

    /// Ends the active file and keeps it under a number. There is no active file then.
    ///
    /// # Errors
    /// The disk; the active file stays.
    fn archive(&mut self, number: u64) -> io::Result<()>;

    /// Removes an archived file.
    ///
    /// # Errors
    /// The disk.
    fn remove(&mut self, number: u64) -> io::Result<()>;

    /// Waits until all that was written is on the disk.
    ///
    /// # Errors
    /// The disk.
    fn sync(&mut self) -> io::Result<()>;

    /// Bytes of the whole file system.
    ///
    /// # Errors
    /// The disk.
    fn size(&self) -> io::Result<u64>;
}

/// A directory of files.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    active: Option<File>,
}

impl Directory {
    /// Opens it, and makes it if it is missing. Proves that it can be written.
    ///
    /// # Errors
    /// `EROFS`, `EACCES`, `ENOTDIR`, `ENOSPC`: there cannot be a log here.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o750).create(path)?;
        let mut directory = Self { path: path.to_owned(), active: None };
        directory.file()?;
        Ok(directory)
    }

    fn path(&self, number: Option<u64>) -> PathBuf {
        self.path.join(match number {
            Some(number) => format!("system@{number:08}.export"),
            None => "system.export".to_owned(),
        })
    }

    fn file(&mut self) -> io::Result<&File> {
        let file = match self.active.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o640)
                .open(self.path(None))?,
        };
        Ok(self.active.insert(file))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// `system@7.export` → 7.
fn number(name: &str) -> Option<u64> {
    name.strip_prefix("system@")?.strip_suffix(".export")?.parse().ok()
}

impl Disk for Directory {
    fn archived(&self) -> io::Result<BTreeMap<u64, u64>> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if let Some(number) = entry.file_name().to_str().and_then(number) {
                all.insert(number, entry.metadata()?.len());
            }
        }
        Ok(all)
    }

    fn read(&self, number: Option<u64>) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(File::open(self.path(number))?))
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.file()?;
        file.write_all_at(bytes, at).inspect_err(|_| {
            // What is left of a half-written batch is written over next time, or cut at the next
            // start: the records in it are still whole or at the very end.
            let _ = file.set_len(at);
        })
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.file()?.set_len(bytes)
    }

    fn archive(&mut self, number: u64) -> io::Result<()> {
        self.sync()?;
        fs::rename(self.path(None), self.path(Some(number)))?;
        self.active = None;
        self.sync_names()
    }

    fn remove(&mut self, number: u64) -> io::Result<()> {
        fs::remove_file(self.path(Some(number)))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file()?.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        sys::disk::size(&self.path)
    }
}

/// No directory at all: every write fails, so records stay in memory.
#[derive(Debug)]
pub struct Nowhere;

impl Disk for Nowhere {
    fn archived(&self) -> io::Result<BTreeMap<u64, u64>> {
        Ok(BTreeMap::new())
    }

    fn read(&self, _: Option<u64>) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(io::empty()))
    }

    fn write(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "no directory can be written"))
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn archive(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn remove(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_from_active_to_archived_to_gone() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = Directory::open(&dir.path().join("a/b")).unwrap();
        disk.write(0, b"one").unwrap();
        disk.write(3, b"two").unwrap();
        disk.cut(4).unwrap();
        let mut reader = disk.read(None).unwrap();
        disk.archive(7).unwrap();
        disk.write(0, b"new").unwrap();
        assert_eq!(disk.archived().unwrap(), BTreeMap::from([(7, 4)]));
        let text = |mut file: Box<dyn Read>| {
            let mut text = String::new();
            file.read_to_string(&mut text).map(|_| text).unwrap()
        };
        assert_eq!(text(disk.read(Some(7)).unwrap()), "onet");
        assert_eq!(text(disk.read(None).unwrap()), "new");
        disk.remove(7).unwrap();
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "onet", "who reads a file keeps it");
        assert!(disk.read(Some(7)).is_err());
    }

    #[test]
    fn a_place_that_is_no_directory_is_refused() {
        assert!(Directory::open("/dev/null/log".as_ref()).is_err());
    }
}
