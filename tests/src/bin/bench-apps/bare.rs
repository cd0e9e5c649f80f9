//! The program of all apps without any of Ensemble: fork and exec, and its end.
//!
//! ```text
//! in memory since the boot, begun before   /usr/bin/nothing                      beside an app that ran before
//! mounted, and never read                  the bundle of an app, mounted anew    beside an app that starts for the first time
//! ```
//!
//! It is the bundle of an app that nobody starts, and is mounted as ability-manager does.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use sys::clock::monotonic;
use sys::mount::{Flags, mount, unmount};
use sys::spawn::{Launch, Passed, spawn};

use crate::measure::{STARTS, STEP, median};
use crate::{IMAGE, sleep};

/// The program of all apps, on the device too.
const PROGRAM: &str = "/usr/bin/nothing";

/// Where the bundle is mounted.
const COLD: &str = "/run/bench-cold";

/// As a bundle is mounted.
const FLAGS: Flags = Flags { read_only: true, no_dev: true, no_suid: true, no_exec: false };

pub(crate) fn all() -> io::Result<()> {
    let (mut begun, mut ended) = (vec![], vec![]);
    for _ in 0..2 * STARTS {
        sleep(STEP);
        let (b, e) = one(PROGRAM)?;
        begun.push(b);
        ended.push(e);
    }
    median("bare-begun", begun);
    median("bare", ended);
    let (mut first, mut next) = (vec![], vec![]);
    for _ in 0..STARTS {
        sleep(STEP);
        let (f, n) = cold()?;
        first.push(f);
        next.push(n);
    }
    median("bare-cold", first);
    median("bare-mounted", next);
    Ok(())
}

/// The first start of a program that was mounted just now, and the next one.
pub(crate) fn cold() -> io::Result<(Duration, Duration)> {
    let at = Path::new(COLD);
    fs::create_dir_all(at)?;
    let mut bundles = fs::read_dir(IMAGE)?.collect::<io::Result<Vec<_>>>()?;
    bundles.sort_by_key(fs::DirEntry::file_name);
    let last = bundles.pop().ok_or(io::ErrorKind::NotFound)?.path();
    mount(&last.to_string_lossy(), at, "erofs", FLAGS, "")?;
    sleep(STEP);
    let program = format!("{COLD}/nothing");
    let (_, first) = one(&program)?;
    sleep(STEP);
    let (_, next) = one(&program)?;
    // Its output is closed before the kernel lets go of its program.
    sleep(STEP);
    unmount(at)?;
    Ok((first, next))
}

/// Until it has begun, and until it has ended.
fn one(program: &str) -> io::Result<(Duration, Duration)> {
    let c = |text: &str| CString::new(text).map_err(io::Error::other);
    let launch = Launch {
        program: c(program)?,
        arguments: vec![c(program)?],
        environment: vec![c("PATH=/usr/bin")?],
        directory: c("/")?,
        ..Launch::default()
    };
    let null = File::open("/dev/null")?;
    let (mut reader, writer) = io::pipe()?;
    let standard = [null.as_fd(), writer.as_fd(), null.as_fd()];
    let began = monotonic();
    let passed = Passed { standard, fds: &[], cgroup: None, note: None };
    spawn(&launch, &passed).map_err(io::Error::other)?;
    let begun = monotonic() - began;
    drop(writer);
    reader.read_to_end(&mut Vec::new())?;
    Ok((begun, monotonic() - began))
}
