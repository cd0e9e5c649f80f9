//! The program in the guests of `ens bench apps`: PID 1 until all is calm, then the service that measures.
//!
//! ```text
//! /init ── a root that can be changed, modules, bundles where the kernel mounts them from ──exec──► Ensemble
//!                                                  its service `measure`: asks as `ensctl` does ◄──────┘
//! ```
//!
//! A line of `/bench/order` says what is measured. Times are virtual nanoseconds: instructions, and waiting.

mod asking;
mod bare;
mod measure;
mod trace;

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use sys::mount::{Flags, bind, mount, switch_root};

/// How long Debian's kernel works in the background after boot, with room to spare.
const CALM: Duration = Duration::from_secs(8);

/// The root that is to be: that of the initramfs can't be changed by anybody.
const ROOT: &str = "/sysroot";

/// The modules of the device, as stage-0 reads them.
const MODULES: &str = "/ensemble-stage0";

/// Where the bundles of the guest are.
const BUNDLES: &str = "/bench/bundles";

/// Where a device has them.
const IMAGE: &str = "/usr/lib/ensemble/bundles";

fn main() -> ExitCode {
    let role = env::args().nth(1).unwrap_or_default();
    let done = if role == "measure" { measured() } else { init() };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            tell(&format!("bench: failed={e}"));
            drop(sys::reboot::reboot(sys::reboot::How::PowerOff)); // its failure is no worse
            ExitCode::FAILURE
        }
    }
}

/// PID 1, until Ensemble is.
fn init() -> io::Result<()> {
    bind(Path::new("/"), Path::new(ROOT))?;
    switch_root(Path::new(ROOT))?;
    mount("devtmpfs", Path::new("/dev"), "devtmpfs", Flags::default(), "")?;
    // Without a random number generator nobody else would; the same seed gives the same run.
    sys::random::credit(&[7; 512])?;
    modules()?;
    // The kernel mounts no image from a file of the file system that an initramfs is in.
    mount("ramfs", Path::new(IMAGE), "ramfs", Flags::default(), "mode=755")?;
    for bundle in fs::read_dir(BUNDLES)? {
        let bundle = bundle?;
        fs::copy(bundle.path(), Path::new(IMAGE).join(bundle.file_name()))?;
        fs::remove_file(bundle.path())?;
    }
    sleep(CALM);
    Err(Command::new("/usr/lib/ensemble/init").exec())
}

/// Loads the modules of the device; with the list gone, its init is no stage-0.
fn modules() -> io::Result<()> {
    let list = fs::read_to_string(MODULES)?;
    for path in list.lines().filter_map(|line| line.strip_prefix("module ")) {
        // Most find no hardware here; without this one all bundles would be unpacked.
        let done = sys::modules::load(&Path::new("/").join(path));
        if path.contains("/erofs.ko") {
            done.map_err(|e| io::Error::other(format!("{path}: {e}")))?;
        }
    }
    fs::remove_file(MODULES)
}

fn measured() -> io::Result<()> {
    let done = measure::run();
    if let Err(e) = &done {
        tell(&format!("bench: failed={e}"));
    }
    // It says so itself when it fails, and the host waits for the end.
    Command::new("/usr/bin/ensctl").arg("poweroff").status()?;
    Ok(())
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
