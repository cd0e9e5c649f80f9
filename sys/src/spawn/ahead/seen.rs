//! What was at each path when something was made ahead; and whether it still is.
//!
//! ```text
//! several paths in one directory ─ it did not change ─► the same files are at them ─┐
//!                                └ it changed ─────────► each is looked at ─────────┴► links and devices are, always
//! ```
//!
//! A directory or file is told by its file system, mount and number: what is in it is seen as it is. What we
//! hold is not given its number again. Of devices and links the owner, mode and time of change count too: we
//! copied them. A directory whose time of change is the same has the same entries, if that time was over when
//! it was looked at: the clock of files goes in steps, and within one there may be another change.

#![expect(unsafe_code, reason = "`nix` has no statx")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::statfs::{EXT4_SUPER_MAGIC, FsType, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, statfs};
use nix::time::{ClockId, clock_gettime};

use crate::confine::{Confine, Mount, below, seen_from_inside};
use crate::mount;

/// File systems whose directories are known to change with their entries: ext4, tmpfs, ramfs, EROFS, which never
/// changes, and overlays of these. Those of `/proc`, `/sys` and control groups don't.
const TELL: [FsType; 5] = [
    EXT4_SUPER_MAGIC,
    TMPFS_MAGIC,
    FsType(0x8584_58f6),
    FsType(0xe0f5_e1e2),
    OVERLAYFS_SUPER_MAGIC,
];

/// Paths in one directory, and what was there.
#[derive(Debug)]
pub(super) struct Seen {
    /// Their directory, if it tells more cheaply whether something took the place of one.
    directory: Option<(CString, Thing)>,
    entries: Vec<Entry>,
}

/// A path and what was there.
#[derive(Debug)]
struct Entry {
    path: CString,
    thing: Option<Thing>,
    /// What a link there led to, if something goes by that.
    target: Option<Option<Thing>>,
}

/// What tells one thing from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Thing {
    device: (u32, u32),
    number: u64,
    mount: u64,
    /// Type; of devices and links also the permissions.
    mode: u16,
    owner: (u32, u32),
    is: (u32, u32),
    /// Of devices and links, and of a directory that tells of its entries.
    changed: Time,
}

/// Seconds and nanoseconds of the clock of files.
type Time = (i64, u32);

/// Of what the time of change counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    /// Of what is copied.
    Copied,
    /// Of directories too: what is in them.
    Entries,
}

impl Thing {
    fn format(&self) -> u32 {
        u32::from(self.mode) & libc::S_IFMT
    }

    fn is_link(&self) -> bool {
        self.format() == libc::S_IFLNK
    }

    fn is_plain(&self) -> bool {
        [libc::S_IFDIR, libc::S_IFREG].contains(&self.format())
    }
}

impl Entry {
    /// `followed`: something goes by what a link there leads to.
    fn now(path: CString, followed: bool, now: Time) -> io::Result<Self> {
        let thing = at(&path, libc::AT_SYMLINK_NOFOLLOW, Times::Copied)?;
        let link = thing.filter(Thing::is_link);
        let looked = link.filter(|link| followed || link.changed >= now);
        let target = looked.map(|_| at(&path, 0, Times::Copied)).transpose()?;
        Ok(Self { path, thing, target })
    }

    /// Whether its directory tells all of it.
    fn is_told(&self) -> bool {
        self.thing.is_none_or(|thing| thing.is_plain())
    }

    fn holds(&self) -> bool {
        let same = |flags, was| at(&self.path, flags, Times::Copied).is_ok_and(|is| is == was);
        same(libc::AT_SYMLINK_NOFOLLOW, self.thing) && self.target.is_none_or(|was| same(0, was))
    }
}

