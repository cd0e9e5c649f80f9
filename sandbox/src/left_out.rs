//! What a kernel lacks that a profile would use and does without.

use model::sandbox::{Compiled, Feature};
use sys::confine::Features;

use crate::fit::has;
use crate::landlock;

/// The features whose rules are left out here. Nothing if the profile does not start at all: that has its
/// own words.
#[must_use]
pub fn left_out(compiled: &Compiled, here: &Features) -> Vec<Feature> {
    let mut used: Vec<Feature> = [
        (Feature::Seccomp, !compiled.filter.is_empty()),
        (Feature::Namespaces, !compiled.mounts.is_empty() || !compiled.namespaces.is_empty()),
        (Feature::NetworkNamespace, compiled.no_network),
        (Feature::WriteExecute, compiled.no_write_execute),
    ]
    .into_iter()
    .filter_map(|(feature, used)| used.then_some(feature))
    .collect();
    if let Some(ruleset) = &compiled.ruleset {
        used.extend(landlock::versions(ruleset).map(Feature::Landlock));
    }
    used.retain(|feature| !has(here, *feature));
    used
}

/// The version of Landlock that our rules make use of; later ones add what no rule asks for.
const LANDLOCK: u32 = 6;

/// What a kernel can do for sandboxes, and what it lacks of what they use.
#[must_use]
pub fn can(here: &Features) -> (Vec<Feature>, Vec<Feature>) {
    let others =
        [Feature::Seccomp, Feature::Namespaces, Feature::NetworkNamespace, Feature::WriteExecute];
    let (mut can, mut lacks): (Vec<_>, Vec<_>) = others.into_iter().partition(|f| has(here, *f));
    can.extend((here.landlock > 0).then_some(Feature::Landlock(here.landlock)));
    lacks.extend((here.landlock < LANDLOCK).then_some(Feature::Landlock(LANDLOCK)));
    (can, lacks)
}

#[cfg(test)]
mod tests {
    use model::sandbox::Ruleset;

    use super::*;

    #[test]
    fn an_old_landlock_is_there_and_the_one_we_use_is_lacking() {
        let all = Features {
            seccomp: true,
            landlock: 7,
            namespaces: true,
            network_namespace: true,
            no_write_execute: true,
        };
        let told = |here: &Features| {
            let (can, lacks) = can(here);
            let names = |all: Vec<Feature>| all.iter().map(ToString::to_string).collect::<Vec<_>>();
            (names(can).join(" "), names(lacks).join(" "))
        };
        let whole = "seccomp namespaces network-namespace write-execute landlock-7";
        assert_eq!(told(&all), (whole.to_owned(), String::new()));
        let old = Features { landlock: 4, no_write_execute: false, ..all };
        let (can, lacks) = told(&old);
        assert_eq!(can, "seccomp namespaces network-namespace landlock-4");
        assert_eq!(lacks, "write-execute landlock-6");
        assert_eq!(told(&Features { landlock: 0, ..all }).1, "landlock-6");
    }

    #[test]
    fn what_a_profile_uses_and_the_kernel_lacks_is_left_out() {
        let ruleset = Ruleset { files: 1, ports: 1, ..Ruleset::default() };
        let compiled = Compiled {
            ruleset: Some(ruleset),
            no_network: true,
            keyring: true,
            ..Compiled::default()
        };
        let all = Features { landlock: 6, network_namespace: true, ..Features::default() };
        assert_eq!(left_out(&compiled, &all), []);
        let old = Features { landlock: 1, ..all };
        assert_eq!(left_out(&compiled, &old), [Feature::Landlock(4)]);
        let none = Features::default();
        let lacks = [Feature::NetworkNamespace, Feature::Landlock(1), Feature::Landlock(4)];
        assert_eq!(left_out(&compiled, &none), lacks);
        assert_eq!(left_out(&Compiled::default(), &none), []);
    }
}
