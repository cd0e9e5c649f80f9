//! New definitions while the device runs.
//!
//! ```text
//! read ──broken──► nothing changes, the client is told where
//!  └─fine──► what is taken away stops ──► servicemgr ends ──► the next one goes
//!            on with the new definitions: what changed and runs is restarted
//! ```
//!
//! The next servicemgr is started by PID 1 at once and goes on as after a crash; lives are found
//! again by name.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::time::Duration;

use api::services::{Change, Error};
use model::service::Service;
use model::{Name, gather};

use super::Daemon;
use super::bus::Reply;
use super::definitions::{Choices, Definitions};
use super::requests::unknown;
use crate::engine::{Ask, Event, Id, Now, State};

/// Number of requests that nobody waits for.
const NOBODY: u64 = 0;

/// Time for the answer to reach the client before its connection ends.
const FAREWELL: Duration = Duration::from_millis(50);

/// What waits for the end of this servicemgr.
#[derive(Debug)]
pub(super) struct Renewal {
    /// Services that are not there any more; they end first.
    gone: Vec<Id>,
    /// Those to restart.
    restart: Vec<Name>,
    /// Not before this time.
    at: Now,
}

impl Daemon {
    /// What the files say now, against what runs. Unless it is a rehearsal, it is about to happen.
    pub(super) fn reload_definitions(&mut self, rehearse: bool) -> Result<Vec<Change>, Error> {
        if self.engine.going_down() {
            return Err(Error::GoingDown("the device is going down; nothing is reloaded".into()));
        }
        let new =
            Definitions::read(&self.settings).map_err(|e| Error::BadDefinition(e.to_string()))?;
        // Each of a circle tells the circle from its own place: once is enough.
        let mut told = BTreeSet::new();
        let wrong = new.forbidden.iter().map(|(_, why)| why.clone());
        let words = |why: &str| gather::<BTreeSet<_>, _>(why.split(' ').map(str::to_owned));
        let wrong = wrong.filter(|why| told.insert(words(why)));
        let wrong: Vec<String> = new.problems.iter().cloned().chain(wrong).collect();
        if !wrong.is_empty() {
            return Err(Error::BadDefinition(wrong.join("\n")));
        }
        let changes = self.changes(&new);
        if rehearse || (changes.is_empty() && new.fingerprint == self.whole.plan) {
            return Ok(changes);
        }
        let named = |what: &str| -> Vec<Name> {
            let of = changes.iter().filter(|c| c.what == what && !c.effect.is_empty());
            of.filter_map(|c| Name::try_from(c.name.as_str()).ok()).collect()
        };
        let restart = named("changed");
        let gone: Vec<Id> =
            named("removed").iter().filter_map(|name| self.find(name.as_str())).collect();
        log::info!("reading definitions anew: {} change", changes.len());
        for id in &gone {
            self.feed(Event::Ask(*id, Ask::Stop, NOBODY));
        }
        let at = self.now().saturating_add(FAREWELL);
        self.renewal = Some(Renewal { gone, restart, at });
        Ok(changes)
    }

    fn changes(&self, new: &Definitions) -> Vec<Change> {
        let by_name: BTreeMap<&Name, &Service> =
            gather(new.plan.services.iter().map(|s| (&s.name, s)));
        let enabled = |plan: &model::Plan, id: Id| {
            u32::try_from(id).is_ok_and(|id| plan.enabled.contains(&id))
        };
        let new_ids = new.plan.ids();
        let mut all = Vec::new();
        let mut add = |name: &Name, what: &str, effect: &str| {
            all.push(Change { name: name.to_string(), what: what.into(), effect: effect.into() });
        };
        for (id, old) in self.plan.services.iter().enumerate().take(self.fixed) {
            let up = !matches!(self.engine.state(id), State::Off | State::Failed);
            let Some(now) = by_name.get(&old.name) else {
                add(&old.name, "removed", if up { "stops" } else { "" });
                continue;
            };
            if *now != &*self.permissions.as_defined(old) {
                let running = self.engine.state(id).running();
                add(&old.name, "changed", if running { "restarts" } else { "" });
            }
            let is = new_ids.get(&old.name).is_some_and(|id| new.plan.enabled.contains(id));
            match (enabled(&self.plan, id), is) {
                (false, true) => add(&old.name, "enabled", ""),
                (true, false) => add(&old.name, "disabled", ""),
                _ => {}
            }
        }
        for name in by_name
            .keys()
            .filter(|name| self.find(name.as_str()).is_none_or(|id| self.is_transient(id)))
        {
            add(name, "added", "");
        }
        all.sort_by(|a, b| (&a.name, &a.what).cmp(&(&b.name, &b.what)));
        all
    }

