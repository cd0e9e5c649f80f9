//! System calls by name, and groups of them: what the lists of `[sandbox.calls]` may hold.
//!
//! Data only. `calls/table.txt` comes from the headers of the kernel; the groups are ours. What a call
//! that is listed may do with which arguments is decided in the crate `sandbox`.
//!
//! Invariant: every call is in at least one group, and none for forbidding takes anything from `@basic`.

mod groups;

use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The table: a line for each call.
const TABLE: &str = include_str!("calls/table.txt");

/// A system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The kernel's name.
    pub name: &'static str,
    /// Its number on `x86_64`.
    pub x86_64: Option<u32>,
    /// Its number on `aarch64`.
    pub aarch64: Option<u32>,
}

/// Calls that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Its name, with `@`.
    pub name: &'static str,
    /// What the calls are for: a sentence.
    pub about: &'static str,
    /// Names of calls, and of groups that are part of it.
    pub calls: &'static [&'static str],
}

impl Group {
    /// Names of all calls in it, also in groups that are part of it.
    #[must_use]
    pub fn members(&self) -> BTreeSet<&'static str> {
        let mut all = BTreeSet::new();
        for name in self.calls {
            match group(name) {
                Some(inner) => all.extend(inner.members()),
                None => {
                    all.insert(*name);
                }
            }
        }
        all
    }
}

/// All calls, by name.
pub fn all() -> impl Iterator<Item = Call> {
    lines().lines().filter_map(of_line)
}

/// The lines of the table without the remark at its beginning.
fn lines() -> &'static str {
    let mut rest = TABLE;
    while rest.starts_with('#') {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest
}

fn of_line(line: &'static str) -> Option<Call> {
    let mut words = line.split(' ');
    Some(Call {
        name: words.next()?,
        x86_64: words.next()?.parse().ok(),
        aarch64: words.next()?.parse().ok(),
    })
}

/// All groups: first those for allowing.
#[must_use]
pub fn groups() -> &'static [Group] {
    &groups::GROUPS
}

/// Whether there is such a call, on whichever processor. Not for groups.
#[must_use]
pub fn known(name: &str) -> bool {
    call(name).is_some()
}

/// The call of this name.
#[must_use]
pub fn call(name: &str) -> Option<Call> {
    // The lines are sorted by name; what is left begins and ends with one.
    let mut left = lines();
    while !left.is_empty() {
        let begin = left.get(..left.len() / 2)?.rfind('\n').map_or(0, |at| at + 1);
        let (before, rest) = left.split_at_checked(begin)?;
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let found = of_line(line)?;
        match name.cmp(found.name) {
            Ordering::Equal => return Some(found),
            Ordering::Less => left = before,
            Ordering::Greater => left = after,
        }
    }
    None
}

/// The group of this name, which begins with `@`.
#[must_use]
pub fn group(name: &str) -> Option<&'static Group> {
    name.starts_with('@').then(|| groups().iter().find(|group| group.name == name)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::LEAST;

    fn members(name: &str) -> BTreeSet<&'static str> {
        group(name).unwrap().members()
    }

    #[test]
    fn the_table_is_sorted_and_every_call_has_a_number_somewhere() {
        let names: Vec<_> = all().map(|call| call.name).collect();
        assert_eq!(names.len(), 375);
        assert!(names.is_sorted());
        assert!(all().all(|call| call.x86_64.is_some() || call.aarch64.is_some()));
        assert!(!lines().contains('#'));
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(lines, names.len(), "every line is a call");
    }

    #[test]
    fn every_call_is_found_by_its_name_and_no_other_name_is() {
        for one in all() {
            assert_eq!(call(one.name), Some(one));
            for other in
                [format!("{} ", one.name), format!("{}a", one.name), format!("_{}", one.name)]
            {
                assert_eq!(call(&other).is_some(), all().any(|call| call.name == other), "{other}");
            }
        }
        for none in ["", "#", "\n", "A", "zzz", "read 0 63"] {
            assert_eq!(call(none), None, "{none:?}");
        }
    }

    #[test]
    fn no_number_is_used_twice() {
        for number in [|c: Call| c.x86_64, |c: Call| c.aarch64] {
            let numbers: Vec<_> = all().filter_map(number).collect();
            assert_eq!(numbers.len(), numbers.iter().collect::<BTreeSet<_>>().len());
        }
    }

    #[test]
    fn groups_name_only_what_there_is_and_each_is_sorted() {
        for group in groups() {
            for name in group.calls {
                assert!(known(name) || super::group(name).is_some(), "{}: {name}", group.name);
            }
            let own: Vec<_> = group.calls.iter().filter(|name| !name.starts_with('@')).collect();
            assert!(own.is_sorted_by(|a, b| a < b), "{}", group.name);
            assert!(group.about.ends_with('.'), "{}", group.name);
        }
    }

    #[test]
    fn every_call_is_in_a_group() {
        let grouped: BTreeSet<_> = groups().iter().flat_map(Group::members).collect();
        let missing: Vec<_> = all().map(|c| c.name).filter(|n| !grouped.contains(n)).collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn groups_for_forbidding_take_nothing_that_ordinary_programs_need() {
        let basic = members("@basic");
        let at = groups().iter().position(|g| g.name == "@basic").unwrap();
        for group in &groups()[at + 1..] {
            assert!(basic.is_disjoint(&group.members()), "{}", group.name);
        }
        assert!(members(LEAST).is_subset(&basic));
    }

    #[test]
    fn ordinary_programs_get_less_than_systemd_gives_them() {
        let basic = members("@basic");
        for name in [
            "unshare",
            "setns",
            "io_uring_setup",
            "userfaultfd",
            "process_vm_readv",
            "execveat",
            "kcmp",
            "ptrace",
            "bpf",
            "mount",
            "keyctl",
            "perf_event_open",
            "chroot",
        ] {
            assert!(!basic.contains(name), "{name}");
        }
    }

    #[test]
    fn names_are_the_kernels_own() {
        assert!(known("openat"));
        assert!(!known("fstatat64") && !known("@files") && !known(""));
        assert_eq!(call("read"), Some(Call { name: "read", x86_64: Some(0), aarch64: Some(63) }));
        assert_eq!(call("open").unwrap().aarch64, None);
        assert!(group("@files").is_some() && group("files").is_none());
    }
}
