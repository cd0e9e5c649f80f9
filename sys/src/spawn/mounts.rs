//! The mounts of a child in its own namespace, one step after the other.
//!
//! ```text
//! whole:  Private ─► ReadOnly ─► Writable … Hide … Tmp, Proc, Dev
//! listed: Private ─► Root ─► Show … Hide … Tmp, Proc, Dev ─► Pivot      (put together at SCRATCH)
//! ```
//!
//! Places are descriptors: a path is looked up once, and what was found is what is mounted or mounted
//! over. Invariant: nothing but the new root and its own file systems is written. Runs in a child that
//! shares our memory: see `bare`.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::bare::{self, Fd, PATH, attribute, resolve, there};
use super::tree::{self, End};
use crate::confine::{DEVICES, EMPTY_DIRECTORY, EMPTY_FILE, Mount, SCRATCH};

/// A new root: directories, links and places to mount on, nothing else.
const ROOT_OPTIONS: &CStr = c"mode=0755,size=1m,nr_inodes=16k";

/// A `/dev`: as [`ROOT_OPTIONS`].
const DEV_OPTIONS: &CStr = c"mode=0755,size=64k,nr_inodes=1k";

/// `/dev/shm`: shared memory counts as the memory of the service, whose limit is the one that matters.
const SHM_OPTIONS: &CStr = c"mode=1777,size=256m";

/// Only what it may trace is there, which the Landlock of a program narrows to itself.
const PROC_OPTIONS: &CStr = c"hidepid=ptraceable";

/// For a tree without programs and devices.
const PLAIN: u64 = attribute::NO_SUID | attribute::NO_DEV | attribute::NO_EXEC;

/// The same for a new file system.
const NEW: libc::c_ulong = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;

/// Links that every `/dev` has.
const LINKS: [(&CStr, &CStr); 4] = [
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
];

/// Takes all steps; `at` is the number of the one being taken.
pub(super) fn apply(mounts: &[Mount], at: &AtomicU32) -> Result<(), i32> {
    let mut root = None;
    for (number, mount) in (0_u32..).zip(mounts) {
        at.store(number, Ordering::Relaxed);
        step(mount, &mut root)?;
    }
    Ok(())
}

fn step(mount: &Mount, root: &mut Option<Fd>) -> Result<(), i32> {
    match mount {
        Mount::Private => bare::detach_all(),
        Mount::ReadOnly => {
            let all = open(c"/")?;
            bare::change(&all, attribute::READ_ONLY, 0, true)
        }
        Mount::Writable(path) => {
            let Some(tree) = there(bare::open(libc::AT_FDCWD, path, resolve::NO_LINKS))? else {
                return Ok(());
            };
            if bare::kind(&tree)?.is_link() {
                return Ok(());
            }
            over(&tree, &tree, PLAIN, attribute::READ_ONLY, true)
        }
        Mount::Unwritable(path) => match existing(root.as_ref(), path)? {
            Some(tree) => over(&tree, &tree, attribute::READ_ONLY, 0, true),
            None => Ok(()),
        },
        Mount::Root => {
            bare::mount(&open(SCRATCH)?, c"tmpfs", NEW, ROOT_OPTIONS)?;
            *root = Some(open(SCRATCH)?);
            Ok(())
        }
        Mount::Show { path, target, attributes } => {
            show(path, below(target)?, *attributes, root.as_ref().ok_or(libc::EINVAL)?)
        }
        Mount::Hide(path) => hide(path, root.as_ref()),
        Mount::Tmp(path, options) => fresh(path, root.as_ref(), c"tmpfs", NEW, options),
        Mount::Proc(path) => {
            fresh(path, root.as_ref(), c"proc", NEW | libc::MS_RDONLY, PROC_OPTIONS)
        }
        Mount::Dev(path, names) => dev(path, names, root.as_ref()),
        Mount::Pivot => pivot(root),
    }
}

fn open(path: &CStr) -> Result<Fd, i32> {
    bare::open(libc::AT_FDCWD, path, resolve::NO_LINKS)
}

/// A place in the new root as seen from it.
fn below(path: &CStr) -> Result<&CStr, i32> {
    let bytes = path.to_bytes_with_nul().strip_prefix(SCRATCH.to_bytes());
    let bytes = bytes.and_then(|b| b.strip_prefix(b"/")).ok_or(libc::EINVAL)?;
    CStr::from_bytes_until_nul(bytes).map_err(|_| libc::EINVAL)
}

