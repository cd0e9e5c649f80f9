//! The disk, as the store uses it: each function that changes something is one step that the power may go before.
//!
//! ```text
//! write ─► sync ─► rename ─► sync_directory        what is to be there after a power cut
//! ```
//!
//! Nothing here decides. A test has a disk of its own, which ends after some steps and forgets what no step of it
//! has made sure of. Links are never followed at the end of a path.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown, symlink,
};
use std::path::{Path, PathBuf};

use bundle::Digest;
use sys::fscrypt::{self, KEY, Name};

/// Longest directory that is listed: more names than the store ever makes.
pub const MAX_NAMES: usize = 100_000;

/// Who a new file belongs to, and who may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct As {
    /// Permission bits.
    pub mode: u32,
    /// User and group; none: root's, or whoever this is.
    pub owner: Option<u32>,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub size: u64,
    /// Whose it is.
    pub uid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

/// What fills a file.
pub type Fill<'f> = &'f mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// A disk.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes a file that is not there yet, and fills it.
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC`, `EROFS`, `EIO`, or that of `fill`.
    fn write(&self, path: &Path, how: As, fill: Fill<'_>) -> io::Result<()>;

    /// What a file holds is on the disk.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`: it is not.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory are on the disk.
    ///
    /// # Errors
    /// As [`Self::sync`].
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Everything of the file system that `path` is on is on the disk.
    ///
    /// # Errors
    /// As [`Self::sync`].
    fn sync_all(&self, path: &Path) -> io::Result<()>;

    /// A file never changes again, and the kernel checks each block that is read. Answers whether it does:
    /// not where the file system has no fs-verity.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`.
    fn seal(&self, path: &Path) -> io::Result<bool>;

    /// Two files take each other's place, at once.
    ///
    /// # Errors
    /// `ENOENT`, `EIO`.
    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()>;

    /// Zeros over all that a file holds, on the disk.
    ///
    /// # Errors
    /// `ENOENT`, `EIO`.
    fn overwrite(&self, path: &Path) -> io::Result<()>;

    /// Moves a file or a directory, in place of a file that is there.
    ///
    /// # Errors
    /// `ENOENT`, `EXDEV`, `EIO`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes a directory; one that is there stays as it is.
    ///
    /// # Errors
    /// As [`Self::write`]; something else is there.
    fn make_directory(&self, path: &Path, how: As) -> io::Result<()>;

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn link(&self, target: &Path, path: &Path, owner: Option<u32>) -> io::Result<()>;

    /// Removes a file; one that is not there is fine.
    ///
    /// # Errors
    /// `EIO`, `EISDIR`.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory with all that is in it; one that is not there is fine.
    ///
    /// # Errors
    /// `EIO`, `EBUSY`.
    fn remove_tree(&self, path: &Path) -> io::Result<()>;

    /// The digest that the kernel vouches for, in no time; none of a file that is not sealed.
    ///
    /// # Errors
    /// `EIO`.
    fn measure(&self, file: &File) -> io::Result<Option<Digest>>;

    /// Whether directories can be encrypted where `place` is (fscrypt).
    fn encrypts(&self, _place: &Path) -> bool {
        false
    }

    /// The file system of `place` has a key from now on, which it names.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `EDQUOT`.
    fn give(&self, _place: &Path, _key: &[u8; KEY]) -> io::Result<Name> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// It has it no more; answers whether files are open that it opened.
    ///
    /// # Errors
    /// `EIO`.
    fn take(&self, _place: &Path, _key: &Name) -> io::Result<bool> {
        Ok(false)
    }

    /// What will be in an empty directory is encrypted with a key.
    ///
    /// # Errors
    /// `ENOTEMPTY`; the key is not there, or the directory has another one.
    fn encrypt(&self, _directory: &Path, _key: &Name) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The key that a directory is encrypted with; none if it is not.
    ///
    /// # Errors
    /// `ENOENT`, `EIO`.
    fn key_of(&self, _directory: &Path) -> io::Result<Option<Name>> {
        Ok(None)
    }

    /// Whether what is of one user is as good as what is of another one: only where nobody can be given anything.
    fn owns(&self, is: u32, should: u32) -> bool {
        is == should
    }

    /// Bytes that can be written where `path` is.
    ///
    /// # Errors
    /// `ENOENT`.
    fn free(&self, path: &Path) -> io::Result<u64>;
}

