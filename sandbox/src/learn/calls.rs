//! Rules about system calls: those that the inherited profile lacks.
//!
//! Beside an inherited list each is named by itself, for a group would allow more. Without one a group
//! stands for its calls where it saves enough of them.

use std::collections::{BTreeMap, BTreeSet};

use model::sandbox::{LEAST, calls};

use super::observed::Observed;
use super::{BEFORE, Given, Learned, Line, often};
use crate::calls::named;
use crate::rules::TRIED_FIRST;

/// A group is named if it gives so many calls that nothing else gives.
const WORTH: usize = 4;

/// Calls by which older libraries go on where the first is not there.
const INSTEAD: [(&str, &str); 2] = [("clone3", "clone"), ("openat2", "openat")];

/// Adds the rule about calls.
pub(super) fn learn(observed: &Observed, given: &Given, learned: &mut Learned) {
    for (number, count) in &observed.unknown {
        learned.note(format!(
            "system call {number} ({}), which this version does not know: it does not exist then",
            often(*count)
        ));
    }
    let inherited = &given.inherited.calls;
    let get = |list: &[String]| named(list).unwrap_or_default();
    let mut has = get(&[LEAST.to_owned()]);
    has.extend(get(inherited.allow.as_deref().unwrap_or_default()));
    let mut refused = get(&inherited.deny);
    refused.extend(get(&inherited.kill));
    refused.extend(get(&given.inherited.forbid.calls));
    let mut wanted: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (name, count) in &observed.calls {
        wanted.insert(name, *count);
        let instead = INSTEAD.iter().find(|(first, _)| first == name);
        if let Some((_, older)) = instead {
            wanted.entry(older).or_insert(*count);
        }
    }
    for (name, count) in wanted.iter().filter(|(name, _)| refused.contains(*name)) {
        let without = TRIED_FIRST.contains(name);
        let more = if without { "; programs go on without it" } else { "" };
        learned.note(format!(
            "the system call {name} ({}) is forbidden to all that inherit this{more}",
            often(*count)
        ));
    }
    wanted.retain(|name, _| !refused.contains(name) && !has.contains(name));
    let older = given.older.as_ref().and_then(|older| older.calls.allow.clone());
    let mut lines = cover(&wanted, inherited.allow.is_none(), older.unwrap_or_default());
    lines.sort();
    let all = inherited.allow.iter().flatten().cloned();
    let all = all.chain(lines.iter().map(|line| line.value.clone())).collect();
    learned.profile.calls.allow = Some(super::sorted(all));
    if inherited.allow.is_none() || !lines.is_empty() {
        let why = if lines.is_empty() { "what every program needs" } else { "" };
        learned.texts("calls", "allow", lines, why);
    }
}

/// Lines that give all these calls, and none that another gives.
fn cover(wanted: &BTreeMap<&'static str, u64>, groups: bool, before: Vec<String>) -> Vec<Line> {
    let mut left: BTreeSet<&'static str> = wanted.keys().copied().collect();
    let mut lines: Vec<Line> = Vec::new();
    for name in before {
        for given in named(std::slice::from_ref(&name)).unwrap_or_default() {
            left.remove(given);
        }
        lines.push(Line { value: name, why: BEFORE.to_owned() });
    }
    let of = |name: &&str| wanted.get(*name).map_or(0, |count| *count);
    for _ in calls::groups().iter().filter(|_| groups) {
        let simple = calls::groups().iter().filter(|group| {
            group.name != LEAST && !group.calls.iter().any(|name| name.starts_with('@'))
        });
        let gives = |group: &calls::Group| group.members().intersection(&left).count();
        let Some(best) = simple.max_by_key(|group| gives(group)) else { break };
        if gives(best) < WORTH {
            break;
        }
        let members = best.members();
        let these: Vec<&str> = members.intersection(&left).copied().collect();
        let count: u64 = these.iter().map(of).sum();
        let names = these.iter().take(WORTH).copied().collect::<Vec<_>>().join(", ");
        let more = if these.len() > WORTH { " …" } else { "" };
        let why =
            format!("{} of {} calls, {count} times: {names}{more}", these.len(), members.len());
        lines.push(Line { value: best.name.to_owned(), why });
        left.retain(|name| !members.contains(name));
    }
    let single = |name: &&'static str| {
        let count = of(name);
        Line { value: (*name).to_owned(), why: often(count) }
    };
    lines.extend(left.iter().map(single));
    lines
}
