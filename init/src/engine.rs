//! PID 1 as a state machine: what to do about what happened. No I/O, no clock.
//!
//! ```text
//!           booted              asked               End, STOP_LIMIT           nobody left, limits
//!  Booting ────────► Running ──────────► Stopping ──────────────────► Ending ───────► Finished
//!                     │  ▲   End             │ servicemgr cannot run    ▲ TERM, then KILL
//!                     │  │   ────────────────┼──────────────────────────┤
//!   servicemgr cannot │  │ shell ended,      └─────────────────────────►│
//!   run at all        ▼  │ RESCUE_RETRY                                 │
//!                    Rescue ────────────────────────────────────────────┘ asked; container: at once
//! ```
//!
//! Beside it runs servicemgr: `Absent → Starting → Alive → (death) → Waiting → Starting …`.
//!
//! Invariants: at most one servicemgr lives; every exit is told to each new servicemgr until one
//! acknowledges it; while nothing lives that could end, there is a deadline. PID 1 never gets stuck.

mod words;

use std::time::Duration;

use api::pid1::{End, Exit, ToPid1, ToServicemgr};

pub use words::{Action, Event, Finish, Setting};

use crate::exits::Exits;
use crate::servicemgr::{Death, Servicemgr};

/// How long servicemgr may take to stop all services before PID 1 does it alone.
pub const STOP_LIMIT: Duration = Duration::from_secs(90);

/// How long processes have between `SIGTERM` and `SIGKILL` at the very end.
pub const TERM_LIMIT: Duration = Duration::from_secs(10);

/// How long killed processes may take to vanish; those stuck in the kernel are left behind.
pub const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Where there is no rescue shell, how long until servicemgr is tried again.
pub const RESCUE_RETRY: Duration = Duration::from_secs(60);

/// How often the hardware watchdog is petted.
pub const PET_EVERY: Duration = Duration::from_secs(15);

/// How long a watched servicemgr may be silent before it is replaced.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Booting { asked: Option<End> },
    Running,
    Stopping { end: End, until: Duration },
    Ending { finish: Finish, killed: bool, until: Duration },
    Rescue { shell: Option<i32>, retry: Option<Duration> },
    Finished,
}

/// The state machine.
#[derive(Debug)]
pub struct Pid1 {
    setting: Setting,
    state: State,
    servicemgr: Servicemgr,
    exits: Exits,
    pet_at: Option<Duration>,
    heard: Duration,
}