impl Seen {
    /// It is at least `now`.
    fn now(directory: &CStr, paths: Vec<(CString, bool)>, now: Time) -> io::Result<Self> {
        // First, so that whatever comes after is told by it.
        let above = at(directory, 0, Times::Entries)?.filter(|above| above.changed < now);
        let entry = |(path, followed)| Entry::now(path, followed, now);
        let entries = paths.into_iter().map(entry).collect::<io::Result<Vec<_>>>()?;
        let several = entries.iter().filter(|entry| entry.is_told()).count() > 1;
        let tells = || statfs(directory).is_ok_and(|of| TELL.contains(&of.filesystem_type()));
        let above = above.filter(|_| several && tells());
        Ok(Self { directory: above.map(|above| (directory.to_owned(), above)), entries })
    }

    /// Whether the same is there.
    pub(super) fn holds(&self) -> bool {
        let rests = self.directory.as_ref().is_some_and(|(path, was)| {
            at(path, 0, Times::Entries).is_ok_and(|is| is.as_ref() == Some(was))
        });
        self.entries.iter().all(|entry| rests && entry.is_told() || entry.holds())
    }
}

/// What is now at every path that the mounts and the rules go by.
///
/// # Errors
/// `EACCES`, `EIO`: of the file system.
pub(super) fn look(confine: &Confine) -> io::Result<Vec<Seen>> {
    let mut all: BTreeMap<CString, Vec<(CString, bool)>> = BTreeMap::new();
    for (path, followed) in paths(confine) {
        all.entry(above(&path)).or_default().push((path, followed));
    }
    let now = clock()?;
    all.into_iter().map(|(directory, paths)| Seen::now(&directory, paths, now)).collect()
}

/// The directory of a path.
fn above(path: &CStr) -> CString {
    let path = path.to_bytes();
    let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    CString::new(path.get(..slash.max(1)).unwrap_or(b"/")).unwrap_or_default()
}

/// The step of the clock of files that it is.
fn clock() -> io::Result<Time> {
    let now = clock_gettime(ClockId::CLOCK_REALTIME_COARSE)?;
    Ok((now.tv_sec(), u32::try_from(now.tv_nsec()).unwrap_or(0)))
}

/// Whether it has devices by the beginning of their names, or copies of those in a directory: which there are
/// is known only at the start. So it is with another root in which somebody can write.
pub(super) fn changes(confine: &Confine) -> bool {
    let mut roots: Vec<&CStr> = confine.mounts.iter().filter_map(other_root).collect();
    roots.dedup();
    let path = |root: &CStr| PathBuf::from(OsStr::from_bytes(root.to_bytes()));
    let written = |root: &CStr| !mount::is_read_only(&path(root)).unwrap_or(false);
    let named = confine.mounts.iter().filter_map(|mount| match mount {
        Mount::Dev(_, names) => Some(names),
        _ => None,
    });
    let ruled = confine.ruleset.iter().flat_map(|all| &all.paths).map(|(path, _)| path);
    let owned = confine.mounts.iter().any(|mount| matches!(mount, Mount::Owner(_)));
    owned
        || roots.into_iter().any(written)
        || named.flatten().chain(ruled).any(|name| name.to_bytes().contains(&b'*'))
}

/// The other root that a step shows something of. Mounted read-only, all in it is as it is.
fn other_root(mount: &Mount) -> Option<&CStr> {
    match mount {
        Mount::Inside { root, .. } | Mount::Entries { root, .. } => Some(root),
        _ => None,
    }
}

