//! Linking on the device, where drop-ins may name what is not there or wait for each other: what is
//! wrong is cut out and told, and every service outside of it starts.
//!
//! ```text
//! unknown name in requires, binds     the service can't run
//! unknown name elsewhere              the name is dropped; `unknown` tells it
//! cycle                               its members can't run; the edges within it are cut
//! needs that can't be met             who needs them can't run; its need is cut
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{LinkError, MAX_SERVICES, Plan, named};
use crate::service::Service;
use crate::shared::Pool;
use crate::{Name, gather};

impl Plan {
    /// Links what can be linked of `services`, and tells who can't run and why. The plan has no
    /// unknown name and no cycle. Of two with one name the first stays.
    #[must_use]
    pub fn link_leniently(
        device: impl Into<String>,
        mut services: Vec<Service>,
        enabled: &[Name],
    ) -> (Self, Vec<(Name, String)>) {
        services.sort_by(|a, b| a.name.cmp(&b.name));
        Pool::default().join_all(&mut services);
        services.dedup_by(|b, a| a.name == b.name);
        services.truncate(MAX_SERVICES);
        let (mut templates, mut services): (Vec<_>, Vec<_>) =
            services.into_iter().partition(|s| s.name.is_template());
        let known: BTreeSet<Name> = gather(services.iter().map(|s| s.name.clone()));
        let mut forbidden = Vec::new();
        for service in &mut services {
            let hard = service.requires.iter().chain(&service.binds);
            if let Some(missing) = hard.clone().find(|n| !known.contains(n)) {
                let why = format!("it requires `{missing}`, and no service is called that");
                forbidden.push((service.name.clone(), why));
            }
            for list in lists(service) {
                list.retain(|n| known.contains(n));
            }
        }
        let templated = |s: &Service| {
            templates.iter().any(|t| t.name.as_str().strip_suffix('@') == Some(s.name.as_str()))
        };
        for service in services.iter_mut().filter(|s| s.sockets.iter().any(|s| s.accept)) {
            if !templated(service) {
                let why = format!("no template is called `{}@` for its connections", service.name);
                forbidden.push((service.name.clone(), why));
                service.sockets.retain(|s| !s.accept);
            }
        }
        for list in templates.iter_mut().flat_map(lists) {
            list.retain(|n| known.contains(n));
        }
        let mut plan = Self { services, templates, device: device.into(), ..Self::default() };
        forbidden.extend(plan.cut_cycles());
        forbidden.extend(plan.cut_contradictions());
        let ids = plan.ids();
        let mut on: Vec<u32> = enabled.iter().filter_map(|n| ids.get(n).copied()).collect();
        on.sort_unstable();
        on.dedup();
        (Self { enabled: on, ..plan }, forbidden)
    }

    /// What [`Plan::link_leniently`] drops without forbidding anything, as sentences.
    #[must_use]
    pub fn unknown(services: &[Service], enabled: &[Name]) -> Vec<String> {
        let known: BTreeSet<&Name> = gather(services.iter().map(|s| &s.name));
        let unknown = |of: Option<&Name>, name: &Name| {
            let error = LinkError::Unknown { of: of.cloned(), name: name.clone() };
            (!known.contains(name)).then(|| error.to_string())
        };
        let on = enabled.iter().filter_map(|n| unknown(None, n));
        let of = services.iter().flat_map(|s| {
            named(s)
                .filter(|n| !s.requires.contains(n) && !s.binds.contains(n))
                .filter_map(|n| unknown(Some(&s.name), n))
        });
        on.chain(of).collect()
    }

    /// Cuts needs that can never be met; tells who has them.
    fn cut_contradictions(&mut self) -> Vec<(Name, String)> {
        let mut told = Vec::new();
        // Each round cuts a need, so there are fewer rounds than needs.
        loop {
            let errors = self.contradictions();
            if errors.is_empty() {
                return told;
            }
            for error in errors {
                let (of, cut) = match &error {
                    LinkError::Ended { of, needs } => (of, needs),
                    LinkError::Conflict { one, other } => {
                        let longer = if one.len() > 1 { one } else { other };
                        match longer.as_slice() {
                            [of, next, ..] => (of, next),
                            [of] => (of, of),
                            [] => continue,
                        }
                    }
                    _ => continue,
                };
                for service in self.services.iter_mut().filter(|s| s.name == *of) {
                    service.requires.retain(|n| n != cut);
                    service.binds.retain(|n| n != cut);
                    service.conflicts.retain(|n| n != of);
                }
                told.push((of.clone(), error.to_string()));
            }
        }
    }

    /// Cuts every edge between members of one knot; tells each member's shortest way back to
    /// itself.
    fn cut_cycles(&mut self) -> Vec<(Name, String)> {
        let before = self.before();
        let knots = knots(&before);
        let mut told = Vec::new();
        for (id, service) in self.services.iter().enumerate() {
            let Some(path) = way_back(id, &before, &knots) else { continue };
            let names = path.iter().filter_map(|id| self.services.get(*id)).map(|s| s.name.clone());
            told.push((service.name.clone(), LinkError::Cycle(names.collect()).to_string()));
        }
        let stuck: BTreeSet<&Name> = gather(told.iter().map(|(name, _)| name));
        let all = self.services.iter().zip(&knots);
        let all = all.filter(|(s, _)| stuck.contains(&s.name));
        let stuck: BTreeMap<Name, usize> = gather(all.map(|(s, knot)| (s.name.clone(), *knot)));
        for service in &mut self.services {
            let Some(own) = stuck.get(&service.name).copied() else { continue };
            let [requires, binds, wants, after, before, ..] = lists(service);
            for list in [requires, binds, wants, after, before] {
                list.retain(|n| stuck.get(n) != Some(&own));
            }
        }
        told
    }
}

