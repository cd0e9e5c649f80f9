//! Finding a tree by its path where others may have put links, and making a place for one.
//!
//! ```text
//! path ─ no link on the way ─────────────────► there
//!      └ links: each one root's? ─ yes ──────► there
//!                                └ no ───────► ELOOP
//! ```
//!
//! Runs in a child that shares our memory: buffers are on its stack.

use std::ffi::CStr;

use super::bare::{self, Fd, PATH, SHOWN, resolve};

/// Bytes of a room that is enough for most paths: clearing one for the longest takes as long as a system call,
/// and it is paged in first.
pub(super) const SHORT: usize = 256;

/// Most links on one way, as the kernel has it.
const MAX_LINKS: usize = 40;

/// Whether a link at the end of a path is what is meant, or what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The link itself.
    Link,
    /// What it leads to.
    Target,
}

/// Opens the tree at `path`, over no other links than root's.
pub(super) fn find(path: &CStr, end: End) -> Result<Fd, i32> {
    let found = match bare::open(libc::AT_FDCWD, path, resolve::NO_LINKS) {
        Err(libc::ELOOP) => return follow(path, end),
        other => other?,
    };
    if end == End::Target && bare::kind(&found)?.is_link() {
        return follow(path, end);
    }
    Ok(found)
}

/// One component after the other; a link is put in its place.
#[inline(never)]
fn follow(path: &CStr, end: End) -> Result<Fd, i32> {
    let (mut rest, mut link) = ([0; PATH], [0; PATH]);
    copy(&mut rest, path.to_bytes(), b"")?;
    let root = || bare::open(libc::AT_FDCWD, c"/", resolve::NO_LINKS);
    let mut here = root()?;
    for _ in 0..MAX_LINKS {
        let mut at = 0;
        loop {
            let Some((name, next)) = component(&mut rest, at) else { return Ok(here) };
            let found = bare::entry(here.number(), name)?;
            let last = next.is_none();
            let kind = bare::kind(&found)?;
            if !kind.is_link() || last && end == End::Link {
                here = found;
                let Some(next) = next else { return Ok(here) };
                at = next;
                continue;
            }
            if kind.uid != 0 {
                return Err(libc::ELOOP);
            }
            let text = bare::link_text(&found, &mut link)?.to_bytes();
            if text.starts_with(b"/") {
                here = root()?;
            }
            let mut whole = [0; PATH];
            let after = next.and_then(|next| rest.get(next..)).unwrap_or(b"");
            let after = after.split(|b| *b == 0).next().unwrap_or(b"");
            copy(&mut whole, text, after)?;
            rest = whole;
            break;
        }
    }
    Err(libc::ELOOP)
}

/// The component that begins at or after `at`, closed with a zero in place of its slash, and where the
/// next one begins.
fn component(path: &mut [u8], at: usize) -> Option<(&CStr, Option<usize>)> {
    let slashes = path.get(at..)?.iter().take_while(|b| **b == b'/').count();
    let begin = at + slashes;
    let length = path.get(begin..)?.iter().position(|b| *b == b'/' || *b == 0)?;
    if length == 0 {
        return None;
    }
    let last = path.get_mut(begin + length)?;
    let next = (*last == b'/').then_some(begin + length + 1);
    *last = 0;
    let name = CStr::from_bytes_until_nul(path.get(begin..)?).ok()?;
    Some((name, next))
}

/// `first/second` into `to`.
fn copy(to: &mut [u8], first: &[u8], second: &[u8]) -> Result<(), i32> {
    if first.len() + second.len() + 2 > to.len() {
        return Err(libc::ENAMETOOLONG);
    }
    let all = first.iter().chain(b"/").chain(second);
    to.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
    // A slash at the end would make the last component look like one before the last.
    if second.is_empty()
        && let Some(slash) = to.get_mut(first.len())
    {
        *slash = 0;
    }
    Ok(())
}

