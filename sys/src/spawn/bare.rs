//! The bare system calls of a child that shares our memory: no lock, no allocation, no panic.
//!
//! Each gives what the kernel gives, and the errno as a number. A descriptor is closed when it is let go.

#![expect(unsafe_code, reason = "between clone and exec there are only system calls")]

use std::ffi::{CStr, c_int, c_long};
use std::mem::MaybeUninit;
use std::ptr;

use nix::errno::Errno;

/// Bytes of the longest path, its zero included.
pub(super) const PATH: usize = 4096;

/// How the last component of a path is found, and what may lie on the way (`struct open_how`).
pub(super) mod resolve {
    /// No link on the way; one at the end is opened itself.
    pub(in super::super) const NO_LINKS: u64 = 0x04 | 0x02;
    /// Links are followed, except those of `/proc`.
    pub(in super::super) const LINKS: u64 = 0x02;
    /// Links are followed as if the directory was the root.
    pub(in super::super) const IN_ROOT: u64 = 0x10 | 0x02;
}

/// `MOUNT_ATTR_…`.
pub(super) mod attribute {
    pub(in super::super) const READ_ONLY: u64 = 1;
    pub(in super::super) const NO_SUID: u64 = 2;
    pub(in super::super) const NO_DEV: u64 = 4;
    pub(in super::super) const NO_EXEC: u64 = 8;
}

const AT_RECURSIVE: c_int = 0x8000;
const OPEN_TREE_CLONE: c_int = 1;
const MOVE_MOUNT_F_EMPTY_PATH: c_int = 4;
const MOVE_MOUNT_T_EMPTY_PATH: c_int = 0x40;

/// A descriptor of the child.
#[derive(Debug)]
pub(super) struct Fd(c_int);

impl Fd {
    /// What the child was passed at this place.
    pub(super) const fn passed(number: c_int) -> Self {
        Self(number)
    }

    /// Stands for the working directory.
    pub(super) const fn working_directory() -> Self {
        Self(libc::AT_FDCWD)
    }

    pub(super) const fn number(&self) -> c_int {
        self.0
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        if self.0 != libc::AT_FDCWD {
            // SAFETY: integers only; it is ours.
            unsafe { libc::syscall(libc::SYS_close, self.0) };
        }
    }
}

/// What kind of file it is, and whose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    format: u32,
    pub(super) uid: u32,
    /// Permission bits.
    mode: u32,
    gid: u32,
    device: u64,
    file_system: (u32, u32),
}

impl Kind {
    pub(super) const fn is_directory(self) -> bool {
        self.format == libc::S_IFDIR
    }

    pub(super) const fn is_character_device(self) -> bool {
        self.format == libc::S_IFCHR
    }

    pub(super) const fn is_device(self) -> bool {
        self.is_character_device() || self.format == libc::S_IFBLK
    }

    /// Whether both are in one file system.
    pub(super) fn is_beside(self, other: Self) -> bool {
        self.file_system == other.file_system
    }

    /// The same, as it is when this is its user.
    pub(super) const fn of(self, uid: u32) -> Self {
        Self { uid, ..self }
    }

    pub(super) const fn is_link(self) -> bool {
        self.format == libc::S_IFLNK
    }
}

/// The result of a call: the C library leaves the errno of this thread, which is our own while the
/// parent waits.
pub(super) fn result(value: c_long) -> Result<c_long, i32> {
    if value == -1 { Err(Errno::last_raw()) } else { Ok(value) }
}

pub(super) fn fd(value: c_long) -> Result<Fd, i32> {
    let number = result(value)?;
    Ok(Fd(c_int::try_from(number).map_err(|_| libc::EOVERFLOW)?))
}

