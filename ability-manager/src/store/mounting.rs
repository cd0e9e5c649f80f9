//! Where a bundle is seen: mounted from its file, or unpacked and bound.
//!
//! ```text
//! file ─ digest: the kernel's, or read whole ─ signature proved again ─► EROFS mounted at /run/bundles/ID
//!                                                  not possible here? ─► unpacked/DIGEST ─ bound there
//! ```
//!
//! The file is mounted as it is (Linux 6.12 and later). With fs-verity all of this takes no longer for a large
//! bundle; without, its file is read once for each boot. What is unpacked is checked when it is unpacked.
//!
//! Invariants: what is mounted has the digest that the generation names, and its signature is by the key it
//! is of; what the image brought is as good as the image, and is not checked again. Nobody but root writes to
//! either. What is mounted at a place is the version that counts: whoever changes that unmounts first.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bundle::{Bundle, Content, Digest, Entry, Item, PublicKey, ReadAt, Signature};
use sys::mount::{self, Flags};

use super::disk::{self, As};
use super::held::{Held, Origin};
use super::layers::LAYERS;
use super::refusal::Tried;
use super::{Base, Key, Refusal};

/// Longest file of signatures, in bytes.
const MAX_SIGNATURES: u64 = 4096;

/// What sees to it that a bundle is what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// It is part of the image, and as good as that.
    Image,
    /// The kernel, at each read.
    Kernel,
    /// It was read whole when it was mounted.
    Mounted,
    /// It was read whole when it was unpacked, for it can't be mounted here.
    Unpacked,
}

impl Integrity {
    /// A phrase for people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Image => "part of the device's image",
            Self::Kernel => "checked by the kernel at each read",
            Self::Mounted => "checked when it was mounted",
            Self::Unpacked => "checked when it was unpacked; it can't be mounted here",
        }
    }
}

/// What mounts.
pub trait Mounts: fmt::Debug + Send + Sync {
    /// Mounts the EROFS image that is in a file.
    ///
    /// # Errors
    /// As [`mount::mount`].
    fn image(&self, file: &Path, at: &Path) -> io::Result<()>;

    /// Mounts a directory at another place, where nobody writes.
    ///
    /// # Errors
    /// As [`mount::bind`].
    fn tree(&self, tree: &Path, at: &Path) -> io::Result<()>;

    /// Mounts two directories as one in which nobody writes, the files of the first over those of the second.
    /// It is called `name`.
    ///
    /// # Errors
    /// As [`mount::mount`].
    fn layers(&self, name: &str, directories: [&Path; 2], at: &Path) -> io::Result<()>;

    /// Unmounts what is there; a place where nothing is left goes too.
    ///
    /// # Errors
    /// As [`mount::unmount`].
    fn unmount(&self, at: &Path) -> io::Result<()>;

    /// What is mounted there, on top.
    ///
    /// # Errors
    /// As [`mount::table`].
    fn mounted(&self, at: &Path) -> io::Result<Option<Seen>>;
}

/// What is mounted at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The image that is in this file.
    Image(PathBuf),
    /// The directory with these numbers of a device and on it.
    Tree(u64, u64),
    /// Directories that are seen as one, by their name.
    Layers(String),
}

/// The mounts of the device.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Real;

const FLAGS: Flags = Flags { read_only: true, no_dev: true, no_suid: true, no_exec: false };

impl Mounts for Real {
    fn image(&self, file: &Path, at: &Path) -> io::Result<()> {
        let file = file.to_str().ok_or(io::ErrorKind::InvalidInput)?;
        mount::mount(file, at, "erofs", FLAGS, "")
    }

    fn tree(&self, tree: &Path, at: &Path) -> io::Result<()> {
        mount::bind(tree, at)?;
        mount::restrict(at, FLAGS).inspect_err(|_| {
            // Rather nothing there than something that can be written.
            let _gone = mount::unmount(at);
        })
    }

    fn layers(&self, name: &str, directories: [&Path; 2], at: &Path) -> io::Result<()> {
        let [upper, lower] = directories.map(Path::display);
        mount::mount(name, at, "overlay", FLAGS, &format!("lowerdir={upper}:{lower}"))
    }

    fn unmount(&self, at: &Path) -> io::Result<()> {
        mount::unmount(at)?;
        // With the last mount the place goes too. Where one was below, it is in use, and so it stays.
        let _stays = std::fs::remove_dir(at);
        Ok(())
    }

    fn mounted(&self, at: &Path) -> io::Result<Option<Seen>> {
        let table = mount::table()?;
        let Some(here) = table.into_iter().rev().find(|mounted| mounted.at == at) else {
            return Ok(None);
        };
        if here.source.starts_with(LAYERS) {
            return Ok(Some(Seen::Layers(here.source)));
        }
        // What is mounted from a file names that; a tree is a part of what is mounted from a device.
        if here.source.ends_with(CONTENT) || here.source.ends_with(BUNDLE) {
            return Ok(Some(Seen::Image(here.source.into())));
        }
        Ok(Some(tree(at)?))
    }
}

