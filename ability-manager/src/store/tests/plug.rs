//! A disk with a plug: after some steps the power is gone, and with it what no step made sure of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bundle::{Content, Digest};
use sys::fscrypt::{KEY, Name as KeyName};

use crate::store::disk::{self, As, Disk, Fill, Real};
use crate::store::mounting::{self, Mounts, Seen};

/// What is left of what no step made sure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Loss {
    /// All of it.
    #[default]
    Nothing,
    /// Names are there, what files hold is not.
    Content,
    /// Neither.
    Names,
}

/// How a name is taken back.
#[derive(Debug)]
enum Undo {
    Made(PathBuf),
    Gone { path: PathBuf, kept: PathBuf },
    Moved { from: PathBuf, to: PathBuf, over: Option<PathBuf> },
    Exchanged(PathBuf, PathBuf),
    Encrypted(PathBuf, u64),
}

#[derive(Debug, Default)]
struct State {
    /// Steps that are still made; all if none.
    left: Option<usize>,
    made: usize,
    loss: Loss,
    undo: Vec<Undo>,
    unwritten: BTreeSet<PathBuf>,
    kept: usize,
    sealed: BTreeMap<u64, Digest>,
    /// Keys that the kernel has, by their names.
    keys: BTreeMap<KeyName, Vec<u8>>,
    /// Directories that are encrypted, by their numbers.
    encrypted: BTreeMap<u64, KeyName>,
}

/// The disk; clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Plug {
    state: Arc<Mutex<State>>,
    /// Where what is removed is kept, for it may come back.
    trash: PathBuf,
    /// It has fs-verity.
    pub(crate) verity: bool,
    /// It has fscrypt.
    pub(crate) crypt: bool,
    /// Bytes that are free.
    pub(crate) free: u64,
}

impl Plug {
    pub(crate) fn new(trash: &Path) -> Self {
        let state = Arc::default();
        Self { state, trash: trash.to_owned(), verity: false, crypt: false, free: 1 << 40 }
    }

    /// Pulls the plug after so many steps.
    pub(crate) fn pull(&self, after: usize, loss: Loss) {
        let mut state = self.state.lock().unwrap();
        (state.left, state.loss) = (Some(after), loss);
    }

    /// Whether the power is gone, or would be at the next step.
    pub(crate) fn is_pulled(&self) -> bool {
        self.state.lock().unwrap().left == Some(0)
    }

    /// The power is back.
    pub(crate) fn put_back(&self) {
        let mut state = self.state.lock().unwrap();
        state.left = None;
        state.undo.clear();
        state.unwritten.clear();
    }

    /// The device starts anew: the kernel has no keys.
    pub(crate) fn boot(&self) {
        self.state.lock().unwrap().keys.clear();
    }

    /// Keys that the kernel has.
    pub(crate) fn keys(&self) -> BTreeMap<KeyName, Vec<u8>> {
        self.state.lock().unwrap().keys.clone()
    }

    /// Steps made so far.
    pub(crate) fn made(&self) -> usize {
        self.state.lock().unwrap().made
    }

    fn step(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        match state.left {
            Some(0) => {
                state.lose();
                return Err(io::Error::other("the power is gone"));
            }
            Some(left) => state.left = Some(left - 1),
            None => {}
        }
        state.made += 1;
        Ok(())
    }

    fn keep(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        if disk::about(path)?.is_none() {
            return Ok(None);
        }
        let mut state = self.state.lock().unwrap();
        state.kept += 1;
        let kept = self.trash.join(state.kept.to_string());
        fs::rename(path, &kept)?;
        Ok(Some(kept))
    }

    fn will_undo(&self, undo: Undo) {
        self.state.lock().unwrap().undo.push(undo);
    }
}

impl State {
    fn lose(&mut self) {
        if self.loss != Loss::Nothing {
            for path in std::mem::take(&mut self.unwritten) {
                let _gone = fs::OpenOptions::new().write(true).truncate(true).open(path);
            }
        }
        if self.loss == Loss::Names {
            for undo in std::mem::take(&mut self.undo).into_iter().rev() {
                match undo {
                    Undo::Encrypted(_, number) => drop(self.encrypted.remove(&number)),
                    undo => undo.back(),
                }
            }
        }
        self.loss = Loss::Nothing;
    }
}

