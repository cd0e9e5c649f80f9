//! The first moments: a fresh device, or one whose servicemgr has just died.
//!
//! ```text
//! PID 1: held, state, exits, go ──► state read? ──yes──► services go on, unrecorded starts are found
//!                                        └──no, and it is not the first──► leftovers are ended
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::time::Duration;

use api::pid1::{End, ToPid1};
use model::Name;
use sys::bind;
use sys::cgroup::Group;

use super::activate::Activate;
use super::around::launcher;
use super::births::Births;
use super::broker::Broker;
use super::definitions::Definitions;
use super::ends::Ends;
use super::forking::Forked;
use super::instances::Instances;
use super::launcher::{log_key, socket_key};
use super::link::{Hello, Link};
use super::notify::Notify;
use super::oom::Kills;
use super::params::{Board, Saver};
use super::permissions::Permissions;
use super::settings::Settings;
use super::shipped::Shipped;
use super::state::{Log, Saved, Whole};
use super::streams::Streams;
use super::timer::Every;
use super::timers::Timers;
use super::upkeep::Upkeep;
use super::{ALIVE_EVERY, Daemon, LEFT_EVERY, Part, UnixListener, acts, critical};
use crate::engine::{Ask, Engine, Event, Id};

/// Permission bits of the sockets that everybody may use.
const EVERYBODY: u32 = 0o666;

/// How often, and how many times, a killed group is looked at until it is empty: 2 s in all.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);
pub(super) const LOOKS: u32 = 400;

