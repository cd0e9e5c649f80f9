//! A device of one process: this test plays PID 1 for a real servicemgr on this host.
//!
//! The services that servicemgr starts become our children, as they become PID 1's on a device, so
//! no namespace and no root is needed. A thread reaps, holds descriptors and starts servicemgr
//! again whenever it ends, exactly as `init` does. Root gets control groups where the host has
//! cgroup2.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use api::pid1::{End, Exit, ToPid1, ToServicemgr};
use api::services::{Error, ServicesProxy, Status, System};
use model::Plan;
use sys::poll::{For, poll};
use sys::seqpacket;
use sys::wait::{How, Reaped};

/// How long anything in these tests may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What PID 1 learned.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) settled: u32,
    pub(crate) ended: Option<End>,
    pub(crate) lives: u32,
    pub(crate) unacknowledged: usize,
}

/// A device with its servicemgr.
pub(crate) struct Device {
    directory: tempfile::TempDir,
    groups: PathBuf,
    servicemgr: Arc<AtomicI32>,
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    ask: Arc<Mutex<Option<End>>>,
    forget: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    runtime: tokio::runtime::Runtime,
}

impl Device {
    /// Boots `plan`.
    pub(crate) fn boot(plan: &Plan) -> Self {
        Self::boot_in(plan, &["/sys/fs/cgroup/unified", "/sys/fs/cgroup"])
    }

    /// Boots `plan` where there are no control groups.
    pub(crate) fn boot_without_groups(plan: &Plan) -> Self {
        Self::boot_in(plan, &[])
    }

    /// Boots `plan` after `prepare` has put files into the directory of the device.
    pub(crate) fn boot_prepared(plan: &Plan, prepare: impl FnOnce(&Path)) -> Self {
        Self::boot_with(plan, &["/sys/fs/cgroup/unified", "/sys/fs/cgroup"], prepare)
    }

    fn boot_in(plan: &Plan, unified: &[&str]) -> Self {
        Self::boot_with(plan, unified, |_| ())
    }

    fn boot_with(plan: &Plan, unified: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        prepare(directory.path());
        fs::write(directory.path().join("plan"), plan.encode()).expect("the plan");
        let tree = unified.iter().find(|p| Path::new(p).join("cgroup.procs").exists());
        let name = format!("ensemble-test-{}", std::process::id());
        let groups = Path::new(tree.unwrap_or(&"/nowhere/at/all")).join(name);
        let device = Self {
            directory,
            groups,
            servicemgr: Arc::default(),
            stop: Arc::default(),
            seen: Arc::default(),
            ask: Arc::default(),
            forget: Arc::default(),
            thread: None,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
        };
        device.begin()
    }

