//! The first moments: a fresh device, or one whose servicemgr has just died.
//!
//! ```text
//! PID 1: held, state, exits, go ──► state read? ──yes──► services go on, unrecorded starts are found
//!                                        └──no, and it is not the first──► leftovers are ended
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::paths;
use api::pid1::{End, ToPid1};
use model::Plan;
use sandbox::Host;
use sys::bind;
use sys::cgroup::{Group, Groups};

use super::launcher::{Launcher, limits, log_key, socket_key};
use super::link::{Hello, Link};
use super::notify::Notify;
use super::state::{Log, Saved, Whole};
use super::streams::Streams;
use super::timer::Every;
use super::{ALIVE_EVERY, Daemon, LEFT_EVERY, Part, UnixListener, process};
use crate::engine::{Engine, Event, Id, JOURNAL, State};

/// Permission bits of the sockets that everybody may use.
const EVERYBODY: u32 = 0o666;

/// Longest plan that is read, in bytes.
const MAX_PLAN: u64 = 64 << 20;

/// How often, and how many times, a killed group is looked at until it is empty: 2 s in all.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const LOOKS: u32 = 400;

/// Where things are; tests have them elsewhere.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The plan.
    pub plan: PathBuf,
    /// Control socket.
    pub control: PathBuf,
    /// Readiness socket.
    pub notify: PathBuf,
    /// Groups of services.
    pub groups: PathBuf,
    /// Directory of `passwd` and `group`.
    pub etc: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plan: model::plan::PLAN_PATH.into(),
            control: paths::SERVICES_SOCKET.into(),
            notify: paths::NOTIFY_SOCKET.into(),
            groups: paths::SERVICES_CGROUP.into(),
            etc: "/etc".into(),
        }
    }
}

/// A daemon that knows all there is to know, and the control socket.
pub(super) fn begin(
    settings: &Settings,
    socket: OwnedFd,
) -> Result<(Daemon, UnixListener), Box<dyn Error>> {
    let mut hello = Hello::listen(&socket).map_err(|e| format!("PID 1 said nothing: {e}"))?;
    let bytes = read_plan(&settings.plan)?;
    let plan = Plan::decode(&bytes)?;
    let fingerprint = crc32c::crc32c(&bytes);
    let link = Link::new(socket)?;
    let notify = held_or_new(&mut hello, &link, "notify", &settings.notify, bind::Kind::Datagram)?;
    let control = held_or_new(&mut hello, &link, "control", &settings.control, bind::Kind::Stream)?;
    let listener = StdListener::from(control);
    listener.set_nonblocking(true)?;
    let saved = hello.state.take().map(Saved::read).transpose()?;
    let saved = saved.filter(|s| s.whole.plan == fingerprint);
    let mut daemon = Daemon {
        engine: Engine::new(&plan),
        began: hello.began,
        generation: hello.generation,
        whole: Whole { plan: fingerprint, ..Whole::default() },
        written: Whole::default(),
        parts: plan.services.iter().map(|_| Part::default()).collect(),
        by_pid: std::collections::HashMap::new(),
        launcher: launcher(settings, &plan)?,
        streams: Streams::default(),
        link,
        notify: Notify::new(notify)?,
        log: Log::create()?,
        down: None,
        jobs: BTreeMap::new(),
        last_job: 0,
        settled: Vec::new(),
        left: Vec::new(),
        acknowledged: 0,
        look: Every::new(LEFT_EVERY),
        alive: std::env::var_os("ENSEMBLE_WATCHDOG").map(|_| Every::new(ALIVE_EVERY)),
        plan,
    };
    daemon.take_held(&mut hello);
    daemon.go_on(saved, hello)?;
    Ok((daemon, UnixListener::from_std(listener)?))
}

fn read_plan(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let about = |e: &dyn std::fmt::Display| format!("plan {}: {e}", path.display());
    let size = fs::metadata(path).map_err(|e| about(&e))?.len();
    if size > MAX_PLAN {
        return Err(about(&"too long; build the image again").into());
    }
    Ok(fs::read(path).map_err(|e| about(&e))?)
}

