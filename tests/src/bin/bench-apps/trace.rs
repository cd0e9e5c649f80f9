//! What the kernel sees of a start: each system call of everybody, and who runs, with virtual nanoseconds.
//!
//! Lines of the kernel go to the console as they are, each with `trace: ` and the name of the start in front. The
//! kernel takes about a microsecond for each.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use sys::mount::{Flags, mount};

use crate::tell;

/// Where the kernel is told what to trace.
const TRACING: &str = "/sys/kernel/tracing";

/// What is traced.
const EVENTS: [&str; 3] = ["raw_syscalls/sys_enter", "raw_syscalls/sys_exit", "sched/sched_switch"];

/// KiB that are traced: a start is some thousand lines.
const SIZE: &str = "8192";

pub(crate) fn prepare() -> io::Result<()> {
    let at = Path::new(TRACING);
    if !at.join("trace").exists() {
        mount("tracefs", at, "tracefs", Flags::default(), "")?;
    }
    set("tracing_on", "0")?;
    set("trace_clock", "mono")?;
    set("buffer_size_kb", SIZE)?;
    EVENTS.iter().try_for_each(|event| set(&format!("events/{event}/enable"), "1"))
}

/// Does something, and tells what the kernel saw of it.
pub(crate) fn of<T>(name: &str, what: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    set("trace", "")?;
    set("tracing_on", "1")?;
    let done = what();
    set("tracing_on", "0")?;
    for line in BufReader::new(File::open(Path::new(TRACING).join("trace"))?).lines() {
        let line = line?;
        if !line.starts_with('#') {
            tell(&format!("trace: {name} {}", line.trim()));
        }
    }
    done
}

fn set(file: &str, value: &str) -> io::Result<()> {
    let path = Path::new(TRACING).join(file);
    fs::write(&path, value)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}