impl Undo {
    fn back(self) {
        match self {
            Self::Made(path) => match disk::about(&path) {
                Ok(Some(about)) if about.kind == disk::Kind::Directory => {
                    fs::remove_dir_all(path).unwrap();
                }
                _ => fs::remove_file(path).unwrap(),
            },
            Self::Gone { path, kept } => fs::rename(kept, path).unwrap(),
            Self::Exchanged(a, b) => Real.exchange(&a, &b).unwrap(),
            Self::Encrypted(..) => {}
            Self::Moved { from, to, over } => {
                fs::rename(&to, from).unwrap();
                if let Some(over) = over {
                    fs::rename(over, to).unwrap();
                }
            }
        }
    }

    fn is_in(&self, directory: &Path) -> bool {
        match self {
            Self::Made(path)
            | Self::Gone { path, .. }
            | Self::Moved { to: path, .. }
            | Self::Exchanged(path, _) => path.parent() == Some(directory),
            // It is of the directory itself.
            Self::Encrypted(path, _) => path == directory,
        }
    }
}

fn nobodys(how: As) -> As {
    As { owner: None, ..how }
}

impl Disk for Plug {
    fn write(&self, path: &Path, how: As, fill: Fill<'_>) -> io::Result<()> {
        self.step()?;
        Real.write(path, nobodys(how), fill)?;
        self.state.lock().unwrap().unwritten.insert(path.to_owned());
        self.will_undo(Undo::Made(path.to_owned()));
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.state.lock().unwrap().unwritten.remove(path);
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        assert!(path.is_dir());
        self.state.lock().unwrap().undo.retain(|undo| !undo.is_in(path));
        Ok(())
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        assert!(path.exists());
        let mut state = self.state.lock().unwrap();
        state.undo.clear();
        state.unwritten.clear();
        Ok(())
    }

    fn seal(&self, path: &Path) -> io::Result<bool> {
        self.step()?;
        if !self.verity {
            return Ok(false);
        }
        let file = File::open(path)?;
        let digest = Content::open(&file).unwrap().digest().unwrap();
        self.state.lock().unwrap().sealed.insert(file.metadata()?.ino(), digest);
        Ok(true)
    }

    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()> {
        self.step()?;
        Real.exchange(a, b)?;
        let mut state = self.state.lock().unwrap();
        let lost = [a, b].map(|path| state.unwritten.remove(path));
        for (path, lost) in [b, a].into_iter().zip(lost) {
            if lost {
                state.unwritten.insert(path.to_owned());
            }
        }
        state.undo.push(Undo::Exchanged(a.to_owned(), b.to_owned()));
        Ok(())
    }

    /// What is overwritten does not come back.
    fn overwrite(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        Real.overwrite(path)
    }

    fn encrypts(&self, _place: &Path) -> bool {
        self.crypt
    }

    fn give(&self, _place: &Path, key: &[u8; KEY]) -> io::Result<KeyName> {
        self.step()?;
        // Good enough for keys that are random.
        let name = KeyName::try_from(&key[..16]).unwrap();
        self.state.lock().unwrap().keys.insert(name, key.to_vec());
        Ok(name)
    }

    fn take(&self, _place: &Path, key: &KeyName) -> io::Result<bool> {
        self.step()?;
        self.state.lock().unwrap().keys.remove(key);
        Ok(false)
    }

    fn encrypt(&self, directory: &Path, key: &KeyName) -> io::Result<()> {
        self.step()?;
        assert!(disk::is_empty(directory)?, "{} is not empty", directory.display());
        let number = fs::metadata(directory)?.ino();
        let mut state = self.state.lock().unwrap();
        assert!(state.keys.contains_key(key), "a key that the kernel does not have");
        if state.encrypted.insert(number, *key).is_none() {
            state.undo.push(Undo::Encrypted(directory.to_owned(), number));
        }
        Ok(())
    }

