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

mod devices;
mod inside;
pub(super) mod matching;
mod own;

use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicU32, Ordering};

use super::bare::{self, Fd, Kind, OF_ALL, PATH, SHOWN, attribute, resolve, there};
use super::tree::{Last, SHORT};
use crate::confine::{DEVICES, EMPTY_DIRECTORY, EMPTY_FILE, Mount, SCRATCH};
use devices::Dev;
pub(super) use own::{Found, add, find, tree_at};

/// A new root: directories, links and places to mount on, nothing else. It has no limits, and making a file
/// in it costs a third of what it costs in tmpfs; nothing is written there once it is the root.
const ROOT: &CStr = c"ramfs";
const ROOT_OPTIONS: &CStr = c"mode=0755";

/// The memory of who has no `/tmp` of its own, for `/dev/shm`: it counts as the memory of the service,
/// whose limit is the one that matters.
const SHM_OPTIONS: &CStr = c"mode=1777,size=256m,nr_inodes=16k";

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

/// Names of the rooms in the memory; who needs more of them has a profile of nobody's making.
const ROOMS: [&CStr; 8] = [c"0", c"1", c"2", c"3", c"4", c"5", c"6", c"7"];

/// What the steps leave for those after them.
struct Work<'a> {
    /// The new root, if there is one.
    root: Option<Fd>,
    /// Where in it something was made last.
    last: Last<'a>,
    /// Where the last tree was that is shown.
    from: Last<'a>,
    /// The last other root of which something is shown.
    other: Option<(&'a CStr, Fd)>,
    /// A file and a directory that hide something already: the next are copies of them.
    hiding: [Option<Fd>; 2],
    /// One file system in memory for all directories of its own, of which a start could not pay several.
    /// It is mounted where the first of them goes, which then covers it.
    memory: Option<Fd>,
    /// Its options.
    options: &'a CStr,
    rooms: std::slice::Iter<'static, &'static CStr>,
    /// Whose the devices become that are named.
    owner: Option<u32>,
}

/// Takes all steps; `at` is the number of the one being taken. Files are made with the usual modes after it.
pub(super) fn apply(mounts: &[Mount], at: &AtomicU32) -> Result<(), i32> {
    let sizes = mounts.iter().filter_map(|mount| match mount {
        Mount::Tmp(_, options) => Some(options.as_c_str()),
        _ => None,
    });
    let options = sizes.into_iter().next().unwrap_or(SHM_OPTIONS);
    let mut work = Work {
        root: None,
        last: Last::default(),
        from: Last::default(),
        other: None,
        hiding: [None, None],
        memory: None,
        options,
        rooms: ROOMS.iter(),
        owner: None,
    };
    bare::exact_modes();
    for (number, mount) in (0_u32..).zip(mounts) {
        at.store(number, Ordering::Relaxed);
        work.step(mount)?;
    }
    bare::usual_modes();
    Ok(())
}

impl<'a> Work<'a> {
    fn step(&mut self, mount: &'a Mount) -> Result<(), i32> {
        // Nothing but these may cover the directory in which something was made last: they are in others.
        if let Mount::Hide(_) | Mount::Unwritable(_) | Mount::Root = mount {
            self.last.forget();
        }
        let root = self.root.as_ref();
        match mount {
            Mount::Private => bare::detach_all(),
            Mount::ReadOnly => {
                let all = open(c"/")?;
                bare::change(&all, attribute::READ_ONLY, 0, true)
            }
            Mount::Writable(path) => writable(path),
            Mount::Unwritable(path) => match existing(root, path)? {
                Some(tree) => over(&tree, &tree, attribute::READ_ONLY, 0, true),
                None => Ok(()),
            },
            Mount::Root => {
                bare::mount(&open(SCRATCH)?, ROOT, NEW, ROOT_OPTIONS)?;
                self.root = Some(open(SCRATCH)?);
                Ok(())
            }
            Mount::Show { path, target, attributes } => {
                self.show(path, below(target)?, *attributes)
            }
            Mount::Inside { root, path, target, attributes } => {
                self.inside(root, path, below(target)?, *attributes)
            }
            Mount::Entries { root, path, target, attributes, but } => {
                self.entries(root, path, below(target)?, *attributes, but)
            }
            Mount::Hide(path) => self.hide(path),
            Mount::Tmp(path, _) => match self.directory(path)? {
                Some(place) => self.room(&place, OF_ALL, |root| existing(root, path)),
                None => Ok(()),
            },
            Mount::Proc(path) => match self.directory(path)? {
                Some(place) => bare::mount(&place, c"proc", NEW | libc::MS_RDONLY, PROC_OPTIONS),
                None => Ok(()),
            },
            Mount::Dev(path, names) => self.dev(path, names),
            Mount::Owner(uid) => {
                self.owner = Some(*uid);
                Ok(())
            }
            Mount::Pivot | Mount::Open => {
                let new = self.root.take().ok_or(libc::EINVAL)?;
                if *mount == Mount::Pivot {
                    bare::change(&new, attribute::READ_ONLY, 0, false)?;
                }
                bare::enter(&new)?;
                bare::pivot()
            }
        }
    }

    fn show(&mut self, path: &'a CStr, place: &'a CStr, attributes: u64) -> Result<(), i32> {
        let root = self.root.as_ref().ok_or(libc::EINVAL)?;
        let Some((tree, kind)) = tree_of(&mut self.from, path, attributes)? else { return Ok(()) };
        if !kind.is_link() {
            bare::change(&tree, attributes, 0, kind.is_directory())?;
        }
        put(&tree, kind, &mut self.last, root, place)
    }

