//! File systems: how large they are, and that they are written.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::statvfs;

/// Bytes of the file system this path is on, used and free ones.
///
/// # Errors
/// `ENOENT`, `EACCES`: the path. `EIO`: the disk; trying again will not help.
pub fn size(path: &Path) -> io::Result<u64> {
    let stat = statvfs::statvfs(path)?;
    Ok(stat.blocks().saturating_mul(stat.fragment_size()))
}

/// Bytes that an ordinary user may still write where this path is.
///
/// # Errors
/// As [`size`].
pub fn free(path: &Path) -> io::Result<u64> {
    let stat = statvfs::statvfs(path)?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

/// Everything of the file system that `file` is on is on the disk.
///
/// # Errors
/// `EIO`, `ENOSPC`, `EDQUOT`: something could not be written.
pub fn sync(file: &File) -> io::Result<()> {
    Ok(nix::unistd::syncfs(file)?)
}

/// Two paths change places, at once: nobody ever sees one of them missing.
///
/// # Errors
/// `ENOENT`: one is. `EINVAL`: the file system can't.
pub fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    Ok(renameat2(AT_FDCWD, a, AT_FDCWD, b, RenameFlags::RENAME_EXCHANGE)?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_files_change_places() {
        let at = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| at.path().join(name));
        std::fs::write(&a, "1").unwrap();
        assert!(super::exchange(&a, &b).is_err());
        std::fs::write(&b, "2").unwrap();
        super::exchange(&a, &b).unwrap();
        assert_eq!([a, b].map(|file| std::fs::read(file).unwrap()), [b"2", b"1"]);
    }

    #[test]
    fn the_root_has_a_size_and_nowhere_has_none() {
        assert!(super::size("/".as_ref()).unwrap() > 1 << 20);
        assert!(super::size("/nowhere".as_ref()).is_err());
    }
}
