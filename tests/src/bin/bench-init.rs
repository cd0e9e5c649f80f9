//! PID 1 of the boot benchmark: waits for calm, then becomes what is measured.
//!
//! ```text
//! BENCH=ensemble              ──exec──► /usr/lib/ensemble/init
//! BENCH=floor | floor-cgroup  ──child─► the floor: starts each daemon when the one before it is ready
//! ```
//!
//! The floor is no service manager: no limits, no logs, no restarts, no state. Its children are
//! PID 1's, as servicemgr's are, and it starts them in the same way.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, thread};

use sys::cgroup::Groups;
use sys::mount::{Flags, mount};
use sys::spawn::{Launch, Passed, spawn};
use sys::{bind, clock, seqpacket};
use tests::graph;

/// How long Debian's kernel works in the background after boot, with room to spare.
const CALM: Duration = Duration::from_secs(8);

/// The readiness socket of the floor.
const NOTIFY: &str = "/run/notify.sock";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            tell(&format!("bench: failed: {e}"));
            drop(sys::reboot::reboot(sys::reboot::How::PowerOff)); // its failure is no worse
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mode = env::var("BENCH").unwrap_or_default();
    if env::args().any(|a| a == "floor") {
        return floor(mode == "floor-cgroup");
    }
    // Without a random number generator nobody else would; the same seed gives the same run.
    mount("devtmpfs", Path::new("/dev"), "devtmpfs", Flags::default(), "")?;
    sys::random::credit(&[7; 512])?;
    calm();
    if mode == "ensemble" {
        return Err(Command::new("/usr/lib/ensemble/init").env_remove("BENCH").exec());
    }
    // With `/proc`, as everywhere: without it the same programs would do less.
    mount("proc", Path::new("/proc"), "proc", Flags::default(), "")?;
    mount("cgroup2", Path::new("/sys"), "cgroup2", Flags::default(), "")?;
    mount("tmpfs", Path::new("/run"), "tmpfs", Flags::default(), "")?;
    Command::new("/init").arg("floor").status()?;
    Err(sys::reboot::reboot(sys::reboot::How::PowerOff))
}

#[expect(clippy::disallowed_methods, reason = "the benchmark waits in virtual time")]
fn calm() {
    thread::sleep(CALM);
}

fn floor(with_cgroups: bool) -> io::Result<()> {
    let count: u32 = env::var("BENCH_COUNT").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let began = clock::boottime();
    let ready = bind::unix(Path::new(NOTIFY), bind::Kind::Datagram, 0o666)?;
    let groups = if with_cgroups { Some(Groups::open(Path::new("/sys/services"))?) } else { None };
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let floor = Floor { null, groups, launch: launch()? };

    let mut running = BTreeMap::new();
    for id in (0..count).filter(|id| graph::before(*id).is_none()) {
        running.insert(floor.start(id)?, id);
    }
    for _ in 0..count {
        let id = running.remove(&next_ready(&ready)?).ok_or(io::ErrorKind::NotFound)?;
        if id + 1 < count && graph::before(id + 1) == Some(id) {
            running.insert(floor.start(id + 1)?, id + 1);
        }
    }
    let took = clock::boottime().saturating_sub(began);
    tell(&format!("bench: instructions={}", took.as_nanos()));
    Ok(())
}

/// The process that said it is ready.
fn next_ready(socket: &OwnedFd) -> io::Result<i32> {
    let mut buf = [0; 64];
    loop {
        match seqpacket::recv_now(socket, &mut buf) {
            Ok((_, _, Some(from))) => return Ok(from.pid),
            Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                sys::poll::poll(&[(socket.as_fd(), sys::poll::For::Reading)], None)?;
            }
            Err(e) => return Err(e),
        }
    }
}

struct Floor {
    null: File,
    groups: Option<Groups>,
    launch: Launch,
}

impl Floor {
    fn start(&self, id: u32) -> io::Result<i32> {
        let group = self.groups.as_ref().map(|g| g.make(&graph::name(id))).transpose()?;
        let null: BorrowedFd<'_> = self.null.as_fd();
        let cgroup = group.as_ref().map(AsFd::as_fd);
        let passed = Passed { standard: [null, null, null], fds: &[], cgroup, note: None };
        spawn(&self.launch, &passed).map_err(io::Error::other)
    }
}

fn launch() -> io::Result<Launch> {
    let c = |s: &str| CString::new(s).map_err(io::Error::other);
    Ok(Launch {
        program: c("/bench/daemon")?,
        arguments: vec![c("/bench/daemon")?],
        environment: vec![c(&format!("NOTIFY_SOCKET={NOTIFY}"))?],
        directory: c("/")?,
        ..Launch::default()
    })
}

/// Says a line on the console; there is nowhere to say that it failed.
fn tell(line: &str) {
    let console = OpenOptions::new().write(true).open("/dev/console");
    drop(console.and_then(|mut c| c.write_all(format!("{line}\n").as_bytes())));
}
