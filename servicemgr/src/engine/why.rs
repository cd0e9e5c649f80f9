//! Why a service is where it is: what holds it up, and who wants it.

use super::graph::Kind;
use super::{Engine, Id, Now, State};

/// Why a service is where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Why {
    /// What it waits for.
    pub held_by: Vec<Hold>,
    /// Those up, or on their way, that require or want it.
    pub wanted_by: Vec<Id>,
    /// Somebody named it: a person, or the list of those that start at boot.
    pub requested: bool,
}

/// What a service waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Another service; `None`: something of its own.
    pub by: Option<Id>,
    /// What is the matter with it, as words for people.
    pub what: String,
    /// Since when that is so.
    pub since: Now,
    /// When it is over in any case.
    pub until: Option<Now>,
}

impl Engine {
    /// Why `id` is where it is.
    #[must_use]
    pub fn why(&self, id: Id) -> Why {
        let Some(unit) = self.units.get(id) else { return Why::default() };
        let users = unit.links.users.iter().filter(|e| e.pulls);
        let wants = |id: &Id| {
            let state = self.state(*id);
            !matches!(state, State::Off | State::Failed) || self.unit(*id, |u| u.life.wanted)
        };
        Why {
            held_by: self.holds(id),
            wanted_by: users.map(|e| e.to).filter(wants).collect(),
            requested: unit.life.requested,
        }
    }

    fn holds(&self, id: Id) -> Vec<Hold> {
        let Some(life) = self.units.get(id).map(|u| &u.life) else { return Vec::new() };
        let own = |what: &str, since| Hold {
            by: None,
            what: what.to_owned(),
            since,
            until: life.due.filter(|_| life.frozen.is_none()),
        };
        let command = life.command.map(|c| {
            own(&format!("its command {} {} runs", c.number + 1, c.phase.when()), c.since)
        });
        let mut holds = Vec::from_iter(life.frozen.map(|since| own("it is frozen", since)));
        match life.state {
            State::Waiting => {
                holds.extend(self.in_the_way(id));
                holds.extend(life.due.map(|_| own("the rest of the boot goes first", life.since)));
            }
            State::Starting => {
                holds.push(command.unwrap_or_else(|| own("it is not ready yet", life.since)));
            }
            State::Leaving => {
                holds.extend(command);
                holds.extend(self.users_on_their_way(id, false));
            }
            State::Stopping => {
                let what = match life.killed {
                    true => "its processes were killed and are still there",
                    false => "its processes are to end",
                };
                holds.push(command.unwrap_or_else(|| own(what, life.since)));
            }
            State::Backoff => holds.push(own("it waits before it starts again", life.since)),
            State::Ready if life.reloading => {
                let reads = || own("it reads its configuration anew", life.since);
                holds.push(command.unwrap_or_else(reads));
            }
            State::Off | State::Done if life.armed => holds.extend(self.foes_up(id)),
            State::Off | State::Ready | State::Done | State::Failed => {}
        }
        holds
    }

    /// What is in the way of its start.
    fn in_the_way(&self, id: Id) -> Vec<Hold> {
        let Some(unit) = self.units.get(id) else { return Vec::new() };
        let needs = unit.links.needs.iter().filter(|e| match e.kind {
            Kind::Requires => !self.state(e.to).met(),
            Kind::Once | Kind::Order => !self.state(e.to).settled(),
            Kind::Last => false,
        });
        let foes = unit.links.foes.iter().filter(|foe| self.state(**foe).occupies());
        let foes = foes.map(|foe| self.held(*foe, FOE));
        let needs = needs.map(|e| self.held(e.to, ""));
        needs.chain(foes).chain(self.users_on_their_way(id, true)).collect()
    }

    /// What keeps the sockets of an armed service closed.
    fn foes_up(&self, id: Id) -> Vec<Hold> {
        let foes = self.units.get(id).map(|u| u.links.foes.as_slice()).unwrap_or_default();
        let up = foes.iter().filter(|foe| !matches!(self.state(**foe), State::Off | State::Failed));
        up.map(|foe| self.held(*foe, FOE)).collect()
    }

    /// Those that use it and are on their way down.
    fn users_on_their_way(&self, id: Id, hard: bool) -> Vec<Hold> {
        let users = self.units.get(id).map(|u| u.links.users.as_slice()).unwrap_or_default();
        let users = users.iter().filter(|e| !hard || e.kind.hard());
        let ending = users.filter(|e| self.state(e.to).ending());
        ending.map(|e| self.held(e.to, "uses it and ")).collect()
    }

    fn held(&self, id: Id, how: &str) -> Hold {
        let (state, since, until) = self.unit(id, |u| (u.life.state, u.life.since, u.life.due));
        Hold { by: Some(id), what: format!("{how}{}", does(state)), since, until }
    }
}

/// How another one is in the way that it conflicts with.
const FOE: &str = "conflicts with it and ";

fn does(state: State) -> &'static str {
    match state {
        State::Off => "is off",
        State::Waiting => "waits itself",
        State::Starting => "is starting",
        State::Ready => "is ready",
        State::Done => "is done",
        State::Leaving => "is to stop",
        State::Stopping => "is stopping",
        State::Backoff => "starts again later",
        State::Failed => "has failed",
    }
}