/// Each with whether something goes by what a link there leads to: one that is shown is shown as a link. What
/// is of its own is left out: `/proc` and `/dev`, but for what is shown there.
fn paths(confine: &Confine) -> BTreeMap<CString, bool> {
    let (mut shown, mut own, mut others) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for mount in &confine.mounts {
        match mount {
            Mount::Show { path, .. } => {
                shown.insert(path.clone());
            }
            Mount::Inside { root, .. } | Mount::Entries { root, .. } => {
                shown.insert(root.clone());
            }
            Mount::Writable(path) | Mount::Unwritable(path) | Mount::Hide(path) => {
                others.insert(outside(path));
            }
            Mount::Proc(place) => own.push(outside(place)),
            Mount::Dev(place, names) => {
                let place = outside(place);
                shown.extend(names.iter().map(|name| join(&place, name)));
                own.push(place);
            }
            Mount::Tmp(..)
            | Mount::Owner(_)
            | Mount::Private
            | Mount::ReadOnly
            | Mount::Root
            | Mount::Pivot
            | Mount::Open => {}
        }
    }
    let ruled = confine.ruleset.iter().flat_map(|all| &all.paths).map(|(path, _)| path.clone());
    let ours = |path: &CString| {
        let path = path.to_bytes();
        let within = |outer: &CString| below(path, outer.to_bytes());
        own.iter().any(within) && !shown.iter().any(within)
    };
    // Of a view that lists what is there, nothing else is there.
    let listed = confine.mounts.contains(&Mount::Root);
    let there = |path: &CString| {
        let within = |tree: &CString| below(path.to_bytes(), tree.to_bytes());
        if listed { shown.iter().any(within) } else { !ours(path) }
    };
    let followed: BTreeSet<_> = others.into_iter().chain(ruled).filter(there).collect();
    let only_shown = shown.into_iter().map(|path| (path, false));
    only_shown.chain(followed.into_iter().map(|path| (path, true))).collect()
}

/// Where something in the new root is outside of it.
fn outside(place: &CStr) -> CString {
    CString::new(seen_from_inside(place)).unwrap_or_default()
}

fn join(directory: &CStr, name: &CStr) -> CString {
    CString::new([directory.to_bytes(), b"/", name.to_bytes()].concat()).unwrap_or_default()
}

