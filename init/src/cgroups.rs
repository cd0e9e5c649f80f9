//! The top of the control group tree.
//!
//! ```text
//! /sys/fs/cgroup            PID 1 and servicemgr; the controllers of limits enabled for what is below
//! ├─ system                 PID 1 and servicemgr where the kernel does not want them above: containers
//! └─ services               NAME: one service (servicemgr's, which enables what its limits need)
//! ```
//!
//! A container may have fewer controllers or none: what is there is used.
//!
//! To move a process, or to enable a controller for a group that has one, the kernel waits until no
//! processor looks at the old state: some ten milliseconds. So PID 1 stays where it is unless the
//! kernel forbids it, and all that is enabled is enabled in one write while the groups are empty.

use std::fs;
use std::io;
use std::path::Path;

use crate::say::Voice;

/// Where the tree is mounted.
pub const ROOT: &str = "/sys/fs/cgroup";

/// Our own group in a container.
const SYSTEM: &str = "system";

/// The group of all services.
const SERVICES: &str = "services";

/// How many tasks are in the groups of all services.
pub const TASKS: &str = "/sys/fs/cgroup/services/pids.current";

/// The controllers behind the limits of services. Each one costs every group memory and time, so
/// those that no limit needs stay off.
const CONTROLLERS: [&str; 4] = ["cpu", "io", "memory", "pids"];

/// Makes the groups and enables the controllers.
///
/// # Errors
/// `ENOENT`: this is no cgroup2 tree. `EACCES`, `EROFS`: not ours to change.
pub fn set_up(root: &Path, voice: &Voice) -> io::Result<()> {
    let there = fs::read_to_string(root.join("cgroup.controllers"))?;
    group(&root.join(SERVICES))?;
    // Before enabling: a group other than the real root cannot have both processes and controllers.
    if !is_real_root(root) {
        let system = root.join(SYSTEM);
        group(&system)?;
        fs::write(system.join("cgroup.procs"), "0")?;
    }
    let there: Vec<&str> = there.split_whitespace().filter(|c| CONTROLLERS.contains(c)).collect();
    let refused = enable(root, &there);
    if !refused.is_empty() {
        voice.note(format_args!("limits that will not work here: {}", refused.join(", ")));
    }
    Ok(())
}

fn group(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Only the root of the whole tree has no events: nobody is above it.
fn is_real_root(root: &Path) -> bool {
    !root.join("cgroup.events").exists()
}

/// Gives those that were refused, with why.
fn enable(group: &Path, controllers: &[&str]) -> Vec<String> {
    let file = group.join("cgroup.subtree_control");
    let plus = |controller: &&str| format!("+{controller}");
    let all: Vec<String> = controllers.iter().map(plus).collect();
    if all.is_empty() || fs::write(&file, all.join(" ")).is_ok() {
        return Vec::new();
    }
    let refused = |controller: &&str| {
        let e = fs::write(&file, plus(controller)).err()?;
        Some(format!("{controller} ({e})"))
    };
    controllers.iter().filter_map(refused).collect()
}
