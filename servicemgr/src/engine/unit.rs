//! One service as the engine has it: what it says of itself, who is around it, its life.

use std::time::Duration;

use model::service::{Critical, Kind, Reload, Restart, RestartWhen, Service, Start};
use model::{Name, Shared};

use super::graph::{self, Kind as EdgeKind, Links};
use super::{Job, Life, Next, Now, Phase, Reason, State};

/// What the rules need to know of a [`Service`].
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) kind: Kind,
    pub(super) restart: Shared<Restart>,
    pub(super) start_timeout: Duration,
    pub(super) stop_timeout: Duration,
    /// Numbers of its commands.
    before_start: usize,
    after_start: usize,
    stop: usize,
    after_stop: usize,
    pub(super) reload: How,
    pub(super) watchdog: Option<Duration>,
    pub(super) critical: Option<Critical>,
    /// It stays done.
    pub(super) remain: bool,
    /// At boot it is only armed.
    pub(super) demand: bool,
    /// A probe makes it ready.
    pub(super) probed: bool,
}

/// How it reads its configuration anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Not,
    Command,
    Signal,
}

/// What a request that is not answered yet is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Up,
    Down,
    /// The reload that is under way.
    Reload,
    /// The one after that.
    NextReload,
}

#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) name: Name,
    pub(super) spec: Spec,
    pub(super) links: Links,
    /// Needs and foes that are in the way of a start.
    pub(super) unmet: usize,
    /// Users on their way down: in the way of a stop.
    pub(super) ending: usize,
    /// Those of them that require it: in the way of a start.
    pub(super) ending_hard: usize,
    /// Requests not yet answered.
    pub(super) jobs: Vec<(Job, Want)>,
    /// Why it can't run at all.
    pub(super) forbidden: Option<Box<str>>,
    /// Its life changed since somebody looked.
    pub(super) marked: bool,
    /// That it failed too often was told.
    pub(super) told_critical: bool,
    /// Its slot is free.
    pub(super) vacant: bool,
    pub(super) life: Life,
}

impl Unit {
    /// `service`, off, among others that are off.
    pub(super) fn new(service: &Service, links: Links) -> Self {
        Self {
            name: service.name.clone(),
            spec: Spec::new(service),
            unmet: links.needs.iter().filter(|e| e.kind == EdgeKind::Requires).count(),
            links,
            ending: 0,
            ending_hard: 0,
            jobs: Vec::new(),
            forbidden: None,
            marked: false,
            told_critical: false,
            vacant: false,
            life: Life::default(),
        }
    }

    /// Whether it is needed once, not all the time.
    pub(super) fn passes(&self) -> bool {
        self.spec.kind == Kind::Oneshot && !self.spec.remain
    }

    /// It has processes: its own, others left by it, or a command.
    pub(super) fn busy(&self) -> bool {
        self.life.main || self.life.left || self.life.command.is_some()
    }

    /// How often it must say that it is alive.
    pub(super) fn watch(&self) -> Option<Duration> {
        self.life.watch.or(self.spec.watchdog).filter(|d| !d.is_zero())
    }

    /// It should end in its own way first: it was up, and there is somebody to ask.
    pub(super) fn has_stop_commands(&self) -> bool {
        let life = &self.life;
        let there = life.main || self.spec.kind == Kind::Oneshot;
        life.up && !life.aborted && there && self.spec.stop > 0
    }

    /// It ended without being asked to: notes it, and says what comes next.
    pub(super) fn fell(&mut self, now: Now, reason: Option<Reason>) -> Next {
        let again = match self.spec.restart.when {
            RestartWhen::Never => false,
            RestartWhen::OnFailure => reason.is_some(),
            RestartWhen::Always => true,
        };
        // The kernel stays as it is.
        let again = again && !matches!(reason, Some(Reason::Unheld(_)));
        if !again && reason.is_none() {
            // Its work is done, as of one that is triggered again and again: nothing to count.
            (self.life.short, self.life.unready) = (0, 0);
            self.life.well = true;
            self.life.reason = None;
            return Next::Off;
        }
        self.long_life(now);
        let starting = self.life.state == State::Starting;
        let falls = &mut self.life.falls;
        falls.retain(|at| now.saturating_sub(*at) < self.spec.restart.window);
        falls.push(now);
        let falls = u32::try_from(falls.len()).unwrap_or(u32::MAX);
        self.life.unready = if starting { self.life.unready.saturating_add(1) } else { 0 };
        self.life.short = self.life.short.saturating_add(1);
        if let (Some(critical), true) = (self.spec.critical, reason.is_some()) {
            self.life.failures.retain(|at| now.saturating_sub(*at) < critical.window);
            self.life.failures.push(now);
        }
        let starts = falls.max(self.life.unready);
        if again && starts >= self.spec.restart.limit.max(1) {
            let last = reason.map(Box::new);
            self.life.reason = Some(Reason::GaveUp { starts, last });
            return Next::Failed;
        }
        self.life.well = false;
        self.life.reason = reason;
        if again { Next::Backoff } else { Next::Failed }
    }

