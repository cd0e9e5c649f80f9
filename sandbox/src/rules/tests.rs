//! Stories of single calls; that filters do the same is for `check`.

use model::sandbox::{Calls, Family, Files, Network, Profile};

use super::*;

/// A profile that allows these calls and groups.
pub(crate) fn profile(allow: &[&str]) -> Profile {
    let allow = Some(allow.iter().map(|name| (*name).to_owned()).collect());
    Profile { calls: Calls { allow, ..Calls::default() }, ..Profile::default() }
}

fn rules(profile: &Profile) -> Rules {
    Rules::of(profile, Arch::X86_64).unwrap().unwrap()
}

/// What happens to this call with these arguments.
fn made(rules: &Rules, name: &str, arguments: &[u64]) -> Verdict {
    let number = model::sandbox::calls::call(name).and_then(|call| rules.arch().number(&call));
    let mut all = [0; 6];
    for (place, argument) in all.iter_mut().zip(arguments) {
        *place = *argument;
    }
    rules.verdict(number.unwrap(), &all)
}

const REFUSED: Verdict = Verdict::Errno(EPERM);
const UNKNOWN: Verdict = Verdict::Errno(ENOSYS);

fn network(set: impl FnOnce(&mut Network)) -> Rules {
    let mut profile = Profile::default();
    set(&mut profile.network);
    rules(&profile)
}

#[test]
fn a_profile_that_says_nothing_of_calls_needs_no_filter() {
    assert_eq!(Rules::of(&Profile::default(), Arch::X86_64), Ok(None));
    let read = Files { read: Some(vec!["/usr".into()]), ..Files::default() };
    assert_eq!(Rules::of(&Profile { files: read, ..Profile::default() }, Arch::X86_64), Ok(None));
}

#[test]
fn of_the_calls_that_are_not_listed_those_that_exist_are_refused() {
    let rules = rules(&profile(&["@files"]));
    assert_eq!(made(&rules, "openat", &[]), Verdict::Allow);
    assert_eq!(made(&rules, "execve", &[]), Verdict::Allow, "every program needs @least");
    assert_eq!(made(&rules, "ptrace", &[]), REFUSED);
    assert_eq!(rules.verdict(335, &[0; 6]), Verdict::Allow, "uretprobe");
    assert_eq!(rules.verdict(400, &[0; 6]), UNKNOWN, "between the numbers of calls");
    assert_eq!(rules.verdict(9999, &[0; 6]), UNKNOWN);
}

#[test]
fn a_call_of_a_newer_kernel_leads_around_no_rule() {
    let mut profile = Profile::default();
    profile.calls.deny = vec!["@mount".into()];
    assert_eq!(rules(&profile).verdict(467, &[0; 6]), UNKNOWN, "open_tree_attr of 6.15");
}

#[test]
fn the_stronger_list_wins() {
    let mut profile = profile(&["@basic", "ptrace"]);
    profile.calls.deny = vec!["ptrace".into(), "kill".into()];
    profile.calls.kill = vec!["kill".into()];
    profile.forbid.calls = vec!["@network".into()];
    let rules = rules(&profile);
    assert_eq!(made(&rules, "ptrace", &[]), REFUSED);
    assert_eq!(made(&rules, "kill", &[]), Verdict::Kill);
    assert_eq!(made(&rules, "socket", &[1, 1, 0]), REFUSED);
}

#[test]
fn programs_of_other_architectures_are_ended() {
    let rules = rules(&profile(&["@basic"]));
    assert_eq!(rules.verdict(X32 | 59, &[0; 6]), Verdict::Kill);
    let arm = Rules::of(&profile(&["@basic"]), Arch::Aarch64).unwrap().unwrap();
    assert_eq!(arm.verdict(X32 | 59, &[0; 6]), UNKNOWN, "no other programs have numbers there");
}

#[test]
fn what_a_program_cannot_do_without_is_not_refused() {
    let mut profile = Profile::default();
    profile.calls.kill = vec!["execve".into()];
    assert_eq!(Rules::of(&profile, Arch::X86_64), Err(Refused::NeverRefused("execve")));
    profile.calls.kill = vec!["exceve".into()];
    assert_eq!(Rules::of(&profile, Arch::X86_64), Err(Refused::Call("exceve".into())));
}

