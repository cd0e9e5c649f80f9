use model::sandbox::{Calls, Feature, Files, View};

use super::*;
use crate::bpf::{Call, Program};
use crate::rules::Verdict;
use crate::rules::tests::profile;

/// The tightest profile that programs run under.
fn tight() -> Profile {
    let mut all = profile(&["@basic"]);
    all.write_execute = Some(false);
    all.lock_personality = true;
    all.files = Files {
        view: View::Listed,
        write: Some(vec!["/var/lib/a".into()]),
        execute: Some(vec!["/usr".into()]),
        ..Files::default()
    };
    all.network.connect = Some(vec![443]);
    all.network.listen = Some(vec![]);
    all
}

#[test]
fn every_group_becomes_a_filter_that_does_what_its_rules_say_on_both_processors() {
    for group in model::sandbox::calls::groups() {
        for arch in Arch::ALL {
            let compiled = compile(&profile(&[group.name]), arch);
            assert!(compiled.is_ok(), "{} {arch}: {compiled:?}", group.name);
        }
    }
}

#[test]
fn the_tightest_profile_compiles_for_both_processors() {
    for arch in Arch::ALL {
        let compiled = compile(&tight(), arch).unwrap();
        let program = Program::parse(&compiled.filter).unwrap();
        assert!(program.instructions().len() < 1500, "{}", program.instructions().len());
        assert!(compiled.no_write_execute);
        assert_eq!(
            compiled.requires,
            [Feature::Seccomp, Feature::Landlock(6), Feature::Namespaces, Feature::WriteExecute]
        );
    }
}

#[test]
fn the_kernel_answers_calls_that_are_made_all_the_time_without_running_the_filter() {
    for arch in Arch::ALL {
        let program = Program::parse(&compile(&tight(), arch).unwrap().filter).unwrap();
        let closer = |name| {
            let call = model::sandbox::calls::call(name).unwrap();
            let call = Call { number: arch.number(&call)?, arch: arch.audit(), ..Call::default() };
            Some((program.run(&call).unwrap(), program.looks_closer(&call).unwrap()))
        };
        for hot in [
            "read",
            "write",
            "close",
            "futex",
            "epoll_pwait",
            "recvfrom",
            "newfstatat",
            "clock_gettime",
        ] {
            assert_eq!(closer(hot), Some((Verdict::Allow, false)), "{hot} on {arch}");
        }
        assert_eq!(closer("mmap").map(|(_, closer)| closer), Some(true));
    }
}

#[test]
fn a_list_of_what_is_refused_leaves_the_rest() {
    let mut profile = Profile::default();
    profile.calls.deny = vec!["ptrace".into()];
    profile.calls.kill = vec!["@reboot".into()];
    let compiled = compile(&profile, Arch::X86_64).unwrap();
    let program = Program::parse(&compiled.filter).unwrap();
    let run = |number| {
        let call = Call { number, arch: Arch::X86_64.audit(), ..Call::default() };
        program.run(&call).unwrap()
    };
    assert_eq!([run(101), run(169), run(165)], [Verdict::Errno(1), Verdict::Kill, Verdict::Allow]);
}

#[test]
fn what_is_optional_is_not_required_and_what_is_required_stays() {
    let mut profile = tight();
    profile.optional = vec![Feature::Landlock(5), Feature::WriteExecute];
    let requires = compile(&profile, Arch::X86_64).unwrap().requires;
    assert_eq!(requires, [Feature::Seccomp, Feature::Landlock(4), Feature::Namespaces]);
    profile.requires = vec![Feature::WriteExecute];
    assert!(compile(&profile, Arch::X86_64).unwrap().requires.contains(&Feature::WriteExecute));
}

#[test]
fn a_profile_with_rules_gains_no_privileges() {
    let mut profile = profile(&["@basic"]);
    profile.no_new_privileges = false;
    assert!(compile(&profile, Arch::X86_64).is_ok(), "root may");
    profile.capabilities = Some(vec!["CHOWN".into()]);
    assert_eq!(compile(&profile, Arch::X86_64), Err(Refused::NewPrivileges));
    profile.calls = Calls::default();
    assert!(compile(&profile, Arch::X86_64).is_ok(), "nothing is ruled");
}
