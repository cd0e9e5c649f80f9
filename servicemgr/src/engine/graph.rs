//! Who comes before whom, as indices in both directions, built once from the plan.
//!
//! | edge | from | before a start, the other must be | it ends | at a stop |
//! |---|---|---|---|---|
//! | `Requires` | `requires`, `binds` | ready | this one ends | users first |
//! | `Once` | these, to a oneshot that does not remain | settled, and not failed | nothing | users first |
//! | `Order` | `wants`, `after`, the other's `before` | settled | nothing | users first |
//! | `Last` | everybody to the journal | (nothing) | nothing | users first |
//!
//! Foes (`conflicts`) and parts (`part-of`) are not edges: they have no order.

use std::collections::BTreeSet;

use model::service::{Kind as Type, Output, Service};
use model::{Name, Plan};

use super::Id;

/// The service that takes everybody's output and so stops last.
pub const JOURNAL: &str = "journal";

/// What an edge means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The other must be ready, and stay so.
    Requires,
    /// The other must have done its work.
    Once,
    /// The other must be settled.
    Order,
    /// The other must outlive this one.
    Last,
}

impl Kind {
    /// This one can't run without the other.
    pub(super) fn hard(self) -> bool {
        matches!(self, Self::Requires | Self::Once)
    }
}

/// One edge, seen from one of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// The other end.
    pub(super) to: Id,
    /// What it means.
    pub(super) kind: Kind,
    /// Starting this one starts the other too (requires, binds and wants).
    pub(super) pulls: bool,
    /// When the other ends, this one does not come back with it.
    pub(super) binds: bool,
}

/// All that one service has to do with others.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    /// Those it needs or follows.
    pub(super) needs: Vec<Edge>,
    /// Those that need or follow it.
    pub(super) users: Vec<Edge>,
    /// Those that can't run while it does.
    pub(super) foes: Vec<Id>,
    /// Those that are part of it.
    pub(super) parts: Vec<Id>,
    /// Those it is part of.
    pub(super) wholes: Vec<Id>,
    /// Those to start when it has failed.
    pub(super) on_failure: Vec<Id>,
    /// Those to start when it has ended well.
    pub(super) on_success: Vec<Id>,
}

/// The links of all services of `plan`, one edge a pair of services: the strongest.
pub(super) fn links(plan: &Plan) -> Vec<Links> {
    let ids = plan.ids();
    let id = |name: &Name| ids.get(name).and_then(|id| Id::try_from(*id).ok());
    let passing = |id: Id| plan.services.get(id).is_some_and(passes);
    let mut all: Vec<Links> = plan.services.iter().map(|s| own(s, &id, &passing)).collect();
    for (from, service) in plan.services.iter().enumerate() {
        let mut put = |to: Id, add: &mut dyn FnMut(&mut Links)| {
            all.get_mut(to).into_iter().for_each(add);
        };
        for later in service.before.iter().filter_map(id) {
            put(later, &mut |l| l.needs.push(first(from)));
        }
        for foe in service.conflicts.iter().filter_map(id) {
            put(foe, &mut |l| l.foes.push(from));
        }
        for whole in service.part_of.iter().filter_map(id) {
            put(whole, &mut |l| l.parts.push(from));
        }
    }
    all.iter_mut().for_each(Links::merge);
    let journal = plan.services.iter().position(|s| s.name.as_str() == JOURNAL);
    if let Some(journal) = journal {
        outlive(&mut all, plan, journal);
    }
    let mut users = vec![Vec::new(); all.len()];
    for (from, links) in all.iter().enumerate() {
        for edge in &links.needs {
            if let Some(back) = users.get_mut(edge.to) {
                back.push(Edge { to: from, ..*edge });
            }
        }
    }
    for (links, users) in all.iter_mut().zip(users) {
        links.users = users;
        // They are kept for as long as the device runs.
        links.needs.shrink_to_fit();
        links.users.shrink_to_fit();
    }
    all
}

/// A oneshot service that does not remain: it is needed once, not all the time.
pub(super) fn passes(service: &Service) -> bool {
    service.kind == Type::Oneshot && !service.remain
}

/// The edge to one that says that it comes before.
pub(super) fn first(to: Id) -> Edge {
    Edge { to, kind: Kind::Order, pulls: false, binds: false }
}

/// What the service itself says; `passing` tells whether a service is needed only once.
pub(super) fn own(
    service: &Service,
    id: &dyn Fn(&Name) -> Option<Id>,
    passing: &dyn Fn(Id) -> bool,
) -> Links {
    let ids = |names: &[Name]| -> Vec<Id> { names.iter().filter_map(id).collect() };
    let hard = |to| if passing(to) { Kind::Once } else { Kind::Requires };
    let edge = |to, kind, pulls, binds| Edge { to, kind, pulls, binds };
    let requires = ids(&service.requires).into_iter().map(|to| edge(to, hard(to), true, false));
    let binds = ids(&service.binds).into_iter().map(|to| edge(to, hard(to), true, true));
    let wants = ids(&service.wants).into_iter().map(|to| edge(to, Kind::Order, true, false));
    let after = ids(&service.after).into_iter().map(first);
    Links {
        needs: requires.chain(binds).chain(wants).chain(after).collect(),
        foes: ids(&service.conflicts),
        wholes: ids(&service.part_of),
        on_failure: ids(&service.on_failure),
        on_success: ids(&service.on_success),
        ..Links::default()
    }
}

impl Links {
    /// One edge a pair, the strongest; no name twice.
    pub(super) fn merge(&mut self) {
        self.needs.sort_by_key(|e| (e.to, e.kind));
        self.needs.dedup_by(|b, a| {
            let same = a.to == b.to;
            a.pulls |= same && b.pulls;
            a.binds |= same && b.binds;
            same
        });
        for list in [&mut self.foes, &mut self.parts, &mut self.wholes] {
            list.sort_unstable();
            list.dedup();
        }
    }
}

/// Adds a `Last` edge to `journal` from each service that writes to it and that it doesn't need.
fn outlive(all: &mut [Links], plan: &Plan, journal: Id) {
    let mut needed = BTreeSet::new();
    let mut todo = vec![journal];
    while let Some(id) = todo.pop() {
        if needed.insert(id) {
            todo.extend(all.get(id).iter().flat_map(|l| &l.needs).map(|e| e.to));
        }
    }
    for (id, (links, service)) in all.iter_mut().zip(&plan.services).enumerate() {
        if !needed.contains(&id) && writes(service) {
            links.outlived_by(journal);
        }
    }
}

/// Whether the journal must outlive it.
pub(super) fn writes(service: &Service) -> bool {
    service.output == Output::Journal && service.kind != Type::Target
}

impl Links {
    /// The journal ends after it, if it says nothing else about it.
    pub(super) fn outlived_by(&mut self, journal: Id) {
        if !self.needs.iter().any(|e| e.to == journal) {
            self.needs.push(Edge { to: journal, kind: Kind::Last, pulls: false, binds: false });
        }
    }
}