/// Makes the place `path` in the new root `root`, and the directories above it.
///
/// `ENOTDIR`: a file is above it. `EROFS`: a tree that is shown is around it and lacks it.
pub(super) fn make(root: &Fd, path: &CStr, directory: bool) -> Result<Fd, i32> {
    match bare::open(root.number(), path, resolve::IN_ROOT) {
        Err(libc::ENOENT) => {}
        other => return other,
    }
    match fits(path.to_bytes()) {
        true => make_all(root, path, directory, &mut [0; SHORT]),
        false => make_long(root, path, directory),
    }
}

/// Whether there is room for it in [`SHORT`] bytes.
pub(super) const fn fits(path: &[u8]) -> bool {
    path.len() + 2 < SHORT
}

#[inline(never)]
fn make_long(root: &Fd, path: &CStr, directory: bool) -> Result<Fd, i32> {
    make_all(root, path, directory, &mut [0; PATH])
}

fn make_all(root: &Fd, path: &CStr, directory: bool, parts: &mut [u8]) -> Result<Fd, i32> {
    copy(parts, path.to_bytes(), b"")?;
    let mut above = None;
    let mut at = 0;
    while let Some((name, next)) = component(parts, at) {
        let number = above.as_ref().unwrap_or(root).number();
        if directory || next.is_some() {
            bare::make_directory(number, name, SHOWN)?;
        } else {
            bare::make_file(number, name)?;
        }
        let so_far = CStr::from_bytes_until_nul(parts).map_err(|_| libc::ENAMETOOLONG)?;
        above = Some(bare::open(root.number(), so_far, resolve::IN_ROOT)?);
        let Some(next) = next else { break };
        parts.get_mut(next - 1).into_iter().for_each(|closed| *closed = b'/');
        at = next;
    }
    match above {
        Some(place) => Ok(place),
        None => bare::open(root.number(), c".", resolve::IN_ROOT),
    }
}

/// The directory in which the last one was found or made: the next one is mostly beside it.
#[derive(Debug, Default)]
pub(super) struct Last<'p>(Option<(&'p [u8], Fd)>);

impl<'p> Last<'p> {
    /// A copy of the tree at `path`, over no other links than root's; of a link there the link itself.
    ///
    /// # Errors
    /// As of [`find`] and [`bare::copy`].
    pub(super) fn copy(&mut self, path: &'p CStr) -> Result<Fd, i32> {
        let (above, name) = self.of(path, |above| find(above, End::Target))?;
        if name.is_empty() {
            return bare::copy(&find(path, End::Link)?, true);
        }
        bare::copy_entry(above.number(), name)
    }

    /// The directory of the place `path`, made if it is not there, and the name of the place in it.
    ///
    /// # Errors
    /// As of [`make`].
    pub(super) fn above(&mut self, root: &Fd, path: &'p CStr) -> Result<(&Fd, &'p CStr), i32> {
        self.of(path, |above| make(root, above, true))
    }

    fn of(
        &mut self,
        path: &'p CStr,
        directory: impl FnOnce(&CStr) -> Result<Fd, i32>,
    ) -> Result<(&Fd, &'p CStr), i32> {
        let (above, name) = halves(path)?;
        if self.0.as_ref().is_none_or(|(last, _)| *last != above) {
            let found = match fits(above) {
                true => directory(split(path, &mut [0; SHORT])?.0),
                false => of_long(path, directory),
            };
            self.0 = Some((above, found?));
        }
        let (_, directory) = self.0.as_ref().ok_or(libc::ENOENT)?;
        Ok((directory, name))
    }

    /// Makes a directory, as [`make`] does.
    pub(super) fn make(&mut self, root: &Fd, path: &'p CStr) -> Result<Fd, i32> {
        let (above, name) = self.above(root, path)?;
        // What is there already may be a link.
        match bare::make_directory(above.number(), name, SHOWN)? {
            true => bare::entry(above.number(), name),
            false => make(root, path, true),
        }
    }

