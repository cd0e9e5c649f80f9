//! The program in the guest of `ens bench sandbox`: starts others in each sandbox and takes the time.
//!
//! ```text
//! /init ── a root that can be changed ─┬─ reaps everybody
//!                                      └─ `measure`: waits for calm, starts ── others, until their output ends
//! ```
//!
//! Who is started holds the writing end of a pipe; it has ended when the pipe has. So every launcher is
//! measured alike, with all the processes that it needs. What they run is told by `say` and counted by `calls`.

mod calls;
mod launches;
mod starts;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs, thread};

use sys::mount::{Flags, bind, mount, switch_root};
use sys::wait::{Reaped, wait};

/// Where this program is.
const PROGRAM: &str = "/usr/bin/bench-sandbox";

/// The root that is to be: that of the initramfs can't be changed by anybody.
const ROOT: &str = "/sysroot";

/// How long Debian's kernel works in the background after boot, with room to spare.
const CALM: Duration = Duration::from_secs(8);

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let role = arguments.next().unwrap_or_default();
    let done = match role.as_str() {
        "measure" => measure(),
        "say" => say(),
        "calls" => calls::run(),
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

/// PID 1.
fn init() -> io::Result<()> {
    bind(Path::new("/"), Path::new(ROOT))?;
    switch_root(Path::new(ROOT))?;
    for (kind, place) in [
        ("devtmpfs", "/dev"),
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("tmpfs", "/run"),
        ("tmpfs", "/tmp"),
    ] {
        mount(kind, Path::new(place), kind, Flags::default(), "")?;
    }
    // Without a random number generator nobody else would; the same seed gives the same run.
    sys::random::credit(&[7; 512])?;
    let measuring = Command::new(PROGRAM).arg("measure").spawn()?;
    while let Reaped::Ended { pid, .. } = wait()? {
        if u32::try_from(pid) == Ok(measuring.id()) {
            break;
        }
    }
    Err(sys::reboot::reboot(sys::reboot::How::PowerOff))
}

fn measure() -> io::Result<()> {
    sleep(CALM);
    let launches = launches::all()?;
    starts::measure(&launches)?;
    calls::measure(&launches)?;
    starts::kept(&launches.app)?;
    tell("bench: done");
    Ok(())
}

/// What it finds itself confined by; so a table shows that each was.
fn say() -> io::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    let of = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().split_whitespace().next().unwrap_or("?").to_owned()
    };
    let names = |path: &str| fs::read_dir(path).map_or(0, Iterator::count);
    let mut out = io::stdout();
    write!(
        out,
        "uid {}, capabilities {}, no_new_privs {}, seccomp {}, {} names at the root, {} devices, network interfaces {}",
        of("Uid:"),
        of("CapEff:").trim_start_matches('0'),
        of("NoNewPrivs:"),
        of("Seccomp:"),
        names("/"),
        names("/dev"),
        fs::read_to_string("/proc/self/net/dev").map_or(0, |t| t.lines().count().saturating_sub(2)),
    )?;
    out.flush()
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
