//! Commands around the main process, and reading the configuration anew. At most one command of a
//! service runs at a time; each is answered by `CommandEnded`, also one that was told to end.

use model::service::Kind;

use super::unit::{How, Want};
use super::{
    Action, Answer, Engine, Id, Job, KILL_TIMEOUT, Next, Now, Phase, Reason, Running, State,
};

impl Engine {
    /// Nothing is started within what stands still: whoever starts it would stand still too.
    pub(super) fn run(&mut self, now: Now, id: Id, phase: Phase, number: usize) {
        self.thaw(now, id);
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.life.command = Some(Running { phase, number, since: now, ended: false });
        self.actions.push(Action::Run(id, phase, number));
        self.mark(id);
    }

    /// Tells the command that runs to end, if there is one.
    pub(super) fn end_command(&mut self, id: Id) {
        let command = self.units.get_mut(id).and_then(|u| u.life.command.as_mut());
        if let Some(command) = command.filter(|c| !c.ended) {
            command.ended = true;
            self.actions.push(Action::EndCommand(id));
            self.mark(id);
        }
    }

    pub(super) fn command_ended(&mut self, now: Now, id: Id, end: &Result<(), String>) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let Some(command) = unit.life.command.take() else { return };
        let Running { phase, number, ended, .. } = command;
        let why = end.as_ref().err().map(|why| Reason::Command(phase, why.clone()));
        let next = number + 1;
        let more = !ended && next < unit.spec.commands(phase);
        self.mark(id);
        match (self.state(id), phase) {
            (State::Starting, _) if why.is_some() => self.fall(now, id, why),
            (State::Starting, _) if more => self.run(now, id, phase, next),
            (State::Starting, Phase::BeforeStart) => self.spawn(now, id),
            (State::Starting, _) => self.become_ready(now, id),
            (State::Ready, _) => self.reload_over(now, id, why),
            (State::Leaving, _) => self.able.push_back(id),
            // Those to stop and after it go on whatever became of one of them.
            (State::Stopping, Phase::Stop | Phase::AfterStop) if more => {
                self.run(now, id, phase, next);
            }
            (State::Stopping, Phase::AfterStop) => {
                self.actions.push(Action::Gone(id));
                self.settle(now, id);
            }
            (State::Stopping, _) => {
                if phase == Phase::Stop {
                    self.no_more_asking(id);
                }
                self.go_on_stopping(now, id);
            }
            _ => {}
        }
    }

    /// Its own commands to stop have run: now the signal.
    fn no_more_asking(&mut self, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.life.up = false;
    }

    /// It is begun again: whether it did its work nobody saw.
    pub(super) fn command_lost(&mut self, now: Now, id: Id) {
        match self.units.get(id).and_then(|u| u.life.command) {
            Some(Running { ended: true, .. }) => {
                self.command_ended(now, id, &Err("nobody saw how it ended".to_owned()));
            }
            Some(Running { phase, number, .. }) => self.run(now, id, phase, number),
            None => {}
        }
    }

    /// Somebody asks it to read its configuration anew. An error is a sentence.
    pub(super) fn ask_reload(&mut self, now: Now, id: Id, job: Job) -> Result<(), String> {
        let Some(unit) = self.units.get_mut(id) else { return Ok(()) };
        let name = &unit.name;
        let no = |why: &str| Err(format!("cannot reload {name}: {why}"));
        if unit.spec.reload == How::Not {
            return no("it has no way to; restart it");
        }
        if unit.life.state != State::Ready {
            return no("it does not run");
        }
        if unit.life.frozen.is_some() {
            return no("it is frozen; thaw it first");
        }
        let busy = unit.life.reloading;
        unit.jobs.push((job, if busy { Want::NextReload } else { Want::Reload }));
        if !busy {
            self.reload(now, id);
        }
        self.mark(id);
        Ok(())
    }

    fn reload(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let due = now.saturating_add(unit.spec.start_timeout);
        unit.life.reloading = true;
        if unit.spec.reload == How::Command {
            self.run(now, id, Phase::Reload, 0);
        } else {
            unit.life.deaf = unit.spec.kind == Kind::NotifyReload;
            let over = !unit.life.deaf;
            self.actions.push(Action::Reload(id));
            if over {
                return self.reload_over(now, id, None);
            }
        }
        self.set_due(id, Some(due));
    }

    /// It said that it reads its configuration anew.
    pub(super) fn reloading(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        if unit.life.state != State::Ready {
            return;
        }
        let due = now.saturating_add(unit.spec.start_timeout);
        unit.life.deaf = false;
        if !std::mem::replace(&mut unit.life.reloading, true) {
            self.set_due(id, Some(due));
        }
        self.mark(id);
    }

    /// A reload ended: its requests are answered, and the next one begins.
    pub(super) fn reload_over(&mut self, now: Now, id: Id, why: Option<Reason>) {
        let Some(unit) = self.units.get_mut(id) else { return };
        (unit.life.reloading, unit.life.deaf) = (false, false);
        let mut again = false;
        for (job, want) in std::mem::take(&mut unit.jobs) {
            if want == Want::Reload {
                let answer = why.clone().map_or(Answer::Done, Answer::Failed);
                self.actions.push(Action::Answer(job, answer));
            } else {
                again |= want == Want::NextReload;
                let begun = if want == Want::NextReload { Want::Reload } else { want };
                unit.jobs.push((job, begun));
            }
        }
        self.set_due(id, None);
        self.mark(id);
        if again {
            self.reload(now, id);
        }
    }

    /// A reload took too long. The service stays; a command gets time to end. One that does not end
    /// even then (stuck in a driver) is left to itself, and further reloads have one of their own.
    pub(super) fn reload_is_late(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let why = Reason::NotReloaded(unit.spec.start_timeout);
        let stuck = unit.life.command.is_some_and(|c| c.ended);
        if stuck {
            unit.life.command = None;
            self.actions.push(Action::Abandon(id));
        }
        if self.unit(id, |u| u.life.command.is_none()) {
            return self.reload_over(now, id, Some(why));
        }
        let Some(unit) = self.units.get_mut(id) else { return };
        for (job, _) in unit.jobs.extract_if(.., |(_, want)| *want == Want::Reload) {
            self.actions.push(Action::Answer(job, Answer::Failed(why.clone())));
        }
        self.end_command(id);
        self.set_due(id, Some(now.saturating_add(KILL_TIMEOUT)));
        self.mark(id);
    }

    /// The time of a stop is over.
    pub(super) fn stop_is_late(&mut self, now: Now, id: Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        if unit.life.killed {
            unit.life.reason = Some(Reason::Unkillable);
            unit.life.next = Next::Failed;
            unit.life.command = None;
            (unit.life.main, unit.life.left, unit.life.well) = (false, false, false);
            self.actions.push(Action::Gone(id));
            return self.settle(now, id);
        }
        (unit.life.killed, unit.life.signalled) = (true, true);
        let processes = unit.life.main || unit.life.left;
        self.end_command(id);
        if processes {
            self.actions.push(Action::Kill(id));
        }
        self.set_due(id, Some(now.saturating_add(KILL_TIMEOUT)));
        self.mark(id);
    }
}
