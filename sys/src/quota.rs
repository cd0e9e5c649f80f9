//! What projects store: trees of files that are counted, and limited, together (ext4, XFS).
//!
//! ```text
//! file ─► number of its project (0: nobody's) ─► entry in the quotas of the file system: used, at most
//! ```
//!
//! What is made in a directory that hands its number on has that number. Who owns a file may change it,
//! so whoever is to be held by a limit must not be let (`FS_IOC_FSSETXATTR`, `FS_IOC_SETFLAGS`). Nothing
//! here decides what a limit is.

#![expect(unsafe_code, reason = "`nix` has no quotas of projects and not these ioctls")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, fstat};

/// `PRJQUOTA` (`linux/quota.h`): the third kind of quotas, after those of users and of groups.
const PROJECTS: u32 = 2;

/// `Q_GETQUOTA`.
const GET: u32 = 0x80_0007;

/// `Q_SETQUOTA`.
const SET: u32 = 0x80_0008;

/// `Q_XGETQSTATV` (`linux/dqblk_xfs.h`).
const STATE: u32 = 0x5808;

/// `FS_QSTATV_VERSION1`.
const STATE_VERSION: i8 = 1;

/// `FS_QUOTA_PDQ_ENFD`: limits of projects hold.
const ENFORCED: u16 = 1 << 5;

/// `QIF_BLIMITS | QIF_ILIMITS`: of an entry only the limits count.
const LIMITS: u32 = 1 | 4;

/// Bytes of a block of quotas, in which limits count (`QIF_DQBLKSIZE`).
const BLOCK: u64 = 1024;

/// `FS_XFLAG_PROJINHERIT`: what is made in the directory has its number.
const HANDED_ON: u32 = 0x200;

/// Most files of a tree that get another number at once: some seconds of work.
pub const MAX_FILES: u32 = 200_000;

/// Deepest directory that is gone into.
const MAX_DEPTH: usize = 128;

/// `ELOOP`: a link is on the way.
pub const LINK: i32 = libc::ELOOP;

/// `struct fsxattr` (`linux/fs.h`).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    copy_extent_size: u32,
    padding: [u8; 8],
}

mod request {
    use super::Attributes;

    nix::ioctl_read!(
        /// `FS_IOC_FSGETXATTR`.
        get, b'X', 31, Attributes
    );

    nix::ioctl_write_ptr!(
        /// `FS_IOC_FSSETXATTR`.
        set, b'X', 32, Attributes
    );
}

/// `struct fs_quota_statv`, of which more than its beginning is not read here.
#[repr(C)]
struct State {
    version: i8,
    padding: u8,
    flags: u16,
    rest: [u32; 63],
}

/// What a project has, and may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on the disk.
    pub bytes: u64,
    /// Files, directories and links.
    pub files: u64,
    /// Most bytes.
    pub most_bytes: Option<u64>,
    /// Most files.
    pub most_files: Option<u64>,
}

/// Whether limits of projects hold on the file system of `place`. Where quotas are not known at all
/// they don't.
#[must_use]
pub fn holds(place: BorrowedFd<'_>) -> bool {
    let mut state = State { version: STATE_VERSION, padding: 0, flags: 0, rest: [0; 63] };
    // SAFETY: the kernel writes a `struct fs_quota_statv`, which is shorter than `state`.
    let asked = unsafe { control(place, STATE, 0, (&raw mut state).cast()) };
    asked.is_ok() && state.flags & ENFORCED != 0
}

/// Limits what a project may have on the file system of `place`. It may have more already: then it can
/// make nothing until it has less. Who has `CAP_SYS_RESOURCE` is not held.
///
/// # Errors
/// `ESRCH`, `ENOSYS`: no quotas are on. `EPERM`: not allowed here. `ERANGE`: no such limit.
pub fn limit(
    place: BorrowedFd<'_>,
    project: u32,
    bytes: Option<u64>,
    files: Option<u64>,
) -> io::Result<()> {
    // SAFETY: the structure is plain integers, of which zero is a value.
    let mut entry: libc::dqblk = unsafe { std::mem::zeroed() };
    // No limit is 0, so the least there is is one block, and one file.
    entry.dqb_bhardlimit = bytes.map_or(0, |bytes| bytes.div_ceil(BLOCK).max(1));
    entry.dqb_ihardlimit = files.map_or(0, |files| files.max(1));
    entry.dqb_valid = LIMITS;
    // SAFETY: the kernel reads a `struct if_dqblk`, which `libc` calls `dqblk`.
    unsafe { control(place, SET, project, (&raw mut entry).cast()) }
}

/// What a project has on the file system of `place`, and may have.
///
/// # Errors
/// `ESRCH`, `ENOSYS`: no quotas are on. `EPERM`: not allowed here.
pub fn usage(place: BorrowedFd<'_>, project: u32) -> io::Result<Usage> {
    // SAFETY: the structure is plain integers, of which zero is a value.
    let mut entry: libc::dqblk = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes a `struct if_dqblk`, which `libc` calls `dqblk`.
    unsafe { control(place, GET, project, (&raw mut entry).cast()) }?;
    let limit = |value: u64| (value != 0).then_some(value);
    Ok(Usage {
        bytes: entry.dqb_curspace,
        files: entry.dqb_curinodes,
        most_bytes: limit(entry.dqb_bhardlimit).map(|blocks| blocks.saturating_mul(BLOCK)),
        most_files: limit(entry.dqb_ihardlimit),
    })
}

