//! From a profile to what a launch hands to the kernel, for one architecture.
//!
//! Nothing here depends on the kernel that runs; the filter itself needs the feature `compile`.

use std::collections::BTreeSet;

use model::sandbox::{Access, Compiled, Feature, Profile, Ruleset};

use crate::calls::Arch;
use crate::refused::Refused;
use crate::rules::Rules;
use crate::trees::Trees;
use crate::{check, filter, landlock, mounts};

/// Compiles a profile.
///
/// # Errors
/// [`Refused`]: what the profile says can't be enforced, or the filter that was made is wrong.
pub fn compile(profile: &Profile, arch: Arch) -> Result<Compiled, Refused> {
    let rules = Rules::of(profile, arch)?;
    let mut all = pure(profile)?;
    if let Some(rules) = rules {
        check::check(&filter::library::program(&rules)?, &rules)?;
        let program = filter::program(&rules)?;
        check::check(&program, &rules)?;
        all.filter = program.bytes();
    }
    all.requires = requires(profile, &all);
    unprivileged(profile, &all)?;
    Ok(all)
}

/// Everything but the filter and what is required.
fn pure(profile: &Profile) -> Result<Compiled, Refused> {
    let trees = Trees::of(profile)?;
    Ok(Compiled {
        requires: Vec::new(),
        optional: profile.optional.clone(),
        filter: Vec::new(),
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
mod tests;
