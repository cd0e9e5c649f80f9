//! The writers against other readers of the same formats: the checkers and tools of the host, and
//! a small EROFS reader of our own.
//!
//! Needs erofs-utils, e2fsprogs, dosfstools, mtools, fdisk, cpio and tar; a test whose program is
//! missing fails and names it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod archives;
mod bundles;
mod disks;
mod erofs;
mod erofs_reader;
mod trees;

use std::ffi::OsStr;
use std::process::{Command, Output};

/// Runs a program and gives what it printed; it must succeed.
fn run<S: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = S>) -> String {
    let output = output(program, args);
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{program}: {}\n{text}", output.status);
    text
}

fn output<S: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = S>) -> Output {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    match Command::new(program).args(args).env("PATH", path).env("LC_ALL", "C").output() {
        Ok(output) => output,
        Err(e) => panic!("this test needs the program {program}: {e}: install its package"),
    }
}