#[test]
fn who_may_not_make_namespaces_makes_none_with_a_new_process_either() {
    let basic = rules(&profile(&["@basic"]));
    for flag in
        [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]
    {
        assert_eq!(made(&basic, "clone", &[flag | 17]), REFUSED, "{flag:#x}");
    }
    assert_eq!(made(&basic, "clone", &[0x003D_0F00]), Verdict::Allow, "a thread of glibc");
    assert_eq!(made(&basic, "clone3", &[]), UNKNOWN, "glibc takes clone then");
    let makes = rules(&profile(&["@basic", "@namespaces"]));
    assert_eq!(made(&makes, "clone3", &[]), Verdict::Allow);
    assert_eq!(made(&makes, "clone", &[0x1000_0000]), Verdict::Allow);
    let mut forbids = profile(&["@basic", "@namespaces"]);
    forbids.forbid.calls = vec!["unshare".into()];
    assert_eq!(made(&rules(&forbids), "clone", &[0x1000_0000]), REFUSED);
}

#[test]
fn nobody_types_for_another_at_the_terminal() {
    let rules = rules(&profile(&["@basic"]));
    assert_eq!(made(&rules, "ioctl", &[0, 0x5412]), REFUSED);
    assert_eq!(
        made(&rules, "ioctl", &[0, 0xFFFF_FFFF_0000_5412]),
        REFUSED,
        "the kernel takes 32 bits"
    );
    assert_eq!(made(&rules, "ioctl", &[0, 0x541C]), REFUSED);
    assert_eq!(made(&rules, "ioctl", &[0, 0x5401]), Verdict::Allow, "isatty");
}

#[test]
fn what_a_service_stores_counts_for_it() {
    let files = Files { write: Some(vec!["/var/lib/a".into()]), ..Files::default() };
    for profile in [
        Profile { files: files.clone(), ..Profile::default() },
        Profile { files, ..profile(&["@basic"]) },
    ] {
        let rules = rules(&profile);
        for change in [0x401C_5820, 0x4008_6602, 0x4004_6602] {
            assert_eq!(made(&rules, "ioctl", &[0, change]), REFUSED, "{change:#x}");
        }
        assert_eq!(made(&rules, "ioctl", &[0, 0x801C_581F]), Verdict::Allow, "looking at it");
        assert_eq!(rules.verdict(469, &[0; 6]), UNKNOWN, "file_setattr of newer kernels");
    }
}

#[test]
fn who_writes_files_makes_none_set_user_id() {
    let files = Files { write: Some(vec!["/var/lib/a".into()]), ..Files::default() };
    let rules = rules(&Profile { files, ..Profile::default() });
    assert_eq!(made(&rules, "fchmodat", &[0, 0, 0o4755]), REFUSED);
    assert_eq!(made(&rules, "fchmodat2", &[0, 0, 0o2755]), REFUSED);
    assert_eq!(made(&rules, "chmod", &[0, 0o755]), Verdict::Allow);
    assert_eq!(made(&rules, "openat", &[0, 0, 0o101, 0o4755]), REFUSED);
    assert_eq!(made(&rules, "openat", &[0, 0, 0, 0o4755]), Verdict::Allow, "no file is made");
    assert_eq!(made(&rules, "openat2", &[]), UNKNOWN, "its mode is in memory");
    assert_eq!(made(&rules, "io_uring_setup", &[]), UNKNOWN, "it opens files past the filter");
}

#[test]
fn memory_is_written_or_executed_never_both() {
    let rules = rules(&Profile { write_execute: Some(false), ..Profile::default() });
    assert_eq!(made(&rules, "mmap", &[0, 0, 7, 2]), REFUSED);
    assert_eq!(made(&rules, "mmap", &[0, 0, 5, 2]), Verdict::Allow, "a library");
    assert_eq!(made(&rules, "mmap", &[0, 0, 5, 1]), REFUSED, "shared with who may write it");
    assert_eq!(made(&rules, "mmap", &[0, 0, 3, 1]), Verdict::Allow);
    assert_eq!(made(&rules, "mprotect", &[0, 0, 5]), REFUSED);
    assert_eq!(made(&rules, "memfd_create", &[0, 1]), REFUSED);
    assert_eq!(made(&rules, "memfd_create", &[0, 9]), Verdict::Allow);
    assert_eq!(made(&rules, "shmat", &[0, 0, 0o100_000]), REFUSED);
    assert_eq!(made(&rules, "personality", &[0x40_0000]), REFUSED);
}

