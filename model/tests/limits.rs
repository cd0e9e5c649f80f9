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
    let text = "[limits]\nmemory = \"1K\"\npids = 0\nopen-files = 7\nsignals = -1\ncpu = \"0%\"\nstack = \"4K\"\nstorage = \"1K\"\nstorage-files = 0\nheap = 1\n";
    let (_, report) = check_file(&profiles(&[("x", text)]), "sandbox/x.toml");
    insta::assert_snapshot!(brief(&report), @r#"
    1:1 this profile restricts nothing (`ens new sandbox NAME` writes one to start from)
    3:10 no program starts with 1K of memory (at least 256K)
    4:8 the number of processes can't be 0 (1 to 4194304)
    5:14 the number of open files can't be 7 (8 to 1048576)
    6:11 the number of signals can't be -1 (0 to 1048576)
    7:7 `0%` is not a share of CPU time (percent of one CPU, like "50%"; two whole CPUs are "200%")
    8:9 no program starts with 4K of stack (at least 256K)
    9:11 1K is less than a few files take (at least 64K)
    10:17 the number of files can't be 0 (8 to 1000000000)
    11:1 unknown key `heap` (keys here: memory, cpu, pids, open-files, core, signals, locked-memory, file-size, stack, storage, storage-files)
    "#);
}

/// A profile under which a limit of storage holds.
const STORES: &str =
    "capabilities = []\n[files]\nwrite = []\n[limits]\nstorage = \"64M\"\nstorage-files = 1000\n";

#[test]
fn a_limit_of_storage_counts_the_trees_that_are_its_own() {
    let text = "user = \"own\"\n[limits]\nstorage = \"1M\"\n[sandbox]\ninherit = [\"x\"]\n[sandbox.files]\n\
                write = [\"/var/cache/x\", \"/run/x\"]\n";
    let files = profiles(&[("x", STORES)])
        .with("services/x.toml", &format!("exec = [\"/bin/x\"]\n{text}"))
        .with("devices/x.toml", DEVICE);
    let service = load_device(&files, "devices/x.toml").unwrap().plan.services.remove(0);
    assert_eq!((service.limits.storage, service.limits.storage_files), (Some(1 << 20), Some(1000)));
    assert_eq!(service.stores(), ["/var/cache/x", "/var/lib/x"]);
    let told = sandbox::sentences(
        &Profile { limits: service.limits.bounds(), ..Profile::default() },
        None,
        &[],
    );
    let of_limits: Vec<&str> =
        told.iter().map(|s| s.text.as_str()).filter(|text| text.contains("trees")).collect();
    assert_eq!(
        of_limits,
        [
            "In its own trees of /var it stores at most 1M.",
            "In its own trees of /var it has at most 1000 files."
        ]
    );
}

#[test]
fn a_limit_of_storage_that_would_limit_nothing_is_a_mistake() {
    let said = |text: &str| {
        let text = format!("exec = [\"/bin/x\"]\n{text}");
        let files = profiles(&[("x", STORES)]).with("services/x.toml", &text);
        brief(&check_file(&files, "services/x.toml").1)
    };
    insta::assert_snapshot!(said("[limits]\nstorage = \"1M\"\n"), @r#"
    3:11 a limit of storage holds only with a list of what may be written ([sandbox] inherit = ["service"] has one; its directories go to [sandbox.files] write)
    3:11 no limit of storage holds who has the capability SYS_RESOURCE (give it a user, or capabilities without that one ([] is none))
    "#);
    insta::assert_snapshot!(
        said("user = \"own\"\n[limits]\nstorage-files = 100\n"), @r#"4:17 a limit of storage holds only with a list of what may be written ([sandbox] inherit = ["service"] has one; its directories go to [sandbox.files] write)"#);
    insta::assert_snapshot!(
        said("[limits]\nstorage = \"1M\"\n[sandbox]\ninherit = [\"x\"]\n"), @r#"3:11 a limit of storage, and no directory to store anything in ([sandbox.files] write = ["/var/lib/NAME"]; or `user = "own"`, which makes one)"#);
    let shared = "[sandbox]\ninherit = [\"x\"]\n[sandbox.files]\nwrite = [\"/var/lib\", \"/etc/x\", \"/var/lib/x\"]\n";
    insta::assert_snapshot!(said(shared), @r#"
    5:10 `/var/lib` is not its own, so `storage` can't count what is in it (name a directory of its own, like /var/lib/NAME; `user = "own"` makes one)
    5:22 `/etc/x` is not its own, so `storage` can't count what is in it (name a directory of its own, like /var/lib/NAME; `user = "own"` makes one)
    "#);
    let strong = "[sandbox]\ninherit = [\"x\"]\ncapabilities = [\"SYS_RESOURCE\"]\n";
    insta::assert_snapshot!(said(strong), @r"1:1 no limit of storage holds who has the capability SYS_RESOURCE (give it a user, or capabilities without that one ([] is none))");
}
