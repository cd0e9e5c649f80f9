//! The daemon that all managers start in benchmarks: a few system calls, so that what a manager costs is seen.
//!
//! A program with a C library or Rust's standard one takes three times as long to begin as the kernel takes to
//! start this one, the same for every manager. It is C without a library (`daemon.c`); `cc` is there
//! wherever Rust links.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::tree::Content;

/// Where guests have it.
pub const PATH: &str = "bench/daemon";

/// What it is.
const SOURCE: &str = include_str!("bench_daemon/daemon.c");

/// No library, no tables for what it does not do, all in one piece that is read and executed.
const FLAGS: [&str; 16] = [
    "-xc",
    "-Os",
    "-static",
    "-nostdlib",
    "-ffreestanding",
    "-fno-pic",
    "-no-pie",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fcf-protection=none",
    "-s",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wl,--build-id=none,-z,noseparate-code,-z,noexecstack",
    "-",
];

/// Compiles it; `directory` is for what the compiler writes.
///
/// # Errors
/// There is no `cc`, or it fails.
pub fn compile(directory: &Path) -> Result<Content> {
    fs::create_dir_all(directory)
        .with_context(|| format!("making the directory {}", directory.display()))?;
    let program = directory.join("daemon");
    let mut command = Command::new("cc");
    command.args(FLAGS).arg("-o").arg(&program).stdin(Stdio::piped());
    let mut cc = command.spawn().context("starting cc: is it installed, and in PATH?")?;
    cc.stdin.take().context("the input of cc")?.write_all(SOURCE.as_bytes())?;
    ensure!(cc.wait()?.success(), "cc could not compile the daemon of the benchmarks");
    let bytes = fs::read(&program).with_context(|| format!("reading {}", program.display()))?;
    Ok(Content::from(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Child;
    use std::time::Duration;

    use super::*;

    fn compiled(directory: &Path) -> Command {
        compile(directory).unwrap();
        Command::new(directory.join("daemon"))
    }

    fn ended_by(mut daemon: Child) -> Option<i32> {
        sys::process::signal(daemon.id(), 15).unwrap();
        daemon.wait().unwrap().signal()
    }

    #[test]
    fn it_says_that_it_is_ready_and_waits_for_a_signal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut daemon = compiled(directory.path());
        let daemon = daemon.env_clear().env("A", "B").env("NOTIFY_SOCKET", &path).spawn().unwrap();
        let mut said = [0; 64];
        let n = socket.recv(&mut said).unwrap();
        assert_eq!(&said[..n], b"READY=1");
        assert_eq!(ended_by(daemon), Some(15));
    }

    #[test]
    fn it_is_small_and_waits_too_where_nobody_wants_to_know() {
        let directory = tempfile::tempdir().unwrap();
        let daemon = compiled(directory.path()).env_clear().spawn().unwrap();
        assert_eq!(ended_by(daemon), Some(15));
        assert!(fs::metadata(directory.path().join("daemon")).unwrap().len() < 4096);
    }

    #[test]
    fn it_fails_where_nobody_listens() {
        let directory = tempfile::tempdir().unwrap();
        let mut daemon = compiled(directory.path());
        let status = daemon.env("NOTIFY_SOCKET", directory.path().join("none")).status().unwrap();
        assert_eq!(status.code(), Some(3));
    }
}
