//! Who comes before whom, as indices in both directions, built once from the plan.
//!
//! | edge | before a start, the other must be | at a stop |
//! |---|---|---|
//! | `Requires` | ready | users first |
//! | `Order` (wants, after) | settled | users first |
//! | `Last` | (nothing) | users first: the journal outlives those who write to it |

use model::service::{Output, Service};
use model::{Name, Plan};

use super::Id;

/// The service that takes everybody's output and so stops last.
pub const JOURNAL: &str = "journal";

/// What an edge means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The other must be ready, and stay so.
    Requires,
    /// The other must be settled.
    Order,
    /// The other must outlive this one.
    Last,
}

/// One edge, seen from one of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// The other end.
    pub(super) to: Id,
    /// What it means.
    pub(super) kind: Kind,
    /// Starting this one starts the other too (requires and wants).
    pub(super) pulls: bool,
}

/// Edges of all services.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// For each service, those it needs or follows.
    pub(super) needs: Vec<Vec<Edge>>,
    /// For each service, those that need or follow it.
    pub(super) users: Vec<Vec<Edge>>,
}

impl Graph {
    /// The edges of `plan`, one a pair of services: the strongest.
    pub(super) fn new(plan: &Plan) -> Self {
        let ids = plan.ids();
        let id = |name: &Name| ids.get(name).and_then(|id| Id::try_from(*id).ok());
        let mut needs: Vec<Vec<Edge>> = plan.services.iter().map(|s| edges(s, &id)).collect();
        let journal = plan.services.iter().position(|s| s.name.as_str() == JOURNAL);
        if let Some(journal) = journal {
            outlive(&mut needs, plan, journal);
        }
        let mut users = vec![Vec::new(); needs.len()];
        for (from, edges) in needs.iter().enumerate() {
            for edge in edges {
                if let Some(back) = users.get_mut(edge.to) {
                    back.push(Edge { to: from, ..*edge });
                }
            }
        }
        Self { needs, users }
    }
}

fn edges(service: &Service, id: &impl Fn(&Name) -> Option<Id>) -> Vec<Edge> {
    let edge = |names: &[Name], kind, pulls| -> Vec<Edge> {
        names.iter().filter_map(id).map(|to| Edge { to, kind, pulls }).collect()
    };
    let mut all = edge(&service.requires, Kind::Requires, true);
    all.extend(edge(&service.wants, Kind::Order, true));
    all.extend(edge(&service.after, Kind::Order, false));
    all.sort_by_key(|e| (e.to, e.kind, !e.pulls));
    all.dedup_by_key(|e| e.to);
    all
}

/// Adds a `Last` edge to `journal` from each service that writes to it and that it doesn't need.
fn outlive(needs: &mut [Vec<Edge>], plan: &Plan, journal: Id) {
    let mut needed = vec![false; needs.len()];
    let mut todo = vec![journal];
    while let Some(id) = todo.pop() {
        if let Some(slot) = needed.get_mut(id).filter(|slot| !**slot) {
            *slot = true;
            todo.extend(needs.get(id).into_iter().flatten().map(|e| e.to));
        }
    }
    for ((edges, service), needed) in needs.iter_mut().zip(&plan.services).zip(needed) {
        let known = edges.iter().any(|e| e.to == journal);
        if !needed && !known && service.output == Output::Journal {
            edges.push(Edge { to: journal, kind: Kind::Last, pulls: false });
        }
    }
}
