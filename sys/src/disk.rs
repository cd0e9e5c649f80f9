//! File systems: how large they are, and that they are written.

use std::fs::File;
use std::io;
use std::path::Path;

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

#[cfg(test)]
mod tests {
    #[test]
    fn the_root_has_a_size_and_nowhere_has_none() {
        assert!(super::size("/".as_ref()).unwrap() > 1 << 20);
        assert!(super::size("/nowhere".as_ref()).is_err());
    }
}
