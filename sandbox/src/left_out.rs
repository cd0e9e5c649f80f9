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

#[cfg(test)]
mod tests {
    use model::sandbox::Ruleset;

    use super::*;

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
