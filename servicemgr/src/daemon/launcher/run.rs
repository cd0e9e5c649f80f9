//! What a service may write right below `/run` and is not there yet, made before its sandbox is.
//!
//! `/run` is empty at each boot, and what is not there when a sandbox is made is not in it: without this, a
//! service that makes its own directory there would have to be let write all of `/run`.
//!
//! Only what a list of its profile names, and only right below: who may write a directory further down could
//! put a link there. What is there already stays as it is.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::Path;

use model::service::Service;

/// Where it is made.
pub(super) const RUN: &str = "/run";

/// How the names of files end: that in which a daemon writes its number, whether or not somebody reads it, and
/// what one finds out for all (`resolv.conf`).
const FILES: [&str; 2] = [".pid", ".conf"];

/// Makes the trees of a service: empty directories, and an empty file for each that is called as one; with
/// their owner.
///
/// # Errors
/// What could not be made, and why.
pub(super) fn make(
    run: &Path,
    service: &Service,
    owner: impl FnOnce() -> Result<(u32, u32), String>,
) -> Result<(), String> {
    let trees = service.sandbox.files.write.iter().flatten();
    let missing: Vec<(&str, bool)> = trees
        .filter_map(|tree| {
            let name = tree.strip_prefix(RUN)?.strip_prefix('/')?;
            let direct = !name.is_empty() && !name.contains('/');
            let is_file = FILES.iter().any(|end| name.ends_with(end));
            (direct && run.join(name).symlink_metadata().is_err()).then_some((name, is_file))
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (uid, gid) = owner()?;
    for (name, is_file) in missing {
        let path = run.join(name);
        let made = if is_file { file(&path) } else { DirBuilder::new().mode(0o755).create(&path) };
        let made = match made {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
            made => made.and_then(|()| chown(&path, Some(uid), Some(gid))),
        };
        made.map_err(|e| format!("could not make {}: {e}", path.display()))?;
    }
    Ok(())
}

fn file(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o644).open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use model::Name;

    use super::*;

    #[test]
    fn what_is_named_right_below_run_is_made_once_and_nothing_else() {
        let run = tempfile::tempdir().unwrap();
        let mut service = Service::new(Name::try_from("web").unwrap(), vec!["/bin/web".into()]);
        let list = [
            "/run",
            "/run/web",
            "/run/web.pid",
            "/run/web.conf",
            "/run/a/b",
            "/runner",
            "/var/lib/web",
        ];
        service.sandbox.files.write = Some(list.map(str::to_owned).to_vec());
        let own = || Ok((sys::process::user(), sys::process::group()));
        make(run.path(), &service, own).unwrap();
        let mut names: Vec<_> =
            fs::read_dir(run.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["web", "web.conf", "web.pid"]);
        let is_file = |name| run.path().join(name).is_file();
        assert_eq!(["web", "web.conf", "web.pid"].map(is_file), [false, true, true]);
        // What is there is not looked at again, whosever it is.
        make(run.path(), &service, || Err("nobody asks".into())).unwrap();
    }
}
