//! What people and the device ask for: start, stop, restart, everything up, everything down.

use super::transaction::{Draft, Wish};
use super::unit::Want;
use super::{Action, Answer, Ask, Down, Engine, Id, Job, Life, Next, Now, Reason, State};

impl Engine {
    /// Everything enabled, as one transaction. Of two that conflict the first by name starts.
    pub(super) fn boot(&mut self, now: Now) {
        if self.boot_asked || self.down != Down::No {
            return;
        }
        self.boot_asked = true;
        let mut draft = self.empty_draft();
        let mut refused = Vec::new();
        for id in self.enabled.clone() {
            if self.unit(id, |u| u.spec.demand) {
                self.arm(id);
            } else if let Err(why) = self.draft_start(&mut draft, id, Wish::Boot) {
                refused.push((id, why));
            } else if let Some(unit) = self.units.get_mut(id) {
                unit.life.requested = true;
            }
        }
        self.carry_out(now, &draft);
        for (id, why) in refused {
            self.refuse(now, id, why);
        }
        for id in 0..self.units.len() {
            let Some(unit) = self.units.get_mut(id) else { continue };
            if unit.life.wanted && !unit.life.state.settled() {
                unit.life.boot = true;
                self.booting += 1;
                self.moving += usize::from(unit.life.state.moves());
            }
        }
    }

    /// `id` can't be started for a reason that lies in the whole.
    pub(super) fn refuse(&mut self, now: Now, id: Id, why: String) {
        let Some(unit) = self.units.get_mut(id) else { return };
        if matches!(unit.life.state, State::Off | State::Failed) {
            unit.life.reason = Some(Reason::Refused(why));
            unit.life.times.asked.get_or_insert(now);
            self.set(id, State::Failed, now);
            self.mark(id);
        }
    }

    pub(super) fn ask(&mut self, now: Now, id: Id, ask: Ask, job: Job) {
        if matches!(ask, Ask::Start | Ask::Stop | Ask::Restart) {
            return self.ask_all(now, ask, &[(id, job)]);
        }
        if let Some(answer) = self.out_of_question(id, ask) {
            return self.actions.push(Action::Answer(job, answer));
        }
        let done = match ask {
            Ask::Start | Ask::Stop | Ask::Restart => return,
            Ask::Reload => match self.ask_reload(now, id, job) {
                Ok(()) => return,
                Err(why) => Err(why),
            },
            Ask::Freeze => self.freeze(now, id),
            Ask::Thaw => {
                self.thaw(now, id);
                Ok(())
            }
            Ask::Arm => {
                self.arm(id);
                Ok(())
            }
            Ask::Disarm => {
                self.disarm(id);
                Ok(())
            }
            Ask::Reset => {
                self.reset(now, id);
                Ok(())
            }
        };
        let answer = done.map_or_else(Answer::Refused, |()| Answer::Done);
        self.actions.push(Action::Answer(job, answer));
    }

    /// A start, stop or restart of all these: done whole or not at all.
    pub(super) fn ask_all(&mut self, now: Now, ask: Ask, all: &[(Id, Job)]) {
        let no = all.iter().find_map(|(id, _)| self.out_of_question(*id, ask));
        let ids: Vec<Id> = all.iter().map(|(id, _)| *id).collect();
        let draft = match (no, self.draft(&ids, ask)) {
            (None, Ok(draft)) => draft,
            (None, Err(why)) => return self.answer_all(all, &Answer::Refused(why)),
            (Some(answer), _) => return self.answer_all(all, &answer),
        };
        for (id, job) in all {
            self.note(*id, ask, *job);
        }
        if ask == Ask::Stop {
            for id in &draft.stop {
                if let Some(unit) = self.units.get_mut(*id) {
                    unit.life.hushed = true;
                }
            }
        }
        self.carry_out(now, &draft);
        all.iter().for_each(|(id, _)| self.mark(*id));
    }

    /// What is answered to a request that nothing can come of.
    fn out_of_question(&self, id: Id, ask: Ask) -> Option<Answer> {
        let ends = matches!(ask, Ask::Stop | Ask::Reset | Ask::Disarm | Ask::Thaw);
        if !ends && self.down != Down::No {
            return Some(Answer::GoingDown);
        }
        self.units.get(id).is_none_or(|u| u.vacant).then_some(Answer::Replaced)
    }

    fn answer_all(&mut self, all: &[(Id, Job)], answer: &Answer) {
        self.actions.extend(all.iter().map(|(_, job)| Action::Answer(*job, answer.clone())));
    }

    /// A start, stop or restart that contradicts nothing takes over from earlier requests.
    fn note(&mut self, id: Id, ask: Ask, job: Job) {
        let want = if ask == Ask::Stop { Want::Down } else { Want::Up };
        let Some(unit) = self.units.get_mut(id) else { return };
        let (other, same): (Vec<_>, Vec<_>) =
            std::mem::take(&mut unit.jobs).into_iter().partition(|(_, w)| match w {
                Want::Up | Want::Down => *w != want,
                Want::Reload | Want::NextReload => want == Want::Down,
            });
        unit.jobs = same;
        unit.jobs.push((job, want));
        unit.life.requested = want == Want::Up;
        unit.life.handler = false;
        let replaced = other.into_iter().map(|(job, _)| Action::Answer(job, Answer::Replaced));
        self.actions.extend(replaced);
    }

