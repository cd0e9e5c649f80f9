//! What is known of stores, on the disk.
//!
//! ```text
//! /var/lib/store/NAME/     about, root.json, timestamp.json, snapshot.json, targets.json
//! /var/lib/store/.NAME     a store that is being added: renamed when it is whole
//! /var/lib/store/.fetched  files that are on their way, see `download`
//! ```
//!
//! Each file is written beside, synced and renamed: whatever happens, the old or the new one is there. What was
//! damaged is noticed by its signature, and asked for again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::Name;
use model::store::MAX_STORES;
use tuf::{Kept, Role};

/// Longest file that is read, in bytes: the longest metadata.
const MAX_FILE: u64 = tuf::MAX_TARGETS;

/// What there is to know of a store beside its metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Where it is.
    pub place: String,
    /// Of its first root.
    pub root: String,
    /// When it was last asked, in seconds since 1970.
    pub asked: u64,
    /// Why that did not work; empty when it did.
    pub trouble: String,
}

/// Stores that the device knows.
#[derive(Debug, Clone)]
pub struct Shelf(PathBuf);

impl Shelf {
    /// In this directory.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// Where files are that are on their way.
    ///
    /// # Errors
    /// It can't be made.
    pub fn fetched(&self) -> io::Result<PathBuf> {
        let path = self.0.join(".fetched");
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Names of all stores, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| Name::try_from(entry.file_name().to_str()?).ok();
        let mut all: Vec<Name> = entries.filter_map(name).collect();
        all.sort();
        all.truncate(MAX_STORES);
        all
    }

    /// The store of this name, if it is known.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<Shown> {
        let shown = Shown(self.0.join(name.as_str()));
        shown.0.is_dir().then_some(shown)
    }

    /// A place for the metadata of a store that is to be added.
    ///
    /// # Errors
    /// It can't be made.
    pub fn begin(&self, name: &Name) -> io::Result<Shown> {
        let path = self.0.join(format!(".{name}"));
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => fs::create_dir(&path)?,
        }
        Ok(Shown(path))
    }

    /// It is whole, and known from now on.
    ///
    /// # Errors
    /// It can't be renamed.
    pub fn finish(&self, name: &Name, shown: Shown) -> io::Result<Shown> {
        let path = self.0.join(name.as_str());
        fs::rename(&shown.0, &path)?;
        File::open(&self.0)?.sync_all()?;
        Ok(Shown(path))
    }

    /// Forgets a store.
    ///
    /// # Errors
    /// It can't be removed.
    pub fn remove(&self, name: &Name) -> io::Result<()> {
        let gone = self.0.join(format!(".{name}"));
        let _left_over = fs::remove_dir_all(&gone);
        // At once, as far as anybody sees.
        fs::rename(self.0.join(name.as_str()), &gone)?;
        File::open(&self.0)?.sync_all()?;
        fs::remove_dir_all(&gone)
    }
}

/// The files of one store.
#[derive(Debug)]
pub struct Shown(PathBuf);

impl Shown {
    /// What there is to know of it.
    #[must_use]
    pub fn about(&self) -> About {
        let text = self.file("about").unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let of = |word: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
            line.unwrap_or_default().to_owned()
        };
        let asked = of("asked").parse().unwrap_or(0);
        About { place: of("place"), root: of("root"), asked, trouble: of("trouble") }
    }

    /// Keeps that.
    ///
    /// # Errors
    /// It can't be written.
    pub fn tell(&self, about: &About) -> io::Result<()> {
        let About { place, root, asked, trouble } = about;
        let line = |text: &str| text.replace(char::is_control, " ");
        let (place, trouble) = (line(place), line(trouble));
        let text = format!("place {place}\nroot {root}\nasked {asked}\ntrouble {trouble}\n");
        self.put("about", text.as_bytes())
    }

    fn file(&self, name: &str) -> Option<Vec<u8>> {
        sys::regular::read(&self.0.join(name), MAX_FILE, false).ok().map(|(_, bytes)| bytes)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (path, new) = (self.0.join(name), self.0.join(format!(".{name}")));
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(&self.0)?.sync_all()
    }
}

impl Kept for Shown {
    fn read(&self, role: Role) -> Option<Vec<u8>> {
        self.file(role.file())
    }

    fn write(&mut self, role: Role, bytes: &[u8]) -> Result<(), String> {
        let failed = |e: io::Error| format!("keeping {} in {}: {e}", role.file(), self.0.display());
        self.put(role.file(), bytes).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_known_to_the_next_process() {
        let directory = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(directory.path());
        let name = Name::try_from("shop").unwrap();
        let about = About {
            place: "https://example.org/a b".into(),
            root: "ab-cd".into(),
            asked: 7,
            trouble: "no\nway".into(),
        };
        let mut shown = shelf.begin(&name).unwrap();
        shown.tell(&about).unwrap();
        shown.write(Role::Root, b"root").unwrap();
        assert!(shelf.names().is_empty() && shelf.get(&name).is_none(), "not whole yet");
        shelf.finish(&name, shown).unwrap();
        let shown = shelf.get(&name).unwrap();
        assert_eq!(shown.about(), About { trouble: "no way".into(), ..about });
        assert_eq!(shown.read(Role::Root).as_deref(), Some(&b"root"[..]));
        assert_eq!(shown.read(Role::Targets), None);
        assert_eq!(shelf.names(), std::slice::from_ref(&name));
        shelf.fetched().unwrap();
        shelf.remove(&name).unwrap();
        assert!(shelf.names().is_empty() && shelf.remove(&name).is_err());
    }
}
