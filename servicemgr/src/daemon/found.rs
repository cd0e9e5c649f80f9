//! What ran already when we began: processes, what was kept for services, what is watched for them.
//!
//! Invariant: a process that another servicemgr started is either written down in the state log, noted
//! by the kernel (`births`, also when it has ended), or found here, by its group or its environment;
//! what is found is watched as if we had started it.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;

use model::service::Kind;

use super::Daemon;
use super::adopt::{LOOK_EVERY, LOOKS};
use super::commands::{self, is_starter, purpose};
use super::forking::Forked;
use super::process::Facts;
use super::state::Kept;
use super::store::stored_by;
use super::upkeep::ready_key;
use crate::engine::{Event, Id, Life, State};

impl Daemon {
    /// How far a service of type `forking` is, and its starter. Of one whose starter nobody wrote
    /// down, it may have ended already.
    pub(super) fn forked(&self, id: Id, kept: &Kept) -> (Forked, Option<i32>) {
        let known = kept.side.forked;
        let forking = self.plan.services.get(id).is_some_and(|s| s.kind == Kind::Forking);
        let unknown = kept.life.main && kept.life.state == State::Starting && kept.pid.is_none();
        if !forking || !unknown || known != Forked::No {
            return (known, kept.pid);
        }
        if let Some(starter) = self.launcher.births.found(id) {
            return (Forked::Starter, Some(starter));
        }
        let all = self.executed(id);
        let starter = all.iter().copied().find(|pid| is_starter(*pid));
        match all.is_empty() || starter.is_some() {
            true => (Forked::Starter, starter),
            false => (Forked::Awaited, None),
        }
    }

    /// The command that was running: recorded, or found by what its environment says. One that is
    /// not there was lost.
    pub(super) fn find_command(&mut self, id: Id, life: &Life) -> Option<Event> {
        let part = self.parts.get_mut(id)?;
        let recorded = part.side.command.take();
        let running = life.command?;
        let noted = recorded.or_else(|| self.launcher.births.found(id));
        let found = noted.or_else(|| {
            let word = commands::word(running.phase);
            let all = self.executed(id).into_iter();
            first(all.filter(|pid| purpose(*pid).as_deref() == Some(word)))
        });
        let Some(pid) = found else { return Some(Event::CommandLost(id)) };
        self.by_pid.insert(pid, id);
        self.parts.get_mut(id)?.side.command = Some(pid);
        None
    }

    /// All processes of a service, once each has executed its program: until then it looks like us,
    /// or has no environment.
    fn executed(&self, id: Id) -> Vec<i32> {
        let ours = fs::read_link("/proc/self/exe").ok();
        let not_yet = |pid: &i32| {
            let path = format!("/proc/{pid}");
            let bare = fs::read(format!("{path}/environ")).is_ok_and(|bytes| bytes.is_empty());
            let like_us = fs::read_link(format!("{path}/exe")).ok() == ours;
            (bare || like_us) && Facts::of(*pid).is_some()
        };
        for _ in 0..LOOKS {
            let all = self.processes(id);
            if !all.iter().any(not_yet) {
                return all;
            }
            // Nothing to wait for but time; none of the errors matters to that.
            let _time = sys::poll::poll(&[], Some(LOOK_EVERY));
        }
        self.processes(id)
    }

    /// Takes what services left with us, and what they are to say that they are ready by.
    pub(super) fn take_kept(&mut self, held: &mut BTreeMap<String, OwnedFd>) {
        for id in 0..self.parts.len() {
            let Some(service) = self.plan.services.get(id) else { continue };
            if let Some(pipe) = held.remove(&ready_key(service.name.as_str())) {
                self.take_ready_fd(id, pipe);
            }
        }
        for (key, fd) in std::mem::take(held) {
            let known = stored_by(&key).and_then(|service| self.find(service)).is_some();
            let other = if known { self.upkeep.stores.adopt(&key, fd).err() } else { Some(fd) };
            held.extend(other.map(|fd| (key, fd)));
        }
    }

    /// Goes on watching what runs.
    pub(super) fn watch_again(&mut self) {
        for id in std::mem::take(&mut self.upkeep.awaited) {
            self.await_main(id);
        }
        for id in 0..self.parts.len() {
            let Some(service) = self.plan.services.get(id) else { continue };
            let stored = self.upkeep.stores.of(service.name.as_str());
            let stored: Vec<u32> = stored.map(|(number, _)| number).collect();
            stored.into_iter().for_each(|number| self.watch_stored(id, number));
            if let Some(pid) = self.main(id) {
                self.watch_foreign(id, pid);
                self.watch_over(id);
            }
        }
    }

    /// All processes of a service.
    pub(super) fn processes(&self, id: Id) -> Vec<i32> {
        let Some(service) = self.plan.services.get(id) else { return Vec::new() };
        match self.group(id) {
            Some(group) => group.processes().unwrap_or_default(),
            None => named(service.name.as_str()),
        }
    }

    /// The process of a start that was begun and not recorded.
    pub(super) fn find_unrecorded(&self, id: Id) -> Option<i32> {
        first(self.executed(id).into_iter().filter(|pid| purpose(*pid).is_none()))
    }
}

/// Of some processes the one that we started: the child of PID 1 that leads its session, or the oldest
/// if none does. Others are orphans.
fn first(all: impl Iterator<Item = i32>) -> Option<i32> {
    let parent = sys::process::parent();
    let ours = all.filter_map(Facts::of).filter(|facts| facts.parent == parent);
    ours.min_by_key(|f| (f.session != f.pid, f.began)).map(|f| f.pid)
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

/// Whether a child of PID 1 may be of this service, where there are no groups to look into. One that is
/// ending tells nothing any more, and what it leaves is not a child of PID 1 yet: PID 1 will say that
/// it ended.
pub(super) fn maybe_left(service: &str) -> bool {
    let wanted = format!("ENSEMBLE_SERVICE={service}");
    let may_be = |pid: i32| match fs::read(format!("/proc/{pid}/environ")) {
        Ok(environment) if !environment.is_empty() => {
            environment.split(|b| *b == 0).any(|v| v == wanted.as_bytes())
        }
        _ => fs::read_link(format!("/proc/{pid}/exe"))
            .is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound),
    };
    siblings().into_iter().any(may_be)
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
