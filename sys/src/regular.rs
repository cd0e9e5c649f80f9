//! Small regular files read whole, and directories, from paths where anything may lie.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file at `path`, if it is a regular one of at most `most` bytes. A pipe or a device that lies
/// there is not waited for. `follow`: a link in its place is followed.
///
/// # Errors
/// - `ENOENT`, `EACCES`: there is none that we may read. `ELOOP`: a link, not followed.
/// - [`io::ErrorKind::InvalidInput`]: it is no regular file.
/// - [`io::ErrorKind::FileTooLarge`]: it is longer.
pub fn read(path: &Path, most: u64, follow: bool) -> io::Result<(Metadata, Vec<u8>)> {
    let (file, about) = regular(path, follow)?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
        let why = format!("longer than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok((about, bytes))
}

/// The regular file at `path`, which is no link, open for reading.
///
/// # Errors
/// As [`read`].
pub fn open(path: &Path) -> io::Result<File> {
    Ok(regular(path, false)?.0)
}

/// The regular file at `path`, or where a link there leads, open for reading.
///
/// # Errors
/// As [`read`].
pub fn reach(path: &Path) -> io::Result<File> {
    Ok(regular(path, true)?.0)
}

fn regular(path: &Path, follow: bool) -> io::Result<(File, Metadata)> {
    let link = if follow { 0 } else { libc::O_NOFOLLOW };
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | link;
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    if about.is_file() {
        return Ok((file, about));
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}

/// How a path is opened so that no link at its end is followed.
pub const NO_LINK: i32 = libc::O_NOFOLLOW;

/// The directory at `path`, which is no link.
///
/// # Errors
/// `ENOENT`, `EACCES`: there is none that we may read. `ENOTDIR`: something else, or a link.
pub fn directory(path: &Path) -> io::Result<File> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_of_that_size_is_read() {
        let directory = std::env::temp_dir().join(format!("regular-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (file, link) = (directory.join("file"), directory.join("link"));
        std::fs::write(&file, "four").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read(&file, 4, false).unwrap().1, b"four");
        assert_eq!(read(&file, 3, false).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(&link, 4, true).unwrap().1, b"four");
        assert!(read(&link, 4, false).is_err());
        assert!(read(&directory, 4, false).is_err());
        assert!(super::directory(&directory).is_ok() && super::directory(&file).is_err());
        let device = read(Path::new("/dev/null"), 4, true).unwrap_err();
        assert_eq!(device.to_string(), "not a regular file");
        assert!(open(&file).is_ok() && open(&link).is_err() && open(&directory).is_err());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