/// The disk of the device.
#[derive(Debug, Clone, Copy, Default)]
pub struct Real;

impl Disk for Real {
    fn write(&self, path: &Path, how: As, fill: Fill<'_>) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        fill(&mut file)?;
        if let Some(owner) = how.owner {
            fchown(&file, Some(owner), Some(owner))?;
        }
        file.set_permissions(Permissions::from_mode(how.mode))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        sys::disk::sync(&File::open(path)?)
    }

    fn seal(&self, path: &Path) -> io::Result<bool> {
        match sys::verity::enable(open(path)?.as_fd()) {
            Ok(()) => Ok(true),
            Err(e) if e.raw_os_error() == Some(sys::verity::SEALED) => Ok(true),
            Err(e) if sys::verity::is_missing(&e) => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()> {
        sys::disk::exchange(a, b)
    }

    fn overwrite(&self, path: &Path) -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).custom_flags(sys::regular::NO_LINK).open(path)?;
        let length = file.metadata()?.len();
        io::copy(&mut io::repeat(0).take(length), &mut file)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn make_directory(&self, path: &Path, how: As) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let there = sys::regular::directory(path);
                return there.map(|_| ()).map_err(|_| e);
            }
            Err(e) => return Err(e),
        }
        let directory = sys::regular::directory(path)?;
        if let Some(owner) = how.owner {
            fchown(&directory, Some(owner), Some(owner))?;
        }
        directory.set_permissions(Permissions::from_mode(how.mode))
    }

    fn link(&self, target: &Path, path: &Path, owner: Option<u32>) -> io::Result<()> {
        symlink(target, path)?;
        owner.map_or(Ok(()), |owner| lchown(path, Some(owner), Some(owner)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_file(path))
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_dir_all(path))
    }

    fn measure(&self, file: &File) -> io::Result<Option<Digest>> {
        match sys::verity::measure(file.as_fd()) {
            Ok(measured) => Ok(measured.map(Digest::new)),
            Err(e) if sys::verity::is_missing(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn free(&self, path: &Path) -> io::Result<u64> {
        sys::disk::free(path)
    }

    fn encrypts(&self, place: &Path) -> bool {
        sys::regular::directory(place).is_ok_and(|place| fscrypt::is_here(place.as_fd()))
    }

    fn give(&self, place: &Path, key: &[u8; KEY]) -> io::Result<Name> {
        fscrypt::add(sys::regular::directory(place)?.as_fd(), key)
    }

    fn take(&self, place: &Path, key: &Name) -> io::Result<bool> {
        fscrypt::remove(sys::regular::directory(place)?.as_fd(), key)
    }

    fn encrypt(&self, directory: &Path, key: &Name) -> io::Result<()> {
        fscrypt::encrypt(sys::regular::directory(directory)?.as_fd(), key)
    }

    fn key_of(&self, directory: &Path) -> io::Result<Option<Name>> {
        fscrypt::key_of(sys::regular::directory(directory)?.as_fd())
    }
}

fn absent_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// What lies at a path; none when nothing does.
///
/// # Errors
/// `EACCES`, `EIO`.
pub fn about(path: &Path) -> io::Result<Option<About>> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let is = found.file_type();
    let kind = match () {
        () if is.is_file() => Kind::File,
        () if is.is_dir() => Kind::Directory,
        () if is.is_symlink() => Kind::Link,
        () => Kind::Other,
    };
    Ok(Some(About { kind, size: found.len(), uid: found.uid(), mode: found.mode() & 0o7777 }))
}

/// The names in a directory, sorted; none when it is not there.
///
/// # Errors
/// `EACCES`, `ENOTDIR`, `EIO`; there are more than [`MAX_NAMES`].
pub fn names(path: &Path) -> io::Result<Vec<OsString>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut names = Vec::new();
    for entry in entries {
        if names.len() >= MAX_NAMES {
            return Err(io::Error::other(format!("there are more than {MAX_NAMES} names in it")));
        }
        names.push(entry?.file_name());
    }
    names.sort();
    Ok(names)
}

/// Whether a directory is there and nothing is in it.
///
/// # Errors
/// As [`names`].
pub fn is_empty(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// A regular file, open for reading.
///
/// # Errors
/// `ENOENT`, `EACCES`; it is a link or no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    sys::regular::open(path)
}

/// Where something is made before it takes its place.
#[must_use]
pub fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(what);
    path.with_file_name(name)
}