    fn key_of(&self, directory: &Path) -> io::Result<Option<KeyName>> {
        let number = fs::metadata(directory)?.ino();
        Ok(self.state.lock().unwrap().encrypted.get(&number).copied())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let over = self.keep(to)?;
        fs::rename(from, to)?;
        let mut state = self.state.lock().unwrap();
        let moved = state.unwritten.iter().filter_map(|path| {
            let below = path.strip_prefix(from).ok()?;
            let new = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
            Some((path.clone(), new))
        });
        for (old, new) in moved.collect::<Vec<_>>() {
            state.unwritten.remove(&old);
            state.unwritten.insert(new);
        }
        state.undo.push(Undo::Moved { from: from.to_owned(), to: to.to_owned(), over });
        Ok(())
    }

    fn make_directory(&self, path: &Path, how: As) -> io::Result<()> {
        self.step()?;
        let there = path.exists();
        Real.make_directory(path, nobodys(how))?;
        if !there {
            self.will_undo(Undo::Made(path.to_owned()));
        }
        Ok(())
    }

    fn link(&self, target: &Path, path: &Path, _owner: Option<u32>) -> io::Result<()> {
        self.step()?;
        Real.link(target, path, None)?;
        self.will_undo(Undo::Made(path.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        if let Some(kept) = self.keep(path)? {
            self.state.lock().unwrap().unwritten.remove(path);
            self.will_undo(Undo::Gone { path: path.to_owned(), kept });
        }
        Ok(())
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        if let Some(kept) = self.keep(path)? {
            self.state.lock().unwrap().unwritten.retain(|one| !one.starts_with(path));
            self.will_undo(Undo::Gone { path: path.to_owned(), kept });
        }
        Ok(())
    }

    fn measure(&self, file: &File) -> io::Result<Option<Digest>> {
        Ok(self.state.lock().unwrap().sealed.get(&file.metadata()?.ino()).copied())
    }

    fn owns(&self, _is: u32, _should: u32) -> bool {
        true
    }

    fn free(&self, _path: &Path) -> io::Result<u64> {
        Ok(self.free)
    }
}

/// A table of mounts, where nothing is mounted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    seen: Arc<Mutex<BTreeMap<PathBuf, (Seen, PathBuf)>>>,
    /// No image can be mounted.
    pub(crate) no_images: bool,
    /// No directories can be laid over each other.
    pub(crate) no_layers: bool,
    /// What is mounted is in use.
    pub(crate) busy: bool,
}

impl Table {
    /// What is mounted at a place.
    pub(crate) fn source(&self, at: &Path) -> Option<PathBuf> {
        Some(self.seen.lock().unwrap().get(at)?.1.clone())
    }

    fn put(&self, seen: Seen, from: &Path, at: &Path) -> io::Result<()> {
        assert!(at.is_dir() && from.exists());
        let before = self.seen.lock().unwrap().insert(at.to_owned(), (seen, from.to_owned()));
        assert_eq!(before, None, "mounted twice");
        Ok(())
    }
}

impl Mounts for Table {
    fn image(&self, file: &Path, at: &Path) -> io::Result<()> {
        if self.no_images {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.put(Seen::Image(file.to_owned()), file, at)
    }

    fn tree(&self, from: &Path, at: &Path) -> io::Result<()> {
        self.put(mounting::tree(from)?, from, at)
    }

    fn layers(&self, name: &str, [upper, lower]: [&Path; 2], at: &Path) -> io::Result<()> {
        if self.no_layers {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        assert!(self.mounted(upper)?.is_some() && self.mounted(lower)?.is_some());
        self.put(Seen::Layers(name.to_owned()), upper, at)
    }

    fn unmount(&self, at: &Path) -> io::Result<()> {
        if self.busy {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        self.seen.lock().unwrap().remove(at).map(|_| ()).ok_or(io::ErrorKind::InvalidInput.into())
    }

    fn mounted(&self, at: &Path) -> io::Result<Option<Seen>> {
        Ok(self.seen.lock().unwrap().get(at).map(|(seen, _)| seen.clone()))
    }
}