    /// A service that was ready for long starts again at the first wait.
    pub(super) fn long_life(&mut self, now: Now) {
        let life = &mut self.life;
        if life.state == State::Ready && now.saturating_sub(life.since) >= self.spec.restart.window
        {
            life.short = 0;
        }
    }

    /// Whether it has failed so often that the device must start again. Once.
    pub(super) fn is_critical(&mut self) -> bool {
        let limit = self.spec.critical.map_or(u32::MAX, |c| c.limit.max(1));
        let failures = u32::try_from(self.life.failures.len()).unwrap_or(u32::MAX);
        failures >= limit && !std::mem::replace(&mut self.told_critical, true)
    }

    /// The wait before the next start: doubles with each short life, and is longer by a part that
    /// is the same each time for this service.
    pub(super) fn delay(&self) -> Now {
        let factor = 1_u32.checked_shl(self.life.short.saturating_sub(1)).unwrap_or(u32::MAX);
        let restart = &self.spec.restart;
        let delay = restart.delay.saturating_mul(factor).min(restart.max_delay);
        let percent = jitter(self.name.as_str(), self.life.restarts, restart.jitter);
        delay.saturating_add(delay.saturating_mul(percent) / 100)
    }

    pub(super) fn forget(&mut self) {
        let life = &mut self.life;
        life.falls.clear();
        life.failures.clear();
        (life.short, life.unready) = (0, 0);
        self.told_critical = false;
    }
}

/// A number from 0 to `most`, drawn from the name and the number of the restart (FNV-1a).
fn jitter(name: &str, restarts: u32, most: u32) -> u32 {
    let bytes = name.bytes().chain(restarts.to_le_bytes());
    let hash =
        bytes.fold(0x811c_9dc5_u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
    hash.checked_rem(most.saturating_add(1)).unwrap_or(0)
}

impl Spec {
    pub(super) fn new(service: &Service) -> Self {
        let commands = &service.commands;
        Self {
            kind: service.kind,
            restart: service.restart.clone(),
            start_timeout: service.start_timeout,
            stop_timeout: service.stop_timeout,
            before_start: commands.before_start.len(),
            after_start: commands.after_start.len(),
            stop: commands.stop.len(),
            after_stop: commands.after_stop.len(),
            reload: match &commands.reload {
                None => How::Not,
                Some(Reload::Command(_)) => How::Command,
                Some(Reload::Signal(_)) => How::Signal,
            },
            watchdog: service.watchdog,
            critical: service.critical,
            remain: service.remain,
            demand: service.start == Start::Demand,
            probed: service.health.as_ref().is_some_and(|h| h.readiness),
        }
    }

    /// How many commands it has for this.
    pub(super) fn commands(&self, phase: Phase) -> usize {
        match phase {
            Phase::BeforeStart => self.before_start,
            Phase::AfterStart => self.after_start,
            Phase::Reload => usize::from(self.reload == How::Command),
            Phase::Stop => self.stop,
            Phase::AfterStop => self.after_stop,
        }
    }

    /// It is ready as soon as its program runs.
    pub(super) fn ready_at_once(&self) -> bool {
        matches!(self.kind, Kind::Simple | Kind::Idle) && !self.probed
    }
}

/// The links of a plan as units.
pub(super) fn units(plan: &model::Plan) -> Vec<Unit> {
    let links = graph::links(plan);
    plan.services.iter().zip(links).map(|(s, links)| Unit::new(s, links)).collect()
}
