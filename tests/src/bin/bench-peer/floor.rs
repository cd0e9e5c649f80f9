//! The floor: PID 1 that only forks and executes the daemons along the graph. No service manager: no logs,
//! no limits, no state; it can be asked for power-off (`SIGTERM`), and to stop and start a daemon.
//!
//! ```text
//! PID 1 ── child that starts daemons as children of PID 1 (as servicemgr does) ◄─ readiness
//!   └───── tells it by a pipe who ended                                        ◄─ asked: "stop 9" … a byte
//! ```

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use sys::cgroup::Groups;
use sys::mount::{Flags, mount};
use sys::poll::{For, poll};
use sys::signals::{Sent, Signals, Taken, send_to_all};
use sys::spawn::{Launch, Passed, spawn};
use sys::wait::{Reaped, reap};
use sys::{bind, seqpacket};
use tests::graph;

use crate::order;
use crate::record::{DAEMON, PROGRAM};

/// Where daemons say that they are ready.
const NOTIFY: &str = "/run/notify.sock";

/// Where it is asked.
const ASK: &str = "/run/ask.sock";

/// PID 1: reaps, and powers off when asked.
pub(crate) fn run() -> io::Result<()> {
    mount("proc", Path::new("/proc"), "proc", Flags::default(), "")?;
    mount("tmpfs", Path::new("/run"), "tmpfs", Flags::default(), "")?;
    mount("cgroup2", Path::new("/sys"), "cgroup2", Flags::default(), "")?;
    // Before signals are blocked: a child inherits that.
    let mut starter = Command::new(PROGRAM).arg("starter").stdin(Stdio::piped()).spawn()?;
    let signals = Signals::open()?;
    let mut ended = starter.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    loop {
        poll(&[(signals.as_fd(), For::Reading)], None)?;
        while let Some(signal) = signals.next()? {
            if signal == Taken::Terminate {
                return off();
            }
        }
        while let Reaped::Ended { pid, .. } = reap()? {
            ended.write_all(&pid.to_ne_bytes())?;
        }
    }
}

/// Ends all and then the machine.
fn off() -> io::Result<()> {
    send_to_all(Sent::Terminate)?;
    while let Reaped::Ended { .. } = sys::wait::wait()? {}
    Err(sys::reboot::reboot(sys::reboot::How::PowerOff))
}

/// The least tool there can be: a word and a number there, a byte back when it is done.
pub(crate) fn ask(what: &str, id: &str) -> io::Result<()> {
    let mut floor = UnixStream::connect(ASK)?;
    floor.write_all(format!("{what} {id}").as_bytes())?;
    floor.read_exact(&mut [0])
}

/// Its child: starts.
pub(crate) fn starter() -> io::Result<()> {
    let order = order::read()?;
    let groups = order.cgroups.then(|| Groups::open(Path::new("/sys/services"))).transpose()?;
    let ready = bind::unix(Path::new(NOTIFY), bind::Kind::Datagram, 0o666)?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let (running, asked) = (BTreeMap::new(), None);
    let mut floor = Floor { count: order.count, null, groups, running, asked };
    let ask = UnixListener::bind(ASK)?;
    for id in (0..order.count).filter(|id| graph::before(*id).is_none()) {
        floor.start(id)?;
    }
    let mut ended = io::stdin();
    loop {
        let wanted = [ready.as_fd(), ended.as_fd(), ask.as_fd()].map(|fd| (fd, For::Reading));
        let there = poll(&wanted, None)?;
        while let Some(pid) = next_ready(&ready)? {
            floor.is_ready(pid)?;
        }
        if there.get(1).is_some_and(|ended| ended.read) {
            let mut pid = [0; 4];
            ended.read_exact(&mut pid)?;
            floor.has_ended(i32::from_ne_bytes(pid))?;
        }
        if there.get(2).is_some_and(|ask| ask.read) {
            floor.is_asked(ask.accept()?.0)?;
        }
    }
}

/// The next process that said it is ready.
fn next_ready(socket: &OwnedFd) -> io::Result<Option<i32>> {
    match seqpacket::recv_now(socket, &mut [0; 64]) {
        Ok((_, _, from)) => Ok(from.map(|from| from.pid)),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(e) => Err(e),
    }
}

struct Floor {
    count: u32,
    null: File,
    groups: Option<Groups>,
    /// By process: which daemon.
    running: BTreeMap<i32, u32>,
    /// The daemon that somebody waits for.
    asked: Option<(u32, UnixStream)>,
}

impl Floor {
    fn start(&mut self, id: u32) -> io::Result<()> {
        let group = self.groups.as_ref().map(|g| g.make(&graph::name(id))).transpose()?;
        let null = self.null.as_fd();
        let cgroup = group.as_ref().map(AsFd::as_fd);
        let passed = Passed { standard: [null, null, null], fds: &[], cgroup, note: None };
        let pid = spawn(&launch(id)?, &passed).map_err(io::Error::other)?;
        self.running.insert(pid, id);
        Ok(())
    }

    /// Stops or starts the daemon it is asked for.
    fn is_asked(&mut self, mut by: UnixStream) -> io::Result<()> {
        let mut text = [0; 32];
        let n = by.read(&mut text)?;
        let text = String::from_utf8_lossy(text.get(..n).unwrap_or_default()).into_owned();
        let (what, id) = text.split_once(' ').ok_or(io::ErrorKind::InvalidData)?;
        let id = id.parse().map_err(io::Error::other)?;
        self.asked = Some((id, by));
        if what == "start" {
            return self.start(id);
        }
        let pid = self.running.iter().find(|(_, runs)| **runs == id).map(|(pid, _)| *pid);
        let pid = pid.and_then(|pid| u32::try_from(pid).ok()).ok_or(io::ErrorKind::NotFound)?;
        sys::process::signal(pid, 15)
    }

    /// Answers who waits for this daemon. False: nobody does.
    fn answer(&mut self, id: u32) -> io::Result<bool> {
        match self.asked.take_if(|(asked, _)| *asked == id) {
            None => Ok(false),
            Some((_, mut by)) => by.write_all(b"!").map(|()| true),
        }
    }

    /// One that nobody stopped starts again.
    fn has_ended(&mut self, pid: i32) -> io::Result<()> {
        let Some(id) = self.running.remove(&pid) else { return Ok(()) };
        if self.asked.as_ref().is_none_or(|(asked, _)| *asked != id) {
            return self.start(id);
        }
        if let Some(groups) = &self.groups {
            groups.remove(&graph::name(id))?;
        }
        self.answer(id).map(drop)
    }

    /// Starts the next of its chain, unless that runs.
    fn is_ready(&mut self, pid: i32) -> io::Result<()> {
        let Some(next) = self.running.get(&pid).map(|id| id + 1) else { return Ok(()) };
        if self.answer(next - 1)? {
            return Ok(());
        }
        let runs = self.running.values().any(|id| *id == next);
        if next < self.count && graph::before(next).is_some() && !runs {
            self.start(next)?;
        }
        Ok(())
    }
}

fn launch(id: u32) -> io::Result<Launch> {
    let c = |s: &str| CString::new(s).map_err(io::Error::other);
    Ok(Launch {
        program: c(DAEMON)?,
        arguments: vec![c(DAEMON)?, c(&id.to_string())?],
        environment: vec![c(&format!("NOTIFY_SOCKET={NOTIFY}"))?],
        directory: c("/")?,
        ..Launch::default()
    })
}