fn held_or_new(
    hello: &mut Hello,
    link: &Link,
    key: &str,
    path: &Path,
    kind: bind::Kind,
) -> Result<OwnedFd, Box<dyn Error>> {
    if let Some(fd) = hello.held.remove(key) {
        return Ok(fd);
    }
    let fd =
        bind::unix(path, kind, EVERYBODY).map_err(|e| format!("socket {}: {e}", path.display()))?;
    link.send(&ToPid1::Hold(key.to_owned()), Some(fd.as_fd()))?;
    Ok(fd)
}

fn launcher(settings: &Settings, plan: &Plan) -> io::Result<Launcher> {
    let groups = Groups::open(&settings.groups)
        .inspect_err(|e| log::warn!("no control groups: {e}: services run without limits"));
    let controllers = controllers(groups.as_ref().ok(), plan);
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let host = Host {
        notify: settings.notify.display().to_string(),
        open_files: sys::limit::most_open_files()?,
        oom_score: !matches!(own.trim(), "" | "0"),
        capabilities: permitted(),
    };
    say_lacking(plan, &host);
    Ok(Launcher {
        host,
        etc: settings.etc.clone(),
        groups: groups.ok(),
        controllers,
        has_journal: plan.services.iter().any(|s| s.name.as_str() == JOURNAL),
        null,
        sockets: BTreeMap::new(),
    })
}

/// Our own capabilities: no service can keep more. Where `/proc` does not tell, all of them.
fn permitted() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapPrm:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(u64::MAX)
}

/// Says once which capabilities services do without.
fn say_lacking(plan: &Plan, host: &Host) {
    let lacking = plan.services.iter().flat_map(|s| sandbox::lacking(s, host));
    let names: BTreeSet<&str> = lacking.collect();
    if !names.is_empty() {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        log::warn!("no capability {names} here: services run without");
    }
}

/// Number of a way down in the state.
pub(super) fn down_code(end: End) -> u8 {
    match end {
        End::PowerOff => 1,
        End::Reboot => 2,
        End::Halt => 3,
    }
}

fn down(code: u8) -> End {
    match code {
        2 => End::Reboot,
        3 => End::Halt,
        _ => End::PowerOff,
    }
}

impl Daemon {
    fn take_held(&mut self, hello: &mut Hello) {
        for service in &self.plan.services {
            let name = service.name.as_str();
            if let Some(pipe) = hello.held.remove(&log_key(name)) {
                self.streams.insert(name, pipe);
            }
            for (number, socket) in service.sockets.iter().enumerate() {
                let Some(fd) = hello.held.remove(&socket_key(&service.name, number)) else { break };
                let open = self.launcher.sockets.entry(name.to_owned()).or_default();
                open.push((socket.name.clone(), fd));
            }
        }
    }

    fn go_on(&mut self, saved: Option<Saved>, mut hello: Hello) -> Result<(), Box<dyn Error>> {
        let exits = std::mem::take(&mut hello.exits);
        let events = match saved {
            Some(saved) => self.restore(saved),
            None => {
                self.afresh();
                Vec::new()
            }
        };
        if let Some(line) = hello.held.remove("streams") {
            // What the last servicemgr had not sent is not known: the journal gets all again.
            self.streams.connect(line, true)?;
        }
        if self.whole.settled.is_some() {
            self.nobody_listens();
        }
        for key in hello.held.into_keys() {
            log::warn!("{key}: nothing in the plan uses what was held under this name");
            self.tell(&ToPid1::Drop(key), None);
        }
        self.rewrite()?;
        for event in events {
            self.feed(event);
        }
        for (seq, pid, exit) in exits {
            if seq > self.whole.seen {
                self.exited(seq, pid, exit);
            }
        }
        Ok(())
    }

    /// Nothing is known: whatever runs in the groups of services is nobody's.
    fn afresh(&mut self) {
        let Some(groups) = &self.launcher.groups else { return };
        if self.generation > 1 {
            log::error!("the state is lost: ending what runs and starting afresh");
        }
        for service in &self.plan.services {
            let name = service.name.as_str();
            let Ok(group) = groups.get(name) else { continue };
            if let Err(e) = end_all(&group) {
                log::error!("could not end what is left of {name}: {e}");
            }
        }
    }

