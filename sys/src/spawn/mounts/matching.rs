//! Names of a directory that begin in some way: what `video*` stands for at this start.
//!
//! Runs in a child that shares our memory: the buffer is on its stack, and nothing is kept. Entries are read
//! as the kernel writes them (`struct linux_dirent64`); one that is cut off ends the reading.

#![expect(unsafe_code, reason = "between clone and exec there are only system calls")]

use std::ffi::CStr;

use super::super::bare::{self, Fd, PATH};

/// Bytes of entries that are read at once.
const ROOM: usize = 4096;

/// Where the name of an entry begins, after its number, its offset, its length and its kind.
const NAME: usize = 19;

/// The directory and how its names begin, if `path` ends with a `*`. The directory is empty for a name
/// alone.
pub(in super::super) fn pattern(path: &CStr) -> Option<(&[u8], &[u8])> {
    let begins = path.to_bytes().strip_suffix(b"*")?;
    let slash = begins.iter().rposition(|byte| *byte == b'/');
    Some(slash.map_or((&[][..], begins), |at| {
        let name = begins.get(at + 1..).unwrap_or_default();
        (begins.get(..at).unwrap_or_default(), name)
    }))
}

/// Calls `each` with the names in `directory` that begin so, in no order.
///
/// # Errors
/// The errno of reading the directory, or what `each` gives.
#[inline(never)]
pub(in super::super) fn names(
    directory: &Fd,
    begins: &[u8],
    each: &mut dyn FnMut(&CStr) -> Result<(), i32>,
) -> Result<(), i32> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: a C string that outlives the call.
    let open = unsafe { libc::syscall(libc::SYS_openat, directory.number(), c".".as_ptr(), flags) };
    let open = bare::fd(open)?;
    let mut room = [0_u8; ROOM];
    loop {
        // SAFETY: a buffer with its length that outlives the call.
        let read = bare::result(unsafe {
            libc::syscall(libc::SYS_getdents64, open.number(), room.as_mut_ptr(), ROOM)
        })?;
        let read = usize::try_from(read).unwrap_or(0);
        if read == 0 {
            return Ok(());
        }
        let mut rest = room.get(..read).unwrap_or_default();
        while let Some((name, after)) = entry(rest) {
            if name.to_bytes().starts_with(begins) {
                each(name)?;
            }
            rest = after;
        }
    }
}

/// The name of the first entry, and those after it.
fn entry(entries: &[u8]) -> Option<(&CStr, &[u8])> {
    let length = usize::from(u16::from_ne_bytes([*entries.get(16)?, *entries.get(17)?]));
    let name = CStr::from_bytes_until_nul(entries.get(NAME..length)?).ok()?;
    Some((name, entries.get(length..)?))
}

/// A path of a directory and a name, in `room`.
pub(in super::super) fn join<'r>(
    directory: &[u8],
    name: &CStr,
    room: &'r mut [u8; PATH],
) -> Result<&'r CStr, i32> {
    let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
    let parts = directory.iter().chain(slash).chain(name.to_bytes_with_nul());
    for (at, byte) in parts.enumerate() {
        *room.get_mut(at).ok_or(libc::ENAMETOOLONG)? = *byte;
    }
    CStr::from_bytes_until_nul(room).map_err(|_| libc::ENAMETOOLONG)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ffi::CString;
    use std::fs;

    use super::*;

    #[test]
    fn a_star_at_the_end_makes_a_pattern_and_a_name_without_it_none() {
        assert_eq!(pattern(c"video*"), Some((&b""[..], &b"video"[..])));
        assert_eq!(pattern(c"input/event*"), Some((&b"input"[..], &b"event"[..])));
        assert_eq!(pattern(c"/dev/snd/x*"), Some((&b"/dev/snd"[..], &b"x"[..])));
        assert_eq!(pattern(c"snd"), None);
    }

    #[test]
    fn a_directory_and_a_name_are_a_path_unless_it_is_too_long() {
        let mut room = [0; PATH];
        assert_eq!(join(b"", c"video0", &mut room), Ok(c"video0"));
        assert_eq!(join(b"input", c"event1", &mut room), Ok(c"input/event1"));
        assert_eq!(join(&[b'a'; PATH], c"b", &mut room), Err(libc::ENAMETOOLONG));
    }

    #[test]
    fn every_name_that_begins_so_is_found_in_a_directory_of_any_size() {
        let place = std::env::temp_dir().join(format!("matching-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let all: BTreeSet<String> =
            (0..400).map(|n| format!("video-with-a-long-name-{n}")).collect();
        all.iter().chain([&"audio0".to_owned()]).for_each(|name| {
            fs::write(place.join(name), "").unwrap();
        });
        let path = CString::new(place.to_str().unwrap()).unwrap();
        let directory = bare::open(libc::AT_FDCWD, &path, bare::resolve::LINKS).unwrap();
        let mut found = BTreeSet::new();
        let mut keep = |name: &CStr| {
            found.insert(name.to_str().unwrap().to_owned());
            Ok(())
        };
        names(&directory, b"video", &mut keep).unwrap();
        assert_eq!(names(&directory, b"audio", &mut |_| Err(7)), Err(7));
        fs::remove_dir_all(place).unwrap();
        assert_eq!(found, all);
    }

    #[test]
    fn what_the_kernel_never_writes_ends_the_reading() {
        assert_eq!(entry(&[]), None);
        assert_eq!(entry(&[0; 24]), None);
        assert_eq!(entry(&[255; 24]), None);
    }
}
