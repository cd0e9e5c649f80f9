//! What holds for every profile.

#![cfg(feature = "compile")]

use model::sandbox::{Calls, Family, Feature, Files, Forbid, Network, Profile, View, calls};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sandbox::calls::Arch;
use sandbox::rules::{Rules, Verdict};

/// Names of calls and groups; none that every program needs.
fn names() -> impl Strategy<Value = Vec<String>> {
    let single = calls::all().map(|call| call.name);
    let needed = ["execve", "exit", "exit_group", "rt_sigreturn"];
    let needs = |name: &str| {
        calls::group(name).is_some_and(|g| needed.iter().any(|n| g.members().contains(n)))
    };
    let all: Vec<String> = single
        .chain(calls::groups().iter().map(|group| group.name))
        .filter(|name| !needed.contains(name) && !needs(name))
        .map(str::to_owned)
        .collect();
    prop::collection::vec(select(all), 0..6)
}

fn families() -> impl Strategy<Value = Vec<Family>> {
    use Family::{Bluetooth, Inet, Inet6, Netlink, Packet, Unix, Vsock};
    subsequence(vec![Unix, Inet, Inet6, Netlink, Packet, Vsock, Bluetooth], 0..=7)
}

fn ports() -> impl Strategy<Value = Option<Vec<u16>>> {
    prop::option::of(prop::collection::vec(1..9_u16, 0..3))
}

fn trees() -> impl Strategy<Value = Option<Vec<String>>> {
    let all = ["/", "/a", "/a/b", "/a/b/c", "/b", "/dev", "/dev/fb0", "/tmp/x", "/usr", "/usr/lib"];
    prop::option::of(prop::collection::vec(select(all.map(String::from).to_vec()), 0..4))
}

prop_compose! {
    fn network()(families in prop::option::of(families()), connect in ports(), listen in ports(), udp: bool)
        -> Network
    {
        Network { families, connect, listen, udp, ..Network::default() }
    }
}

prop_compose! {
    fn files()(read in trees(), write in trees(), execute in trees(), listed: bool) -> Files {
        let view = if listed { View::Listed } else { View::Whole };
        Files { view, read, write, execute, ..Files::default() }
    }
}

prop_compose! {
    fn forbid()(files in trees(), write in trees(), calls in names(), families in families(),
                write_execute: bool) -> Forbid
    {
        let (files, write) = (files.unwrap_or_default(), write.unwrap_or_default());
        Forbid { files, write, calls, families, write_execute, ..Forbid::default() }
    }
}

prop_compose! {
    fn profile()(allow in prop::option::of(names()), deny in names(), kill in names(), network in network(),
                 files in files(), forbid in forbid(), write_execute in prop::option::of(any::<bool>()),
                 lock_personality: bool) -> Profile
    {
        let calls = Calls { allow, deny, kill };
        Profile { calls, network, files, forbid, write_execute, lock_personality, ..Profile::default() }
    }
}

/// A call with arguments that rules are about.
fn call() -> impl Strategy<Value = (u32, [u64; 6])> {
    let value = select(vec![
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        17,
        30,
        0o4755,
        0o100_000,
        262,
        0x5412,
        0x1000_0011,
        0x2000_0000,
        0xFFFF_FFFF,
        0x40_0000,
        u64::MAX,
    ]);
    (0_u32..480, prop::array::uniform6(value))
}

/// Without a filter, every call of the kernel is made.
fn verdict(rules: Option<&Rules>, call: &(u32, [u64; 6])) -> Verdict {
    rules.map_or(Verdict::Allow, |rules| rules.verdict(call.0, &call.1))
}

/// Whether `less` allows nothing that `more` does not.
fn reduces(less: &Profile, more: &Profile, made: &[(u32, [u64; 6])]) -> Result<(), TestCaseError> {
    for arch in Arch::ALL {
        let (Ok(less), Ok(more)) = (Rules::of(less, arch), Rules::of(more, arch)) else { continue };
        for call in made {
            if verdict(less.as_ref(), call) == Verdict::Allow {
                prop_assert_eq!(verdict(more.as_ref(), call), Verdict::Allow, "{:?}", call);
            }
        }
    }
    Ok(())
}

