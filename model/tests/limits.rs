//! How much a program may use, as its profiles and its service say it.
#![cfg(feature = "text")]

mod files;

use files::{brief, profiles};
use model::sandbox::{Limits, Profile};
use model::text::{check_file, load_device, sandbox};

const DEVICE: &str = "version = 1\n[services]\nenable = [\"x\"]\n";

/// The limits that hold for a service of this text, with these profiles.
fn of_service(all: &[(&str, &str)], text: &str) -> model::service::Limits {
    let files = profiles(all)
        .with("services/x.toml", &format!("exec = [\"/bin/x\"]\n{text}"))
        .with("devices/x.toml", DEVICE);
    let loaded = load_device(&files, "devices/x.toml").expect("it has no mistake");
    let service = loaded.plan.services.iter().find(|s| s.name.as_str() == "x");
    model::service::Limits::clone(&service.expect("it is in the plan").limits)
}

const APP: &str = "[limits]\nmemory = \"64M\"\ncpu = \"50%\"\npids = 32\nopen-files = 1024\ncore = \"0\"\n\
                   signals = 256\nlocked-memory = \"64K\"\nfile-size = \"1M\"\nstack = \"2M\"\n";

#[test]
fn a_service_has_the_limits_of_its_profile_and_its_own_win() {
    let own = "limits = { pids = 100, core = \"1M\" }\nsandbox = { inherit = [\"app\"] }\n";
    let limits = of_service(&[("app", APP)], own);
    assert_eq!((limits.memory, limits.cpu, limits.pids), (Some(64 << 20), Some(50), Some(100)));
    assert_eq!(
        (limits.open_files, limits.core, limits.signals),
        (Some(1024), Some(1 << 20), Some(256))
    );
    assert_eq!(
        (limits.locked_memory, limits.file_size, limits.stack),
        (Some(64 << 10), Some(1 << 20), Some(2 << 20))
    );
    assert_eq!(limits.cpu_weight, None);
}

#[test]
fn of_two_profiles_the_nearest_says_how_much_it_is() {
    let all = [
        ("far", APP),
        ("near", "inherit = [\"far\"]\n[limits]\npids = 8\n"),
        ("last", "[limits]\ncpu = \"10%\"\n"),
    ];
    let limits = of_service(&all, "sandbox = { inherit = [\"near\", \"last\"] }\n");
    assert_eq!((limits.pids, limits.cpu, limits.memory), (Some(8), Some(10), Some(64 << 20)));
}

#[test]
fn limits_alone_need_nothing_of_the_kernel() {
    let files = profiles(&[("x", APP)]);
    let loaded = sandbox::load(&files, &["sandbox".to_owned()], "x").unwrap();
    assert!(!loaded.profile.confines());
    let keys: Vec<_> = loaded.rules.iter().map(|rule| (rule.key.as_str(), rule.line)).collect();
    assert!(keys.contains(&("limits.open-files", 6)), "{keys:?}");
    let told = sandbox::sentences(&loaded.profile, None, &loaded.rules);
    let told: Vec<_> = told.iter().filter(|s| s.topic == sandbox::Topic::Limits).collect();
    insta::assert_snapshot!(told.iter().map(|s| s.text.clone()).collect::<Vec<_>>().join("\n"), @r"
    It has at most 64M of memory.
    It has at most 50 % of one CPU.
    It has at most 32 processes and threads.
    It has at most 1024 open files.
    It leaves no core dumps.
    It has at most 256 waiting signals and timers.
    It locks at most 64K of memory.
    No file that it writes grows beyond 1M.
    Its stacks have at most 2M.
    ");
}

#[test]
fn who_may_only_take_away_gets_the_smaller_of_both() {
    let with = |limits| Profile { limits, ..Profile::default() };
    let own = Limits { memory: Some(10), pids: Some(99), core: Some(1), ..Limits::default() };
    let most = Limits { memory: Some(20), pids: Some(9), signals: Some(5), ..Limits::default() };
    let both = with(own).within(&with(most)).limits;
    let expected = Limits { memory: Some(10), pids: Some(9), signals: Some(5), ..own };
    assert_eq!(both, expected);
}

#[test]
fn a_limit_that_is_none_is_a_mistake_with_its_place() {
    let text = "[limits]\nmemory = \"1K\"\npids = 0\nopen-files = 7\nsignals = -1\ncpu = \"0%\"\nstack = \"4K\"\nheap = 1\n";
    let (_, report) = check_file(&profiles(&[("x", text)]), "sandbox/x.toml");
    insta::assert_snapshot!(brief(&report), @r#"
    1:1 this profile restricts nothing (`ens new sandbox NAME` writes one to start from)
    3:10 no program starts with 1K of memory (at least 256K)
    4:8 the number of processes can't be 0 (1 to 4194304)
    5:14 the number of open files can't be 7 (8 to 1048576)
    6:11 the number of signals can't be -1 (0 to 1048576)
    7:7 `0%` is not a share of CPU time (percent of one CPU, like "50%"; two whole CPUs are "200%")
    8:9 no program starts with 4K of stack (at least 256K)
    9:1 unknown key `heap` (keys here: memory, cpu, pids, open-files, core, signals, locked-memory, file-size, stack)
    "#);
}