/// A directory, as something that is mounted.
pub(super) fn tree(at: &Path) -> io::Result<Seen> {
    let about = std::fs::symlink_metadata(at)?;
    Ok(Seen::Tree(about.dev(), about.ino()))
}

/// How files of contents end.
pub(super) const CONTENT: &str = ".content";

/// How files of bundles end.
const BUNDLE: &str = ".bundle";

/// A bundle that is to be mounted. Needs nothing of the store, for it may take long.
#[derive(Debug, Clone)]
pub struct Mounting {
    pub(super) base: Arc<Base>,
    pub(super) held: Arc<Held>,
    /// Its runtime.
    pub(super) below: Option<Arc<Held>>,
}

impl Mounting {
    /// Mounts it, unless it is mounted; what lies below it was mounted before. The same bundle is not mounted
    /// twice at a time: the caller sees to that.
    ///
    /// # Errors
    /// It is not what was signed, or can't be mounted.
    pub fn run(&self) -> Result<Integrity, Refusal> {
        let integrity = self.itself()?;
        self.lay_over()?;
        Ok(integrity)
    }

    fn itself(&self) -> Result<Integrity, Refusal> {
        let (base, held) = (&*self.base, &*self.held);
        let at = base.mount_point(held);
        if let Some(seen) = base.mounts.mounted(&at).tried("looking what is mounted at", &at)? {
            if self.is_this(&seen) {
                return self.integrity(&seen);
            }
            // Of a version that went while it was being mounted.
            base.unmount(&at)?;
        }
        let all = &base.places.mounts;
        for path in [all, &at] {
            let how = As { mode: 0o755, owner: None };
            base.disk.make_directory(path, how).tried("making the directory", path)?;
        }
        let sealed = self.proved()?;
        let refused = match base.mounts.image(&held.file, &at) {
            Ok(()) if held.origin == Origin::Image => return Ok(Integrity::Image),
            Ok(()) if sealed => return Ok(Integrity::Kernel),
            Ok(()) => return Ok(Integrity::Mounted),
            Err(refused) => refused,
        };
        let tree = self.unpacked()?;
        base.mounts.tree(&tree, &at).map_err(|e| {
            Refusal::Failed(format!(
                "mounting {} at {}: {refused}; and unpacked: {e}",
                held.file.display(),
                at.display()
            ))
        })?;
        Ok(Integrity::Unpacked)
    }

    /// Whether what is mounted is this version.
    fn is_this(&self, seen: &Seen) -> bool {
        match seen {
            Seen::Image(file) => *file == self.held.file,
            Seen::Layers(_) => false,
            Seen::Tree(..) => {
                tree(&self.base.unpacked(&self.held.digest)).is_ok_and(|tree| tree == *seen)
            }
        }
    }

    /// What holds for what is mounted.
    fn integrity(&self, seen: &Seen) -> Result<Integrity, Refusal> {
        let (base, held) = (&*self.base, &*self.held);
        let file = &held.file;
        Ok(match (seen, held.origin) {
            (Seen::Tree(..) | Seen::Layers(_), _) => Integrity::Unpacked,
            (Seen::Image(_), Origin::Image) => Integrity::Image,
            (Seen::Image(_), _) => {
                let opened = disk::open(file).tried("opening", file)?;
                match base.disk.measure(&opened).tried("measuring", file)? {
                    Some(_) => Integrity::Kernel,
                    None => Integrity::Mounted,
                }
            }
        })
    }

    /// Whether the file is what was signed, and by whom; answers whether the kernel sees to it that it stays so.
    fn proved(&self) -> Result<bool, Refusal> {
        let (base, held) = (&*self.base, &*self.held);
        if held.origin == Origin::Image {
            return Ok(false);
        }
        let file = disk::open(&held.file).tried("opening", &held.file)?;
        let measured = base.disk.measure(&file).tried("measuring", &held.file)?;
        let invalid = |why: bundle::Refused| again(held, &why.to_string());
        let digest = match measured {
            Some(digest) => digest,
            None => Content::open(&file).and_then(|content| content.digest()).map_err(invalid)?,
        };
        if digest != held.digest {
            return Err(again(held, "its file was changed"));
        }
        let path = base.signature(&held.digest);
        let read = sys::regular::read(&path, MAX_SIGNATURES, false);
        let (_, bytes) = read.tried("reading", &path)?;
        if signed(&bytes, &digest, held.key.as_ref()) {
            return Ok(measured.is_some());
        }
        Err(again(held, "its signature is not by the key it is of"))
    }

