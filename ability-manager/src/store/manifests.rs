//! Manifests as they were read the last time: checking the texts of all bundles takes longer than everything else
//! that is done before the first answer.
//!
//! ```text
//! text of a manifest ─ in the file `manifests`? ─► Manifest
//!                         └─ no ─► read and checked ─► written for the next time, when all are read
//! ```
//!
//! The file lies beside the generation and is worth as much: only root writes there. It is of one build of this
//! program, which alone knows what its bytes mean and what it would have refused. Invariant: with it or without it,
//! whole or damaged, the same manifests come out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use model::bundle::Manifest;

use super::disk::{As, Disk, beside};
use super::held;

/// First bytes; the digit is the version of the format.
const MAGIC: &[u8] = b"ENSMANI1";

/// The name of the file.
const NAME: &str = "manifests";

/// Most bytes of it: so many manifests as there can be, of a usual length.
const MAX_FILE: usize = 16 << 20;

/// Bytes of this program in which the linker's number of the build is.
const HEAD: u64 = 4096;

/// Bytes of the checksum.
const CHECKSUM: usize = 4;

/// Those that are known while a store is opened.
#[derive(Debug)]
pub(super) struct Manifests {
    file: PathBuf,
    opening: Mutex<Option<Opening>>,
}

#[derive(Debug, Default)]
struct Opening {
    known: BTreeMap<String, Manifest>,
    /// Asked for, the known ones among them.
    used: BTreeMap<String, Manifest>,
    /// Some were not known.
    new: bool,
}

impl Manifests {
    /// Those of the last time that lie in this directory.
    pub(super) fn of(directory: &Path) -> Self {
        let file = directory.join(NAME);
        let known = read(&file).unwrap_or_default();
        let opening = Opening { known, ..Opening::default() };
        Self { file, opening: Mutex::new(Some(opening)) }
    }

    /// What a text says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn get(&self, text: &str) -> Result<Manifest, String> {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(opening) = opening.as_mut() else { return held::manifest(text) };
        let (text, manifest) = match opening.known.remove_entry(text) {
            Some(known) => known,
            None => {
                let manifest = held::manifest(text)?;
                opening.new = true;
                (text.to_owned(), manifest)
            }
        };
        opening.used.insert(text, manifest.clone());
        Ok(manifest)
    }

    /// All are read: what was new is kept for the next time, and what nobody asked for is not. From now on texts
    /// are read when they come.
    pub(super) fn opened(&self, disk: &dyn Disk) {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(opening) = opening.take() else { return };
        if !opening.new && opening.known.is_empty() {
            return;
        }
        let written = build().and_then(|build| {
            let bytes = encode(&build, &opening.used)?;
            let new = beside(&self.file, ".new");
            disk.remove(&new)?;
            let how = As { mode: 0o600, owner: None };
            disk.write(&new, how, &mut |out| out.write_all(&bytes))?;
            // Without being on the disk first: torn, it is none.
            disk.rename(&new, &self.file)
        });
        if let Err(why) = written {
            log::debug!("{}: {why}: manifests are read again the next time", self.file.display());
        }
    }
}

/// Those that are in a file of this build.
fn read(file: &Path) -> Option<BTreeMap<String, Manifest>> {
    let (_, bytes) = sys::regular::read(file, u64::try_from(MAX_FILE).ok()?, false).ok()?;
    decode(&build().ok()?, &bytes)
}

fn encode(build: &[u8], all: &BTreeMap<String, Manifest>) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(&(build, all)).map_err(io::Error::other)?;
    let bytes = [MAGIC, &crc32c::crc32c(&body).to_le_bytes(), &body].concat();
    if bytes.len() > MAX_FILE {
        return Err(io::Error::other(format!("they take more than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}

fn decode(build: &[u8], bytes: &[u8]) -> Option<BTreeMap<String, Manifest>> {
    let (checksum, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<CHECKSUM>()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    // What follows is only what its build says it is.
    let (of, rest) = postcard::take_from_bytes::<&[u8]>(body).ok()?;
    if of != build {
        return None;
    }
    match postcard::take_from_bytes(rest) {
        Ok((all, [])) => Some(all),
        _ => None,
    }
}

/// What tells this build of the program from others: its beginning, in which the linker's number of it is.
fn build() -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open("/proc/self/exe")?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::super::disk::Real;
    use super::*;

    fn text(id: &str) -> String {
        format!(
            "id = \"{id}\"\nversion = \"1.0.0\"\nname = \"X\"\nabout = \"Waits\"\n\n[[ability]]\nname = \"main\"\n\
             exec = [\"x\"]\n"
        )
    }

    fn all_of(directory: &Path, ids: &[&str]) -> (Vec<Manifest>, usize) {
        let manifests = Manifests::of(directory);
        let known = manifests.opening.lock().unwrap().as_ref().unwrap().known.len();
        let all = ids.iter().map(|id| manifests.get(&text(id)).unwrap()).collect();
        manifests.opened(&Real);
        (all, known)
    }

    #[test]
    fn what_was_read_once_is_known_the_next_time_and_the_same() {
        let place = tempfile::tempdir().unwrap();
        let first = all_of(place.path(), &["a.b", "c.d"]);
        assert_eq!(first.1, 0);
        assert_eq!(all_of(place.path(), &["a.b", "c.d"]), (first.0.clone(), 2));
        assert_eq!(all_of(place.path(), &["c.d", "e.f"]).1, 2);
        assert_eq!(all_of(place.path(), &["e.f"]).1, 2, "what nobody asked for is gone");
        assert_eq!(all_of(place.path(), &["e.f"]).1, 1);
        assert!(Manifests::of(place.path()).get("id = 1").is_err());
    }

    #[test]
    fn once_all_are_open_nothing_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let manifests = Manifests::of(place.path());
        manifests.opened(&Real);
        assert_eq!(manifests.get(&text("a.b")).unwrap().id.as_str(), "a.b");
        assert!(manifests.opening.lock().unwrap().is_none());
        assert!(!place.path().join(NAME).exists(), "nothing was new");
    }

    #[test]
    fn what_is_damaged_is_read_again() {
        let place = tempfile::tempdir().unwrap();
        let whole = all_of(place.path(), &["a.b"]).0;
        let file = place.path().join(NAME);
        let bytes = fs::read(&file).unwrap();
        for at in [0, MAGIC.len(), MAGIC.len() + 40, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs::write(&file, damaged).unwrap();
            assert_eq!(all_of(place.path(), &["a.b"]), (whole.clone(), 0), "{at}");
        }
    }

    #[test]
    fn another_build_reads_its_own_texts() {
        let all = BTreeMap::from([(text("a.b"), held::manifest(&text("a.b")).unwrap())]);
        let bytes = encode(b"one", &all).unwrap();
        assert_eq!(decode(b"one", &bytes), Some(all));
        assert_eq!(decode(b"two", &bytes), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
            let _ = decode(b"", &bytes);
            let _ = decode(b"", &[MAGIC, &crc32c::crc32c(&bytes).to_le_bytes(), &bytes].concat());
        }
    }
}