    fn begin(mut self) -> Self {
        sys::process::adopt_orphans().expect("a kernel");
        let mut pid1 = Pid1 {
            arguments: [
                self.directory.path().join("plan"),
                self.directory.path().to_owned(),
                self.groups.clone(),
            ],
            directory: self.directory.path().to_owned(),
            held: BTreeMap::new(),
            state: None,
            exits: Vec::new(),
            last: 0,
            socket: None,
            pid: Arc::clone(&self.servicemgr),
            seen: Arc::clone(&self.seen),
            forget: Arc::clone(&self.forget),
        };
        let (stop, ask) = (Arc::clone(&self.stop), Arc::clone(&self.ask));
        self.thread = Some(thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if let Some(end) = ask.lock().expect("no panic").take() {
                    pid1.tell(&ToServicemgr::Asked(end), None);
                }
                pid1.turn();
            }
        }));
        self
    }

    /// Kills servicemgr.
    pub(crate) fn kill_servicemgr(&self) {
        self.until("servicemgr", || self.servicemgr.load(Ordering::Relaxed) > 0);
        let lives = self.seen().lives;
        let pid = u32::try_from(self.servicemgr.load(Ordering::Relaxed)).expect("a process id");
        sys::process::signal(pid, 9).expect("servicemgr runs");
        self.until("a new servicemgr", || self.seen().lives > lives);
    }

    /// servicemgr stands still until it is killed: what happens now happens while it is away.
    pub(crate) fn stop_servicemgr(&self) {
        self.until("servicemgr", || self.servicemgr.load(Ordering::Relaxed) > 0);
        let pid = u32::try_from(self.servicemgr.load(Ordering::Relaxed)).expect("a process id");
        sys::process::signal(pid, 19).expect("servicemgr runs");
    }

    /// PID 1 forgets the state when it starts the next servicemgr, as after a row of crashes.
    pub(crate) fn forget_state(&self) {
        self.forget.store(true, Ordering::Relaxed);
    }

    /// PID 1 is asked to go down.
    pub(crate) fn ask(&self, end: End) {
        *self.ask.lock().expect("no panic") = Some(end);
    }

    /// What PID 1 has seen.
    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic")
    }

    /// A file in the directory of this device.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The control group of a service, where this host has any.
    pub(crate) fn group(&self, name: &str) -> Option<PathBuf> {
        self.groups.is_dir().then(|| self.groups.join(name))
    }

    /// Waits until it is true.
    pub(crate) fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let began = sys::clock::monotonic();
        while !is() {
            assert!(within(began), "no {what}");
            nap();
        }
    }

    /// Does something on the bus; tries again while servicemgr is away.
    pub(crate) fn call<T, F>(&self, ask: impl Fn(ServicesProxy<'static>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let path = self.path("services.sock");
        let began = sys::clock::monotonic();
        loop {
            let result = self.runtime.block_on(async {
                let stream = std::os::unix::net::UnixStream::connect(&path)
                    .map_err(|e| Error::ZBus(e.into()))?;
                let connection =
                    zbus::connection::Builder::unix_stream(stream).p2p().build().await?;
                ask(ServicesProxy::new(&connection).await?).await
            });
            match result {
                Err(Error::ZBus(e)) if within(began) => {
                    let _ = e;
                    nap();
                }
                other => return other,
            }
        }
    }

    /// The device once its boot is over.
    pub(crate) fn settled(&self) -> System {
        self.call(|s| async move { s.wait_settled().await }).expect("the boot is over")
    }

    /// One service.
    pub(crate) fn status(&self, name: &str) -> Status {
        self.call(|s| async move { s.status(name).await }).expect("a status")
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
        let pid = u32::try_from(self.servicemgr.load(Ordering::Relaxed)).unwrap_or(0);
        let mut pids: Vec<i32> = Vec::new();
        if pid > 0 {
            let _gone = sys::process::signal(pid, 9);
        }
        if let Ok(names) = fs::read_dir(&self.groups) {
            for group in names.flatten().map(|e| e.path()).filter(|p| p.is_dir()) {
                let _gone = fs::write(group.join("cgroup.kill"), "1");
                nap();
                let _gone = fs::remove_dir(group);
            }
            let _gone = fs::remove_dir(&self.groups);
        }
        let me = std::process::id();
        for task in fs::read_dir(format!("/proc/{me}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            pids.extend(children.split_whitespace().filter_map(|p| p.parse::<i32>().ok()));
        }
        for pid in pids {
            let _gone = sys::process::signal(u32::try_from(pid).unwrap_or(0), 9);
        }
    }
}

fn within(began: Duration) -> bool {
    sys::clock::monotonic().saturating_sub(began) < PATIENCE
}

#[expect(clippy::disallowed_methods, reason = "a test waits for the real world")]
pub(crate) fn nap() {
    thread::sleep(Duration::from_millis(5));
}

struct Pid1 {
    arguments: [PathBuf; 3],
    directory: PathBuf,
    held: BTreeMap<String, OwnedFd>,
    state: Option<OwnedFd>,
    exits: Vec<(u64, i32, Exit)>,
    last: u64,
    socket: Option<OwnedFd>,
    pid: Arc<AtomicI32>,
    seen: Arc<Mutex<Seen>>,
    forget: Arc<AtomicBool>,
}

impl Pid1 {
    fn turn(&mut self) {
        if self.socket.is_none() {
            self.start();
        }
        if let Some(socket) = &self.socket {
            let tick = Some(Duration::from_millis(5));
            poll(&[(socket.as_fd(), For::Reading)], tick).expect("poll");
        }
        self.hear();
        while let Ok(Reaped::Ended { pid, how }) = sys::wait::reap() {
            let exit = match how {
                How::Status(status) => Exit::Status(status),
                How::Signal(signal) => Exit::Signal(signal),
            };
            if pid == self.pid.load(Ordering::Relaxed) {
                self.hear();
                self.socket = None;
                continue;
            }
            self.last += 1;
            self.exits.push((self.last, pid, exit));
            let message = ToServicemgr::Exited { seq: self.last, pid, exit };
            self.tell(&message, None);
        }
        self.seen.lock().expect("no panic").unacknowledged = self.exits.len();
    }

    fn start(&mut self) {
        let (ours, theirs) = seqpacket::pair().expect("a pair");
        let script = self.directory.join("servicemgr.sh");
        let [plan, run, groups] = self.arguments.each_ref().map(|p| p.display().to_string());
        let program = env!("CARGO_BIN_EXE_servicemgr");
        let log = self.directory.join("log").display().to_string();
        let own = self.directory.join("definitions").display().to_string();
        let text = format!("#!/bin/sh\nexec {program} {plan} {run} {groups} {own} 2>>{log}\n");
        if !script.exists() {
            fs::write(&script, text).expect("the script");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&script, mode).expect("the script");
        }
        let path = ("PATH".to_owned(), "/usr/bin:/bin".to_owned());
        let program = script.display().to_string();
        let pid = sys::start::with_socket(&program, &[path], theirs, 3).expect("servicemgr");
        self.pid.store(pid, Ordering::Relaxed);
        self.socket = Some(ours);
        for (name, fd) in &self.held {
            self.tell(&ToServicemgr::Held(name.clone()), Some(fd.as_fd()));
        }
        if self.forget.swap(false, Ordering::Relaxed) {
            self.state = None;
        }
        if let Some(state) = &self.state {
            self.tell(&ToServicemgr::State, Some(state.as_fd()));
        }
        for (seq, pid, exit) in &self.exits {
            self.tell(&ToServicemgr::Exited { seq: *seq, pid: *pid, exit: *exit }, None);
        }
        let mut seen = self.seen.lock().expect("no panic");
        seen.lives += 1;
        let began = u64::try_from(BEGAN.as_nanos()).expect("small");
        self.tell(&ToServicemgr::Go { generation: seen.lives, began }, None);
    }

    fn tell(&self, message: &ToServicemgr, fd: Option<BorrowedFd<'_>>) {
        let fds: Vec<BorrowedFd<'_>> = fd.into_iter().collect();
        // One that is dying does not hear us; the next one is told again.
        if let Some(socket) = &self.socket {
            let _dying = seqpacket::send(socket, &message.encode(), &fds);
        }
    }

    fn hear(&mut self) {
        let mut buf = [0; api::pid1::MAX_PACKET];
        while let Some(socket) = &self.socket {
            let Ok((n, mut fds, _)) = seqpacket::recv_now(socket, &mut buf) else { return };
            if n == 0 && fds.is_empty() {
                return;
            }
            let message = ToPid1::decode(buf.get(..n).expect("in the buffer"));
            let mut seen = self.seen.lock().expect("no panic");
            match message.expect("a message of ours") {
                ToPid1::Hold(name) => {
                    self.held.insert(name, fds.pop().expect("a descriptor"));
                }
                ToPid1::Drop(name) => {
                    self.held.remove(&name);
                }
                ToPid1::State => self.state = fds.pop(),
                ToPid1::Ack(seq) => self.exits.retain(|(s, ..)| *s > seq),
                ToPid1::Settled => seen.settled += 1,
                ToPid1::End(end) => seen.ended = Some(end),
                ToPid1::Alive | ToPid1::GoingDown => {}
            }
        }
    }
}

/// The kernel runs longer than this whenever a test does.
const BEGAN: Duration = Duration::from_secs(1);