impl Pid1 {
    /// At the beginning.
    #[must_use]
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            state: State::Booting { asked: None },
            servicemgr: Servicemgr::default(),
            exits: Exits::default(),
            pet_at: setting.watchdog.then_some(Duration::ZERO),
            heard: Duration::ZERO,
        }
    }

    /// When to send [`Event::Tick`] at the latest. `now` in [`Self::step`] counts from PID 1's start.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let own = match self.state {
            State::Booting { .. } | State::Running => None,
            State::Stopping { until, .. } | State::Ending { until, .. } => Some(until),
            State::Rescue { retry, .. } => retry,
            State::Finished => return None,
        };
        [own, self.servicemgr.deadline(), self.pet_at].into_iter().flatten().min()
    }

    /// Process id of the servicemgr that lives.
    #[must_use]
    pub fn servicemgr(&self) -> Option<i32> {
        self.servicemgr.pid()
    }

    /// What to do about `event`.
    #[must_use]
    pub fn step(&mut self, now: Duration, event: Event) -> Vec<Action> {
        let mut todo = Vec::new();
        if self.state == State::Finished {
            return todo;
        }
        match event {
            Event::Booted => self.booted(now, &mut todo),
            Event::Started(pid) => self.started(now, pid, &mut todo),
            Event::NotStarted { why, lasting } => {
                let death = self.servicemgr.not_started(now, lasting);
                self.died(now, death, &format!("it did not start: {why}"), &mut todo);
            }
            Event::ShellStarted(pid) => self.shell(Some(pid), None),
            Event::NoShell(why) => {
                todo.push(Action::Fault(format!(
                    "no rescue shell: {why}: trying servicemgr again in {} s",
                    RESCUE_RETRY.as_secs()
                )));
                self.shell(None, Some(now.saturating_add(RESCUE_RETRY)));
            }
            Event::Exited { pid, exit } => self.exited(now, pid, exit, &mut todo),
            Event::Nobody => {
                if let State::Ending { finish, .. } = self.state {
                    self.finish(finish, &mut todo);
                }
            }
            Event::Tasks(count) => {
                if self.servicemgr.pid().is_some() && !matches!(self.state, State::Ending { .. }) {
                    todo.push(Action::Tell(ToServicemgr::Tasks(count)));
                }
            }
            Event::Said(said) => self.said(now, said, &mut todo),
            Event::Clogged => {
                self.replace("servicemgr does not read what it is told", &mut todo);
            }
            Event::HungUp => self.servicemgr.hung_up(now),
            Event::Asked(end) => self.asked(now, end, &mut todo),
            Event::Tick => {}
        }
        self.tick(now, &mut todo);
        if self.state != State::Finished {
            self.watch(now, &mut todo);
        }
        todo
    }

    fn booted(&mut self, now: Duration, todo: &mut Vec<Action>) {
        let State::Booting { asked } = self.state else { return };
        match asked {
            Some(end) => self.end(now, Finish::Down(end), todo),
            None => {
                self.state = State::Running;
                self.servicemgr.start_now(now);
            }
        }
    }

    fn started(&mut self, now: Duration, pid: i32, todo: &mut Vec<Action>) {
        let generation = self.servicemgr.started(now, pid);
        self.heard = now;
        todo.push(Action::Introduce);
        todo.extend(self.exits.all().map(Action::Tell));
        todo.push(Action::Tell(ToServicemgr::Go { generation, began: self.setting.began }));
        if let State::Stopping { end, .. } = self.state {
            todo.push(Action::Tell(ToServicemgr::Asked(end)));
        }
    }

    fn shell(&mut self, shell: Option<i32>, retry: Option<Duration>) {
        if let State::Rescue { .. } = self.state {
            self.state = State::Rescue { shell, retry };
        }
    }

    fn exited(&mut self, now: Duration, pid: i32, exit: Exit, todo: &mut Vec<Action>) {
        if self.servicemgr.pid() == Some(pid) {
            let renewed = self.servicemgr.renews(exit);
            let death = self.servicemgr.died(now, exit);
            if renewed && matches!(death, Death::Retry { .. }) {
                return todo.push(Action::Note("servicemgr begins anew".into()));
            }
            return self.died(now, death, &format!("it ended ({})", said_of(exit)), todo);
        }
        if self.state == (State::Rescue { shell: Some(pid), retry: None }) {
            todo.push(Action::Note("the rescue shell ended: trying servicemgr again".into()));
            return self.try_again(now);
        }
        if matches!(self.state, State::Ending { .. }) {
            return;
        }
        let (exit, lost) = self.exits.add(pid, exit);
        if let Some(lost) = lost {
            todo.push(Action::Fault(format!(
                "too many exits that servicemgr has not acknowledged: forgot that process {lost} \
                 ended"
            )));
        }
        if self.servicemgr.pid().is_some() {
            todo.push(Action::Tell(exit));
        }
    }

    fn died(&mut self, now: Duration, death: Death, how: &str, todo: &mut Vec<Action>) {
        match self.state {
            State::Running | State::Stopping { .. } => {}
            _ => return,
        }
        match death {
            Death::Retry { after, forget_state } => {
                let after = match after.as_millis() {
                    0 => "at once".to_owned(),
                    ms => format!("in {ms} ms"),
                };
                todo.push(Action::Fault(format!("servicemgr: {how}: starting it again {after}")));
                if forget_state {
                    todo.push(Action::ForgetState);
                    todo.push(Action::Fault(
                        "its state may be what kills it: the next one starts without".into(),
                    ));
                }
            }
            Death::Hopeless => self.hopeless(now, how, todo),
        }
    }

    /// servicemgr cannot run at all.
    fn hopeless(&mut self, now: Duration, how: &str, todo: &mut Vec<Action>) {
        let why = format!("servicemgr cannot run: {how}");
        match self.state {
            State::Stopping { end, .. } => {
                todo.push(Action::Fault(format!("{why}: stopping everything without it")));
                self.end(now, Finish::Down(end), todo);
            }
            _ if self.setting.container => {
                todo.push(Action::Fault(format!("{why}: the container ends")));
                self.end(now, Finish::Failed, todo);
            }
            _ => {
                self.state = State::Rescue { shell: None, retry: None };
                self.servicemgr.forget();
                todo.push(Action::Shell(why));
            }
        }
    }

    fn try_again(&mut self, now: Duration) {
        self.state = State::Running;
        self.servicemgr.start_now(now);
    }

    fn said(&mut self, now: Duration, said: ToPid1, todo: &mut Vec<Action>) {
        self.heard = now;
        match said {
            ToPid1::Ack(seq) => self.exits.acknowledge(seq),
            ToPid1::Settled => self.servicemgr.settled(),
            ToPid1::End(end) => match self.state {
                State::Running | State::Stopping { .. } => self.end(now, Finish::Down(end), todo),
                _ => {}
            },
            ToPid1::State => self.servicemgr.works(),
            // Descriptors are kept by who received them; being heard is all that Alive is for; how one
            // reaps is no rule.
            ToPid1::Hold(_) | ToPid1::Drop(_) | ToPid1::Alive | ToPid1::GoingDown => {}
        }
    }

    fn asked(&mut self, now: Duration, end: End, todo: &mut Vec<Action>) {
        match self.state {
            State::Booting { .. } => self.state = State::Booting { asked: Some(end) },
            State::Running => {
                self.state = State::Stopping { end, until: now.saturating_add(STOP_LIMIT) };
                match self.servicemgr.pid() {
                    Some(_) => todo.push(Action::Tell(ToServicemgr::Asked(end))),
                    None => self.servicemgr.hurry(now),
                }
            }
            // Whoever asks last has the say about how, not about how long.
            State::Stopping { until, .. } => {
                self.state = State::Stopping { end, until };
                if self.servicemgr.pid().is_some() {
                    todo.push(Action::Tell(ToServicemgr::Asked(end)));
                }
            }
            State::Rescue { .. } => self.end(now, Finish::Down(end), todo),
            State::Ending { .. } | State::Finished => {}
        }
    }

    fn end(&mut self, now: Duration, finish: Finish, todo: &mut Vec<Action>) {
        self.servicemgr.no_more();
        self.state = State::Ending { finish, killed: false, until: now.saturating_add(TERM_LIMIT) };
        todo.push(Action::TermAll);
    }

    fn finish(&mut self, finish: Finish, todo: &mut Vec<Action>) {
        self.state = State::Finished;
        todo.push(Action::Finish(finish));
    }

    fn replace(&mut self, why: &str, todo: &mut Vec<Action>) {
        if let Some(pid) = self.servicemgr.condemn() {
            todo.push(Action::Fault(format!("{why}: killing it, another one goes on")));
            todo.push(Action::Kill(pid));
        }
    }

    fn tick(&mut self, now: Duration, todo: &mut Vec<Action>) {
        match self.state {
            State::Stopping { end, until } if until <= now => {
                todo.push(Action::Fault(format!(
                    "servicemgr did not stop all services in {} s: stopping them without it",
                    STOP_LIMIT.as_secs()
                )));
                self.end(now, Finish::Down(end), todo);
            }
            State::Ending { finish, killed: false, until } if until <= now => {
                let until = now.saturating_add(KILL_LIMIT);
                self.state = State::Ending { finish, killed: true, until };
                todo.push(Action::KillAll);
            }
            State::Ending { finish, killed: true, until } if until <= now => {
                todo.push(Action::Fault("some processes cannot be killed: leaving them".into()));
                self.finish(finish, todo);
            }
            State::Rescue { retry: Some(retry), .. } if retry <= now => self.try_again(now),
            _ => {}
        }
        if self.servicemgr.overdue(now) {
            self.replace("servicemgr closed its socket and goes on", todo);
        }
        if self.servicemgr.begin(now) {
            todo.push(Action::Start);
        }
    }

    fn watch(&mut self, now: Duration, todo: &mut Vec<Action>) {
        let Some(at) = self.pet_at.filter(|at| *at <= now) else { return };
        self.pet_at = Some(at.max(now).saturating_add(PET_EVERY));
        let served = matches!(self.state, State::Running | State::Stopping { .. });
        let silent = now.saturating_sub(self.heard) > SILENCE_LIMIT;
        if served && silent && self.servicemgr.pid().is_some() {
            // Not petted now: if killing does not help either, the watchdog bites.
            self.replace("servicemgr has been silent for too long", todo);
        } else {
            todo.push(Action::Pet);
        }
    }
}

fn said_of(exit: Exit) -> String {
    match exit {
        Exit::Status(status) => format!("status {status}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::Unknown => "nobody saw how".into(),
    }
}
