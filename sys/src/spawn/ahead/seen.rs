//! What was at a path when something was made ahead; and whether it still is.
//!
//! A directory or file is told by its file system, mount and number: what is in it is seen as it is. What we
//! hold is not given its number again. Of devices and links the owner and mode count too, which we copied.

#![expect(unsafe_code, reason = "`nix` has no statx")]

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;

use nix::errno::Errno;

use crate::confine::{Confine, Mount, below, seen_from_inside};

/// A path and what was there.
#[derive(Debug)]
pub(super) struct Seen {
    path: CString,
    thing: Option<Thing>,
    /// What a link there led to.
    target: Option<Thing>,
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
}

impl Thing {
    fn is_link(&self) -> bool {
        u32::from(self.mode) & libc::S_IFMT == libc::S_IFLNK
    }
}

impl Seen {
    fn now(path: CString) -> io::Result<Self> {
        let thing = at(&path, libc::AT_SYMLINK_NOFOLLOW)?;
        let link = thing.is_some_and(|thing| thing.is_link());
        let target = if link { at(&path, 0)? } else { None };
        Ok(Self { path, thing, target })
    }

    /// Whether the same is there.
    pub(super) fn holds(&self) -> bool {
        let same = |flags, was| at(&self.path, flags).is_ok_and(|is| is == was);
        let link = self.thing.is_some_and(|thing| thing.is_link());
        same(libc::AT_SYMLINK_NOFOLLOW, self.thing) && (!link || same(0, self.target))
    }
}

/// What is now at every path that the mounts and the rules go by.
///
/// # Errors
/// `EACCES`, `EIO`: of the file system.
pub(super) fn look(confine: &Confine) -> io::Result<Vec<Seen>> {
    paths(confine).into_iter().map(Seen::now).collect()
}

/// Whether it has devices by the beginning of their names, or copies of those in a directory: which there are
/// is known only at the start.
pub(super) fn changes(confine: &Confine) -> bool {
    let named = confine.mounts.iter().filter_map(|mount| match mount {
        Mount::Dev(_, names) => Some(names),
        _ => None,
    });
    let ruled = confine.ruleset.iter().flat_map(|all| &all.paths).map(|(path, _)| path);
    let owned = confine.mounts.iter().any(|mount| matches!(mount, Mount::Owner(_)));
    owned || named.flatten().chain(ruled).any(|name| name.to_bytes().contains(&b'*'))
}

/// What is of its own is left out: `/proc` and `/dev`, but for what is shown there.
fn paths(confine: &Confine) -> BTreeSet<CString> {
    let (mut shown, mut own, mut others) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for mount in &confine.mounts {
        match mount {
            Mount::Show { path, .. } => {
                shown.insert(path.clone());
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
            | Mount::Pivot => {}
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
    let mut all: BTreeSet<_> = others.into_iter().chain(ruled).filter(there).collect();
    all.extend(shown);
    all
}

/// Where something in the new root is outside of it.
fn outside(place: &CStr) -> CString {
    CString::new(seen_from_inside(place)).unwrap_or_default()
}

fn join(directory: &CStr, name: &CStr) -> CString {
    CString::new([directory.to_bytes(), b"/", name.to_bytes()].concat()).unwrap_or_default()
}

/// What is at a path now, if anything.
fn at(path: &CStr, flags: libc::c_int) -> io::Result<Option<Thing>> {
    let mut status = MaybeUninit::<libc::statx>::zeroed();
    let wanted = libc::STATX_TYPE
        | libc::STATX_MODE
        | libc::STATX_UID
        | libc::STATX_GID
        | libc::STATX_INO
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
    Ok(Some(Thing {
        device: (status.stx_dev_major, status.stx_dev_minor),
        number: status.stx_ino,
        mount: status.stx_mnt_id,
        mode: if plain { kind } else { status.stx_mode },
        owner: if plain { (0, 0) } else { (status.stx_uid, status.stx_gid) },
        is: (status.stx_rdev_major, status.stx_rdev_minor),
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
        let all: Vec<_> = all.iter().map(|path| path.to_str().unwrap()).collect();
        let wanted = ["/dev/dri", "/dev/dri/x", "/dev/video0", "/usr", "/usr/secret"];
        assert_eq!(all, wanted);
    }

    #[test]
    fn what_took_the_place_of_another_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let seen =
            |name: &str| Seen::now(CString::new(path(name).to_str().unwrap()).unwrap()).unwrap();
        std::fs::write(path("file"), "1").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        let all = [seen("file"), seen("link"), seen("none")];
        assert!(all.iter().all(Seen::holds));
        std::fs::write(path("file"), "2").unwrap();
        assert!(all.iter().all(Seen::holds), "it is the same file");
        std::fs::write(path("new"), "3").unwrap();
        std::fs::rename(path("new"), path("file")).unwrap();
        std::fs::write(path("none"), "4").unwrap();
        assert_eq!(all.map(|seen| seen.holds()), [false; 3]);
    }
}