    /// The bundle as files, which are unpacked if they are not yet.
    fn unpacked(&self) -> Result<PathBuf, Refusal> {
        let (base, held) = (&*self.base, &*self.held);
        let tree = base.unpacked(&held.digest);
        if disk::about(&tree).tried("looking at", &tree)?.is_some() {
            return Ok(tree);
        }
        let all = tree.parent().unwrap_or(&tree).to_owned();
        let how = As { mode: 0o755, owner: None };
        base.disk.make_directory(&all, how).tried("making the directory", &all)?;
        let new = disk::beside(&tree, ".new");
        base.disk.remove_tree(&new).tried("removing", &new)?;
        let file = disk::open(&held.file).tried("opening", &held.file)?;
        let invalid = |why: bundle::Refused| again(held, &why.to_string());
        match held.origin {
            Origin::Image => self.unpack(Bundle::open(&file).map_err(invalid)?.content(), &new)?,
            _ => self.unpack(&Content::open(&file).map_err(invalid)?, &new)?,
        }
        base.disk.sync_all(&new).tried("unpacking to", &new)?;
        base.disk.rename(&new, &tree).tried("unpacking to", &tree)?;
        Ok(tree)
    }

    fn unpack<F: ReadAt>(&self, content: &Content<F>, to: &Path) -> Result<(), Refusal> {
        let (base, held) = (&*self.base, &*self.held);
        let files = content.check().map_err(|why| again(held, &why.to_string()))?;
        let free = base.disk.free(&base.places.bundles).tried("looking how much is free in", to)?;
        if free < files.bytes().saturating_add(super::MARGIN) {
            return Err(Refusal::Refused(format!(
                "{} must be unpacked here, which takes {} MiB, and {} are free: remove something: `ensctl app list`",
                held.id(),
                files.bytes().div_ceil(1 << 20),
                free >> 20
            )));
        }
        let how = As { mode: 0o555, owner: None };
        base.disk.make_directory(to, how).tried("unpacking to", to)?;
        let mut failed = Ok(());
        files
            .unpack(|entry, item| {
                let path = to.join(entry.path());
                failed = self.take_out(entry, item, to, &path);
                match &failed {
                    Ok(()) => Ok(()),
                    Err(_) => Err(Stop),
                }
            })
            .map_err(|Stop| ())
            .or_else(|()| failed.tried("unpacking to", to))
    }

    fn take_out(
        &self,
        entry: Entry<'_>,
        item: Item<'_>,
        root: &Path,
        path: &Path,
    ) -> io::Result<()> {
        let disk = &*self.base.disk;
        // No write bits, whoever it belonged to.
        let how = As { mode: u32::from(entry.mode()) & 0o555, owner: None };
        match item {
            Item::Directory => disk.make_directory(path, how),
            Item::Link(target) => disk.link(Path::new(&target), path, None),
            Item::File(mut reader) => {
                disk.write(path, how, &mut |out| io::copy(&mut reader, out).map(|_| ()))
            }
            Item::Same(first) => {
                let first = disk::open(&root.join(first))?;
                disk.write(path, how, &mut |out| io::copy(&mut &first, out).map(|_| ()))
            }
        }
    }
}

/// Unpacking stops: why is known elsewhere.
struct Stop;

impl From<bundle::Refused> for Stop {
    fn from(_: bundle::Refused) -> Self {
        Self
    }
}

fn again(held: &Held, why: &str) -> Refusal {
    Refusal::Invalid(format!("{} can't be used: {why}: install it again", held.id()))
}

/// Whether one of these signatures is by `key`.
fn signed(bytes: &[u8], digest: &Digest, key: Option<&Key>) -> bool {
    let Some(key) = key.and_then(|key| key.as_str().parse::<PublicKey>().ok()) else {
        return false;
    };
    let (all, _) = bytes.as_chunks();
    all.iter().any(|one| Signature::proved(one, digest).is_ok_and(|one| *one.key() == key))
}

impl Base {
    /// Where a bundle is seen.
    pub(super) fn mount_point(&self, held: &Held) -> PathBuf {
        self.places.mounts.join(held.id().as_str())
    }

    /// Unmounts all that is mounted at a place.
    pub(super) fn unmount(&self, at: &Path) -> Result<(), Refusal> {
        // One over the other, if a mount was ever made twice.
        while self.mounts.mounted(at).tried("looking what is mounted at", at)?.is_some() {
            self.mounts.unmount(at).tried("unmounting", at)?;
        }
        Ok(())
    }

    pub(super) fn content(&self, digest: &Digest) -> PathBuf {
        self.places.bundles.join(format!("{digest}{CONTENT}"))
    }

    pub(super) fn signature(&self, digest: &Digest) -> PathBuf {
        self.places.bundles.join(format!("{digest}.signature"))
    }

    fn unpacked(&self, digest: &Digest) -> PathBuf {
        self.places.bundles.join("unpacked").join(digest.to_string())
    }
}