fn made() -> impl Strategy<Value = Vec<(u32, [u64; 6])>> {
    prop::collection::vec(call(), 100)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_forbidden_is_not_allowed_whatever_else_is(profile in profile(), more in names(), made in made()) {
        let mut wider = profile.clone();
        wider.calls.allow.get_or_insert_default().extend(more);
        for arch in Arch::ALL {
            let forbidden: Vec<_> = profile.forbid.calls.iter().flat_map(|name| match calls::group(name) {
                Some(group) => group.members().into_iter().filter_map(calls::call).collect(),
                None => calls::call(name).into_iter().collect::<Vec<_>>(),
            }).filter_map(|call| arch.number(&call)).collect();
            let Ok(Some(rules)) = Rules::of(&wider, arch) else { continue };
            for (_, arguments) in &made {
                for number in &forbidden {
                    prop_assert_ne!(rules.verdict(*number, arguments), Verdict::Allow);
                }
            }
        }
    }

    #[test]
    fn a_rule_more_in_forbid_only_takes_away(profile in profile(), more in forbid(), made in made()) {
        let mut less = profile.clone();
        less.forbid.calls.extend(more.calls);
        less.forbid.families.extend(more.families);
        less.forbid.files.extend(more.files);
        less.forbid.write.extend(more.write);
        less.forbid.write_execute |= more.write_execute;
        reduces(&less, &profile, &made)?;
    }

    #[test]
    fn a_call_more_in_deny_or_kill_only_takes_away(profile in profile(), more in names(), made in made()) {
        let mut less = profile.clone();
        less.calls.deny.extend(more.iter().cloned());
        reduces(&less, &profile, &made)?;
        less.calls.kill.extend(more);
        reduces(&less, &profile, &made)?;
    }

    #[test]
    fn what_both_of_two_profiles_allow_each_allows(one in profile(), other in profile(), made in made()) {
        let both = one.within(&other);
        reduces(&both, &one, &made)?;
        reduces(&both, &other, &made)?;
    }

    #[test]
    fn what_both_of_two_profiles_allow_needs_no_less_of_files(one in profile(), other in profile()) {
        let both = one.within(&other);
        let ruleset = |profile: &Profile| {
            let pure = Profile { calls: Calls::default(), network: Network::default(), ..profile.clone() };
            let pure = Profile { write_execute: None, forbid: Forbid { calls: Vec::new(), families: Vec::new(),
                write_execute: false, ..profile.forbid.clone() }, ..pure };
            sandbox::compile(&pure, Arch::X86_64).ok().map(|c| c.ruleset.map_or(0, |r| r.files))
        };
        if let (Some(both), Some(one), Some(other)) = (ruleset(&both), ruleset(&one), ruleset(&other)) {
            // Without forbidden trees, what is handled only grows.
            prop_assert_eq!(both & (one | other), one | other);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// `compile` itself compares the filter with the rules.
    #[test]
    fn every_profile_becomes_a_filter_that_does_what_its_rules_say(profile in profile()) {
        for arch in Arch::ALL {
            let compiled = sandbox::compile(&profile, arch);
            if let Err(refused) = &compiled {
                let ours = refused.to_string();
                prop_assert!(!ours.contains("mistake of Ensemble") && !ours.contains("libseccomp"), "{}", ours);
            }
        }
    }

    #[test]
    fn a_hostile_profile_is_an_error_or_a_result_and_takes_no_time(
        text in prop::collection::vec(".{0,8}", 0..4), count in 0_usize..5000, path in "/{0,2}[a./\0]{0,9}")
    {
        let mut profile = Profile::default();
        profile.calls.allow = Some(text.clone());
        prop_assert!(text.is_empty() || sandbox::compile(&profile, Arch::X86_64).is_err());
        profile.calls.allow = Some(vec!["@basic".into(); count]);
        prop_assert_eq!(Rules::of(&profile, Arch::X86_64).is_ok(), count <= sandbox::rules::MAX_NAMES);
        profile.calls = Calls::default();
        profile.network.connect = Some((0..u16::try_from(count).unwrap_or(0)).collect());
        profile.files.read = Some(vec![path; count]);
        profile.files.devices = Some(text);
        profile.requires = vec![Feature::Landlock(u32::MAX); count];
        let _ = sandbox::compile(&profile, Arch::Aarch64);
    }
}
