//! Randomness kept from one boot to the next.
//!
//! Invariant: a seed is used once. It is gone from the disk before the kernel counts it, so a
//! power cut in between costs one seed and never repeats one. A first boot has none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sys::random::MAX_SEED;

/// Where it is kept.
pub const FILE: &str = "/var/lib/ensemble/random-seed";

/// Uses the seed up and leaves a new one.
///
/// # Errors
/// Those of the file system; `EPERM` where the pool is not ours.
pub fn load(file: &Path) -> io::Result<()> {
    if let Some(seed) = take(file)? {
        sys::random::credit(&seed)?;
    }
    match save(file) {
        // Early on a first boot the kernel has none to give; there will be one at the end.
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
        other => other,
    }
}

/// Reads the seed and removes it for good. One that is too short is not counted.
fn take(file: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut seed = Vec::new();
    match File::open(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    }
    .take(u64::try_from(MAX_SEED).unwrap_or(u64::MAX))
    .read_to_end(&mut seed)?;
    fs::remove_file(file)?;
    sync_directory(file)?;
    Ok((seed.len() == MAX_SEED).then_some(seed))
}

/// Leaves a new seed for the next boot.
///
/// # Errors
/// Those of the file system. [`io::ErrorKind::WouldBlock`]: the pool is not ready.
pub fn save(file: &Path) -> io::Result<()> {
    let mut seed = [0; MAX_SEED];
    sys::random::fill(&mut seed)?;
    let new = file.with_extension("new");
    let mut out =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    out.write_all(&seed)?;
    out.sync_all()?;
    fs::rename(&new, file)?;
    sync_directory(file)
}

fn sync_directory(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_taken_once_and_a_torn_one_is_not_counted() {
        let directory = std::env::temp_dir().join(format!("seed-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("random-seed");
        assert_eq!(take(&file).unwrap(), None, "a first boot");
        save(&file).unwrap();
        assert_eq!(take(&file).unwrap().map(|seed| seed.len()), Some(MAX_SEED));
        assert_eq!(take(&file).unwrap(), None);
        fs::write(&file, b"torn").unwrap();
        assert_eq!(take(&file).unwrap(), None);
        assert!(!file.exists());
        fs::remove_dir_all(directory).unwrap();
    }
}
