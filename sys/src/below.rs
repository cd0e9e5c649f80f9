//! Files below a directory that somebody else made: nothing leads out of it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

/// The regular file at `path` below `directory`, open for reading. No link is followed, no other file system's
/// secrets are named (`/proc/self/…`), and a pipe is not waited for.
///
/// # Errors
/// - `ENOENT`: there is none. `ELOOP`: a link is on the way.
/// - `EXDEV`: it leads out of the directory.
/// - [`io::ErrorKind::InvalidInput`]: it is no regular file.
/// - `ENOSYS`: the kernel is older than 5.6, or a sandbox does not know the call.
pub fn open(directory: impl AsFd, path: &Path) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let inside = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(flags).resolve(inside);
    let file = File::from(openat2(directory.as_fd(), path, how)?);
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::create_dir(path.join("in")).unwrap();
        std::fs::write(path.join("in/file"), "x").unwrap();
        std::os::unix::fs::symlink("/etc", path.join("out")).unwrap();
        std::os::unix::fs::symlink("file", path.join("in/link")).unwrap();
        let opened = File::open(path).unwrap();
        let open = |path: &str| open(&opened, Path::new(path));
        assert!(open("in/file").is_ok());
        for path in ["in", "in/link", "out/passwd", "/etc/passwd", "../x", "in/../../x", "in/none"]
        {
            assert!(open(path).is_err(), "{path}");
        }
    }
}
