//! Named pipes.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{fchown, mkfifo};

use super::Access;

/// A FIFO at `path`; one that is there is used, with what waits in it. Missing directories are made
/// (0755). It is open for both directions, so that its reader sees no end when a writer closes it.
///
/// # Errors
/// - `EEXIST`: something that is no FIFO is there.
/// - `EROFS`, `EACCES`, `ENOTDIR`, `ENAMETOOLONG`: none can be made there.
pub fn fifo(path: &Path, access: &Access) -> io::Result<OwnedFd> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    match mkfifo(path, Mode::from_bits_truncate(0o600)) {
        // Opening what is no pipe may do anything.
        Err(Errno::EEXIST) if !fs::symlink_metadata(path)?.file_type().is_fifo() => {
            return Err(Errno::EEXIST.into());
        }
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(e) => return Err(e.into()),
    }
    let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let pipe = File::from(open(path, flags, Mode::empty())?);
    if !pipe.metadata()?.file_type().is_fifo() {
        return Err(Errno::EEXIST.into());
    }
    if let Some((user, group)) = access.owner {
        fchown(&pipe, Some(user.into()), Some(group.into()))?;
    }
    pipe.set_permissions(Permissions::from_mode(access.mode))?;
    Ok(pipe.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn what_is_written_before_and_after_a_reader_is_kept_and_there_is_no_end() {
        let directory = std::env::temp_dir().join(format!("fifo-{}", std::process::id()));
        let path = directory.join("deep/pipe");
        let access = Access { mode: 0o620, owner: None, backlog: 0 };
        let mut pipe = File::from(fifo(&path, &access).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o620);
        for text in [b"one", b"two"] {
            File::options().write(true).open(&path).unwrap().write_all(text).unwrap();
        }
        let mut again = File::from(fifo(&path, &access).unwrap());
        let mut buf = [0; 6];
        pipe.read_exact(&mut buf[..3]).unwrap();
        again.read_exact(&mut buf[3..]).unwrap();
        assert_eq!(&buf, b"onetwo");
        let file = directory.join("file");
        fs::write(&file, "kept").unwrap();
        assert_eq!(fifo(&file, &access).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::remove_dir_all(&directory).unwrap();
    }
}
