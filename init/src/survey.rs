//! Looks around before the first boot task.

use std::io;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sys::mount::Mounted;

use crate::perform;
use crate::phases::{Facts, PROC};

/// What the kernel calls its own pid namespace (`PROC_PID_INIT_INO`).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Mounts `/proc` if need be, then looks.
///
/// # Errors
/// There is no `/proc` to be had. Then hardly anything works; the facts are those of a machine.
pub fn survey() -> (Facts, io::Result<()>) {
    let proc = if Path::new("/proc/self").exists() { Ok(()) } else { perform::mounted(&PROC) };
    let mounted = sys::mount::table().unwrap_or_default();
    let facts = Facts {
        container: is_container(),
        etc_read_only: read_only("/etc"),
        var_read_only: read_only("/var"),
        mounted: mounted.into_iter().map(place).collect(),
    };
    (facts, proc)
}

/// Somebody says so, or we are the first process of a pid namespace that is not the kernel's own.
fn is_container() -> bool {
    env::var_os("container").is_some_and(|value| !value.is_empty())
        || fs::read_link("/proc/self/ns/pid")
            .is_ok_and(|name| name != Path::new(FIRST_PID_NAMESPACE))
}

fn read_only(path: &str) -> bool {
    sys::mount::is_read_only(Path::new(path)).unwrap_or(false)
}

fn place(mounted: Mounted) -> (PathBuf, String) {
    (mounted.at, mounted.kind)
}
