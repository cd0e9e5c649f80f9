//! All attacks, in the order of the groups.

use crate::attack::Attack;
use crate::groups;

/// Every attack.
pub fn all() -> impl Iterator<Item = &'static Attack> {
    groups::TABLES.iter().flat_map(|table| table.iter())
}

/// The attack of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Attack> {
    all().find(|attack| attack.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::attack::Group;
    use crate::facts::Facts;
    use crate::{command, runner};

    #[test]
    fn there_are_many_attacks_each_with_a_name_of_its_own() {
        let names: BTreeSet<&str> = all().map(|a| a.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(names.len() >= 120, "{}", names.len());
        let fits =
            |n: &str| n.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        assert!(names.iter().all(|n| fits(n) && n.len() <= 28), "{names:?}");
    }

    #[test]
    fn every_group_has_attacks_and_each_says_what_the_attacker_gets() {
        for group in Group::ALL {
            assert!(all().any(|a| a.group == group), "{}", group.name());
        }
        for attack in all() {
            assert!(!attack.about.is_empty() && !attack.about.ends_with('.'), "{}", attack.name);
        }
    }

    #[test]
    fn the_list_is_json_with_all_of_them() {
        let list: serde_json::Value =
            serde_json::from_str(&runner::list_json().to_string()).unwrap();
        assert_eq!(list.as_array().unwrap().len(), all().count());
        assert!(list[0]["name"].is_string() && list[0]["needs"].is_array());
    }

    #[test]
    fn facts_survive_the_command_line() {
        let facts = Facts {
            pid: 7,
            secret: "abc".into(),
            handle: (1, "0aff".into()),
            namespaces: vec![1, 2],
            lacks: vec!["vsock".into(), "/dev/kvm".into()],
            ..Facts::default()
        };
        assert_eq!(Facts::parse(&facts.to_text()), facts);
    }

    #[test]
    fn what_the_victim_lacks_is_not_applicable_and_so_is_all_of_it_without_a_victim() {
        let attack = find("read-secret-file").unwrap();
        assert_eq!(runner::run(attack, &Facts::default()).0, 2);
        let facts = Facts { pid: i32::MAX, lacks: vec!["/dev/kvm".into()], ..Facts::default() };
        let (status, reason) = runner::run(find("dev-kvm").unwrap(), &facts);
        assert_eq!((status, reason.as_str()), (2, "needs /dev/kvm"));
    }

    #[test]
    fn wrong_words_are_refused() {
        assert!(command::run(&[]).is_err());
        assert!(command::run(&["run", "no-such-attack"]).is_err());
        assert!(command::run(&["all", "--group", "none"]).is_err());
        assert!(command::run(&["all", "--skip", "no-such-attack"]).is_err());
    }
}