#[test]
fn with_ports_there_is_only_tcp_and_only_where_landlock_sees_it() {
    let rules = network(|n| n.connect = Some(vec![443]));
    let socket = |family, kind, protocol| made(&rules, "socket", &[family, kind, protocol]);
    assert_eq!(socket(2, 1 | 0x8_0800, 6), Verdict::Allow);
    assert_eq!(socket(10, 1, 0), Verdict::Allow);
    assert_eq!(socket(2, 1, 262), REFUSED, "MPTCP");
    assert_eq!(socket(2, 2, 0), REFUSED, "UDP");
    assert_eq!(socket(43, 1, 0), REFUSED, "SMC carries TCP");
    assert_eq!(socket(1, 1, 0), Verdict::Allow);
    assert_eq!(made(&rules, "sendto", &[3, 0, 0, 0x2000_0000]), REFUSED, "fast open");
    assert_eq!(made(&rules, "sendmsg", &[3, 0, 0x4000]), Verdict::Allow);
    assert_eq!(made(&rules, "setsockopt", &[3, 6, 30]), REFUSED, "fast open");
    assert_eq!(made(&rules, "setsockopt", &[3, 6, 1]), Verdict::Allow);
    assert_eq!(made(&rules, "listen", &[]), Verdict::Allow, "nothing is said of listening");
    assert_eq!(made(&rules, "io_uring_setup", &[]), UNKNOWN, "it makes sockets past the filter");
}

#[test]
fn who_listens_on_no_port_does_not_listen() {
    let rules = network(|n| {
        n.listen = Some(vec![]);
        n.udp = true;
    });
    assert_eq!(made(&rules, "listen", &[]), REFUSED);
    assert_eq!(made(&rules, "socket", &[2, 2, 17]), Verdict::Allow);
    assert_eq!(made(&rules, "socket", &[2, 2, 115]), REFUSED, "L2TP");
}

#[test]
fn a_family_that_is_not_listed_is_refused_by_its_old_name_too() {
    let rules = network(|n| n.families = Some(vec![Family::Inet]));
    assert_eq!(made(&rules, "socket", &[2, 1, 262]), Verdict::Allow, "no ports are listed");
    assert_eq!(made(&rules, "socket", &[2, 10, 0]), REFUSED, "SOCK_PACKET is AF_PACKET");
    assert_eq!(made(&rules, "socketpair", &[1, 1, 0]), REFUSED);
    let mut profile = Profile::default();
    profile.forbid.families = vec![Family::Packet];
    let rules = Rules::of(&profile, Arch::X86_64).unwrap().unwrap();
    assert_eq!(made(&rules, "socket", &[17, 3, 0]), REFUSED);
    assert_eq!(made(&rules, "socket", &[2, 10, 0]), REFUSED);
    assert_eq!(made(&rules, "socket", &[43, 1, 0]), Verdict::Allow);
}

#[test]
fn io_uring_is_not_allowed_together_with_what_it_leads_past() {
    let mut profile = profile(&["@basic", "@io-uring"]);
    assert!(Rules::of(&profile, Arch::X86_64).is_ok());
    profile.network.families = Some(vec![Family::Unix]);
    assert_eq!(Rules::of(&profile, Arch::X86_64), Err(Refused::IoUring));
}

#[test]
fn calls_made_all_the_time_have_no_rules_about_arguments() {
    let mut profile = profile(&["@basic"]);
    profile.files.write = Some(Vec::new());
    profile.write_execute = Some(false);
    profile.network.families = Some(vec![Family::Unix]);
    let rules = rules(&profile);
    let names = rules.arch().calls();
    let about: Vec<_> = rules
        .calls()
        .filter(|(_, rule)| matches!(rule, Rule::Only(_) | Rule::Except(_)))
        .filter_map(|(number, _)| names.get(&number))
        .collect();
    for hot in ["read", "write", "close", "futex", "epoll_wait", "recvmsg", "sendmsg", "newfstatat"]
    {
        assert!(!about.contains(&&hot), "{hot}");
    }
}
