//! What a service has to do with others: every relation, with the place of each name.

use super::super::check::{Check, values};
use super::super::decode::At;
use super::super::report::Problem;
use super::super::value::{self, Bad, Checked};
use super::raw;
use crate::Name;

/// Most names in one list of a service.
pub(crate) const MAX_NAMES: usize = 256;

/// One name in a relation of a service.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    /// The key it was written under.
    pub(crate) key: &'static str,
    pub(crate) to: At<Name>,
}

/// All relations of a service.
#[derive(Debug, Default)]
pub(super) struct Relations {
    pub(super) requires: Vec<Name>,
    pub(super) wants: Vec<Name>,
    pub(super) binds: Vec<Name>,
    pub(super) after: Vec<Name>,
    pub(super) before: Vec<Name>,
    pub(super) conflicts: Vec<Name>,
    pub(super) part_of: Vec<Name>,
    pub(super) on_failure: Vec<Name>,
    pub(super) on_success: Vec<Name>,
    pub(super) edges: Vec<Edge>,
}

/// Checks the relations of the service `own`.
pub(super) fn check(own: &Name, raw: &raw::Service, c: &mut Check) -> Relations {
    let mut edges = Vec::new();
    let mut of = |key: &'static str, list: &Option<Vec<At<String>>>| {
        at_most(list.as_deref().unwrap_or_default(), MAX_NAMES, &format!("names in `{key}`"), c);
        let mut named = c.list(list.as_ref(), one_service);
        named.retain(|at| {
            let itself = at.value == *own;
            if itself {
                let message = format!("`{own}` names itself in `{key}`");
                c.add(Problem::new(at.place.clone(), message).help("take it out"));
            }
            !itself
        });
        edges.extend(named.iter().map(|to| Edge { key, to: to.clone() }));
        values(named)
    };
    let relations = Relations {
        requires: of("requires", &raw.requires),
        wants: of("wants", &raw.wants),
        binds: of("binds", &raw.binds),
        after: of("after", &raw.after),
        before: of("before", &raw.before),
        conflicts: of("conflicts", &raw.conflicts),
        part_of: of("part-of", &raw.part_of),
        on_failure: of("on-failure", &raw.on_failure),
        on_success: of("on-success", &raw.on_success),
        edges: Vec::new(),
    };
    Relations { edges, ..relations }
}

/// A name of a service that can run: no template.
pub(crate) fn one_service(text: &str) -> Checked<Name> {
    let name = value::service_name(text)?;
    if name.is_template() {
        return Err(Bad {
            message: format!("`{text}` is a template, which does not run itself"),
            help: Some(format!("name one of its instances, like `{text}main`")),
        });
    }
    Ok(name)
}

/// A name of a template.
pub(crate) fn template(text: &str) -> Checked<Name> {
    let name = value::service_name(text)?;
    if name.is_template() {
        return Ok(name);
    }
    Err(Bad {
        message: format!("`{text}` is not the name of a template"),
        help: Some("a template's name ends in `@`, and its file's in `@.toml`".to_owned()),
    })
}

/// Notes an item beyond the most there may be.
pub(super) fn at_most<T>(list: &[At<T>], most: usize, what: &str, c: &mut Check) {
    if let Some(over) = list.get(most) {
        let message = format!("a service has at most {most} {what}");
        c.add(Problem::new(over.place.clone(), message));
    }
}
