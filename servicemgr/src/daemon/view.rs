//! What the daemon knows, as the bus shows it. Reads, changes nothing.

use std::time::Duration;

use api::services::{Bar, Failed, Row, State as Shown, Status, System, SystemState};
use model::Name;
use model::service::Kind;

use super::{Daemon, Part, critical};
use crate::engine::{End, Id, Life, Now, Reason, State};

/// By which the kernel kills.
const SIGKILL: i32 = 9;

/// Longest such word that is shown, in characters.
const MAX_REASON: usize = 512;

impl Daemon {
    /// Every service.
    pub(super) fn rows(&self) -> Vec<Row> {
        let there = |id: &Id| self.name(*id).is_some_and(|name| self.find(&name) == Some(*id));
        let mut rows: Vec<Row> =
            (0..self.parts.len()).filter(there).filter_map(|id| self.row(id)).collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows
    }

    /// One service, in a line.
    pub(super) fn row(&self, id: Id) -> Option<Row> {
        let (service, life) = (self.plan.services.get(id)?, self.engine.life(id)?);
        let reason = match life.state {
            State::Failed | State::Backoff | State::Done => {
                life.reason.as_ref().map(ToString::to_string).unwrap_or_default()
            }
            _ => String::new(),
        };
        Some(Row {
            name: service.name.to_string(),
            about: service.about.clone(),
            state: if life.armed && self.engine.foe_is_up(id) {
                at_rest(life)
            } else {
                shown(life)
            },
            enabled: u32::try_from(id).is_ok_and(|id| self.plan.enabled.contains(&id)),
            pid: self.parts.get(id).and_then(|p| p.pid).unwrap_or(0),
            since: nanoseconds(life.since),
            restarts: life.restarts,
            reason,
        })
    }

    /// One service in full.
    pub(super) fn status(&self, id: Id) -> Option<Status> {
        let (service, part) = (self.plan.services.get(id)?, self.parts.get(id)?);
        let group = self.group(id);
        let pids = match &group {
            Some(group) => group.processes().unwrap_or_default(),
            None => part.pid.into_iter().collect(),
        };
        // A group outlives its processes for some seconds, which is nothing to tell.
        let group = group.as_ref().filter(|_| !pids.is_empty());
        let names = |names: &[Name]| names.iter().map(Name::to_string).collect();
        let kind = match service.kind {
            Kind::Simple => "simple",
            Kind::Notify => "notify",
            Kind::NotifyReload => "notify-reload",
            Kind::Oneshot => "oneshot",
            Kind::Forking => "forking",
            Kind::Dbus => "dbus",
            Kind::Idle => "idle",
            Kind::Target => "target",
        };
        let users = self.plan.services.iter().filter(|s| s.requires.contains(&service.name));
        let memory = group.and_then(|g| g.read("memory.current").ok());
        let cpu = group.and_then(|g| g.number("cpu.stat", "usage_usec").ok().flatten());
        Some(Status {
            row: self.row(id)?,
            kind: kind.to_owned(),
            exec: service.exec.clone(),
            user: service.user.clone().unwrap_or_else(|| "root".to_owned()),
            requires: names(&service.requires),
            wants: names(&service.wants),
            after: names(&service.after),
            required_by: users.map(|s| s.name.to_string()).collect(),
            text: part.text.clone(),
            last_exit: last_exit(part),
            last_signal: part.last.map_or(0, End::signal),
            pids,
            memory: memory.and_then(|m| m.trim().parse().ok()).unwrap_or(0),
            cpu: cpu.unwrap_or(0),
            facts: self.facts(id),
        })
    }

    /// Why a critical service made the device start again, if this boot is that start.
    fn last_reboot(&self) -> String {
        let text = critical::read(&self.settings.rebooted()).unwrap_or_default();
        text.lines().next().unwrap_or_default().chars().take(MAX_REASON).collect()
    }

    /// Those which have failed.
    pub(super) fn failed(&self) -> impl Iterator<Item = Failed> + '_ {
        self.rows()
            .into_iter()
            .filter(|row| row.state == Shown::Failed)
            .map(|row| Failed { name: row.name, reason: row.reason })
    }

    /// The device.
    pub(super) fn system(&self) -> System {
        let count = |which: &dyn Fn(Id, State) -> bool| {
            let is = |id: &Id| which(*id, self.engine.state(*id));
            u32::try_from((0..self.parts.len()).filter(is).count()).unwrap_or(u32::MAX)
        };
        let failed: Vec<Failed> = self.failed().collect();
        let state = match (self.engine.going_down(), self.engine.booted()) {
            (true, _) => SystemState::Stopping,
            (_, false) => SystemState::Starting,
            _ if failed.is_empty() => SystemState::Ready,
            _ => SystemState::Degraded,
        };
        System {
            state,
            device: self.plan.device.clone(),
            total: count(&|_, _| true),
            ready: count(&|id, s| s.met() || self.waits_armed(id)),
            pending: count(&|_, s| !s.settled()),
            failed,
            uptime: nanoseconds(self.now()),
            settled: self.whole.settled.map_or(0, nanoseconds),
            generation: self.generation,
            last_reboot: self.last_reboot(),
        }
    }

    /// The chart of the boot, in order of start.
    pub(super) fn bars(&self) -> Vec<Bar> {
        let name = |id: Id| self.plan.services.get(id).map(|s| s.name.to_string());
        let bar = |id: Id| {
            let life = self.engine.life(id)?;
            let time = |at: Option<Now>| at.map_or(0, nanoseconds);
            Some(Bar {
                name: name(id)?,
                state: shown(life),
                asked: nanoseconds(life.times.asked?),
                started: time(life.times.started),
                ready: time(life.times.ready),
                waited_on: life.times.waited_on.and_then(name).unwrap_or_default(),
            })
        };
        let mut bars: Vec<Bar> = (0..self.parts.len()).filter_map(bar).collect();
        bars.sort_by_key(|b| (b.started == 0, b.started, b.asked));
        bars
    }
}

/// How its last process ended, with the reason where we had one to kill it.
pub(super) fn last_exit(part: &Part) -> String {
    match (part.last, &part.side.ended_for) {
        (Some(End::Signal(SIGKILL)), Some(why)) => format!("killed: {why}"),
        (last, _) => last.map(|end| end.to_string()).unwrap_or_default(),
    }
}

fn shown(life: &Life) -> Shown {
    match life.state {
        State::Off if life.armed => Shown::Armed,
        State::Off => Shown::Off,
        State::Waiting => Shown::Waiting,
        _ if life.frozen.is_some() => Shown::Frozen,
        State::Starting => Shown::Starting,
        State::Ready if life.reloading => Shown::Reloading,
        State::Ready => Shown::Ready,
        State::Done if matches!(life.reason, Some(Reason::Skipped(_))) => Shown::Skipped,
        State::Done => Shown::Done,
        State::Leaving | State::Stopping => Shown::Stopping,
        State::Backoff => Shown::Backoff,
        State::Failed => Shown::Failed,
    }
}

/// An armed service whose sockets are closed is not: it has to wait for its foe's end.
fn at_rest(life: &Life) -> Shown {
    if life.state == State::Off { Shown::Off } else { shown(life) }
}

/// As the bus shows times.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
