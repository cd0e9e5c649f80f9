//! Services that come and go while the device runs, and those that can't run at all.

use std::collections::BTreeSet;

use model::Name;
use model::plan::MAX_SERVICES;
use model::service::Service;

use super::graph::{self, Edge, JOURNAL, Kind};
use super::unit::Unit;
use super::{Engine, Id, State};

impl Engine {
    /// `id` can't run: whoever asks for it hears why. One that runs goes on.
    pub fn forbid(&mut self, id: Id, why: String) {
        if let Some(unit) = self.units.get_mut(id) {
            unit.forbidden = Some(why.into());
        }
    }

    /// Adds a service that is off. `id_of` knows those it may name. The id may be that of a vacated
    /// one.
    ///
    /// # Errors
    /// It requires one that is not there, it comes before what it comes after, or there are too many.
    pub fn add(
        &mut self,
        service: &Service,
        id_of: &dyn Fn(&Name) -> Option<Id>,
    ) -> Result<Id, String> {
        let name = &service.name;
        let mut hard = service.requires.iter().chain(&service.binds);
        if let Some(missing) = hard.find(|n| id_of(n).is_none()) {
            return Err(format!("{name} requires {missing}, and no service is called that"));
        }
        let passing = |id: Id| self.units.get(id).is_some_and(Unit::passes);
        let mut links = graph::own(service, id_of, &passing);
        let later: BTreeSet<Id> = model::gather(service.before.iter().filter_map(id_of));
        let (first, seen) = self.reach(links.needs.iter().map(|e| e.to), &later);
        if let Some(first) = first.and_then(|id| self.units.get(id)) {
            let first = &first.name;
            return Err(format!(
                "{name} is before {first}, and what it comes after waits for {first}"
            ));
        }
        let journal = self.units.iter().position(|u| u.name.as_str() == JOURNAL && !u.vacant);
        if let Some(journal) = journal.filter(|j| graph::writes(service) && !later.contains(j)) {
            links.outlived_by(journal);
        }
        links.merge();
        let id = self.slot()?;
        self.look(seen);
        self.connect(id, service, links, later);
        Ok(id)
    }

    /// The first of `goals` that those in `from` are, or wait for, and how many edges were looked at.
    fn reach(&self, from: impl Iterator<Item = Id>, goals: &BTreeSet<Id>) -> (Option<Id>, usize) {
        let mut todo: Vec<Id> = if goals.is_empty() { Vec::new() } else { from.collect() };
        let (mut seen, mut looks) = (BTreeSet::new(), 0);
        while let Some(id) = todo.pop() {
            if goals.contains(&id) {
                return (Some(id), looks);
            }
            if let Some(unit) = self.units.get(id).filter(|_| seen.insert(id)) {
                let order = unit.links.needs.iter().filter(|e| e.kind != Kind::Last);
                todo.extend(order.map(|e| e.to));
                looks += unit.links.needs.len();
            }
        }
        (None, looks)
    }

    fn slot(&mut self) -> Result<Id, String> {
        match self.vacant.pop() {
            Some(id) => Ok(id),
            None if self.units.len() < MAX_SERVICES => Ok(self.units.len()),
            None => Err(format!("there are {MAX_SERVICES} services already")),
        }
    }

    /// Puts the service at `id` and tells its neighbours.
    fn connect(&mut self, id: Id, service: &Service, links: graph::Links, later: BTreeSet<Id>) {
        let mut unit = Unit::new(service, links);
        let needs = unit.links.needs.iter();
        let blocked = needs.filter(|e| match e.kind {
            Kind::Requires => !self.state(e.to).met(),
            Kind::Once | Kind::Order => !self.state(e.to).settled(),
            Kind::Last => false,
        });
        let foes = unit.links.foes.iter().filter(|foe| self.state(**foe).occupies());
        unit.unmet = blocked.count() + foes.count();
        for edge in &unit.links.needs {
            let other = self.units.get_mut(edge.to);
            other.into_iter().for_each(|u| u.links.users.push(Edge { to: id, ..*edge }));
        }
        for foe in &unit.links.foes {
            self.units.get_mut(*foe).into_iter().for_each(|u| u.links.foes.push(id));
        }
        for whole in &unit.links.wholes {
            self.units.get_mut(*whole).into_iter().for_each(|u| u.links.parts.push(id));
        }
        for to in later {
            let Some(other) = self.units.get_mut(to) else { continue };
            let edge = graph::first(id);
            other.links.needs.push(edge);
            unit.links.users.push(Edge { to, ..edge });
            unit.ending += usize::from(other.life.state.ending());
        }
        match self.units.get_mut(id) {
            Some(slot) => *slot = unit,
            None => self.units.push(unit),
        }
    }

    /// Takes a service out whose life is over. Says whether it did: one that is up, on its way, or
    /// asked for stays.
    pub fn vacate(&mut self, id: Id) -> bool {
        let Some(unit) = self.units.get_mut(id) else { return false };
        let over = matches!(unit.life.state, State::Off | State::Failed | State::Done);
        if !over || unit.vacant || !unit.jobs.is_empty() {
            return false;
        }
        let now = unit.life.since;
        unit.life.armed = false;
        // As one that is off and in nobody's way.
        self.place(id, State::Off, now);
        self.told.retain(|told| *told != id);
        let Some(unit) = self.units.get_mut(id) else { return false };
        let links = std::mem::take(&mut unit.links);
        unit.life = super::Life::default();
        (unit.vacant, unit.unmet, unit.forbidden) = (true, 0, None);
        for edge in &links.needs {
            let users = self.units.get_mut(edge.to).map(|u| &mut u.links.users);
            users.into_iter().for_each(|users| users.retain(|e| e.to != id));
        }
        for edge in &links.users {
            let Some(user) = self.units.get_mut(edge.to) else { continue };
            user.unmet -= usize::from(edge.kind == Kind::Requires);
            user.links.needs.retain(|e| e.to != id);
            self.able.push_back(edge.to);
        }
        for list in [&links.foes, &links.wholes, &links.parts] {
            for to in list {
                let Some(other) = self.units.get_mut(*to) else { continue };
                let other = &mut other.links;
                for list in [&mut other.foes, &mut other.parts, &mut other.wholes] {
                    list.retain(|other| *other != id);
                }
            }
        }
        self.vacant.push(id);
        self.mark(id);
        true
    }
}
