//! The devices of a `/dev` of its own: copies, or the same by a mount.
//!
//! ```text
//! as outside:  a character device at the top ─► a copy         directories, and what is in them ─► a mount
//! of a user:   every device ─► a copy that is the user's       directories ─► what is in them, as it is now
//! nobody may make devices here (a container whose root is nobody outside) ─► mounts, as outside
//! ```
//!
//! A copy costs a fifth of a mount. Nothing outside changes its owner. Runs in a child that shares our memory:
//! see `bare`.

use std::ffi::CStr;

use super::super::bare::{self, Fd, Kind, PATH, attribute, resolve, there};
use super::super::tree;
use super::{matching, over};

/// How deep below a directory that is named devices are looked for: `bus/usb/001/002`. Each takes some of the
/// stack.
const DEEPEST: u32 = 2;

/// A `/dev` while it is filled.
pub(super) struct Dev<'a> {
    /// That of the device.
    all: &'a Fd,
    /// What it is in.
    around: Kind,
    to: &'a Fd,
    /// Whose the copies are; as outside if nobody's.
    owner: Option<u32>,
}

impl<'a> Dev<'a> {
    pub(super) fn new(all: &'a Fd, to: &'a Fd, owner: Option<u32>) -> Result<Self, i32> {
        Ok(Self { all, around: bare::kind(all)?, to, owner })
    }

    /// Adds what is called so, or whose name begins so; if there is none, nothing.
    pub(super) fn add(&self, name: &CStr) -> Result<(), i32> {
        match matching::pattern(name) {
            None => self.one(name, DEEPEST),
            Some((above, begins)) => self.each(above, begins, DEEPEST),
        }
    }

    /// Everything in the directory `above` whose name begins so.
    #[inline(never)]
    fn each(&self, above: &[u8], begins: &[u8], deeper: u32) -> Result<(), i32> {
        let mut room = [0; PATH];
        let place = matching::join(if above.is_empty() { b"." } else { above }, c"", &mut room)?;
        let Some(directory) = there(bare::open(self.all.number(), place, resolve::LINKS))? else {
            return Ok(());
        };
        matching::names(&directory, begins, &mut |name| match name.to_bytes() {
            b"." | b".." => Ok(()),
            _ => self.one(matching::join(above, name, &mut room)?, deeper),
        })
    }

    fn one(&self, name: &CStr, deeper: u32) -> Result<(), i32> {
        let Some(found) = there(bare::open(self.all.number(), name, resolve::LINKS))? else {
            return Ok(());
        };
        let kind = bare::kind(&found)?;
        if self.copied(kind, name) {
            match self.copy(kind, name) {
                Err(libc::EPERM) => {}
                Err(libc::EEXIST) => return Ok(()),
                other => return other,
            }
        }
        // Of another file system (terminals) each is somebody's already.
        if self.owner.is_some() && kind.is_directory() && kind.is_beside(self.around) {
            tree::make(self.to, name, true)?;
            let Some(deeper) = deeper.checked_sub(1) else { return Ok(()) };
            return self.each(name.to_bytes(), b"", deeper);
        }
        let place = tree::make(self.to, name, kind.is_directory())?;
        over(&found, &place, attribute::NO_SUID | attribute::NO_EXEC, 0, kind.is_directory())
    }

    fn copied(&self, kind: Kind, name: &CStr) -> bool {
        let top = !name.to_bytes().contains(&b'/');
        match self.owner {
            Some(_) => kind.is_device(),
            None => kind.is_character_device() && top,
        }
    }

    #[inline(never)]
    fn copy(&self, kind: Kind, name: &CStr) -> Result<(), i32> {
        let kind = self.owner.map_or(kind, |uid| kind.of(uid));
        if !name.to_bytes().contains(&b'/') {
            return bare::make_device(kind, self.to.number(), name);
        }
        let mut room = [0; PATH];
        let (above, name) = tree::split(name, &mut room)?;
        let above = tree::make(self.to, above, true)?;
        bare::make_device(kind, above.number(), name)
    }
}