    /// Whether everything that is taken away has ended.
    pub(super) fn may_renew(&self) -> bool {
        let over = |id: &Id| matches!(self.engine.state(*id), State::Off | State::Failed);
        self.renewal.as_ref().is_some_and(|r| r.at <= self.now() && r.gone.iter().all(over))
    }

    /// How long until it may be, as far as that is a matter of time.
    pub(super) fn renewal_wait(&self) -> Option<Duration> {
        let left = self.renewal.as_ref()?.at.saturating_sub(self.now());
        (left > Duration::ZERO).then_some(left)
    }

    /// Notes all that the next servicemgr needs, and ends.
    ///
    /// # Errors
    /// It cannot be noted.
    pub(super) fn renew(&mut self) -> Result<(), Box<dyn StdError>> {
        let Some(renewal) = self.renewal.take() else { return Ok(()) };
        self.log.restart(renewal.restart);
        // What it listens for may be something else then.
        self.hear_no_signals();
        Ok(self.log.flush()?)
    }

    /// From the next boot on a service starts, or does not; with `now` also at once.
    pub(super) fn enable(
        &mut self,
        name: &str,
        on: bool,
        now: bool,
        reply: Reply<Result<(), Error>>,
    ) {
        if let Err(e) = self.choose(name, on) {
            return drop(reply.send(Err(e)));
        }
        match (now, on) {
            (false, _) => drop(reply.send(Ok(()))),
            (true, false) => {
                if let Some(id) = self.find(name) {
                    self.feed(Event::Ask(id, Ask::Disarm, NOBODY));
                }
                self.ask(name, Ask::Stop, reply);
            }
            (true, true) => {
                let demand = self
                    .find(name)
                    .and_then(|id| self.plan.services.get(id))
                    .is_some_and(|s| s.start == model::service::Start::Demand);
                self.ask(name, if demand { Ask::Arm } else { Ask::Start }, reply);
            }
        }
    }

    /// Writes down whether a service starts at boot.
    fn choose(&mut self, name: &str, on: bool) -> Result<(), Error> {
        let known = match self.find(name) {
            Some(id) => {
                !self.is_transient(id)
                    || Name::try_from(name).is_ok_and(|n| n.of_template().is_some())
            }
            None => self.instantiate(name).is_ok(),
        };
        let name = Name::try_from(name).ok().filter(|_| known).ok_or_else(|| unknown(name))?;
        let path = self.settings.choices();
        let mut choices = Choices::read(&path).map_err(Error::BadDefinition)?;
        let (into, out) = match on {
            true => (&mut choices.enable, &mut choices.disable),
            false => (&mut choices.disable, &mut choices.enable),
        };
        out.remove(&name);
        // What the image has anyway need not be said.
        match Definitions::shipped_on(&self.settings, &name) == on {
            true => drop(into.remove(&name)),
            false => drop(into.insert(name.clone())),
        }
        choices
            .write(&path)
            .map_err(|e| Error::Failed(format!("could not write {}: {e}", path.display())))?;
        let id = self.find(name.as_str()).and_then(|id| u32::try_from(id).ok());
        self.plan.enabled.retain(|e| Some(*e) != id);
        if let (true, Some(id)) = (on, id) {
            self.plan.enabled.push(id);
            self.plan.enabled.sort_unstable();
        }
        Ok(())
    }
}