/// A daemon that knows all there is to know, and the control socket.
pub(super) fn begin(
    settings: &Settings,
    socket: OwnedFd,
) -> Result<(Daemon, UnixListener), Box<dyn Error>> {
    let mut hello = Hello::listen(&socket).map_err(|e| format!("PID 1 said nothing: {e}"))?;
    let Definitions { mut plan, fingerprint, forbidden, problems } = Definitions::read(settings)?;
    problems.iter().for_each(|problem| log::error!("{problem}: it is left out"));
    let shipped = Shipped::new(settings.ready.clone());
    let mut permissions = Permissions::begin(settings, &mut plan, shipped.clone());
    let link = Link::new(socket)?;
    let notify = held_or_new(&mut hello, &link, "notify", &settings.notify, bind::Kind::Datagram)?;
    let control = held_or_new(&mut hello, &link, "control", &settings.control, bind::Kind::Stream)?;
    let listener = StdListener::from(control);
    listener.set_nonblocking(true)?;
    let births = Births::take(&mut hello.held, |key, fd| acts::hold(&link, key, fd));
    let saved = hello.state.take().map(Saved::read).transpose()?;
    let mut daemon = Daemon {
        engine: Engine::new(&plan),
        began: hello.began,
        generation: hello.generation,
        whole: Whole { plan: fingerprint, ..Whole::default() },
        written: Whole::default(),
        parts: plan.services.iter().map(|_| Part::default()).collect(),
        by_pid: std::collections::HashMap::new(),
        launcher: launcher(settings, &mut plan, &mut permissions, shipped.clone())?,
        permissions,
        instances: Instances::new(shipped),
        streams: Streams::default(),
        activate: Activate::new()?,
        timers: Timers::new(settings.timers(), hello.began),
        params: Board::load(settings.params(), &plan.device),
        saver: Saver::new(settings.params().saved),
        broker: Broker::default(),
        upkeep: Upkeep::new()?,
        ends: Ends::default(),
        kills: Kills::default(),
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
        names: (0..).zip(&plan.services).map(|(id, s)| (s.name.to_string(), id)).collect(),
        waits: Vec::new(),
        renewal: None,
        settings: settings.clone(),
        fixed: plan.services.len(),
        ended: Vec::new(),
        empty: Vec::new(),
        fresh: BTreeSet::new(),
        plan,
    };
    for (id, why) in forbidden {
        log::error!("{why}: it cannot run");
        daemon.engine.forbid(id, why);
    }
    daemon.launcher.births = births;
    if daemon.generation > 1 {
        daemon.kills.forget(daemon.kills_of_all());
    } else if let Some(why) = critical::take_word(&settings.last_reboot, &settings.rebooted()) {
        log::warn!("the device started again because of a critical service: {why}");
    }
    let saved = saved.and_then(|saved| daemon.find_again(saved));
    let restart = saved.as_ref().map(|s| s.restart.clone()).unwrap_or_default();
    daemon.take_held(&mut hello, &restart);
    daemon.params.unsaved().into_iter().for_each(|text| daemon.saver.save(text, None));
    daemon.go_on(saved, hello)?;
    daemon.arm_failed_timers();
    Ok((daemon, UnixListener::from_std(listener)?))
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
    /// Finds the services of a servicemgr before us again, by name where the definitions are not
    /// the same any more. `None`: what it saved is of no use.
    fn find_again(&mut self, mut saved: Saved) -> Option<Saved> {
        let same = saved.whole.plan == self.whole.plan;
        let mut now: BTreeMap<Id, Id> = if same {
            (0..self.fixed).map(|id| (id, id)).collect()
        } else {
            let known = saved.names.iter().enumerate();
            known.filter_map(|(old, name)| Some((old, self.find(name)?))).collect()
        };
        if now.is_empty() && !same {
            return None;
        }
        if !same {
            self.end_undefined(&saved, &now);
        }
        self.learn_instances(saved.services.values());
        for (old, service) in std::mem::take(&mut saved.services) {
            let name = service.name.to_string();
            if self.find(&name).is_none()
                && let Err(why) = self.add_transient(service)
            {
                log::error!("{name} is not there any more: {why}");
            }
            now.extend(self.find(&name).map(|id| (old, id)));
        }
        for (old, mut kept) in std::mem::take(&mut saved.units) {
            let Some(id) = now.get(&old) else { continue };
            let times = &mut kept.life.times;
            times.waited_on = times.waited_on.and_then(|on| now.get(&on).copied());
            saved.units.insert(*id, kept);
        }
        self.launcher.births.rename(&now);
        saved.whole.plan = self.whole.plan;
        Some(saved)
    }

    /// Ends services that somebody took away meanwhile without a reload.
    fn end_undefined(&self, saved: &Saved, now: &BTreeMap<Id, Id>) {
        for (old, kept) in &saved.units {
            let Some(name) = saved.names.get(*old).filter(|_| !now.contains_key(old)) else {
                continue;
            };
            if !(kept.life.main || kept.life.left) {
                continue;
            }
            log::warn!("{name} is defined no more: ending what is left of it");
            let group = self.launcher.groups.as_ref().and_then(|groups| groups.get(name).ok());
            if let Some(Err(e)) = group.map(|group| end_all(&group, LOOKS)) {
                log::error!("could not end what is left of {name}: {e}");
            }
        }
    }

    /// Takes what PID 1 held. Sockets of those that are to restart are made anew.
    fn take_held(&mut self, hello: &mut Hello, restart: &[Name]) {
        for service in &self.plan.services {
            let name = service.name.as_str();
            if let Some(pipe) = hello.held.remove(&log_key(name)) {
                self.streams.insert(name, pipe);
            }
            if restart.contains(&service.name) {
                continue;
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
        let restart = saved.as_ref().map(|s| s.restart.clone()).unwrap_or_default();
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
        self.bus_goes_on(&mut hello.held);
        self.take_held_triggers(&mut hello.held);
        self.take_kept(&mut hello.held);
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
        self.watch_again();
        for name in restart {
            if let Some(id) = self.find(name.as_str()) {
                self.feed(Event::Ask(id, Ask::Restart, 0));
            }
        }
        let mut exits = exits;
        exits.retain(|(seq, ..)| *seq > self.whole.seen);
        self.exited(&exits);
        self.follow_all();
        Ok(())
    }

    /// Nothing is known: whatever runs in the groups of services is nobody's.
    fn afresh(&mut self) {
        self.streams.expect(self.plan.enabled.len());
        let Some(groups) = &self.launcher.groups else { return };
        if self.generation > 1 {
            log::error!("the state is lost: ending what runs and starting afresh");
        }
        for service in &self.plan.services {
            let name = service.name.as_str();
            let Ok(group) = groups.get(name) else { continue };
            if let Err(e) = end_all(&group, LOOKS) {
                log::error!("could not end what is left of {name}: {e}");
            }
        }
    }

    fn restore(&mut self, saved: Saved) -> Vec<Event> {
        log::info!("servicemgr number {}: going on", self.generation);
        let mut events = Vec::new();
        let mut lives = Vec::new();
        for (id, kept) in saved.units {
            let (forked, starter) = self.forked(id, &kept);
            let Some(part) = self.parts.get_mut(id) else { continue };
            part.told = kept.life.state;
            part.text = kept.text;
            part.devices = kept.devices;
            part.signal = kept.signal;
            part.permissions = kept.permissions;
            part.pid = kept.pid.filter(|_| kept.life.main);
            let recorded = part.pid.or(starter);
            if kept.life.left && !kept.life.main {
                self.left.push(id);
            }
            part.side.frozen = kept.life.frozen.is_some();
            part.side.forked = forked;
            let awaited = part.side.forked == Forked::Awaited;
            part.side.command = kept.side.command;
            events.extend(self.find_command(id, &kept.life));
            if awaited && kept.life.main {
                self.upkeep.awaited.push(id);
            }
            if kept.life.main && !awaited {
                let noted = recorded.or_else(|| self.launcher.births.found(id));
                match noted.or_else(|| self.find_unrecorded(id)) {
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
            if let Some(kill) = kept.life.signal_due() {
                self.signal(id, kill);
            }
            lives.push((id, kept.life));
        }
        self.whole = saved.whole;
        self.acknowledged = 0;
        self.down = saved.whole.down.map(down);
        let booted = saved.whole.settled.is_some();
        self.engine.restore(lives, booted, false);
        // First of all, and told anew: not all that follows from it is in the log.
        if self.down.is_some() {
            events.insert(0, Event::Down);
        }
        events.push(Event::Tick);
        events
    }
}

/// Kills all in a group and waits a little until they are gone: so many looks.
pub(super) fn end_all(group: &Group, looks: u32) -> io::Result<()> {
    if !group.populated()? {
        return Ok(());
    }
    group.kill()?;
    for _ in 0..looks {
        if !group.populated()? {
            return Ok(());
        }
        sys::poll::poll(&[], Some(LOOK_EVERY))?;
    }
    Err(io::ErrorKind::TimedOut.into())
}
