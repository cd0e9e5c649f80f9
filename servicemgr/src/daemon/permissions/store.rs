//! The file of decisions: read when somebody first needs it, written before a decision counts.
//!
//! ```text
//! nothing asked ─► not even looked for
//! first need ─► read ─┬─► decisions
//!                     └─ can't be read ─► none, and that is said: nothing is granted
//! change ─► FILE.new, on disk ─► renamed ─► the directory on disk ─► counts
//! ```
//!
//! Invariant: the file is the old one or the new one, whenever the power goes; where it can't be written,
//! nothing has changed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::grants::{Decisions, MAX_FILE};

/// Decisions, and where they are kept.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    read: Option<Decisions>,
}

impl Store {
    /// Those in this file, which is not looked at yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: None }
    }

    /// Where they are.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All of them.
    pub(super) fn get(&mut self) -> &Decisions {
        let path = &self.path;
        self.read.get_or_insert_with(|| {
            let bytes = bytes(path).unwrap_or_else(|e| {
                let at = path.display();
                log::error!("{at}: {e}: no permission counts as granted: grant them again");
                Vec::new()
            });
            let (decisions, wrong) = Decisions::read(&bytes);
            for why in wrong {
                log::error!("{}: {why}: see `ensctl permission list`", path.display());
            }
            decisions
        })
    }

    /// Others from now on, also after a power cut.
    ///
    /// # Errors
    /// They can't be written; the old ones are still there.
    pub(super) fn replace(&mut self, new: Decisions) -> io::Result<()> {
        write(&self.path, &new.text())?;
        self.read = Some(new);
        Ok(())
    }
}

/// What the file holds; nothing when it is not there.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
        Ok(found) if !found.is_file() => return Err(io::Error::other("it is not a file")),
        Ok(found) if found.len() > MAX_FILE => return Err(io::Error::other("it is too long")),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let new = path.with_extension("new");
    // One that a power cut left may be anybody's.
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let done = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(
        |mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        },
    );
    if let Err(e) = done {
        // It would only take room on a disk that has none.
        let _gone = fs::remove_file(&new);
        return Err(e);
    }
    fs::rename(&new, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::grants::{Answer, Decision};
    use model::Name;

    fn name(text: &str) -> Name {
        Name::try_from(text).unwrap()
    }

    fn one() -> Decisions {
        let mut all = Decisions::default();
        let decision = Decision { answer: Answer::Granted, by: 0, at: 7 };
        all.decide(&name("eye"), &name("camera"), decision).unwrap();
        all
    }

    #[test]
    fn decisions_are_there_for_the_next_one_and_only_root_reads_them() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lib/permissions");
        let mut store = Store::new(path.clone());
        assert_eq!(store.get(), &Decisions::default());
        store.replace(one()).unwrap();
        assert_eq!(Store::new(path.clone()).get(), &one());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // Half a file of a write that a power cut ended is nothing.
        fs::write(path.with_extension("new"), "granted eye").unwrap();
        assert_eq!(Store::new(path.clone()).get(), &one());
        Store::new(path.clone()).replace(Decisions::default()).unwrap();
        assert_eq!(Store::new(path).get(), &Decisions::default());
    }

    #[test]
    fn what_cannot_be_written_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("permissions");
        let mut store = Store::new(path.clone());
        store.replace(one()).unwrap();
        fs::create_dir(path.with_extension("new")).unwrap();
        store.replace(Decisions::default()).unwrap_err();
        assert_eq!(store.get(), &one());
        assert_eq!(Store::new(path).get(), &one());
    }

    #[test]
    fn what_is_no_file_or_too_long_grants_nothing() {
        let place = tempfile::tempdir().unwrap();
        let long = place.path().join("long");
        let mut text = one().text();
        text.push_str(&"#".repeat(usize::try_from(MAX_FILE).unwrap()));
        fs::write(&long, text).unwrap();
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&long, &link).unwrap();
        for path in [long, link, place.path().to_owned()] {
            assert_eq!(Store::new(path).get(), &Decisions::default());
        }
    }
}
