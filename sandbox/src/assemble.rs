//! What a launch hands to the kernel, from a profile and the filter that was made for it.
//!
//! ```text
//! Profile ─ filtered ─► what a filter is about ─ compile, or made before ─► filter ─┐
//!    └────────────────────────────── trees, rights, namespaces ─────────────────────┴─ assemble ─► Compiled
//! ```
//!
//! Only the filter takes long, and apps have few of them: what they differ in is their files. Invariant: two
//! profiles with the same [`filtered`] have the same filter, for [`Rules`](crate::rules::Rules) are made from that
//! and from nothing else.

use std::collections::BTreeSet;

use model::sandbox::{Access, Compiled, Feature, Files, Forbid, Network, Profile, Ruleset};

use crate::refused::Refused;
use crate::rules::restricts_modes;
use crate::trees::Trees;
use crate::{landlock, mounts};

/// A port, where it only matters that there is one.
const SOME_PORT: u16 = 1;

/// What of a profile its filter is made from, and nothing else.
#[must_use]
pub fn filtered(profile: &Profile) -> Profile {
    let Profile { network, forbid, .. } = profile;
    let no_write_execute = forbid.write_execute || profile.write_execute == Some(false);
    let some = |ports: &Vec<u16>| ports.first().map(|_| SOME_PORT).into_iter().collect();
    Profile {
        write_execute: no_write_execute.then_some(false),
        lock_personality: profile.lock_personality,
        files: Files { write: restricts_modes(profile).then(Vec::new), ..Files::default() },
        network: Network {
            families: network.families.clone(),
            connect: network.connect.as_ref().map(some),
            listen: network.listen.as_ref().map(some),
            udp: network.udp,
            ..Network::default()
        },
        calls: profile.calls.clone(),
        forbid: Forbid {
            calls: forbid.calls.clone(),
            families: forbid.families.clone(),
            ..Forbid::default()
        },
        ..Profile::default()
    }
}

/// What a launch applies of a profile, with the filter that was made for what is [`filtered`] of it.
///
/// # Errors
/// [`Refused`]: what the profile says can't be enforced.
pub fn assemble(profile: &Profile, filter: Vec<u8>) -> Result<Compiled, Refused> {
    let mut all = parts(profile, filter)?;
    all.requires = requires(profile, &all);
    unprivileged(profile, &all)?;
    Ok(all)
}

/// Everything but what is required.
fn parts(profile: &Profile, filter: Vec<u8>) -> Result<Compiled, Refused> {
    let trees = Trees::of(profile)?;
    Ok(Compiled {
        requires: Vec::new(),
        optional: profile.optional.clone(),
        filter,
        ruleset: landlock::ruleset(profile, &trees)?,
        mounts: mounts::mounts(&trees),
        namespaces: profile.namespaces.clone(),
        no_network: profile.network.access == Access::None || profile.forbid.network,
        keyring: profile.keyring,
        no_write_execute: profile.write_execute == Some(false) || profile.forbid.write_execute,
    })
}

/// What the profile asks for, and what its rules need and may not miss.
fn requires(profile: &Profile, compiled: &Compiled) -> Vec<Feature> {
    let mut needed = BTreeSet::new();
    let mut need = |feature, if_so: bool| {
        if if_so {
            needed.insert(feature);
        }
    };
    need(Feature::Seccomp, !compiled.filter.is_empty());
    need(Feature::Namespaces, !compiled.mounts.is_empty() || !compiled.namespaces.is_empty());
    need(Feature::NetworkNamespace, compiled.no_network);
    need(Feature::WriteExecute, compiled.no_write_execute);
    let versions = |ruleset: &Ruleset| landlock::versions(ruleset).collect::<Vec<_>>();
    let versions = compiled.ruleset.as_ref().map(versions).unwrap_or_default();
    needed.extend(versions.into_iter().map(Feature::Landlock));
    needed.retain(|feature| !feature.may_lack(&profile.optional));
    needed.extend(profile.requires.iter().copied());
    // The highest version says it for all.
    let highest = needed.iter().filter_map(version).max();
    needed.retain(|feature| version(feature).is_none_or(|one| Some(one) == highest));
    needed.into_iter().collect()
}

fn version(feature: &Feature) -> Option<u32> {
    match feature {
        Feature::Landlock(version) => Some(*version),
        _ => None,
    }
}

/// A filter or a ruleset needs `no_new_privs` or `CAP_SYS_ADMIN`.
fn unprivileged(profile: &Profile, compiled: &Compiled) -> Result<(), Refused> {
    let gains = !profile.no_new_privileges && !profile.forbid.new_privileges;
    let kept =
        profile.capabilities.as_ref().is_none_or(|list| list.iter().any(|c| c == "SYS_ADMIN"));
    let admin = kept && !profile.forbid.capabilities.iter().any(|c| c == "SYS_ADMIN");
    let ruled = !compiled.filter.is_empty() || compiled.ruleset.is_some();
    if gains && !admin && ruled { Err(Refused::NewPrivileges) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use model::sandbox::{Family, View};

    use super::*;
    use crate::calls::Arch;
    use crate::rules::Rules;
    use crate::rules::tests::profile;

    fn rules(profile: &Profile) -> Option<Rules> {
        Rules::of(profile, Arch::X86_64).unwrap()
    }

    #[test]
    fn what_a_filter_is_not_about_makes_no_other_one() {
        let one = profile(&["@basic"]);
        let mut other = one.clone();
        other.files.read = Some(vec!["/usr".to_owned()]);
        other.files.execute = Some(vec!["/run/bundles/x".to_owned()]);
        other.capabilities = Some(vec!["SYSLOG".to_owned()]);
        other.forbid.files = vec!["/root".to_owned()];
        other.limits.memory = Some(1);
        other.network.access = Access::None;
        assert_eq!(filtered(&one), filtered(&other));
        other.network.connect = Some(vec![443, 80]);
        let web = filtered(&other);
        assert_ne!(filtered(&one), web);
        other.network.connect = Some(vec![22]);
        assert_eq!(filtered(&other), web, "which ports is not for a filter");
        other.network.connect = Some(vec![]);
        assert_ne!(filtered(&other), web, "but whether there is any is");
    }

    #[test]
    fn nothing_that_a_filter_is_about_is_lost() {
        let mut all =
            vec![Profile::default(), profile(&["@basic"]), profile(&["@files", "@network"])];
        let changes: [fn(&mut Profile); 12] = [
            |p| p.write_execute = Some(false),
            |p| p.write_execute = Some(true),
            |p| p.forbid.write_execute = true,
            |p| p.lock_personality = true,
            |p| p.files.view = View::Listed,
            |p| p.files.write = Some(vec!["/var/lib/x".to_owned()]),
            |p| p.network.families = Some(vec![Family::Unix, Family::Inet]),
            |p| p.network.connect = Some(vec![443]),
            |p| p.network.listen = Some(vec![]),
            |p| p.network.udp = true,
            |p| p.forbid.families = vec![Family::Packet],
            |p| p.forbid.calls = vec!["@mount".to_owned()],
        ];
        for base in all.clone() {
            for (one, other) in changes.iter().flat_map(|one| changes.iter().map(move |o| (one, o)))
            {
                let mut changed = base.clone();
                one(&mut changed);
                other(&mut changed);
                all.push(changed);
            }
        }
        for profile in &all {
            assert_eq!(rules(&filtered(profile)), rules(profile), "{profile:?}");
            assert_eq!(filtered(&filtered(profile)), filtered(profile), "{profile:?}");
        }
    }
}
