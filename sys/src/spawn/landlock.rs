//! Landlock in the child: the ruleset is made while paths can still be opened, and put on at the end.
//!
//! Runs in a child that shares our memory: see `bare`.

#![expect(unsafe_code, reason = "between clone and exec there are only system calls")]

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::bare::{self, Fd, Kind, PATH, resolve};
use super::mounts::matching;
use super::tree::{self, End};
use crate::confine::Ruleset;

/// Rights that a file can have which is no directory: execute, write, read, truncate, device ioctl.
const OF_FILES: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15;

const RULE_PATH_BENEATH: i32 = 1;
const RULE_NET_PORT: i32 = 2;

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    rights: u64,
    parent: i32,
}

/// Makes it; `at` is the number of the path being added.
///
/// `ENOSYS`, `EOPNOTSUPP`: there is no Landlock, or it is off. `EINVAL`: a bit that the kernel lacks.
pub(super) fn make(ruleset: &Ruleset, at: &AtomicU32) -> Result<Fd, i32> {
    let handled = [ruleset.files, ruleset.ports, ruleset.scopes];
    let (address, size) = (handled.as_ptr(), size_of_val(&handled));
    // SAFETY: a structure of 24 bytes that outlives the call; an older kernel takes its first bytes and
    // sees that the others are zero.
    let made =
        bare::fd(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, address, size, 0) })?;
    for (number, (path, rights)) in (0_u32..).zip(&ruleset.paths) {
        at.store(number, Ordering::Relaxed);
        one(&made, path, *rights, ruleset.no_links)?;
    }
    at.store(u32::MAX, Ordering::Relaxed);
    ports(&made, ruleset)?;
    Ok(made)
}

/// Adds the rules with these numbers, and the ports, to one that has the others. `known` gives the trees that
/// were found already.
///
/// `EINVAL`: a right that it does not handle.
pub(super) fn add_all<'t>(
    made: &Fd,
    ruleset: &Ruleset,
    rules: &[u32],
    known: impl Fn(&CStr) -> Option<&'t (Fd, Kind)>,
    at: &AtomicU32,
) -> Result<(), i32> {
    for number in rules {
        at.store(*number, Ordering::Relaxed);
        let rule = usize::try_from(*number).ok().and_then(|number| ruleset.paths.get(number));
        let (path, rights) = rule.ok_or(libc::EINVAL)?;
        match known(path) {
            Some((tree, kind)) => give(made, tree, *kind, *rights)?,
            None => one(made, path, *rights, ruleset.no_links)?,
        }
    }
    at.store(u32::MAX, Ordering::Relaxed);
    ports(made, ruleset)
}

fn one(made: &Fd, path: &CStr, rights: u64, no_links: bool) -> Result<(), i32> {
    match matching::pattern(path).filter(|(above, _)| above.starts_with(b"/dev")) {
        None if no_links => allow_itself(made, path, rights),
        None => allow(made, path, rights),
        Some((above, begins)) => devices(made, above, begins, rights),
    }
}

fn ports(made: &Fd, ruleset: &Ruleset) -> Result<(), i32> {
    ruleset.allowed_ports.iter().try_for_each(|(port, rights)| {
        let rule = [*rights, u64::from(*port)];
        add(made, RULE_NET_PORT, rule.as_ptr().cast())
    })
}

/// A tree that is not there gives nothing.
fn allow(ruleset: &Fd, path: &CStr, rights: u64) -> Result<(), i32> {
    let Some(tree) = bare::there(tree::find(path, End::Target))? else { return Ok(()) };
    give(ruleset, &tree, bare::kind(&tree)?, rights)
}

/// The same, over no links: one at the end gives nothing either.
fn allow_itself(ruleset: &Fd, path: &CStr, rights: u64) -> Result<(), i32> {
    let found = bare::open(libc::AT_FDCWD, path, resolve::NO_LINKS);
    let Some(tree) = bare::there(found)? else { return Ok(()) };
    let kind = bare::kind(&tree)?;
    if kind.is_link() { Ok(()) } else { give(ruleset, &tree, kind, rights) }
}

fn give(ruleset: &Fd, tree: &Fd, kind: Kind, rights: u64) -> Result<(), i32> {
    let may = if kind.is_directory() { u64::MAX } else { OF_FILES };
    if rights & may == 0 {
        return Ok(());
    }
    let rule = Beneath { rights: rights & may, parent: tree.number() };
    add(ruleset, RULE_PATH_BENEATH, ptr::from_ref(&rule).cast())
}

/// Every device in the directory `above` whose name begins so: no file has a `*` in its name there.
#[inline(never)]
fn devices(ruleset: &Fd, above: &[u8], begins: &[u8], rights: u64) -> Result<(), i32> {
    let mut room = [0; PATH];
    let place = matching::join(above, c"", &mut room)?;
    let Some(directory) = bare::there(tree::find(place, End::Target))? else { return Ok(()) };
    matching::names(&directory, begins, &mut |name| {
        allow(ruleset, matching::join(above, name, &mut room)?, rights)
    })
}

fn add(ruleset: &Fd, kind: i32, rule: *const u8) -> Result<(), i32> {
    // SAFETY: `rule` is the structure of this kind of rule, and outlives the call.
    let added =
        unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset.number(), kind, rule, 0) };
    bare::result(added).map(drop)
}

/// From here on it holds.
///
/// `EPERM`: neither `no_new_privs` nor `CAP_SYS_ADMIN`. `E2BIG`: 16 of them hold already.
pub(super) fn restrict(ruleset: &Fd) -> Result<(), i32> {
    // SAFETY: integers only.
    bare::result(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.number(), 0) })
        .map(drop)
}
