//! What people and the device ask for: start, stop, restart, everything up, everything down.

use super::graph::Kind as EdgeKind;
use super::{Action, Answer, Ask, Down, Engine, Id, Job, Life, Next, Now, State};

impl Engine {
    pub(super) fn boot(&mut self, now: Now) {
        if self.boot_asked || self.down != Down::No {
            return;
        }
        self.boot_asked = true;
        for id in self.enabled.clone() {
            self.pull(now, id, false);
        }
        for id in 0..self.units.len() {
            let Some(unit) = self.units.get_mut(id) else { continue };
            if unit.life.wanted && !unit.life.state.settled() {
                unit.life.boot = true;
                self.booting += 1;
            }
        }
    }

    pub(super) fn ask(&mut self, now: Now, id: Id, ask: Ask, job: Job) {
        let up = ask != Ask::Stop;
        if up && self.down != Down::No {
            self.actions.push(Action::Answer(job, Answer::GoingDown));
            return;
        }
        let Some(unit) = self.units.get_mut(id) else {
            self.actions.push(Action::Answer(job, Answer::Replaced));
            return;
        };
        let (same, other): (Vec<_>, Vec<_>) =
            std::mem::take(&mut unit.jobs).into_iter().partition(|(_, u)| *u == up);
        unit.jobs = same;
        unit.jobs.push((job, up));
        let replaced = other.into_iter().map(|(job, _)| Action::Answer(job, Answer::Replaced));
        self.actions.extend(replaced);
        match ask {
            Ask::Start => self.pull(now, id, true),
            Ask::Stop => self.take_down(now, id, Next::Off),
            Ask::Restart => {
                self.take_down(now, id, Next::Waiting);
                self.pull(now, id, true);
            }
            _ => self.actions.push(Action::Answer(job, Answer::Refused("not yet".into()))),
        }
        self.mark(id);
    }

    /// Wants `id` and all it pulls in to run. A person's wish also forgets earlier failures.
    fn pull(&mut self, now: Now, id: Id, person: bool) {
        let mut todo = vec![(id, person)];
        while let Some((id, fresh)) = todo.pop() {
            let Some(unit) = self.units.get_mut(id) else { continue };
            let life = &mut unit.life;
            let begin = match life.state {
                State::Off => true,
                State::Failed if person => true,
                State::Backoff if fresh => true,
                State::Leaving | State::Stopping if life.next != Next::Waiting || !life.wanted => {
                    life.next = Next::Waiting;
                    false
                }
                _ => continue,
            };
            life.wanted = true;
            life.times.asked.get_or_insert(now);
            if person {
                life.falls.clear();
                (life.short, life.unready) = (0, 0);
            }
            let pulled = unit.needs.iter().filter(|e| e.pulls).map(|e| (e.to, false));
            todo.extend(pulled);
            self.looks += u64::try_from(unit.needs.len()).unwrap_or(0);
            self.mark(id);
            if begin {
                self.actions.push(Action::Open(id));
                self.wait(now, id);
            }
        }
    }

    /// Takes `id` and those that require it down; after that they are `next`.
    fn take_down(&mut self, now: Now, id: Id, next: Next) {
        let mut seen = vec![false; self.units.len()];
        let mut todo = vec![id];
        while let Some(at) = todo.pop() {
            if seen.get_mut(at).is_none_or(|s| std::mem::replace(s, true)) {
                continue;
            }
            let own = self.state(at) == State::Failed && at != id;
            if !own || next == Next::Waiting || self.unit(at, |u| u.life.wanted) {
                self.take_one_down(now, at, next);
            }
            let Some(unit) = self.units.get_mut(at) else { continue };
            unit.life.wanted &= next == Next::Waiting;
            let users = unit.users.iter().filter(|e| e.kind == EdgeKind::Requires);
            todo.extend(users.map(|e| e.to));
            self.looks += u64::try_from(unit.users.len()).unwrap_or(0);
            self.mark(at);
        }
    }

    fn take_one_down(&mut self, now: Now, id: Id, next: Next) {
        match (self.state(id), next) {
            (State::Off, _) | (State::Failed | State::Waiting | State::Backoff, Next::Waiting) => {}
            (State::Failed | State::Waiting | State::Backoff, _) => self.set(id, State::Off, now),
            (State::Starting | State::Ready | State::Done, _) => self.leave(now, id, next),
            (State::Leaving | State::Stopping, _) => {
                if let Some(unit) = self.units.get_mut(id) {
                    unit.life.next = next;
                }
            }
        }
    }

    pub(super) fn all_down(&mut self, now: Now) {
        if self.down != Down::No {
            return;
        }
        self.down = Down::Asked;
        for id in 0..self.units.len() {
            if self.state(id) != State::Failed {
                self.take_one_down(now, id, Next::Off);
            }
            let Some(unit) = self.units.get_mut(id) else { continue };
            unit.life.wanted = false;
            let (up, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut unit.jobs).into_iter().partition(|(_, up)| *up);
            unit.jobs = rest;
            let told = up.into_iter().map(|(job, _)| Action::Answer(job, Answer::GoingDown));
            self.actions.extend(told);
            self.mark(id);
        }
    }

    /// Answers the requests that this step ended, and says when the whole is up or down.
    pub(super) fn answer(&mut self) {
        for at in 0..self.changed.len() {
            let Some(unit) = self.changed.get(at).and_then(|id| self.units.get_mut(*id)) else {
                continue;
            };
            if unit.jobs.is_empty() {
                continue;
            }
            let life = &unit.life;
            let all = std::mem::take(&mut unit.jobs);
            for (job, up) in all {
                match outcome(life, up) {
                    Some(answer) => self.actions.push(Action::Answer(job, answer)),
                    None => unit.jobs.push((job, up)),
                }
            }
        }
        if !self.booted && self.booting == 0 && self.boot_asked {
            self.booted = true;
            self.actions.push(Action::Settled);
        }
        if self.down == Down::Asked && self.alive == 0 {
            self.down = Down::Told;
            self.actions.push(Action::AllDown);
        }
    }
}

/// What a request that wants the service up (or down) is answered, if it has ended.
fn outcome(life: &Life, up: bool) -> Option<Answer> {
    let failed = || life.reason.clone().map_or(Answer::Replaced, Answer::Failed);
    match (life.state, up) {
        (State::Ready | State::Done, true) | (State::Off | State::Failed, false) => {
            Some(Answer::Done)
        }
        (State::Failed | State::Backoff, true) => Some(failed()),
        (State::Leaving | State::Stopping, _) => None,
        (State::Waiting | State::Starting, true) => None,
        (State::Off, true) | (_, false) => Some(Answer::Replaced),
    }
}
