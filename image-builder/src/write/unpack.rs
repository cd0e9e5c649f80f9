//! A tree as a real directory: the root of a container.
//!
//! ```text
//! DIR.partial ──entries, then modes of directories──► DIR     (an old DIR ──► DIR.old ──► gone)
//! ```
//!
//! Every name is made new inside `DIR.partial`, and a tree never has a path through a link, so
//! nothing outside it is touched. What this user may not do (owners, device nodes) is not an
//! error but part of the [`Report`].

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::Time;
use super::partial::beside;
use super::source::Source;
use crate::tree::{Entry, Kind, Node, Tree};

/// What could not be made as the tree says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Paths that belong to the caller, with the user and group they should belong to.
    pub owners: Vec<(String, u32, u32)>,
    /// Device nodes, which are never made: containers get theirs from the runner.
    pub devices: Vec<String>,
}

/// Makes the directory `dir` from `tree`, in place of an old one.
///
/// # Errors
/// A content cannot be read, the file system is full or refuses a name.
pub fn to_directory(tree: &Tree, time: Time, dir: &Path) -> Result<Report> {
    let partial = beside(dir, ".partial");
    let old = beside(dir, ".old");
    remove(&partial)?;
    remove(&old)?;
    let made = make(tree, time, &partial)
        .with_context(|| format!("cannot unpack into {}", partial.display()));
    let report = match made {
        Ok(report) => report,
        Err(e) => {
            drop(remove(&partial)); // the reason counts; the next call removes it too
            return Err(e);
        }
    };
    match fs::rename(dir, &old) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            return Err(e).with_context(|| format!("cannot replace {}", dir.display()));
        }
        _ => {}
    }
    fs::rename(&partial, dir).with_context(|| format!("cannot name {}", dir.display()))?;
    remove(&old)?;
    Ok(report)
}

fn make(tree: &Tree, time: Time, root: &Path) -> Result<Report> {
    let entries = tree.entries()?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(time));
    let mut source = Source::new();
    let mut report = Report::default();
    for (i, entry) in entries.iter().enumerate() {
        let path = root.join(entry.path);
        let failed = || format!("cannot make {}", entry.path);
        if entry.first != i {
            let first = root.join(entries[entry.first].path);
            fs::hard_link(first, path).with_context(failed)?;
            continue;
        }
        make_entry(&mut source, entry, &path, time, &mut report).with_context(failed)?;
    }
    // Last, children first: a read-only directory takes no more entries, and each one changes
    // its time.
    for entry in entries.iter().rev().filter(|e| matches!(e.node.kind, Kind::Directory)) {
        let path = root.join(entry.path);
        let set = |file: File| -> io::Result<()> {
            file.set_modified(time)?;
            file.set_permissions(Permissions::from_mode(u32::from(entry.node.mode)))
        };
        File::open(&path).and_then(set).with_context(|| format!("cannot finish {}", entry.path))?;
    }
    Ok(report)
}

fn make_entry(
    source: &mut Source,
    entry: &Entry<'_>,
    path: &Path,
    time: SystemTime,
    report: &mut Report,
) -> Result<()> {
    let node = entry.node;
    match &node.kind {
        Kind::Directory => {
            fs::create_dir(path)?;
            // The caller can fill it, whatever its mode and the umask say.
            fs::set_permissions(path, Permissions::from_mode(0o700))?;
            own(entry.path, node, path, report)
        }
        Kind::File(content) => {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            source.copy(content, 0, content.len(), &mut file)?;
            own(entry.path, node, path, report)?;
            // After the owner: changing it takes set-id bits away.
            file.set_permissions(Permissions::from_mode(u32::from(node.mode)))?;
            Ok(file.set_modified(time)?)
        }
        Kind::Symlink(to) => {
            symlink(to, path)?;
            own(entry.path, node, path, report)
        }
        Kind::Device { .. } | Kind::Hardlink(_) => {
            report.devices.push(entry.path.to_owned());
            Ok(())
        }
    }
}

/// Gives `path` its owner, or reports that the caller may not.
fn own(name: &str, node: &Node, path: &Path, report: &mut Report) -> Result<()> {
    match lchown(path, Some(node.uid), Some(node.gid)) {
        // EINVAL: an id that this user namespace does not have.
        Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => {
            report.owners.push((name.to_owned(), node.uid, node.gid));
            Ok(())
        }
        other => Ok(other?),
    }
}

/// Takes a directory away, if it is there. Its directories may be read-only.
fn remove(dir: &Path) -> Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    };
    let removed = gone(fs::remove_dir_all(dir)).or_else(|_| {
        make_writable(dir)?;
        gone(fs::remove_dir_all(dir))
    });
    removed.with_context(|| format!("cannot remove {}", dir.display()))
}

/// Lets the caller delete what is in `dir` and below. Follows no links.
fn make_writable(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}
