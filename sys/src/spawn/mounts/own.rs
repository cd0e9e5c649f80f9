//! Trees of a start's own, added to mounts that were made for its base.
//!
//! ```text
//! find, among the mounts of the device: copies, attached nowhere ─► entered ─► add: places are made, copies attached,
//!                                                                            the root is read-only
//! ```
//!
//! Invariant: the new root is read-only afterwards, whatever was added, and nothing else in it changed. It is
//! for one start: nobody else has the root. Runs in a child that shares our memory: see `bare`.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::bare::{self, Fd, Kind, attribute};
use super::super::tree::Last;
use super::{below, put, tree_of};
use crate::confine::{MOST_OWN, Mount, Own, seen_from_inside};

/// Copies of its own trees, in their order; none of what is not there.
pub(in super::super) type Found = [Option<(Fd, Kind)>; MOST_OWN];

/// Finds them; `at` is the number of the one being looked for.
pub(in super::super) fn find(mounts: &[Mount], own: &Own, at: &AtomicU32) -> Result<Found, i32> {
    let mut found = [const { None }; MOST_OWN];
    let mut from = Last::default();
    for (place, number) in found.iter_mut().zip(&own.mounts) {
        let (path, _, attributes) = show(mounts, *number, at)?;
        let Some((tree, kind)) = tree_of(&mut from, path, attributes)? else { continue };
        if !kind.is_link() {
            bare::change_own(&tree, attributes, kind.is_directory())?;
        }
        *place = Some((tree, kind));
    }
    Ok(found)
}

/// Attaches them in the root that was entered; `at` is the number of the one being attached. The usual modes are
/// those of places.
pub(in super::super) fn add(
    mounts: &[Mount],
    own: &Own,
    found: &Found,
    at: &AtomicU32,
) -> Result<(), i32> {
    // It was entered, so it is the working directory too.
    let root = Fd::working_directory();
    let mut last = Last::default();
    for (number, found) in own.mounts.iter().zip(found) {
        let (_, target, _) = show(mounts, *number, at)?;
        let Some((tree, kind)) = found else { continue };
        put(tree, *kind, &mut last, &root, below(target)?)?;
    }
    bare::change(&root, attribute::READ_ONLY, 0, false)
}

/// The tree that is shown at `path` as it is outside, if it is one of its own and there.
pub(in super::super) fn tree_at<'f>(
    mounts: &[Mount],
    own: &Own,
    found: &'f Found,
    path: &CStr,
) -> Option<&'f (Fd, Kind)> {
    let is_it = |number: &u32| match usize::try_from(*number).ok().and_then(|at| mounts.get(at)) {
        Some(Mount::Show { path: from, target, .. }) => {
            from.as_c_str() == path && seen_from_inside(target) == path.to_bytes()
        }
        _ => false,
    };
    let at = own.mounts.iter().position(is_it)?;
    found.get(at)?.as_ref().filter(|(_, kind)| !kind.is_link())
}

/// The step with this number: what is shown, where, and how.
fn show<'m>(
    mounts: &'m [Mount],
    number: u32,
    at: &AtomicU32,
) -> Result<(&'m CStr, &'m CStr, u64), i32> {
    at.store(number, Ordering::Relaxed);
    match usize::try_from(number).ok().and_then(|number| mounts.get(number)) {
        Some(Mount::Show { path, target, attributes }) => Ok((path, target, *attributes)),
        _ => Err(libc::EINVAL),
    }
}
