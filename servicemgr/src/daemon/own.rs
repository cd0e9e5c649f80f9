//! Services with a user of their own: their numbers and their data.
//!
//! ```text
//! /etc/ensemble/own-users        0644 root      who has which number: see crate::own
//! /var/lib/NAME                  0700 own-NAME  $STATE_DIRECTORY
//! ```
//!
//! Invariant: a number is on the disk before a process or a file has it.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use model::Name;
use model::service::Service;

use crate::own::Table;

/// Longest table that is read: as many lines as there are numbers.
const MAX_TABLE: u64 = 8 << 20;

/// Longest `passwd` or `group` that is looked at.
const MAX_FILE: u64 = 1 << 20;

/// Makes sure that a service with a user of its own has its number and its directory.
///
/// # Errors
/// Why it must not start.
pub(super) fn provide(etc: &Path, service: &Service) -> Result<(), String> {
    let Some(state) = service.state_directory() else { return Ok(()) };
    let state = Path::new(&state);
    let id = number(etc, &service.name, state).map_err(|why| format!("its own user: {why}"))?;
    directory(state, id).map_err(|why| format!("its data in {}: {why}", state.display()))
}

/// The number of a service, which it gets now if it has none yet.
fn number(etc: &Path, name: &Name, state: &Path) -> Result<u32, String> {
    let table = etc.join(sys::passwd::OWN_USERS);
    let failed = |e: io::Error| format!("{}: {e}", table.display());
    let mut text = match limited(&table, MAX_TABLE) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
        Err(e) => return Err(failed(e)),
    };
    let mut known = Table::parse(&text).map_err(|refusal| refusal.to_string())?;
    let mut taken = of_others(etc).map_err(|e| format!("{}: {e}", etc.display()))?;
    let mut before = None;
    if known.of(name).is_none() {
        // Data without a line: the table was lost, or lines of it.
        let owner = |path: &Path| fs::symlink_metadata(path).ok().map(|about| about.uid());
        before = owner(state);
        let beside = state.parent().map(fs::read_dir).transpose().map_err(failed)?;
        let beside = beside.into_iter().flatten().flatten();
        taken.extend(beside.filter_map(|entry| owner(&entry.path())));
    }
    let (id, line) = known.give(name, &taken, before).map_err(|refusal| refusal.to_string())?;
    if let Some(line) = line {
        text += &line;
        keep(&table, &text).map_err(failed)?;
        log::info!("{name} has the user {id} for itself from now on");
    }
    Ok(id)
}

/// Numbers that users and groups of the device have.
fn of_others(etc: &Path) -> io::Result<BTreeSet<u32>> {
    let mut all = BTreeSet::new();
    for file in ["passwd", "group"] {
        let text = match limited(&etc.join(file), MAX_FILE) {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            other => other?,
        };
        let numbers = text.lines().flat_map(|line| line.split(':').skip(2).take(2));
        all.extend(numbers.filter_map(|number| number.parse::<u32>().ok()));
    }
    Ok(all)
}

/// A text that is not longer than this; a longer one is an error, for its end counts as well.
fn limited(path: &Path, most: u64) -> io::Result<String> {
    let (_, bytes) = sys::regular::read(path, most, true)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes it beside and puts it into its place when it is on the disk.
pub(super) fn keep(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(directory)?.sync_all()
}

/// Makes the directory of its data, or looks whether it is the one of this user.
fn directory(path: &Path, id: u32) -> Result<(), String> {
    let failed = |e: io::Error| e.to_string();
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(failed(e)),
        _ => {}
    }
    // Not through a link, and the same one that is looked at is changed.
    let open =
        sys::regular::directory(path).map_err(|e| format!("not a directory of its own: {e}"))?;
    let about = open.metadata().map_err(failed)?;
    if about.uid() != id {
        // Ours, from before the power went, or made by somebody for it: with nothing in it, it is nobody's.
        if about.uid() != 0 || fs::read_dir(path).map_err(failed)?.next().is_some() {
            return Err(format!(
                "it belongs to the user {}, with what is in it; if that is this service's: chown -R {id}:{id}",
                about.uid()
            ));
        }
        fchown(&open, Some(id), Some(id)).map_err(failed)?;
    }
    if about.mode() & 0o7777 != 0o700 {
        open.set_permissions(Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> Name {
        Name::try_from("web".to_owned()).unwrap()
    }

    #[test]
    fn a_number_is_given_once_and_kept_on_the_disk() {
        let place = tempfile::tempdir().unwrap();
        let (etc, lib) = (place.path().join("etc"), place.path().join("lib"));
        fs::create_dir_all(&etc).unwrap();
        fs::create_dir_all(&lib).unwrap();
        fs::write(etc.join("passwd"), "root:x:0:0::/:/bin/sh\nkim:x:30000:30000::/:/bin/sh\n")
            .unwrap();
        let state = lib.join("web");
        assert_eq!(number(&etc, &web(), &state), Ok(30_001));
        assert_eq!(number(&etc, &web(), &state), Ok(30_001));
        let user = sys::passwd::Users::read(&etc).unwrap().find("own-web").unwrap();
        assert_eq!((user.uid, user.gid, user.home.as_str()), (30_001, 30_001, "/var/lib/web"));
        assert!(user.groups.is_empty());
        let table = etc.join(sys::passwd::OWN_USERS);
        let text = fs::read_to_string(&table).unwrap();
        fs::write(&table, text.trim_end()).unwrap();
        let why = number(&etc, &web(), &state).unwrap_err();
        assert!(why.contains("line 1 of /etc/ensemble/own-users is damaged"), "{why}");
    }

    #[test]
    fn a_directory_is_its_own_or_nothing() {
        let place = tempfile::tempdir().unwrap();
        let own = sys::process::user();
        let path = place.path().join("web");
        directory(&path, own).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        directory(&path, own).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        fs::write(path.join("secret"), "").unwrap();
        let why = directory(&path, 30_000).unwrap_err();
        assert!(why.contains("belongs to the user"), "{why}");
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(directory(&link, own).is_err());
    }
}
