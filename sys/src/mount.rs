//! Mounting, unmounting, changing the root, and the table of what is mounted.
//!
//! Nothing here decides whether a failure matters: in a container many mounts are refused.

use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags};

/// The kernel's table of mounts of this process.
pub const TABLE: &str = "/proc/self/mountinfo";

/// `ENODEV`: the kernel does not know this type of file system.
pub const NO_SUCH_KIND: i32 = libc::ENODEV;

/// `ESRCH`: the kernel does not know the format of the quotas that this file system has.
pub const NO_QUOTA_FORMAT: i32 = libc::ESRCH;

/// How a file system is mounted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// Nobody writes.
    pub read_only: bool,
    /// Device nodes are not honoured.
    pub no_dev: bool,
    /// Set-uid bits are not honoured.
    pub no_suid: bool,
    /// Nothing can be executed.
    pub no_exec: bool,
}

impl Flags {
    fn bits(self) -> MsFlags {
        let mut bits = MsFlags::empty();
        bits.set(MsFlags::MS_RDONLY, self.read_only);
        bits.set(MsFlags::MS_NODEV, self.no_dev);
        bits.set(MsFlags::MS_NOSUID, self.no_suid);
        bits.set(MsFlags::MS_NOEXEC, self.no_exec);
        bits
    }
}

/// Mounts `source` of type `kind` at `target` with the file system's own `options`.
///
/// # Errors
/// - `EPERM`: not allowed here (containers).
/// - `EBUSY`: the device or the place is in use; for the same file system at the same place: it is
///   mounted already.
/// - `ENODEV`: the kernel lacks the file system or its module is not loaded. `ENOENT`: no such
///   place, or (ext4) `crc32c` is missing.
/// - `EINVAL`: no valid superblock, or a bad option. `EUCLEAN`, `EIO`, `EBADMSG`: damaged.
/// - `ENOTBLK`, `ENXIO`: the source is no (ready) block device.
/// - `ESRCH`: it has quotas, and the module `quota_v2` is not loaded.
pub fn mount(
    source: &str,
    target: &Path,
    kind: &str,
    flags: Flags,
    options: &str,
) -> io::Result<()> {
    Ok(nix::mount::mount(Some(source), target, Some(kind), flags.bits(), Some(options))?)
}

/// Makes the whole file system at `target` read-only, for everyone who has it mounted.
///
/// # Errors
/// `EBUSY`: a file is open for writing. `EPERM`: not allowed here.
pub fn remount_read_only(target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    Ok(nix::mount::mount(None::<&str>, target, None::<&str>, flags, None::<&str>)?)
}

/// Mounts the directory or file `source` at `target` as well.
///
/// # Errors
/// As [`mount`].
pub fn bind(source: &Path, target: &Path) -> io::Result<()> {
    Ok(nix::mount::mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}

/// Gives the mount at `target`, which [`bind`] made, flags of its own; the file system keeps its.
///
/// # Errors
/// `EINVAL`: no mount point. `EPERM`: not allowed here, or it takes a flag away that is held (containers).
pub fn restrict(target: &Path, flags: Flags) -> io::Result<()> {
    let bits = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags.bits();
    Ok(nix::mount::mount(None::<&str>, target, None::<&str>, bits, None::<&str>)?)
}

/// Moves a mount to another place.
///
/// # Errors
/// `EINVAL`: `from` is no mount point, or lies in a shared mount. `ENOENT`: no such place.
pub fn shift(from: &Path, to: &Path) -> io::Result<()> {
    Ok(nix::mount::mount(Some(from), to, None::<&str>, MsFlags::MS_MOVE, None::<&str>)?)
}

/// Unmounts what is on top at `target`.
///
/// # Errors
/// `EBUSY`: in use. `EINVAL`: no mount point, or not ours to unmount (containers).
pub fn unmount(target: &Path) -> io::Result<()> {
    Ok(nix::mount::umount2(target, MntFlags::UMOUNT_NOFOLLOW)?)
}

/// Makes the mount point `root` the root of this process and of the mount namespace.
///
/// # Errors
/// `EINVAL`: `root` is no mount point. `ENOENT`, `ENOTDIR`: no such directory. When it fails after
/// the move the old root is out of reach; so check everything before.
pub fn switch_root(root: &Path) -> io::Result<()> {
    nix::unistd::chdir(root)?;
    nix::mount::mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)?;
    nix::unistd::chroot(".")?;
    Ok(nix::unistd::chdir("/")?)
}