/// What is at a path now, if anything.
fn at(path: &CStr, flags: libc::c_int, times: Times) -> io::Result<Option<Thing>> {
    let mut status = MaybeUninit::<libc::statx>::zeroed();
    let wanted = libc::STATX_TYPE
        | libc::STATX_MODE
        | libc::STATX_UID
        | libc::STATX_GID
        | libc::STATX_INO
        | libc::STATX_CTIME
        | libc::STATX_MNT_ID;
    let flags = flags | libc::AT_NO_AUTOMOUNT;
    // SAFETY: a C string and room for the structure that outlive the call. The call itself, because std refers
    // to the library's only if it is there: linked in one piece with it, ours would be of nothing.
    let got = unsafe {
        libc::syscall(
            libc::SYS_statx,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            wanted,
            status.as_mut_ptr(),
        )
    };
    match Errno::result(got) {
        Ok(_) => {}
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    }
    // SAFETY: zeroes are a valid structure, and the kernel filled it.
    let status = unsafe { status.assume_init() };
    let kind = status.stx_mode & u16::try_from(libc::S_IFMT).unwrap_or(0);
    let plain = [libc::S_IFDIR, libc::S_IFREG].contains(&u32::from(kind));
    let timed = !plain || times == Times::Entries;
    let changed = (status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec);
    Ok(Some(Thing {
        device: (status.stx_dev_major, status.stx_dev_minor),
        number: status.stx_ino,
        mount: status.stx_mnt_id,
        mode: if plain { kind } else { status.stx_mode },
        owner: if plain { (0, 0) } else { (status.stx_uid, status.stx_gid) },
        is: (status.stx_rdev_major, status.stx_rdev_minor),
        changed: if timed { changed } else { (0, 0) },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confine::Ruleset;

    #[test]
    fn only_what_lies_outside_is_looked_at() {
        let c = |text: &str| CString::new(text).unwrap();
        let place = |path: &str| c(&format!("/run/ensemble/root{path}"));
        let all = paths(&Confine {
            mounts: vec![
                Mount::Private,
                Mount::Root,
                Mount::Show { path: c("/usr"), target: place("/usr"), attributes: 0 },
                Mount::Show { path: c("/dev/dri"), target: place("/dev/dri"), attributes: 0 },
                Mount::Tmp(place("/tmp"), c("")),
                Mount::Proc(place("/proc")),
                Mount::Hide(place("/proc/keys")),
                Mount::Hide(place("/dev/dri/x")),
                Mount::Hide(place("/usr/secret")),
                Mount::Dev(place("/dev"), vec![c("video0")]),
            ],
            ruleset: Some(Ruleset {
                paths: ["/usr", "/proc", "/dev/null", "/procs"].map(|path| (c(path), 1)).into(),
                ..Ruleset::default()
            }),
            ..Confine::default()
        });
        let all: Vec<_> = all.iter().map(|(path, to)| (path.to_str().unwrap(), *to)).collect();
        let wanted = [
            ("/dev/dri", false),
            ("/dev/dri/x", true),
            ("/dev/video0", false),
            ("/usr", true),
            ("/usr/secret", true),
        ];
        assert_eq!(all, wanted);
    }

    fn entry(path: &str, followed: bool) -> Entry {
        Entry::now(CString::new(path).unwrap(), followed, clock().unwrap()).unwrap()
    }

    #[test]
    fn what_took_the_place_of_another_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| format!("{}/{name}", dir.path().display());
        std::fs::write(path("file"), "1").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        let all = ["file", "link", "none"].map(|name| entry(&path(name), true));
        assert!(all.iter().all(Entry::holds));
        std::fs::write(path("file"), "2").unwrap();
        assert!(all.iter().all(Entry::holds), "it is the same file");
        std::fs::write(path("new"), "3").unwrap();
        std::fs::rename(path("new"), path("file")).unwrap();
        std::fs::write(path("none"), "4").unwrap();
        assert_eq!(all.map(|entry| entry.holds()), [false; 3]);
    }

    /// Until the clock of files is past what was just made.
    fn settle(path: &str) {
        let path = CString::new(path).unwrap();
        let made = at(&path, libc::AT_SYMLINK_NOFOLLOW, Times::Entries).unwrap().unwrap().changed;
        while clock().unwrap() <= made {
            std::thread::yield_now();
        }
    }

    #[test]
    fn where_a_shown_link_leads_to_does_not_matter_and_another_link_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| format!("{}/{name}", dir.path().display());
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        settle(&path("link"));
        let link = entry(&path("link"), false);
        std::fs::write(path("file"), "1").unwrap();
        assert!(link.holds() && link.target.is_none());
        // It may get the number of the one before.
        std::fs::remove_file(path("link")).unwrap();
        std::os::unix::fs::symlink("other", path("link")).unwrap();
        assert!(!link.holds());
    }

    #[test]
    fn a_directory_tells_of_its_files_and_of_links_nothing() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = |name: &str| format!("{}/{name}", dir.path().display());
        std::fs::write(path("file"), "1").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        settle(dir.path().to_str().unwrap());
        let names = ["file", "link", "none"].map(|name| (CString::new(path(name)).unwrap(), true));
        let look = |now| Seen::now(&above(&names[0].0), names.to_vec(), now).unwrap();
        let now = clock().unwrap();
        let seen = look(now);
        assert!(seen.directory.is_some() && seen.holds());
        std::fs::write(path("file"), "2").unwrap();
        std::fs::write(path("beside"), "").unwrap();
        assert!(seen.holds(), "another file is nothing to these");
        std::fs::rename(path("beside"), path("none")).unwrap();
        assert!(!seen.holds());
        let (_, made) = seen.directory.as_ref().unwrap();
        let early = look(made.changed);
        assert!(early.directory.is_none(), "another change may come in this step of the clock");
        assert!(early.holds());
        let of_kernel = [c"/proc/self/maps", c"/proc/self/status"].map(|p| (p.to_owned(), true));
        let seen = Seen::now(c"/proc/self", of_kernel.to_vec(), now).unwrap();
        assert!(seen.directory.is_none() && seen.holds());
    }
}