    fn restore(&mut self, saved: Saved) -> Vec<Event> {
        log::info!("servicemgr number {}: going on", self.generation);
        let mut events = Vec::new();
        let mut lives = Vec::new();
        for (id, kept) in saved.units {
            let Some(part) = self.parts.get_mut(id) else { continue };
            part.told = kept.life.state;
            part.text = kept.text;
            part.pid = kept.pid.filter(|_| kept.life.main);
            let recorded = part.pid;
            if kept.life.left && !kept.life.main {
                self.left.push(id);
            }
            if kept.life.main {
                match recorded.or_else(|| self.find_unrecorded(id)) {
                    Some(pid) => {
                        self.by_pid.insert(pid, id);
                        self.parts.get_mut(id).into_iter().for_each(|p| p.pid = Some(pid));
                        // That it runs may not have been told to the engine yet.
                        events.push(Event::Spawned(id));
                    }
                    None => events.push(Event::Lost(id)),
                }
            }
            // A signal that was decided may not have been sent.
            if kept.life.state == State::Stopping {
                self.signal(id, kept.life.killed);
            }
            lives.push((id, kept.life));
        }
        self.whole = saved.whole;
        self.acknowledged = 0;
        self.down = saved.whole.down.map(down);
        let booted = saved.whole.settled.is_some();
        self.engine.restore(lives, booted, self.down.is_some());
        events.push(Event::Tick);
        events
    }

    /// The process of a start that was begun and not recorded: the child of PID 1 in the group that
    /// leads its session, or the oldest if none does (it may not have executed its program yet).
    /// Others are its orphans.
    fn find_unrecorded(&self, id: Id) -> Option<i32> {
        let service = self.plan.services.get(id)?;
        let candidates = match self.group(id) {
            Some(group) => group.processes().unwrap_or_default(),
            None => named(service.name.as_str()),
        };
        let parent = sys::process::parent();
        let facts = candidates.into_iter().filter_map(process::Facts::of);
        let ours = facts.filter(|f| f.parent == parent);
        ours.min_by_key(|f| (f.session != f.pid, f.began)).map(|f| f.pid)
    }
}

/// Kills all in a group and waits a little until they are gone.
fn end_all(group: &Group) -> io::Result<()> {
    if !group.populated()? {
        return Ok(());
    }
    group.kill()?;
    for _ in 0..LOOKS {
        if !group.populated()? {
            return Ok(());
        }
        sys::poll::poll(&[], Some(LOOK_EVERY))?;
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Children of PID 1 that were started as this service, where there are no groups to look into.
/// One that has not executed its program yet still looks like us: it is waited for.
fn named(service: &str) -> Vec<i32> {
    let ours = fs::read_link("/proc/self/exe").ok();
    let me = i32::try_from(std::process::id()).unwrap_or(0);
    let unnamed = |pid: &i32| *pid != me && fs::read_link(format!("/proc/{pid}/exe")).ok() == ours;
    for _ in 0..LOOKS {
        if !siblings().iter().any(unnamed) {
            break;
        }
        // Nothing to wait for but time; none of the errors matters to that.
        let _time = sys::poll::poll(&[], Some(LOOK_EVERY));
    }
    let wanted = format!("ENSEMBLE_SERVICE={service}");
    let is_it = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|b| *b == 0).any(|v| v == wanted.as_bytes())
    };
    siblings().into_iter().filter(is_it).collect()
}

/// All children of PID 1.
fn siblings() -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{}/task", sys::process::parent()));
    let children: String = tasks
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .collect();
    children.split_whitespace().filter_map(|p| p.parse().ok()).collect()
}

/// The controllers of the services' groups; limits of others are said to be missing, once.
fn controllers(groups: Option<&Groups>, plan: &Plan) -> Vec<String> {
    let Some(groups) = groups else { return Vec::new() };
    let there = groups.controllers().unwrap_or_else(|e| {
        log::warn!("could not read the controllers of the services' groups: {e}");
        Vec::new()
    });
    let mut missing: Vec<&str> = plan
        .services
        .iter()
        .flat_map(|s| limits(&s.limits))
        .filter_map(|(file, _)| file.split('.').next())
        .filter(|c| !there.iter().any(|t| t == c))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        log::warn!("no controller for {missing} here: services run without these limits");
    }
    there
}
