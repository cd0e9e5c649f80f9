//! Files that only one service sees: made before it starts, gone when it is.
//!
//! ```text
//! /run/ensemble/credentials/NAME/     0500, the service's user      $CREDENTIALS_DIRECTORY
//!                                FILE 0400, the service's user
//! ```
//!
//! Invariant: until all files are there, only root can look into the directory.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::Path;

use model::service::{Credential, CredentialSource};

/// Longest file that is read for a service, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Makes the directory `place` with these files, for a user and a group. What was there is replaced.
///
/// # Errors
/// Which one, and why not.
pub(super) fn make(place: &Path, all: &[Credential], uid: u32, gid: u32) -> Result<(), String> {
    let made = |e: io::Error| format!("credentials in {}: {e}", place.display());
    remove(place).map_err(made)?;
    let mut only_root = fs::DirBuilder::new();
    if let Some(above) = place.parent() {
        fs::create_dir_all(above).map_err(made)?;
    }
    only_root.mode(0o700).create(place).map_err(made)?;
    for credential in all {
        let bytes = content(&credential.source).map_err(|why| {
            let name = &credential.name;
            match &credential.source {
                CredentialSource::Path(path) => format!("credential {name}: {path}: {why}"),
                CredentialSource::Text(_) => format!("credential {name}: {why}"),
            }
        })?;
        // The name is one part of a path: the TOML is checked for that, and so is this.
        let name = Path::new(&credential.name);
        if name.components().count() != 1 || name.file_name() != Some(name.as_os_str()) {
            return Err(format!("credential {:?}: not the name of a file", credential.name));
        }
        write(&place.join(name), &bytes, uid, gid).map_err(made)?;
    }
    fs::set_permissions(place, Permissions::from_mode(0o500)).map_err(made)?;
    if (uid, gid) != (0, 0) {
        chown(place, Some(uid), Some(gid)).map_err(made)?;
    }
    Ok(())
}

/// Removes the directory and all in it. That there is none is fine.
///
/// # Errors
/// `EBUSY`: something is mounted in it.
pub(super) fn remove(place: &Path) -> io::Result<()> {
    match fs::remove_dir_all(place) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn content(source: &CredentialSource) -> io::Result<Vec<u8>> {
    match source {
        CredentialSource::Text(text) => Ok(text.clone().into_bytes()),
        CredentialSource::Path(path) => {
            sys::regular::read(Path::new(path), MAX_FILE, true).map(|(_, bytes)| bytes)
        }
    }
}

fn write(path: &Path, bytes: &[u8], uid: u32, gid: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(path)?;
    file.write_all(bytes)?;
    if (uid, gid) != (0, 0) {
        fchown(&file, Some(uid), Some(gid))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, text: &str) -> Credential {
        Credential { name: name.into(), source: CredentialSource::Text(text.into()) }
    }

    fn path(name: &str, path: &Path) -> Credential {
        let source = CredentialSource::Path(path.display().to_string());
        Credential { name: name.into(), source }
    }

    #[test]
    fn only_its_user_reads_them_and_a_second_start_makes_them_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (place, secret) = (directory.path().join("c/web"), directory.path().join("secret"));
        fs::write(&secret, "s3cret").unwrap();
        let (uid, gid) = (sys::process::user(), sys::process::group());
        make(&place, &[text("old", "x")], uid, gid).unwrap();
        make(&place, &[text("port", "80"), path("key", &secret)], uid, gid).unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&place), mode(&place.join("key"))), (0o500, 0o400));
        assert_eq!(fs::read_to_string(place.join("key")).unwrap(), "s3cret");
        assert!(!place.join("old").exists());
        remove(&place).unwrap();
        remove(&place).unwrap();
        assert!(!place.exists());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("web");
        let fails = |c: Credential| make(&place, &[c], 0, 0).unwrap_err();
        assert_eq!(
            fails(path("key", Path::new("/nowhere"))),
            "credential key: /nowhere: No such file or directory (os error 2)"
        );
        assert_eq!(
            fails(path("key", Path::new("/dev/null"))),
            "credential key: /dev/null: not a regular file"
        );
        assert_eq!(fails(text("../x", "")), "credential \"../x\": not the name of a file");
    }
}