/// Every list of names, those that order first.
fn lists(s: &mut Service) -> [&mut Vec<Name>; 9] {
    [
        &mut s.requires,
        &mut s.binds,
        &mut s.wants,
        &mut s.after,
        &mut s.before,
        &mut s.conflicts,
        &mut s.part_of,
        &mut s.on_failure,
        &mut s.on_success,
    ]
}

/// The number of the knot (strongly connected part) each belongs to: Kosaraju's two searches,
/// without recursion.
fn knots(before: &[Vec<u32>]) -> Vec<usize> {
    let mut after = vec![Vec::new(); before.len()];
    for (id, list) in (0_u32..).zip(before) {
        for to in list {
            let to = usize::try_from(*to).ok().and_then(|to| after.get_mut(to));
            to.into_iter().for_each(|list: &mut Vec<u32>| list.push(id));
        }
    }
    let mut seen = vec![false; before.len()];
    let mut order = Vec::new();
    for root in 0..before.len() {
        search(root, before, &mut seen, &mut |id| order.push(id));
    }
    let mut knots = vec![usize::MAX; before.len()];
    let mut seen = vec![false; before.len()];
    for root in order.into_iter().rev() {
        search(root, &after, &mut seen, &mut |id| {
            knots.get_mut(id).into_iter().for_each(|knot| *knot = root);
        });
    }
    knots
}

/// Depth first from `root` over what was not seen; `left` hears of each in the order of leaving it.
fn search(root: usize, edges: &[Vec<u32>], seen: &mut [bool], left: &mut dyn FnMut(usize)) {
    let mut enter = |id: usize| seen.get_mut(id).is_some_and(|s| !std::mem::replace(s, true));
    if !enter(root) {
        return;
    }
    let mut path = vec![(root, 0)];
    while let Some((at, next)) = path.last_mut() {
        let Some(to) = edges.get(*at).and_then(|list| list.get(*next)) else {
            left(*at);
            path.pop();
            continue;
        };
        *next += 1;
        if let Some(to) = usize::try_from(*to).ok().filter(|to| enter(*to)) {
            path.push((to, 0));
        }
    }
}

/// The shortest way from `id` back to itself within its knot: breadth first.
fn way_back(id: usize, before: &[Vec<u32>], knots: &[usize]) -> Option<Vec<usize>> {
    let own = knots.get(id)?;
    let mut from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut todo = VecDeque::from([id]);
    while let Some(at) = todo.pop_front() {
        for to in before.get(at)?.iter().filter_map(|to| usize::try_from(*to).ok()) {
            if to == id {
                let mut path = vec![at];
                while let Some(back) = path.last().filter(|at| **at != id).and_then(|a| from.get(a))
                {
                    path.push(*back);
                }
                path.reverse();
                return Some(path);
            }
            if knots.get(to) == Some(own) && !from.contains_key(&to) {
                from.insert(to, at);
                todo.push_back(to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(text: &str) -> Service {
        let name = |s: &str| Name::try_from(s).unwrap();
        let mut words = text.split_whitespace();
        let mut s = Service::new(name(words.next().unwrap()), vec!["/bin/true".into()]);
        while let (Some(key), Some(to)) = (words.next(), words.next()) {
            let list = match key {
                "requires" => &mut s.requires,
                "binds" => &mut s.binds,
                "wants" => &mut s.wants,
                "after" => &mut s.after,
                "before" => &mut s.before,
                _ => &mut s.conflicts,
            };
            list.push(name(to));
        }
        s
    }

    fn forbidden(lines: &[&str]) -> Vec<String> {
        let services = lines.iter().map(|l| service(l)).collect::<Vec<_>>();
        let (plan, told) = Plan::link_leniently("x", services, &[]);
        assert_eq!(Plan::link("x", plan.services, &[]).err(), None, "what is left links");
        told.into_iter().map(|(name, why)| format!("{name}: {why}")).collect()
    }

    #[test]
    fn members_of_a_cycle_are_told_the_whole_path_and_others_are_left_alone() {
        let told = forbidden(&[
            "a requires b",
            "b wants c",
            "c before d before b",
            "d after a",
            "e requires a",
        ]);
        assert_eq!(told, Vec::<String>::new(), "no cycle yet");
        let told =
            forbidden(&["a requires b", "b wants c", "c after a", "d after c", "e before c"]);
        assert_eq!(
            told,
            [
                "a: services wait for each other: a → b → c → a",
                "b: services wait for each other: b → c → a → b",
                "c: services wait for each other: c → a → b → c",
            ]
        );
        assert_eq!(forbidden(&["a before b", "b before a", "c wants c"]).len(), 3);
    }

    #[test]
    fn a_requirement_that_is_not_there_forbids_and_a_wish_is_dropped() {
        let lines = ["a requires x", "b wants x", "c binds y", "d conflicts z"];
        assert_eq!(
            forbidden(&lines),
            [
                "a: it requires `x`, and no service is called that",
                "c: it requires `y`, and no service is called that",
            ]
        );
        let services = lines.map(service);
        let named = Name::try_from("q").unwrap();
        assert_eq!(
            Plan::unknown(&services, &[named]),
            [
                "no service is called `q`",
                "`b` names `x`, and no service is called that",
                "`d` names `z`, and no service is called that",
            ]
        );
    }
}
