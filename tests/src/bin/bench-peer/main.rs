//! The program in every guest of `ens bench peers`: before, inside and beside the manager that is measured.
//!
//! ```text
//! /init ─┬─ child `watch`: waits until all daemons are ready, measures, powers off
//!        └─ waits for calm, notes the time, becomes the manager ── starts ── /bench/daemon ID × n, each notes its time
//! ```
//!
//! What is to be done stands in [`order`]; what happened is noted in one file ([`record`]). The
//! watcher sleeps while others are measured. It is no service: no manager knows of it.

mod floor;
mod order;
mod record;
mod watch;

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs, thread};

use sys::mount::{Flags, mount, unmount};

/// How long Debian's kernel works in the background after boot, with room to spare.
const CALM: Duration = Duration::from_secs(8);

/// Between looking at the memory and the start.
const SETTLE: Duration = Duration::from_secs(2);

/// KiB of a page.
const PAGE_KIB: u64 = 4;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let role = arguments.next().unwrap_or_default();
    let done = match role.as_str() {
        "watch" => watch::run(),
        "floor" => floor::run(),
        "starter" => floor::starter(),
        "ask" => {
            let [what, id] = [(); 2].map(|()| arguments.next().unwrap_or_default());
            floor::ask(&what, &id)
        }
        "ask-off" => sys::process::signal(1, 15),
        "off" => Err(sys::reboot::reboot(sys::reboot::How::PowerOff)),
        _ => init(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            tell(&format!("bench: failed={role}: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// PID 1 until all is calm.
fn init() -> io::Result<()> {
    mount("devtmpfs", Path::new("/dev"), "devtmpfs", Flags::default(), "")?;
    // Without a random number generator nobody else would; the same seed gives the same run.
    sys::random::credit(&[7; 512])?;
    let order = order::read()?;
    Command::new(record::PROGRAM).arg("watch").spawn()?;
    sleep(CALM);
    mount("proc", Path::new("/proc"), "proc", Flags::default(), "")?;
    let free = free()?;
    unmount(Path::new("/proc"))?;
    tell(&format!("bench: before={free}"));
    sleep(SETTLE);
    let (program, arguments) = order.init.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    record::add(record::BEGAN)?;
    Err(Command::new(program).args(arguments).env_clear().env("PATH", order::PATH).exec())
}

/// How often the kernel is asked to give back what it only keeps: what was used twice is only marked the
/// first time, and a directory goes after what is in it.
const DROPS: u32 = 5;

/// Time in which what was given back is free: whoever may still look at it has ended.
const DROPPED: Duration = Duration::from_millis(100);

/// KiB nobody uses, when the kernel has given back what it only keeps for speed. Pages that wait in
/// the lists of a processor for their next use are not counted by the kernel, but here: there can be
/// many megabytes.
///
/// Only what the kernel keeps of names and inodes is dropped: every file here is in memory and cannot be.
/// The kernel would mark its pages as not worth having together, and from then on map each one alone when
/// a program begins, which no disk does (a program of 3 MB took half a millisecond longer).
fn free() -> io::Result<u64> {
    for _ in 0..DROPS {
        fs::write("/proc/sys/vm/drop_caches", "2")?;
        sleep(DROPPED);
    }
    fs::write("/proc/sys/vm/stat_refresh", "1")?;
    let mut pages = 0_u64;
    for line in fs::read_to_string("/proc/zoneinfo")?.lines() {
        let mut words = line.split_whitespace();
        if matches!(words.next(), Some("nr_free_pages" | "count:")) {
            pages += words.next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(pages * PAGE_KIB)
}

/// Says a line on the console; there is nowhere to say that it failed.
fn tell(line: &str) {
    let console = File::options().write(true).open("/dev/console");
    drop(console.and_then(|mut c| c.write_all(format!("{line}\n").as_bytes())));
}

#[expect(clippy::disallowed_methods, reason = "the benchmark waits in virtual time")]
fn sleep(time: Duration) {
    thread::sleep(time);
}
