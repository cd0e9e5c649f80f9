//! The top of the control group tree.
//!
//! ```text
//! /sys/fs/cgroup            every controller enabled for what is below
//! ├─ system                 PID 1 and servicemgr
//! └─ services               every controller enabled for what is below; NAME: one service (servicemgr's)
//! ```
//!
//! A container may have fewer controllers or none: what is there is used.

use std::fs;
use std::io;
use std::path::Path;

use crate::say::Voice;

/// Where the tree is mounted.
pub const ROOT: &str = "/sys/fs/cgroup";

/// Makes the two groups, moves this process into its own, enables the controllers.
///
/// # Errors
/// `ENOENT`: this is no cgroup2 tree. `EACCES`, `EROFS`: not ours to change.
pub fn set_up(root: &Path, voice: &Voice) -> io::Result<()> {
    let controllers = fs::read_to_string(root.join("cgroup.controllers"))?;
    for group in ["system", "services"] {
        match fs::create_dir(root.join(group)) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
    }
    // Before enabling: a group other than the real root cannot have both processes and controllers.
    fs::write(root.join("system/cgroup.procs"), "0")?;
    let mut refused = Vec::new();
    for controller in controllers.split_whitespace() {
        for group in [root, &root.join("services")] {
            let file = group.join("cgroup.subtree_control");
            if let Err(e) = fs::write(file, format!("+{controller}")) {
                refused.push(format!("{controller} ({e})"));
                break;
            }
        }
    }
    if !refused.is_empty() {
        voice.note(format_args!("limits that will not work here: {}", refused.join(", ")));
    }
    Ok(())
}