/// Makes `root` the root of this process only.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`: no such directory. `EPERM`: not allowed here.
pub fn change_root(root: &Path) -> io::Result<()> {
    nix::unistd::chroot(root)?;
    Ok(nix::unistd::chdir("/")?)
}

/// Writes everything that is not yet on the disks.
pub fn sync() {
    nix::unistd::sync();
}

/// Whether `path` is on a file system that is mounted read-only.
///
/// # Errors
/// `ENOENT`: no such file.
pub fn is_read_only(path: &Path) -> io::Result<bool> {
    use nix::sys::statvfs::{FsFlags, statvfs};
    Ok(statvfs(path)?.flags().contains(FsFlags::ST_RDONLY))
}

/// Whether `path` lies in memory (tmpfs, ramfs): what is deleted there gives memory back.
///
/// # Errors
/// `ENOENT`: no such file.
pub fn is_in_memory(path: &Path) -> io::Result<bool> {
    use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
    const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);
    let kind = statfs(path)?.filesystem_type();
    Ok(kind == TMPFS_MAGIC || kind == RAMFS_MAGIC)
}

/// One line of the table of mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Where.
    pub at: PathBuf,
    /// Type of the file system.
    pub kind: String,
    /// What is mounted there: a device, or a word that the type chose.
    pub source: String,
    /// Whether the mount is read-only.
    pub read_only: bool,
}

/// What is mounted, in the order of mounting as far as the kernel keeps it.
///
/// # Errors
/// `ENOENT`: `/proc` is not mounted.
pub fn table() -> io::Result<Vec<Mounted>> {
    Ok(parse(&std::fs::read_to_string(TABLE)?))
}

/// The lines of a mountinfo file; lines that are none are left out.
#[must_use]
pub fn parse(mountinfo: &str) -> Vec<Mounted> {
    mountinfo.lines().filter_map(line).collect()
}

/// `36 35 98:0 /root /place rw,noatime optional:fields - type source options`
fn line(line: &str) -> Option<Mounted> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(4);
    let mut after = after.split(' ');
    Some(Mounted {
        at: PathBuf::from(unescape(before.next()?)),
        read_only: before.next()?.split(',').any(|word| word == "ro"),
        kind: after.next()?.to_owned(),
        source: unescape(after.next()?),
    })
}

/// The kernel writes space, tab, newline and backslash as `\ooo`.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let pairs = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\043", "#"), ("\\134", "\\")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_with_odd_names_and_without_odd_lines() {
        let text = "\
22 1 254:1 / / ro,relatime - erofs /dev/vda3 ro
23 22 0:5 / /dev rw,nosuid shared:2 master:1 - devtmpfs devtmpfs rw,size=4k
24 22 0:6 / /mnt/a\\040b\\134c rw - tmpfs none rw
nonsense
";
        let mount = |at: &str, kind: &str, source: &str, read_only| Mounted {
            at: at.into(),
            kind: kind.into(),
            source: source.into(),
            read_only,
        };
        assert_eq!(
            parse(text),
            [
                mount("/", "erofs", "/dev/vda3", true),
                mount("/dev", "devtmpfs", "devtmpfs", false),
                mount("/mnt/a b\\c", "tmpfs", "none", false),
            ]
        );
    }

    #[test]
    fn our_own_root_is_in_the_table() {
        assert!(table().unwrap().iter().any(|m| m.at == Path::new("/")));
    }
}
