//! What may not be in a plan besides cycles: needs that can never all be met.
//!
//! ```text
//! a ─requires─► b ─binds─► x ◄─conflicts─► y ◄─requires─ a      a can never start
//! a ─requires─► b (a oneshot that does not remain)              b is off before a starts
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{LinkError, Plan};
use crate::service::{Kind, Service, Start};
use crate::{Name, gather};

/// Of each service that needs another, however far: the next one on the shortest way there.
type Up = BTreeMap<u32, u32>;

impl Plan {
    /// Services that require what is off again when they start, or two that stop each other.
    pub(super) fn contradictions(&self) -> Vec<LinkError> {
        let mut found = self.ended();
        let pairs = self.pairs();
        let ups = self.ups(&pairs);
        found.extend(pairs.iter().filter_map(|pair| self.never(*pair, &ups)));
        found
    }

    /// Services that start at boot and need two that stop each other.
    pub(super) fn at_boot(&self, enabled: &[u32]) -> Vec<LinkError> {
        let boots = |id: &&u32| self.at(**id).is_some_and(|s| s.start == Start::Boot);
        let enabled: Vec<u32> = enabled.iter().filter(boots).copied().collect();
        let pairs = self.pairs();
        let ups = self.ups(&pairs);
        let mut found = Vec::new();
        for (x, y) in pairs {
            let (Some(up_x), Some(up_y)) = (ups.get(&x), ups.get(&y)) else { continue };
            // What one service needs is told as that service's.
            if up_x.keys().any(|id| up_y.contains_key(id)) {
                continue;
            }
            let nearest = |up: &Up| {
                let ways = enabled.iter().filter(|id| up.contains_key(id));
                ways.map(|id| self.way(*id, up)).min_by_key(Vec::len)
            };
            if let (Some(one), Some(other)) = (nearest(up_x), nearest(up_y)) {
                found.push(LinkError::Boot { one, other });
            }
        }
        found
    }

    fn ended(&self) -> Vec<LinkError> {
        let ids = self.ids();
        let ends = |name: &&Name| {
            let needed = ids.get(name).and_then(|id| self.at(*id));
            needed.is_some_and(|s| s.kind == Kind::Oneshot && !s.remain)
        };
        let of = |s: &Service| -> Vec<LinkError> {
            let needs = s.requires.iter().chain(&s.binds).filter(ends);
            needs.map(|n| LinkError::Ended { of: s.name.clone(), needs: n.clone() }).collect()
        };
        self.services.iter().flat_map(of).collect()
    }

    /// Every two that stop each other, once.
    fn pairs(&self) -> BTreeSet<(u32, u32)> {
        let ids = self.ids();
        let of = |(id, s): (u32, &Service)| -> Vec<(u32, u32)> {
            let others = s.conflicts.iter().filter_map(|n| ids.get(n).copied());
            others.map(|other| (id.min(other), id.max(other))).collect()
        };
        gather((0_u32..).zip(&self.services).flat_map(of))
    }

    /// Who needs the services of the pairs.
    fn ups(&self, pairs: &BTreeSet<(u32, u32)>) -> BTreeMap<u32, Up> {
        if pairs.is_empty() {
            return BTreeMap::new();
        }
        let ids = self.ids();
        let mut users: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (id, service) in (0_u32..).zip(&self.services) {
            for needed in service.requires.iter().chain(&service.binds) {
                if let Some(needed) = ids.get(needed) {
                    users.entry(*needed).or_default().push(id);
                }
            }
        }
        let both: BTreeSet<u32> = gather(pairs.iter().flat_map(|(x, y)| [*x, *y]));
        gather(both.into_iter().map(|id| (id, up(id, &users))))
    }

    /// The nearest service that needs both of a pair.
    fn never(&self, (x, y): (u32, u32), ups: &BTreeMap<u32, Up>) -> Option<LinkError> {
        let (up_x, up_y) = (ups.get(&x)?, ups.get(&y)?);
        let common = up_x.keys().filter(|id| up_y.contains_key(id));
        let ways = common.map(|id| (self.way(*id, up_x), self.way(*id, up_y)));
        let (one, other) = ways.min_by_key(|(one, other)| one.len() + other.len())?;
        Some(LinkError::Conflict { one, other })
    }

    /// The way from a service to one that it needs.
    fn way(&self, from: u32, up: &Up) -> Vec<Name> {
        let mut names = Vec::new();
        let mut at = Some(from);
        while let Some(id) = at {
            names.extend(self.at(id).map(|s| s.name.clone()));
            at = up.get(&id).copied().filter(|next| *next != id);
        }
        names
    }

    fn at(&self, id: u32) -> Option<&Service> {
        self.services.get(usize::try_from(id).ok()?)
    }
}

/// Breadth first to all that need `id`; itself points to itself.
fn up(id: u32, users: &BTreeMap<u32, Vec<u32>>) -> Up {
    let mut next = BTreeMap::from([(id, id)]);
    let mut todo = VecDeque::from([id]);
    while let Some(at) = todo.pop_front() {
        for user in users.get(&at).into_iter().flatten() {
            if !next.contains_key(user) {
                next.insert(*user, at);
                todo.push_back(*user);
            }
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(lines: &[&str]) -> Vec<Service> {
        let name = |s: &str| Name::try_from(s).unwrap();
        let of = |line: &&str| {
            let mut words = line.split_whitespace();
            let exec = vec!["/bin/true".to_owned()];
            let mut service = Service::new(name(words.next().unwrap()), exec);
            while let (Some(key), Some(to)) = (words.next(), words.next()) {
                match key {
                    "requires" => service.requires.push(name(to)),
                    "binds" => service.binds.push(name(to)),
                    "conflicts" => service.conflicts.push(name(to)),
                    _ => (service.kind, service.remain) = (Kind::Oneshot, to == "remains"),
                }
            }
            service
        };
        lines.iter().map(of).collect()
    }

    fn refused(lines: &[&str], enabled: &[&str]) -> Vec<String> {
        let enabled: Vec<Name> = enabled.iter().map(|n| Name::try_from(*n).unwrap()).collect();
        let errors = Plan::link("x", plan(lines), &enabled).err().unwrap_or_default();
        let (left, _) = Plan::link_leniently("x", plan(lines), &[]);
        assert_eq!(Plan::link("x", left.services, &[]).err(), None, "what is left links");
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_needs_two_that_stop_each_other_is_refused_with_the_ways() {
        let lines = ["a requires b requires y", "b binds x", "x conflicts y", "y", "z requires a"];
        assert_eq!(
            refused(&lines, &["z"]),
            ["`a` needs two that stop each other: a → b → x, and a → y"]
        );
        let lines = ["a requires b", "b requires c", "c conflicts a"];
        assert_eq!(refused(&lines, &[]), ["`a` needs what stops it: a → b → c"]);
        assert_eq!(refused(&["a conflicts a"], &[]), ["`a` stops itself"]);
    }

    #[test]
    fn services_of_one_boot_may_not_stop_each_other() {
        let lines = ["a requires x", "x conflicts y", "y", "b requires y"];
        assert_eq!(
            refused(&lines, &["a", "b"]),
            ["services that start at boot stop each other: a → x, and b → y"]
        );
        assert_eq!(refused(&lines, &["a"]), [""; 0]);
    }

    #[test]
    fn what_has_ended_can_not_be_required() {
        let lines = ["a requires once binds kept", "once is off", "kept is remains"];
        assert_eq!(
            refused(&lines, &[]),
            ["`a` requires `once`, which is off again when it has ended"]
        );
    }
}