/// `what`, or nothing if there is none.
pub(super) fn there<T>(what: Result<T, i32>) -> Result<Option<T>, i32> {
    match what {
        Ok(what) => Ok(Some(what)),
        Err(libc::ENOENT | libc::ENOTDIR | libc::ELOOP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Opens a place in the tree of files, whatever is there.
///
/// `ENOENT`, `ENOTDIR`: not there. `ELOOP`: a link that may not be followed. `EACCES`: no way to it.
pub(super) fn open(at: c_int, path: &CStr, resolve: u64) -> Result<Fd, i32> {
    let follow = if resolve == resolve::NO_LINKS { libc::O_NOFOLLOW } else { 0 };
    let flags = u64::try_from(libc::O_PATH | libc::O_CLOEXEC | follow).unwrap_or(0);
    let how = [flags, 0, resolve];
    // SAFETY: a C string and a structure of 24 bytes that outlive the call.
    fd(unsafe {
        libc::syscall(libc::SYS_openat2, at, path.as_ptr(), how.as_ptr(), size_of_val(&how))
    })
}

/// Opens an entry of a directory itself, a link too.
pub(super) fn entry(at: c_int, name: &CStr) -> Result<Fd, i32> {
    let flags = libc::O_PATH | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    // SAFETY: a C string that outlives the call.
    fd(unsafe { libc::syscall(libc::SYS_openat, at, name.as_ptr(), flags) })
}

/// Opens a file to be read.
pub(super) fn open_file(path: &CStr) -> Result<Fd, i32> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: a C string that outlives the call.
    fd(unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// Files get the mode that they are made with, but for what others may write.
pub(super) fn usual_modes() {
    mask(0o022);
}

/// Files get the mode that they are made with.
pub(super) fn exact_modes() {
    mask(0);
}

fn mask(bits: libc::mode_t) {
    // SAFETY: integers only; this call cannot fail.
    unsafe { libc::syscall(libc::SYS_umask, bits) };
}

/// Ends this process and nothing else: the memory may be shared, the process is not.
pub(super) fn end() -> ! {
    loop {
        // SAFETY: integers only.
        unsafe { libc::syscall(libc::SYS_exit_group, 127) };
    }
}

pub(super) fn kind(of: &Fd) -> Result<Kind, i32> {
    let mut status = MaybeUninit::<libc::statx>::zeroed();
    let (empty, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    let wanted = libc::STATX_TYPE | libc::STATX_MODE | libc::STATX_UID | libc::STATX_GID;
    // SAFETY: a C string and room for the structure that outlive the call.
    result(unsafe {
        libc::syscall(libc::SYS_statx, of.number(), empty, flags, wanted, status.as_mut_ptr())
    })?;
    // SAFETY: zeroes are a valid structure, and the kernel filled it.
    let status = unsafe { status.assume_init() };
    let mode = u32::from(status.stx_mode);
    let device = libc::makedev(status.stx_rdev_major, status.stx_rdev_minor);
    let (uid, gid) = (status.stx_uid, status.stx_gid);
    let file_system = (status.stx_dev_major, status.stx_dev_minor);
    Ok(Kind { format: mode & libc::S_IFMT, mode: mode & 0o777, uid, gid, device, file_system })
}

/// The text of a link, with a zero at its end; cut off where the buffer ends.
pub(super) fn link_text<'b>(link: &Fd, buffer: &'b mut [u8]) -> Result<&'b CStr, i32> {
    let (empty, room) = (c"".as_ptr(), buffer.len() - 1);
    // SAFETY: a C string, and a buffer with its length, that outlive the call.
    let length = result(unsafe {
        libc::syscall(libc::SYS_readlinkat, link.number(), empty, buffer.as_mut_ptr(), room)
    })?;
    let end = usize::try_from(length).unwrap_or(room);
    *buffer.get_mut(end).ok_or(libc::ENAMETOOLONG)? = 0;
    CStr::from_bytes_until_nul(buffer).map_err(|_| libc::ENAMETOOLONG)
}

/// Mode of a directory in which everybody may make files, and remove their own.
pub(super) const OF_ALL: u32 = 0o1777;

/// Mode of a directory that is only looked into.
pub(super) const SHOWN: u32 = 0o755;

/// Whether it is new: there already is fine.
pub(super) fn make_directory(at: c_int, name: &CStr, mode: u32) -> Result<bool, i32> {
    // SAFETY: a C string that outlives the call.
    made(unsafe { libc::syscall(libc::SYS_mkdirat, at, name.as_ptr(), mode) })
}

/// Whether it is new: there already is fine.
pub(super) fn make_file(at: c_int, name: &CStr) -> Result<bool, i32> {
    let mode = libc::S_IFREG | 0o444;
    // SAFETY: a C string that outlives the call.
    made(unsafe { libc::syscall(libc::SYS_mknodat, at, name.as_ptr(), mode, 0) })
}

/// A device as `like` is, with its owner and, under [`exact_modes`], its permissions; there must be none of
/// this name.
///
/// `EPERM`: nobody makes devices here.
pub(super) fn make_device(like: Kind, at: c_int, name: &CStr) -> Result<(), i32> {
    let (mode, name) = (like.format | like.mode, name.as_ptr());
    // SAFETY: a C string that outlives the call.
    result(unsafe { libc::syscall(libc::SYS_mknodat, at, name, mode, like.device) })?;
    if (like.uid, like.gid) == (0, 0) {
        return Ok(());
    }
    let (uid, gid) = (like.uid, like.gid);
    // SAFETY: a C string that outlives the call.
    result(unsafe { libc::syscall(libc::SYS_fchownat, at, name, uid, gid, 0) }).map(drop)
}

/// There already is fine.
pub(super) fn make_link(text: &CStr, at: c_int, name: &CStr) -> Result<(), i32> {
    // SAFETY: C strings that outlive the call.
    made(unsafe { libc::syscall(libc::SYS_symlinkat, text.as_ptr(), at, name.as_ptr()) }).map(drop)
}

fn made(value: c_long) -> Result<bool, i32> {
    match result(value) {
        Ok(_) => Ok(true),
        Err(libc::EEXIST) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The mounts at `from` and, if wanted, below it, not attached anywhere yet.
///
/// `EPERM`: not allowed here. `EINVAL`: of another namespace, or it may not be copied.
pub(super) fn copy(from: &Fd, recursive: bool) -> Result<Fd, i32> {
    let deep = if recursive { AT_RECURSIVE } else { 0 };
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC | libc::AT_EMPTY_PATH | deep;
    let empty = c"".as_ptr();
    // SAFETY: a C string that outlives the call.
    fd(unsafe { libc::syscall(libc::SYS_open_tree, from.number(), empty, flags) })
}

/// The same of a directory's entry itself, a link too.
///
/// `ENOENT`: there is none.
pub(super) fn copy_entry(at: c_int, name: &CStr) -> Result<Fd, i32> {
    let itself = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC | itself | AT_RECURSIVE;
    // SAFETY: a C string that outlives the call.
    fd(unsafe { libc::syscall(libc::SYS_open_tree, at, name.as_ptr(), flags) })
}

/// Attaches what [`copy`] gave over what is at `place`.
///
/// `ENOTDIR`: one is a directory, the other is not.
pub(super) fn attach(tree: &Fd, place: &Fd) -> Result<(), i32> {
    let empty = c"".as_ptr();
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    let (from, to) = (tree.number(), place.number());
    // SAFETY: C strings that outlive the call.
    let moved = unsafe { libc::syscall(libc::SYS_move_mount, from, empty, to, empty, flags) };
    result(moved).map(drop)
}

/// The same over an entry of a directory, which is no link.
pub(super) fn attach_entry(tree: &Fd, at: c_int, name: &CStr) -> Result<(), i32> {
    let (from, empty, flags) = (tree.number(), c"".as_ptr(), MOVE_MOUNT_F_EMPTY_PATH);
    // SAFETY: C strings that outlive the call.
    let moved =
        unsafe { libc::syscall(libc::SYS_move_mount, from, empty, at, name.as_ptr(), flags) };
    result(moved).map(drop)
}

/// Sets and clears attributes of mounts (`MOUNT_ATTR_…`).
///
/// `EPERM`: an attribute is locked: it came from a namespace above ours.
pub(super) fn change(mounts: &Fd, set: u64, clear: u64, recursive: bool) -> Result<(), i32> {
    attributes(mounts, [set, clear, 0, 0], recursive)
}

/// The same of a copy that is made where mounts may be shared: what is mounted elsewhere is no longer seen in
/// it, and the other way round.
pub(super) fn change_own(mounts: &Fd, set: u64, recursive: bool) -> Result<(), i32> {
    attributes(mounts, [set, 0, libc::MS_PRIVATE, 0], recursive)
}

fn attributes(mounts: &Fd, attributes: [u64; 4], recursive: bool) -> Result<(), i32> {
    let flags = libc::AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    let empty = c"".as_ptr();
    let (address, size) = (attributes.as_ptr(), size_of_val(&attributes));
    // SAFETY: a C string and a structure of 32 bytes that outlive the call.
    let changed = unsafe {
        libc::syscall(libc::SYS_mount_setattr, mounts.number(), empty, flags, address, size)
    };
    result(changed).map(drop)
}

/// Mounts a new file system over the directory `place`, which becomes the working directory.
///
/// `EPERM`: not allowed here. `ENODEV`: the kernel lacks it.
pub(super) fn mount(
    place: &Fd,
    kind: &CStr,
    flags: libc::c_ulong,
    options: &CStr,
) -> Result<(), i32> {
    enter(place)?;
    let (kind, options) = (kind.as_ptr(), options.as_ptr());
    // SAFETY: C strings that outlive the call.
    let mounted =
        unsafe { libc::syscall(libc::SYS_mount, kind, c".".as_ptr(), kind, flags, options) };
    result(mounted).map(drop)
}

/// What is mounted and unmounted elsewhere is no longer seen here, and the other way round.
pub(super) fn detach_all() -> Result<(), i32> {
    let (none, flags) = (ptr::null::<u8>(), libc::MS_REC | libc::MS_PRIVATE);
    // SAFETY: a C string that outlives the call; the other texts are not read with these flags.
    let changed = unsafe { libc::syscall(libc::SYS_mount, none, c"/".as_ptr(), none, flags, none) };
    result(changed).map(drop)
}

/// Changes the working directory.
pub(super) fn enter(directory: &Fd) -> Result<(), i32> {
    // SAFETY: integers only.
    result(unsafe { libc::syscall(libc::SYS_fchdir, directory.number()) }).map(drop)
}

/// The working directory, a mount point, becomes the root; the old one is let go of.
///
/// `EINVAL`: the root is that of the initramfs, or shared.
pub(super) fn pivot() -> Result<(), i32> {
    let here = c".".as_ptr();
    // SAFETY: C strings that outlive the call.
    result(unsafe { libc::syscall(libc::SYS_pivot_root, here, here) })?;
    // SAFETY: a C string that outlives the call.
    result(unsafe { libc::syscall(libc::SYS_umount2, here, libc::MNT_DETACH) })?;
    // SAFETY: a C string that outlives the call.
    result(unsafe { libc::syscall(libc::SYS_chdir, c"/".as_ptr()) }).map(drop)
}