/// What is at `path`, in the new root or the old, over whatever links.
fn existing(root: Option<&Fd>, path: &CStr) -> Result<Option<Fd>, i32> {
    there(match root {
        Some(root) => bare::open(root.number(), below(path)?, resolve::IN_ROOT),
        None => bare::open(libc::AT_FDCWD, path, resolve::LINKS),
    })
}

/// The directory at `path`; made if it is in the new root.
fn directory(root: Option<&Fd>, path: &CStr) -> Result<Option<Fd>, i32> {
    match root {
        Some(root) => tree::make(root, below(path)?, true).map(Some),
        None => existing(None, path),
    }
}

/// The mounts at `from`, with these attributes, over `place`.
fn over(from: &Fd, place: &Fd, set: u64, clear: u64, recursive: bool) -> Result<(), i32> {
    let tree = bare::copy(from, recursive)?;
    if set | clear != 0 {
        bare::change(&tree, set, clear, recursive)?;
    }
    bare::attach(&tree, place)
}

fn show(path: &CStr, place: &CStr, attributes: u64, root: &Fd) -> Result<(), i32> {
    let writable = attributes & attribute::READ_ONLY == 0;
    let found = if writable { open(path) } else { tree::find(path, End::Link) };
    let Some(tree) = there(found)? else { return Ok(()) };
    let kind = bare::kind(&tree)?;
    if kind.is_link() {
        return link(&tree, place, root);
    }
    let place = tree::make(root, place, kind.is_directory())?;
    over(&tree, &place, attributes, 0, kind.is_directory())
}

fn link(link: &Fd, place: &CStr, root: &Fd) -> Result<(), i32> {
    let (mut text, mut buffer) = ([0; PATH], [0; PATH]);
    let text = bare::link_text(link, &mut text)?;
    let (above, name) = tree::split(place, &mut buffer)?;
    let above = tree::make(root, above, true)?;
    bare::make_link(text, above.number(), name)
}

fn hide(path: &CStr, root: Option<&Fd>) -> Result<(), i32> {
    let Some(place) = existing(root, path)? else { return Ok(()) };
    let empty = if bare::kind(&place)?.is_directory() { EMPTY_DIRECTORY } else { EMPTY_FILE };
    over(&open(empty)?, &place, PLAIN | attribute::READ_ONLY, 0, false)
}

/// A file system of its own at `path`, if there is such a place.
fn fresh(
    path: &CStr,
    root: Option<&Fd>,
    kind: &CStr,
    flags: libc::c_ulong,
    options: &CStr,
) -> Result<(), i32> {
    match directory(root, path)? {
        Some(place) => bare::mount(&place, kind, flags, options),
        None => Ok(()),
    }
}

fn dev(path: &CStr, names: &[std::ffi::CString], root: Option<&Fd>) -> Result<(), i32> {
    let Some(place) = directory(root, path)? else { return Ok(()) };
    // What is mounted over it does not cover what this finds.
    let all = open(c"/dev")?;
    bare::mount(&place, c"tmpfs", libc::MS_NOSUID | libc::MS_NOEXEC, DEV_OPTIONS)?;
    let dev = existing(root, path)?.ok_or(libc::ENOENT)?;
    for name in DEVICES.into_iter().chain(names.iter().map(|n| n.as_c_str())) {
        device(name, &all, &dev)?;
    }
    for (name, text) in LINKS {
        bare::make_link(text, dev.number(), name)?;
    }
    let shm = tree::make(&dev, c"shm", true)?;
    bare::mount(&shm, c"tmpfs", NEW, SHM_OPTIONS)?;
    bare::change(&dev, attribute::READ_ONLY, 0, false)
}

/// What is called `name` in `all` appears in `dev`. Those at the top are made, which costs a fifth of
/// mounting them, unless nobody may make devices here, as in a container whose root is nobody outside.
fn device(name: &CStr, all: &Fd, dev: &Fd) -> Result<(), i32> {
    let Some(device) = there(bare::open(all.number(), name, resolve::LINKS))? else {
        return Ok(());
    };
    let kind = bare::kind(&device)?;
    if kind.is_character_device() && !name.to_bytes().contains(&b'/') {
        match bare::make_device(kind, dev.number(), name) {
            Err(libc::EPERM) => {}
            Err(libc::EEXIST) => return Ok(()),
            other => return other,
        }
    }
    let place = tree::make(dev, name, kind.is_directory())?;
    over(&device, &place, attribute::NO_SUID | attribute::NO_EXEC, 0, kind.is_directory())
}

fn pivot(root: &mut Option<Fd>) -> Result<(), i32> {
    let new = root.take().ok_or(libc::EINVAL)?;
    bare::change(&new, attribute::READ_ONLY, 0, false)?;
    bare::enter(&new)?;
    bare::pivot()
}
