//! A file under another name until it is complete.
//!
//! ```text
//! create ──► NAME.partial ──write──► finish ──rename──► NAME
//!                         └──drop──► (gone)
//! ```
//!
//! After a crash or SIGKILL a `NAME.partial` may stay; the next `create` replaces it.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file that gets its name when it is complete. Dropped before [`Partial::finish`], it is
/// deleted.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    partial: PathBuf,
    finished: bool,
}

impl Partial {
    /// An empty file, open for reading and writing, beside where `path` will be.
    ///
    /// # Errors
    /// It cannot be created there.
    pub fn create(path: &Path) -> Result<Self> {
        let partial = beside(path, ".partial");
        let made = (|| {
            match fs::remove_file(&partial) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            OpenOptions::new().read(true).write(true).create_new(true).open(&partial)
        })();
        let file = made.with_context(|| format!("cannot create {}", partial.display()))?;
        Ok(Self { file, path: path.to_owned(), partial, finished: false })
    }

    /// The file, to write into.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its final name, in place of one that has it.
    ///
    /// # Errors
    /// The rename fails: a directory has that name, or it went away.
    pub fn finish(self) -> Result<()> {
        let path = self.path.clone();
        self.finish_as(&path)
    }

    /// Gives the file another final name than it was to have, in the same directory.
    ///
    /// # Errors
    /// As [`Partial::finish`].
    pub fn finish_as(mut self, path: &Path) -> Result<()> {
        fs::rename(&self.partial, path)
            .with_context(|| format!("cannot put {} in place", path.display()))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing reads a `.partial`, and the next `create` replaces it: a failure is harmless.
            drop(fs::remove_file(&self.partial));
        }
    }
}

/// `path` with `suffix` after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        fs::write(&path, "old").unwrap();

        let half = Partial::create(&path).unwrap();
        half.file().write_all(b"half").unwrap();
        drop(half);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        fs::write(dir.path().join("image.partial"), "left by a crash").unwrap();
        let whole = Partial::create(&path).unwrap();
        whole.file().write_all(b"new").unwrap();
        whole.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