    /// Attaches a tree at a place, which is made as [`make`] does.
    pub(super) fn attach(
        &mut self,
        root: &Fd,
        path: &'p CStr,
        tree: &Fd,
        directory: bool,
    ) -> Result<(), i32> {
        let (above, name) = self.above(root, path)?;
        // There is no name in the path of the root itself.
        let new = match directory {
            _ if name.is_empty() => false,
            true => bare::make_directory(above.number(), name, SHOWN)?,
            false => bare::make_file(above.number(), name)?,
        };
        if new {
            return bare::attach_entry(tree, above.number(), name);
        }
        bare::attach(tree, &make(root, path, directory)?)
    }

    /// Something may be mounted over the directory.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}

#[inline(never)]
fn of_long(path: &CStr, directory: impl FnOnce(&CStr) -> Result<Fd, i32>) -> Result<Fd, i32> {
    directory(split(path, &mut [0; PATH])?.0)
}

/// `path` without its last component, and that component.
fn halves(path: &CStr) -> Result<(&[u8], &CStr), i32> {
    let bytes = path.to_bytes_with_nul();
    let (above, name) = match bytes.iter().rposition(|b| *b == b'/') {
        Some(slash) => (bytes.get(..slash), bytes.get(slash + 1..)),
        None => (Some(&b"."[..]), Some(bytes)),
    };
    let name = CStr::from_bytes_until_nul(name.unwrap_or(b"")).map_err(|_| libc::EINVAL)?;
    Ok((above.unwrap_or(b""), name))
}

/// The same with the first part as a text, in `buffer`.
pub(super) fn split<'a>(path: &'a CStr, buffer: &'a mut [u8]) -> Result<(&'a CStr, &'a CStr), i32> {
    let (above, name) = halves(path)?;
    copy(buffer, if above.is_empty() { b"/" } else { above }, b"")?;
    let above = CStr::from_bytes_until_nul(buffer).map_err(|_| libc::ENAMETOOLONG)?;
    Ok((above, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Vec<(String, bool)> {
        let mut buffer = [0; PATH];
        copy(&mut buffer, path.as_bytes(), b"").unwrap();
        let (mut all, mut at) = (Vec::new(), 0);
        while let Some((name, next)) = component(&mut buffer, at) {
            all.push((name.to_str().unwrap().to_owned(), next.is_some()));
            let Some(next) = next else { break };
            at = next;
        }
        all
    }

    #[test]
    fn a_path_is_taken_apart_whatever_its_slashes() {
        let part = |name: &str, more| (name.to_owned(), more);
        assert_eq!(parts("/usr/lib"), [part("usr", true), part("lib", false)]);
        assert_eq!(parts("//usr///lib"), [part("usr", true), part("lib", false)]);
        assert_eq!(parts("a/"), [part("a", true)]);
        assert_eq!(parts("/"), []);
        assert_eq!(parts(""), []);
        assert_eq!(parts("../x"), [part("..", true), part("x", false)]);
    }

    #[test]
    fn what_is_above_a_place_is_its_path_without_its_name() {
        let mut buffer = [0; PATH];
        assert_eq!(split(c"var/lib/x", &mut buffer), Ok((c"var/lib", c"x")));
        assert_eq!(split(c"x", &mut buffer), Ok((c".", c"x")));
        assert_eq!(split(c"/x", &mut buffer), Ok((c"/", c"x")));
    }

    #[test]
    fn a_short_room_is_taken_only_for_what_fits() {
        let fit = [b'x'; SHORT - 3];
        assert!(fits(&fit) && !fits(&[b'x'; SHORT - 2]));
        assert_eq!(copy(&mut [0; SHORT], &fit, b""), Ok(()));
    }

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        let mut buffer = [0; PATH];
        assert_eq!(copy(&mut buffer, &[b'x'; PATH], b""), Err(libc::ENAMETOOLONG));
        assert_eq!(copy(&mut buffer, &[b'x'; PATH - 3], b"y"), Ok(()));
        assert_eq!(copy(&mut buffer, &[b'x'; PATH - 2], b"y"), Err(libc::ENAMETOOLONG));
    }
}