    /// The directory at `path`; made if it is in the new root.
    fn directory(&mut self, path: &'a CStr) -> Result<Option<Fd>, i32> {
        match &self.root {
            Some(root) => self.last.make(root, below(path)?).map(Some),
            None => existing(None, path),
        }
    }

    fn hide(&mut self, path: &CStr) -> Result<(), i32> {
        let Some(place) = existing(self.root.as_ref(), path)? else { return Ok(()) };
        let directory = bare::kind(&place)?.is_directory();
        let [file, folder] = &mut self.hiding;
        let (one, empty) = if directory { (folder, EMPTY_DIRECTORY) } else { (file, EMPTY_FILE) };
        if let Some(other) = one {
            return bare::attach(&bare::copy(other, false)?, &place);
        }
        let first = bare::copy(&open(empty)?, false)?;
        bare::change(&first, PLAIN | attribute::READ_ONLY, 0, false)?;
        bare::attach(&first, &place)?;
        *one = Some(first);
        Ok(())
    }

    /// An empty writable directory over `place`, which `again` finds.
    fn room(
        &mut self,
        place: &Fd,
        mode: u32,
        again: impl FnOnce(Option<&Fd>) -> Result<Option<Fd>, i32>,
    ) -> Result<(), i32> {
        let first = self.memory.is_none();
        if first {
            bare::mount(place, c"tmpfs", NEW, self.options)?;
            self.memory = again(self.root.as_ref())?;
        }
        let memory = self.memory.as_ref().ok_or(libc::ENOENT)?;
        let name = self.rooms.next().ok_or(libc::ENOSPC)?;
        bare::make_directory(memory.number(), name, mode)?;
        let room = bare::copy_entry(memory.number(), name)?;
        if mode != OF_ALL {
            bare::change(&room, 0, attribute::NO_DEV, false)?;
        }
        // The first covers the memory.
        bare::attach(&room, if first { memory } else { place })
    }

    /// In a new root, a directory of that is enough.
    fn dev(&mut self, path: &'a CStr, names: &[CString]) -> Result<(), i32> {
        let Some(place) = self.directory(path)? else { return Ok(()) };
        // What is mounted over it does not cover what this finds.
        let all = open(c"/dev")?;
        match &self.root {
            Some(_) => over(&place, &place, 0, attribute::NO_DEV, false)?,
            None => self.room(&place, SHOWN, |root| existing(root, path))?,
        }
        let dev = existing(self.root.as_ref(), path)?.ok_or(libc::ENOENT)?;
        let (of_all, own) = (Dev::new(&all, &dev, None)?, Dev::new(&all, &dev, self.owner)?);
        DEVICES.iter().try_for_each(|name| of_all.add(name))?;
        names.iter().try_for_each(|name| own.add(name))?;
        for (name, text) in LINKS {
            bare::make_link(text, dev.number(), name)?;
        }
        bare::make_directory(dev.number(), c"shm", SHOWN)?;
        let shm = || bare::entry(dev.number(), c"shm");
        self.room(&shm()?, OF_ALL, |_| shm().map(Some))?;
        bare::change(&dev, attribute::READ_ONLY, 0, false)
    }
}

/// A copy of the tree at `path`, if there is one, to be shown with these attributes.
fn tree_of<'a>(
    from: &mut Last<'a>,
    path: &'a CStr,
    attributes: u64,
) -> Result<Option<(Fd, Kind)>, i32> {
    let writable = attributes & attribute::READ_ONLY == 0;
    let found = if writable {
        open(path).and_then(|tree| bare::copy(&tree, true))
    } else {
        from.copy(path)
    };
    let Some(tree) = there(found)? else { return Ok(None) };
    let kind = bare::kind(&tree)?;
    Ok(Some((tree, kind)))
}

/// Shows it at `place` in the new root; a link becomes one there.
fn put<'a>(
    tree: &Fd,
    kind: Kind,
    last: &mut Last<'a>,
    root: &Fd,
    place: &'a CStr,
) -> Result<(), i32> {
    if kind.is_link() {
        let (above, name) = last.above(root, place)?;
        return link(tree, above, name);
    }
    last.attach(root, place, tree, kind.is_directory())
}

fn writable(path: &CStr) -> Result<(), i32> {
    match there(open(path))? {
        Some(tree) if !bare::kind(&tree)?.is_link() => {
            over(&tree, &tree, PLAIN, attribute::READ_ONLY, true)
        }
        _ => Ok(()),
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

/// The mounts at `from`, with these attributes, over `place`.
fn over(from: &Fd, place: &Fd, set: u64, clear: u64, recursive: bool) -> Result<(), i32> {
    let tree = bare::copy(from, recursive)?;
    if set | clear != 0 {
        bare::change(&tree, set, clear, recursive)?;
    }
    bare::attach(&tree, place)
}

fn link(link: &Fd, above: &Fd, name: &CStr) -> Result<(), i32> {
    let mut text = [0; SHORT];
    let text = bare::link_text(link, &mut text)?;
    if text.count_bytes() + 1 < SHORT {
        return bare::make_link(text, above.number(), name);
    }
    // There may be more of it.
    long_link(link, above, name)
}

#[inline(never)]
fn long_link(link: &Fd, above: &Fd, name: &CStr) -> Result<(), i32> {
    bare::make_link(bare::link_text(link, &mut [0; PATH])?, above.number(), name)
}