    /// Does what was drafted.
    pub(super) fn carry_out(&mut self, now: Now, draft: &Draft) {
        self.look(draft.looks);
        for id in &draft.stop {
            let next = draft.next(*id);
            let failed = self.state(*id) == State::Failed;
            if !failed || next == Next::Off {
                self.take_one_down(now, *id, next);
            }
            let Some(unit) = self.units.get_mut(*id) else { continue };
            unit.life.wanted &= next == Next::Waiting;
            unit.life.requested &= next == Next::Waiting;
            self.mark(*id);
        }
        for (id, person) in &draft.start {
            self.begin_one(now, *id, *person);
        }
    }

    /// Wants `id` to run. A person's wish also forgets earlier failures.
    fn begin_one(&mut self, now: Now, id: Id, person: bool) {
        let (again, free) = (self.again_if_done(id, person), !self.foe_is_up(id));
        let Some(unit) = self.units.get_mut(id) else { return };
        let life = &mut unit.life;
        (life.wanted, life.hushed) = (true, false);
        life.times.asked.get_or_insert(now);
        let state = life.state;
        if person {
            unit.forget();
        }
        match state {
            State::Off | State::Failed | State::Backoff => {
                unit.life.handler = false;
                // What one in its way has open, it opens when that one is gone.
                if free && unit.spec.kind != model::service::Kind::Target {
                    self.actions.push(Action::Open(id));
                }
                self.wait(now, id);
            }
            State::Leaving | State::Stopping => {
                (unit.life.next, unit.life.own) = (Next::Waiting, false);
            }
            State::Done if again => self.leave(now, id, Next::Waiting),
            State::Done | State::Waiting | State::Starting | State::Ready => {}
        }
        self.mark(id);
    }

    pub(super) fn take_one_down(&mut self, now: Now, id: Id, next: Next) {
        match (self.state(id), next) {
            (State::Off, _) | (State::Failed | State::Waiting | State::Backoff, Next::Waiting) => {}
            // On its way already, and it knows where to.
            (State::Leaving | State::Stopping, Next::Waiting) => {}
            (State::Failed | State::Waiting | State::Backoff, _) => {
                if let Some(unit) = self.units.get_mut(id) {
                    (unit.life.wanted, unit.life.requested) = (false, false);
                }
                self.set(id, State::Off, now);
            }
            (State::Starting | State::Ready | State::Done, _) => self.leave(now, id, next),
            (State::Leaving | State::Stopping, _) => {
                if let Some(unit) = self.units.get_mut(id) {
                    (unit.life.next, unit.life.own, unit.life.well) = (next, false, false);
                }
            }
        }
    }

    /// Its failures are forgotten. One that has failed is off.
    fn reset(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.forget();
        unit.life.restarts = 0;
        if unit.life.state == State::Failed {
            (unit.life.wanted, unit.life.requested) = (false, false);
            unit.life.reason = None;
            self.set(id, State::Off, now);
        }
        self.mark(id);
    }

    pub(super) fn all_down(&mut self, now: Now) {
        if self.down != Down::No {
            return;
        }
        self.down = Down::Asked;
        self.handlers.clear();
        for id in 0..self.units.len() {
            if self.unit(id, |u| u.life.armed && u.life.state != State::Failed) {
                self.actions.push(Action::Disarm(id));
            }
            if self.state(id) != State::Failed {
                self.take_one_down(now, id, Next::Off);
            }
            let Some(unit) = self.units.get_mut(id) else { continue };
            (unit.life.wanted, unit.life.requested) = (false, false);
            let (rest, up): (Vec<_>, Vec<_>) =
                std::mem::take(&mut unit.jobs).into_iter().partition(|(_, w)| *w == Want::Down);
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
            for (job, want) in all {
                match outcome(life, want) {
                    Some(answer) => self.actions.push(Action::Answer(job, answer)),
                    None => unit.jobs.push((job, want)),
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

/// What a request is answered, if it has ended.
fn outcome(life: &Life, want: Want) -> Option<Answer> {
    let failed = || life.reason.clone().map_or(Answer::Replaced, Answer::Failed);
    match (life.state, want) {
        // The end of a reload answers it.
        (State::Ready, Want::Reload | Want::NextReload) => None,
        (State::Failed | State::Backoff, Want::Up | Want::Reload | Want::NextReload) => {
            Some(failed())
        }
        (State::Leaving | State::Stopping, Want::Reload | Want::NextReload)
            if matches!(life.next, Next::Failed | Next::Backoff) =>
        {
            Some(failed())
        }
        (_, Want::Reload | Want::NextReload) => Some(Answer::Replaced),
        (State::Ready | State::Done, Want::Up) | (State::Off | State::Failed, Want::Down) => {
            Some(Answer::Done)
        }
        (State::Off, Want::Up) if life.well => Some(Answer::Done),
        (State::Leaving | State::Stopping, _) => None,
        (State::Waiting | State::Starting, Want::Up) => None,
        (State::Off, Want::Up) | (_, Want::Down) => Some(Answer::Replaced),
    }
}
