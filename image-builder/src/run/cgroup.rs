//! A cgroup of the host for one container, where the host lets us make one.
//!
//! Named after the runner's process, so that one left behind by a runner that was killed is known
//! for what it is and removed by the next.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sys::mount::Mounted;

/// Start of the name of our cgroups; the runner's process id and a number follow.
const PREFIX: &str = "ensemble-";

/// How many this process has made: several containers run at the same time.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// How often, and how long each time, we wait for killed processes to be gone from a cgroup.
const TRIES: u32 = 100;
const WAIT: Duration = Duration::from_millis(10);

/// Deepest nesting that is removed.
const MAX_DEPTH: u32 = 32;

/// A cgroup that is removed when dropped.
#[derive(Debug)]
pub struct Group(PathBuf);

impl Group {
    /// Makes one below our own cgroup; `None` where there is no cgroup2 or it is not ours to use.
    #[must_use]
    pub fn create() -> Option<Self> {
        let parent =
            own(&sys::mount::table().ok()?, &fs::read_to_string("/proc/self/cgroup").ok()?)?;
        sweep(&parent);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&path).ok()?;
        Some(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..TRIES {
            if remove(&self.0, MAX_DEPTH).is_ok() {
                return;
            }
            nap();
        }
    }
}

/// Our own cgroup2 as a path.
fn own(table: &[Mounted], membership: &str) -> Option<PathBuf> {
    let mounted = table.iter().find(|m| m.kind == "cgroup2" && !m.read_only)?;
    let path = membership.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(mounted.at.join(path))
}

/// Removes what runners that were killed left behind.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid =
            name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        if pid.is_some_and(|pid| !sys::process::exists(pid)) {
            // Not empty yet, or not ours: the next runner tries again.
            let _later = remove(&entry.path(), MAX_DEPTH);
        }
    }
}

fn remove(group: &Path, depth: u32) -> io::Result<()> {
    if depth > 0 {
        for entry in fs::read_dir(group)?.flatten() {
            if entry.file_type()?.is_dir() {
                remove(&entry.path(), depth - 1)?;
            }
        }
    }
    fs::remove_dir(group)
}

#[expect(clippy::disallowed_methods, reason = "the kernel tells nobody when a cgroup is empty")]
fn nap() {
    thread::sleep(WAIT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_cgroup_is_found_below_the_mount_also_beside_version_1() {
        let table = sys::mount::parse(
            "30 1 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
             31 1 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        );
        let own = own(&table, "3:cpu:/x\n0::/user.slice/a.scope\n");
        assert_eq!(own, Some("/sys/fs/cgroup/unified/user.slice/a.scope".into()));
    }

    #[test]
    fn without_a_writable_cgroup2_there_is_none() {
        let read_only = sys::mount::parse("31 1 0:27 / /sys/fs/cgroup ro - cgroup2 cgroup2 ro\n");
        assert_eq!(own(&read_only, "0::/\n"), None);
        assert_eq!(own(&[], "0::/\n"), None);
    }
}
