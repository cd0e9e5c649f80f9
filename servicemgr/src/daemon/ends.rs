//! Processes that ended, as PID 1 tells, and what is left of their services.
//!
//! ```text
//! PID 1 ── Exited*, Tasks ──► all of a packet taken together ──► one step of the engine each, one record
//!                                      │
//!                 down, and as many tasks as processes we know? ──► nothing is left of any of them
//!                                      └── else: its group is asked
//! ```
//!
//! While the device goes down many end at once. Then the main process of a service is told to end alone,
//! which is all of it as a rule; what else there is, is told once that has ended, or after [`HASTE`].
//! Invariant: a service counts as ended when nothing of it is left, whoever says so: only PID 1 reaps, and
//! it counts after it has reaped, so a task that is counted is one whose end we were not told of, or one
//! that we do not know.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use api::pid1::{Exit, ToPid1, ToServicemgr};

use super::commands::ESRCH;
use super::forking::Forked;
use super::{Daemon, TURN};
use crate::engine::{Event, Id, Now, State};

/// How long only the main process of a service is told to end, while the device goes down.
const HASTE: Duration = Duration::from_millis(50);

/// What is known of ends while the device goes down.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// All services are being told of it. That those wait which others need is what the next servicemgr
    /// comes to by itself, once it knows that the device goes down.
    pub(super) beginning: bool,
    /// Every process of a service is in its group, and PID 1 reaps those that we know.
    counts: bool,
    /// So many tasks are in the groups of services.
    tasks: Option<u32>,
    /// Services of which only the main process was told to end, and when the rest is told.
    hasty: VecDeque<(Now, Id)>,
}

impl Ends {
    /// Whether a state need not be written down.
    pub(super) fn is_implied(&self, state: State) -> bool {
        self.beginning && state == State::Leaving
    }

    fn is_hasty(&self, id: Id) -> bool {
        self.hasty.iter().any(|(_, hasty)| *hasty == id)
    }
}

impl Daemon {
    /// Takes what PID 1 says now.
    pub(super) fn hear_pid1(&mut self) -> Result<(), Box<dyn Error>> {
        let mut exits = Vec::new();
        for _ in 0..TURN {
            let Some(messages) = self.link.next()? else { break };
            for message in messages {
                match message {
                    ToServicemgr::Exited { seq, pid, exit } => exits.push((seq, pid, exit)),
                    ToServicemgr::Tasks(count) => {
                        self.ends.tasks = Some(count).filter(|_| self.ends.counts);
                    }
                    ToServicemgr::Asked(end) => {
                        self.exited(&std::mem::take(&mut exits));
                        self.go_down(end);
                    }
                    ToServicemgr::Held(_) | ToServicemgr::State | ToServicemgr::Go { .. } => {}
                }
            }
        }
        self.exited(&exits);
        Ok(())
    }

    /// These processes ended: sequence number, process, how.
    pub(super) fn exited(&mut self, exits: &[(u64, i32, Exit)]) {
        if exits.is_empty() {
            return;
        }
        // What they said before they ended comes first; nobody would know who said it later.
        self.hear_services();
        let mut known = Vec::new();
        for (seq, pid, exit) in exits {
            self.whole.seen = self.whole.seen.max(*seq);
            known.extend(self.by_pid.remove(pid).map(|id| (id, *pid, *exit)));
        }
        let orphans = known.len() < exits.len();
        let ended = known.into_iter();
        let events =
            ended.filter_map(|(id, pid, exit)| self.process_ended(id, pid, exit)).collect();
        self.feed_all(events);
        if orphans {
            // Perhaps the last process of a service.
            self.look_at_awaited();
        }
        self.look_at_left();
    }

    /// This process is one of a service.
    pub(super) fn belongs(&mut self, pid: i32, id: Id) {
        self.by_pid.insert(pid, id);
        // PID 1 may have counted before it began.
        self.ends.counts = false;
        self.ends.tasks = None;
    }

    /// All services are to be stopped.
    pub(super) fn go_down(&mut self, end: api::pid1::End) {
        let event = self.going_down(end);
        self.feed(event);
    }

    /// The same, decided while something else is done.
    pub(super) fn going_down(&mut self, end: api::pid1::End) -> Event {
        log::info!("stopping every service");
        self.down = Some(end);
        self.whole.down = Some(super::adopt::down_code(end));
        self.ends.counts = self.parts.iter().all(|part| part.side.foreign.is_none());
        self.tell(&ToPid1::GoingDown, None);
        Event::Down
    }

    /// Whether services have no processes but those that we know, each of one thread.
    pub(super) fn nobody_else(&self) -> bool {
        self.ends.tasks.is_some_and(|count| usize::try_from(count) == Ok(self.by_pid.len()))
    }

    /// Tells the main process of a service to end, and the rest of it later. False: all are to be told.
    pub(super) fn end_main_first(&mut self, id: Id) -> bool {
        let (Some(service), Some(part)) = (self.plan.services.get(id), self.parts.get(id)) else {
            return false;
        };
        let plain = part.side.foreign.is_none() && part.side.forked == Forked::No;
        let Some(pid) = part.pid.filter(|pid| plain && self.by_pid.get(pid) == Some(&id)) else {
            return false;
        };
        if !self.engine.going_down() || self.launcher.groups.is_none() {
            return false;
        }
        let number = service.commands.stop_signal;
        // That it has just ended is fine; PID 1 tells.
        let told = u32::try_from(pid).is_ok_and(|pid| match sys::process::signal(pid, number) {
            Err(e) => e.raw_os_error() == Some(ESRCH),
            Ok(()) => true,
        });
        if told {
            self.ends.hasty.push_back((self.now().saturating_add(HASTE), id));
        }
        told
    }

    /// Something is left of a service whose main process ended: it is told now, if it was not yet.
    pub(super) fn end_the_rest(&mut self, id: Id) {
        if self.ends.is_hasty(id) {
            self.ends.hasty.retain(|(_, hasty)| *hasty != id);
            self.signal(id, false);
        }
    }

    /// How long until the rest of services is told to end.
    pub(super) fn haste(&self) -> Option<Duration> {
        self.ends.hasty.front().map(|(at, _)| at.saturating_sub(self.now()))
    }

    /// Those whose main process has not ended by itself are told as a whole.
    pub(super) fn end_the_slow(&mut self) {
        let now = self.now();
        while let Some((_, id)) = self.ends.hasty.pop_front_if(|(at, _)| *at <= now) {
            let life = self.engine.life(id);
            if life.is_some_and(|life| life.state == State::Stopping && life.main && !life.killed) {
                let number = self.plan.services.get(id).map_or(0, |s| s.commands.stop_signal);
                if let Some(Err(e)) = self.signal_group(id, self.main(id), number) {
                    log::error!("could not signal all of a service: {e}");
                }
            }
        }
    }

    /// Looks again at groups that had processes left.
    pub(super) fn look_at_left(&mut self) {
        if self.left.is_empty() {
            return;
        }
        self.look.done(self.now());
        for id in std::mem::take(&mut self.left) {
            // One that was given up and started again has a group with a new life in it.
            if self.engine.life(id).is_none_or(|life| !life.left) {
                continue;
            }
            if self.populated(id) {
                self.left.push(id);
            } else {
                self.feed(Event::Empty(id));
            }
        }
    }
}