/// # Safety
/// `argument` is what `command` takes.
unsafe fn control(
    place: BorrowedFd<'_>,
    command: u32,
    project: u32,
    argument: *mut libc::c_void,
) -> io::Result<()> {
    let (fd, command) = (place.as_raw_fd(), command << 8 | PROJECTS);
    // SAFETY: the caller answers for the argument; the others are integers.
    let done = unsafe { libc::syscall(libc::SYS_quotactl_fd, fd, command, project, argument) };
    Ok(Errno::result(done).map(drop)?)
}

/// Gives all that is in the tree at `path` to a project, and what will be made in it too; `false` if it
/// had all of that already, of which only the top is looked at. Links, devices and other file systems in
/// it are left out. When it fails half-way the next time begins again.
///
/// # Errors
/// - `ENOENT`: there is none. `ELOOP`: a link is on the way. `EOPNOTSUPP`, `ENOTTY`: the file system has no projects.
/// - [`io::ErrorKind::FileTooLarge`]: more than [`MAX_FILES`], or too deep.
pub fn assign(path: &Path, project: u32) -> io::Result<bool> {
    let top = open_tree(path)?;
    let now = attributes(top.as_fd())?;
    let is_directory = File::from(top.try_clone()?).metadata()?.is_dir();
    if now.project == project && (now.flags & HANDED_ON != 0 || !is_directory) {
        return Ok(false);
    }
    if is_directory {
        Walk { project, device: fstat(&top)?.st_dev, left: MAX_FILES }.directory(top, 0)?;
    } else {
        give(top.as_fd(), project, false)?;
    }
    Ok(true)
}

/// The project of what lies at `path`; 0 is nobody's.
///
/// # Errors
/// As [`assign`].
pub fn project(path: &Path) -> io::Result<u32> {
    Ok(attributes(open_tree(path)?.as_fd())?.project)
}

/// What lies at `path`, without a link anywhere on the way: who may make one could have it lead to files
/// of others.
fn open_tree(path: &Path) -> io::Result<OwnedFd> {
    let how = OpenHow::new().flags(FLAGS).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    Ok(openat2(AT_FDCWD, path, how)?)
}

/// Opened to be looked at: no link is followed, and no pipe waited for.
const FLAGS: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);

/// A way through a tree.
struct Walk {
    project: u32,
    device: libc::dev_t,
    left: u32,
}

impl Walk {
    /// First what is in it, so that one that was done is done wholly.
    fn directory(&mut self, top: OwnedFd, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(too_large(format!("directories {MAX_DEPTH} deep")));
        }
        let own = top.try_clone()?;
        for entry in Dir::from_fd(top)?.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.left = self
                .left
                .checked_sub(1)
                .ok_or_else(|| too_large(format!("more than {MAX_FILES} files")))?;
            if !matches!(entry.file_type(), Some(Type::Directory | Type::File) | None) {
                continue;
            }
            let file = match openat(&own, name, FLAGS, Mode::empty()) {
                // It went away, or is something else by now.
                Err(Errno::ENOENT | Errno::ELOOP | Errno::ENXIO) => continue,
                other => other?,
            };
            let about = fstat(&file)?;
            match about.st_mode & libc::S_IFMT {
                _ if about.st_dev != self.device => {}
                libc::S_IFDIR => self.directory(file, depth + 1)?,
                libc::S_IFREG => give(file.as_fd(), self.project, false)?,
                _ => {}
            }
        }
        give(own.as_fd(), self.project, true)
    }
}

fn too_large(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, what)
}

fn attributes(file: BorrowedFd<'_>) -> io::Result<Attributes> {
    let mut now = Attributes::default();
    // SAFETY: the kernel writes a `struct fsxattr`.
    unsafe { request::get(file.as_raw_fd(), &raw mut now) }?;
    Ok(now)
}

fn give(file: BorrowedFd<'_>, project: u32, handed_on: bool) -> io::Result<()> {
    let mut new = attributes(file)?;
    new.project = project;
    new.flags |= if handed_on { HANDED_ON } else { 0 };
    // SAFETY: the kernel reads a `struct fsxattr`.
    unsafe { request::set(file.as_raw_fd(), &raw const new) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_no_quotas_it_is_said_so() {
        let file = File::open("/proc").unwrap();
        assert!(!holds(file.as_fd()));
        assert!(usage(file.as_fd(), 1).is_err() && limit(file.as_fd(), 1, None, None).is_err());
        assert!(assign(Path::new("/proc/self"), 1).is_err(), "a link");
        assert!(assign(Path::new("/proc/sys"), 1).is_err());
    }
}
