//! Trees of another root: somebody else made it, links and all.
//!
//! ```text
//! /run/bundles/ID ─ opened over root's links ─► usr/lib ─ links led as if that was the root ─► the tree, or the link itself
//!                                               etc     ─ each entry by itself, but some names
//! ```
//!
//! Invariant: whatever links there are in the other root, what is shown lies in it. Runs in a child that shares our
//! memory: see `bare`.

use std::ffi::{CStr, CString};

use super::super::bare::{self, Fd, PATH, resolve, there};
use super::super::tree::{self, End, SHORT};
use super::{Work, link, matching, put};
use crate::confine::MOST_ENTRIES;

impl<'a> Work<'a> {
    /// Shows the tree at `path` of the other root `from` at `place`.
    pub(super) fn inside(
        &mut self,
        from: &'a CStr,
        path: &'a CStr,
        place: &'a CStr,
        attributes: u64,
    ) -> Result<(), i32> {
        let found = self.found(from, path)?;
        let root = self.root.as_ref().ok_or(libc::EINVAL)?;
        let Some(tree) = found else { return Ok(()) };
        let kind = bare::kind(&tree)?;
        if !kind.is_link() {
            bare::change(&tree, attributes, 0, kind.is_directory())?;
        }
        put(&tree, kind, &mut self.last, root, place)
    }

    /// Shows all that is in the directory at `path` of the other root `from` in the directory at `place`.
    ///
    /// `E2BIG`: there is more than is shown one by one.
    pub(super) fn entries(
        &mut self,
        from: &'a CStr,
        path: &'a CStr,
        place: &'a CStr,
        attributes: u64,
        but: &[CString],
    ) -> Result<(), i32> {
        let other = self.other(from)?;
        let Some(directory) = there(bare::open(other.number(), path, resolve::IN_ROOT))? else {
            return Ok(());
        };
        // A file in its place has no entries.
        if !bare::kind(&directory)?.is_directory() {
            return Ok(());
        }
        let root = self.root.as_ref().ok_or(libc::EINVAL)?;
        let place = self.last.make(root, place)?;
        let mut left = MOST_ENTRIES;
        matching::names(&directory, b"", &mut |name| {
            if matches!(name.to_bytes(), b"." | b"..") || but.iter().any(|but| **but == *name) {
                return Ok(());
            }
            left = left.checked_sub(1).ok_or(libc::E2BIG)?;
            entry(&directory, name, &place, attributes)
        })
    }

    /// A copy of the tree at `path` of another root; of a link there the link itself.
    fn found(&mut self, from: &'a CStr, path: &'a CStr) -> Result<Option<Fd>, i32> {
        let other = self.other(from)?;
        match tree::fits(path.to_bytes()) {
            true => copy_of(other, path, &mut [0; SHORT]),
            false => copy_of_long(other, path),
        }
    }

    /// The other root at this path.
    ///
    /// `ENOENT`: it is not there.
    fn other(&mut self, from: &'a CStr) -> Result<&Fd, i32> {
        if self.other.as_ref().is_none_or(|(path, _)| *path != from) {
            self.other = Some((from, tree::find(from, End::Target)?));
        }
        self.other.as_ref().map(|(_, root)| root).ok_or(libc::ENOENT)
    }
}

#[inline(never)]
fn copy_of_long(other: &Fd, path: &CStr) -> Result<Option<Fd>, i32> {
    copy_of(other, path, &mut [0; PATH])
}

fn copy_of(other: &Fd, path: &CStr, room: &mut [u8]) -> Result<Option<Fd>, i32> {
    let (above, name) = tree::split(path, room)?;
    let Some(above) = there(bare::open(other.number(), above, resolve::IN_ROOT))? else {
        return Ok(None);
    };
    there(bare::copy_entry(above.number(), name))
}

/// Shows one entry of a directory in another one, which is of the new root.
fn entry(directory: &Fd, name: &CStr, place: &Fd, attributes: u64) -> Result<(), i32> {
    let tree = bare::copy_entry(directory.number(), name)?;
    let kind = bare::kind(&tree)?;
    if kind.is_link() {
        return link(&tree, place, name);
    }
    bare::change(&tree, attributes, 0, kind.is_directory())?;
    if kind.is_directory() {
        bare::make_directory(place.number(), name, bare::SHOWN)?;
    } else {
        bare::make_file(place.number(), name)?;
    }
    bare::attach_entry(&tree, place.number(), name)
}
