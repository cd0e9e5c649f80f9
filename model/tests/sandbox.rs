//! Profiles: what they mean, how they are joined, and what people see when one is wrong.
#![cfg(feature = "text")]

mod allows;
mod files;

use std::collections::BTreeMap;

use allows::{allows, wishes};
use files::{Files, brief, shipped};
use model::Name;
use model::sandbox::{Access, Feature, OF_CONTAINERS, Profile, View};
use model::text::{check_file, load_device, sandbox, service};
use proptest::prelude::*;

/// Profiles by name, without their version.
fn profiles(all: &[(&str, &str)]) -> Files {
    let add = |files: Files, (name, text): &(&str, &str)| {
        files.with(&format!("sandbox/{name}.toml"), &format!("version = 1\n{text}"))
    };
    all.iter().fold(shipped(), add)
}

fn load(all: &[(&str, &str)], name: &str) -> Profile {
    let loaded = sandbox::load(&profiles(all), &["sandbox".to_owned()], name);
    loaded.map_err(|report| report.to_string()).expect("it is right").profile
}

/// What is said of the service of this text beside these profiles.
fn said(all: &[(&str, &str)], text: &str) -> String {
    let text = format!("exec = [\"/usr/bin/web\"]\n{text}");
    let files = profiles(all).with("services/web.toml", &text);
    check_file(&files, "services/web.toml").1.to_string()
}

/// What is said of one profile, in brief.
fn wrong(text: &str) -> String {
    brief(&check_file(&profiles(&[("x", text)]), "sandbox/x.toml").1)
}

#[test]
fn lists_are_joined_and_of_single_values_the_nearer_wins() {
    let all = [
        (
            "base",
            "capabilities = [\"CHOWN\"]\nkeyring = \"own\"\n[files]\nwrite = [\"/run\"]\ntmp = \"private\"\n",
        ),
        (
            "net",
            "inherit = [\"base\"]\n[network]\naccess = \"host\"\nconnect = [443]\n[files]\ntmp = \"shared\"\n",
        ),
        (
            "web",
            "inherit = [\"base\", \"net\"]\ncapabilities = [\"SETUID\"]\n[files]\nview = \"listed\"\nwrite = [\"/a\", \"/run\"]\n[network]\nconnect = [80]\n",
        ),
    ];
    let web = load(&all, "web");
    assert_eq!(web.capabilities.as_deref(), Some(&["CHOWN".to_owned(), "SETUID".to_owned()][..]));
    assert_eq!(web.files.write.as_deref(), Some(&["/a".to_owned(), "/run".to_owned()][..]));
    assert_eq!(web.network.connect, Some(vec![80, 443]));
    assert_eq!(
        (web.keyring, web.files.view, web.network.access),
        (true, View::Listed, Access::Host)
    );
    assert_eq!(web.files.tmp, model::sandbox::Tmp::Shared, "net stands after base");
    assert!(web.no_new_privileges, "when nothing is said");
}

#[test]
fn what_is_forbidden_holds_without_being_said_again() {
    let base = "[forbid]\nnetwork = true\nwrite-execute = true\nnew-privileges = true\n";
    let web = load(
        &[("base", base), ("web", "inherit = [\"base\"]\n[forbid]\nnetwork = false\n")],
        "web",
    );
    assert_eq!((web.network.access, web.write_execute), (Access::None, Some(false)));
    assert!(web.no_new_privileges && web.forbid.network);
}

#[test]
fn what_is_allowed_and_forbidden_is_shown_in_both_files() {
    let base =
        "[forbid]\nfiles = [\"/home\"]\ncalls = [\"@mount\"]\ncapabilities = [\"SYS_ADMIN\"]\n";
    let report = said(
        &[("base", base)],
        "[sandbox]\ninherit = [\"base\"]\ncapabilities = [\"SYS_ADMIN\"]\n[sandbox.files]\nread = [\"/home/me\", \"/etc\"]\n[sandbox.calls]\nallow = [\"@basic\", \"umount2\"]\n",
    );
    insta::assert_snapshot!(report, @r#"
    error: the capability SYS_ADMIN is allowed and forbidden
     --> services/web.toml:4:17
      |
    4 | capabilities = ["SYS_ADMIN"]
      |                 ^^^^^^^^^^^ allowed here
      |
     ::: sandbox/base.toml:5:17
      |
    5 | capabilities = ["SYS_ADMIN"]
      |                 ----------- forbidden here
      |
    help: what is forbidden stays so for all that inherit it: leave this out, or inherit less

    error: `/home/me` is allowed and forbidden
     --> services/web.toml:6:9
      |
    6 | read = ["/home/me", "/etc"]
      |         ^^^^^^^^^^ allowed here
      |
     ::: sandbox/base.toml:3:10
      |
    3 | files = ["/home"]
      |          ------- forbidden here
      |
    help: what is forbidden stays so for all that inherit it: leave this out, or inherit less

    error: `umount2` is allowed and forbidden
     --> services/web.toml:8:20
      |
    8 | allow = ["@basic", "umount2"]
      |                    ^^^^^^^^^ allowed here
      |
     ::: sandbox/base.toml:4:10
      |
    4 | calls = ["@mount"]
      |          -------- forbidden here
      |
    help: what is forbidden stays so for all that inherit it: leave this out, or inherit less
    "#);
}

#[test]
fn every_contradiction_is_told() {
    let text = r#"
requires = ["landlock-6"]
optional = ["landlock-6"]
write-execute = true
no-new-privileges = false
[files]
write = ["/usr/share/web", "/tmp/x"]
execute = ["/usr"]
tmp = "private"
devices = ["fb0"]
[network]
access = "none"
families = ["packet"]
listen = [80]
[calls]
allow = ["@reboot"]
[forbid]
files = ["/dev"]
write = ["/tmp"]
calls = ["@privileged"]
families = ["packet"]
write-execute = true
new-privileges = true
"#;
    insta::assert_snapshot!(wrong(text), @r#"
    4:13 `landlock-6` can't be needed and missing (leave it out of one of them)
    5:17 memory that is writable and executable is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    6:21 gaining privileges is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    8:10 `/usr/share/web` would be writable and executable (a program that can be replaced is not the one you meant)
    8:28 `/tmp/x` of the device is not there: `tmp` is private (leave one of them out)
    8:28 writing to `/tmp/x` is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    11:12 the device `fb0` is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    14:13 the family "packet" is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    15:11 `listen` names ports, and the network is empty (sockets of [[socket]] are passed to it and need no network)
    17:10 `@reboot` is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)
    "#);
    let host = "[network]\naccess = \"host\"\n[forbid]\nnetwork = true\n";
    insta::assert_snapshot!(wrong(host), @r"3:10 the device's network is allowed and forbidden (what is forbidden stays so for all that inherit it: leave this out, or inherit less)");
}

#[test]
fn values_that_cannot_be_are_told_with_a_way_out() {
    let text = r#"
version = 1
requires = ["landlok-6", "landlock-99"]
capabilities = ["NET_ADMN"]
namespaces = ["ipcs"]
keyring = "mine"
[files]
read = ["etc", "/etc/../root", "/etc/"]
devices = ["/dev/fb0", "../mem"]
[network]
families = ["inet4"]
connect = [0, 65536, 443]
[calls]
allow = ["opnat", "files", "@fils"]
"#;
    insta::assert_snapshot!(wrong(text.trim_start_matches("\nversion = 1")), @r#"
    3:13 no kernel has a feature called `landlok-6` (did you mean `landlock-6`?)
    3:26 no kernel has a feature called `landlock-99` (did you mean `landlock-1`?)
    4:17 no capability is called `NET_ADMN` (did you mean `NET_ADMIN`?)
    5:15 `ipcs` is no namespace (did you mean `ipc`?)
    6:11 `mine` is no keyring (one of: shared, own)
    8:9 `etc` is not a path in the image: it does not begin with `/` (an absolute path like "/etc/motd")
    8:16 `/etc/../root` is not a path in the image: it has `.` or `..` (an absolute path like "/etc/motd")
    8:32 `/etc/` is not a path in the image: it ends in `/` or has `//` (an absolute path like "/etc/motd")
    9:12 `/dev/fb0` is a path (write "fb0")
    9:24 `../mem` is not the name of a device (its name below /dev: "fb0", "input/event0")
    11:13 `inet4` is no address family (did you mean `inet`?)
    12:12 a port can't be 0 (1 to 65535)
    12:15 a port can't be 65536 (1 to 65535)
    14:10 no system call is called `opnat` (did you mean `openat`?)
    14:19 no system call is called `files` (did you mean the group `@files`?)
    14:28 no group of system calls is called `@fils` (did you mean `@files`?)
    "#);
}

#[test]
fn limits_are_told_at_the_first_that_is_too_many() {
    let trees: Vec<String> = (0..257).map(|n| format!("/{n}")).collect();
    let ports: Vec<u16> = (1..258).collect();
    let text = format!("[files]\nread = {trees:?}\n[network]\nconnect = {ports:?}\n");
    let all = wrong(&text);
    assert!(all.contains("more than 256 trees in `read`"), "{all}");
    assert!(all.contains("more than 256 ports in `connect`"), "{all}");
    let long = format!("#{}\n", "x".repeat(64 << 10));
    assert!(wrong(&long).contains("at most 64 KiB"));
    let chain: Vec<(String, String)> =
        (0..40).map(|n| (format!("p{n}"), format!("inherit = [\"p{}\"]\n", n + 1))).collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let report = said(&chain, "[sandbox]\ninherit = [\"p0\"]\n");
    assert!(report.contains("more than 32 profiles are inherited"), "{report}");
}

#[test]
fn a_profile_that_is_not_there_and_one_that_comes_back_to_itself_are_errors() {
    let all = [
        ("service", "inherit = [\"base\"]\n"),
        ("base", "inherit = [\"floor\"]\n"),
        ("floor", "inherit = [\"service\"]\nlock-personality = true\n"),
    ];
    insta::assert_snapshot!(said(&all, "[sandbox]\ninherit = [\"servce\", \"service\", \"../x\"]\n"), @r#"
    error: no profile is called `servce`
     --> services/web.toml:3:12
      |
    3 | inherit = ["servce", "service", "../x"]
      |            ^^^^^^^^
      |
    help: did you mean `service`?

    error: no profile is called `../x`
     --> services/web.toml:3:33
      |
    3 | inherit = ["servce", "service", "../x"]
      |                                 ^^^^^^
      |
    help: a name is 1 to 64 of a-z, 0-9 and -, and starts with a letter

    error: profiles inherit each other: service → base → floor → service
     --> sandbox/floor.toml:2:12
      |
    2 | inherit = ["service"]
      |            ^^^^^^^^^
      |
    help: take one of these out of its `inherit`
    "#);
    // Without what it inherits it would allow more than was meant.
    let name = Name::try_from("web").expect("it is a name");
    let text = "exec = [\"/bin/x\"]\n[sandbox]\ninherit = [\"base\"]\n";
    let report = service::parse(&name, text).expect_err("nothing is looked up");
    insta::assert_snapshot!(brief(&report), @r"3:12 no profile is called `base` (profiles are not looked for here)");
}

#[test]
fn what_is_legal_and_not_meant_is_a_warning() {
    let everything = "[files]\nwrite = [\"/\"]\n[network]\nudp = true\n";
    insta::assert_snapshot!(wrong(everything), @r#"
    3:10 every file can be written, those of the system too (name the trees that it changes, like "/var/lib/web")
    5:7 `udp` says nothing without `connect` or `listen` (families = ["unix"] refuses both TCP and UDP)
    "#);
    insta::assert_snapshot!(wrong("about = \"Nothing\"\n"), @r"1:1 this profile restricts nothing (`ens new sandbox NAME` writes one to start from)");
    insta::assert_snapshot!(wrong("[files]\nview = \"listed\"\n"), @r#"3:8 no tree is listed, so there is not even a program to run (execute = ["/usr"] shows the programs of the system)"#);
}

#[test]
fn rules_that_the_kernel_checks_need_no_new_privileges_unless_root_is_trusted() {
    let text = |user: &str| {
        format!(
            "{user}[sandbox]\nno-new-privileges = false\n[sandbox.calls]\nallow = [\"@basic\"]\n"
        )
    };
    assert_eq!(said(&[], &text("")), "");
    let report = said(&[], &text("user = \"www-data\"\n"));
    insta::assert_snapshot!(report, @r"
    error: rules about files, ports and system calls need `no-new-privileges`
     --> services/web.toml:4:21
      |
    4 | no-new-privileges = false
      |                     ^^^^^
      |
    help: write no-new-privileges = true; only root with SYS_ADMIN can do without
    ");
    let few = "[sandbox]\ncapabilities = [\"CHOWN\"]\nno-new-privileges = false\nlock-personality = true\n";
    assert!(said(&[], few).contains("need `no-new-privileges`"));
}

#[test]
fn every_rule_knows_its_file_and_line() {
    let files =
        profiles(&[("base", "keyring = \"own\"\n[forbid]\ncalls = [\"@mount\", \"@debug\"]\n")]);
    let name = Name::try_from("web").expect("it is a name");
    let own = "exec = [\"/bin/x\"]\n[sandbox]\ninherit = [\"base\"]\n[sandbox.network]\nconnect = [80, 443]\n";
    let drop_in = "[sandbox.files]\nwrite = [\n  \"/run\",\n  \"/var\",\n]\n";
    let defined = service::define(
        &files,
        &["sandbox".to_owned()],
        &name,
        &[("web.toml", own), ("web.d/a.toml", drop_in)],
    );
    let rules = defined.unwrap_or_else(|report| panic!("{report}")).rules;
    let lines: Vec<String> =
        rules.iter().map(|r| format!("{} {} {}:{}", r.key, r.value, r.file, r.line)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    keyring own sandbox/base.toml:2
    files.write /run web.d/a.toml:3
    files.write /var web.d/a.toml:4
    network.connect 80 web.toml:5
    network.connect 443 web.toml:5
    forbid.calls @mount sandbox/base.toml:4
    forbid.calls @debug sandbox/base.toml:4
    ");
}

#[test]
fn a_drop_in_changes_what_the_service_says_and_not_what_it_inherits() {
    let files = profiles(&[("base", "[forbid]\ncalls = [\"@mount\"]\nnetwork = true\n")]);
    let name = Name::try_from("web").expect("it is a name");
    let own = "exec = [\"/bin/x\"]\n[sandbox]\ninherit = [\"base\"]\n[sandbox.forbid]\ncalls = [\"@debug\"]\n";
    let drop_in = "[sandbox.forbid]\ncalls = []\nnetwork = false\n";
    let given = [("web.toml", own), ("web.d/a.toml", drop_in)];
    let defined =
        service::define(&files, &["sandbox".to_owned()], &name, &given).expect("it is right");
    let forbid = defined.service.sandbox.forbid;
    assert_eq!(forbid.calls, ["@mount"]);
    assert!(forbid.network);
}

#[test]
fn an_instance_has_its_name_in_its_trees() {
    let name = Name::try_from("app@").expect("it is a name");
    let text = "exec = [\"/bin/x\"]\n[sandbox.files]\nwrite = [\"/var/lib/%i\", \"/run/x\"]\n";
    let template = service::parse(&name, text).expect("it is right");
    let made = template.instance("mail").expect("it is a name");
    assert_eq!(
        made.sandbox.files.write.as_deref(),
        Some(&["/run/x".into(), "/var/lib/mail".into()][..])
    );
}

#[test]
fn a_device_says_what_its_kernel_lacks_and_a_container_lacks_it_by_itself() {
    let web = "exec = [\"/usr/bin/web\"]\n[sandbox]\nrequires = [\"landlock-6\"]\nlock-personality = true\n";
    let files = shipped().with("services/web.toml", web);
    let optional = |device: &str| {
        let text = format!("version = 1\n{device}[services]\nenable = [\"web\", \"network\"]\n");
        let files = files.clone().with("devices/tv.toml", &text);
        let plan = load_device(&files, "devices/tv.toml").expect("it is right").plan;
        let of = |name: &str| {
            let found = plan.services.iter().find(|s| s.name.as_str() == name);
            found.map(|s| s.sandbox.clone()).expect("it is there")
        };
        assert_eq!(of("network"), Profile::default(), "what restricts nothing needs nothing");
        (of("web").requires, of("web").optional, plan.optional)
    };
    assert_eq!(optional(""), (vec![Feature::Landlock(6)], vec![], vec![]));
    let (requires, profile, plan) = optional("target = \"container\"\n");
    assert_eq!((requires, profile.len()), (vec![], OF_CONTAINERS.len()));
    assert_eq!(plan, profile);
    let own = "[sandbox]\noptional = [\"landlock-5\"]\n";
    let text = format!("version = 1\ninherit = [\"far\"]\n{own}[services]\nenable = [\"web\"]\n");
    let far = "version = 1\n[sandbox]\noptional = [\"seccomp\"]\n";
    let files = files.clone().with("devices/far.toml", far).with("devices/tv.toml", &text);
    let device = load_device(&files, "devices/tv.toml").expect("it is right").device;
    assert_eq!(device.optional, [Feature::Seccomp, Feature::Landlock(5)]);
}

#[test]
fn profiles_are_found_beside_services_the_nearest_first_and_go_along() {
    let web = "exec = [\"/usr/bin/web\"]\n[sandbox]\ninherit = [\"base\"]\n";
    let files = shipped()
        .with("services/web.toml", web)
        .with("sandbox/base.toml", "version = 1\nkeyring = \"own\"\n")
        .with("sandbox/unused.toml", "version = 1\nkeyring = \"own\"\n")
        .with("mine/sandbox/base.toml", "version = 1\nlock-personality = true\n")
        .with(
            "mine/tv.toml",
            "version = 1\ninherit = [\"../devices/base.toml\"]\n[services]\nenable = [\"web\"]\n",
        );
    let loaded = load_device(&files, "mine/tv.toml").unwrap_or_else(|report| panic!("{report}"));
    let web = loaded.plan.services.iter().find(|s| s.name.as_str() == "web").expect("it is there");
    assert!(web.sandbox.lock_personality && !web.sandbox.keyring);
    let names: Vec<&str> = loaded.profiles.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["base.toml", "unused.toml"]);
    assert!(loaded.files.contains(&"mine/sandbox/base.toml".to_owned()));
}

// ---- joining

/// The rules of one file, by key; each list is of a few known items.
fn rules() -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    let list = |key: &'static str, all: &'static [&'static str]| {
        let some = proptest::sample::subsequence(all.to_vec(), 0..=2);
        some.prop_map(move |items| (key, format!("[{}]", items.join(", ")))).boxed()
    };
    let value = |key: &'static str, all: &'static [&'static str]| {
        proptest::sample::select(all).prop_map(move |word| (key, word.to_owned())).boxed()
    };
    let flag: &[&str] = &["true", "false"];
    let trees: &[&str] = &["\"/a\"", "\"/a/b\"", "\"/b\"", "\"/c\""];
    let calls: &[&str] = &["\"openat\"", "\"@files\"", "\"@mount\"", "\"mount\"", "\"ptrace\""];
    let one = prop_oneof![
        list("capabilities", &["\"NET_ADMIN\"", "\"CHOWN\""]),
        value("no-new-privileges", flag),
        value("write-execute", flag),
        value("lock-personality", flag),
        value("keyring", &["\"own\"", "\"shared\""]),
        value("files.view", &["\"whole\"", "\"listed\""]),
        list("files.read", trees),
        list("files.write", trees),
        list("files.execute", trees),
        value("files.tmp", &["\"private\"", "\"shared\""]),
        value("network.access", &["\"host\"", "\"none\""]),
        list("network.families", &["\"unix\"", "\"inet\"", "\"packet\""]),
        list("network.connect", &["22", "80"]),
        list("calls.allow", calls),
        list("calls.deny", calls),
        list("forbid.files", trees),
        list("forbid.write", trees),
        list("forbid.calls", calls),
        list("forbid.capabilities", &["\"NET_ADMIN\"", "\"CHOWN\""]),
        list("forbid.families", &["\"unix\"", "\"packet\""]),
        value("forbid.network", flag),
        value("forbid.write-execute", flag),
        value("forbid.new-privileges", flag),
    ];
    proptest::collection::vec(one, 0..8).prop_map(|rules| rules.into_iter().collect())
}

fn text(inherit: &str, rules: &BTreeMap<&str, String>) -> String {
    let lines = rules.iter().map(|(key, value)| format!("{key} = {value}\n"));
    format!("inherit = [{inherit}]\n{}", lines.collect::<String>())
}

/// What the profile `x` of these means; `None` if it is refused.
fn meaning(all: &[(&str, String)]) -> Option<Profile> {
    let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let loaded = sandbox::load(&profiles(&all), &["sandbox".to_owned()], "x");
    loaded.ok().map(|loaded| loaded.profile)
}

/// Wishes that a profile forbids, not only leaves out.
fn forbidden(rules: &BTreeMap<&str, String>) -> Vec<allows::Wish> {
    let only: BTreeMap<&str, String> = rules
        .iter()
        .filter(|(k, _)| k.starts_with("forbid"))
        .map(|(k, v)| (*k, v.clone()))
        .collect();
    let Some(profile) = meaning(&[("x", text("", &only))]) else { return Vec::new() };
    // New privileges are never allowed unless it is said.
    wishes()
        .into_iter()
        .filter(|wish| !allows(&profile, *wish))
        .filter(|wish| *wish != allows::Wish::NewPrivileges || profile.forbid.new_privileges)
        .filter(|wish| !matches!(wish, allows::Wish::Capability(_, false)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_that_one_forbids_is_allowed_by_those_that_inherit_it(
        floor in rules(), base in rules(), own in rules(),
    ) {
        let all = [
            ("floor", text("", &floor)),
            ("base", text("\"floor\"", &base)),
            ("x", text("\"base\"", &own)),
        ];
        if let Some(profile) = meaning(&all) {
            for wish in [&floor, &base, &own].into_iter().flat_map(forbidden) {
                prop_assert!(!allows(&profile, wish), "{wish:?}: {profile:?}");
            }
        }
    }

    #[test]
    fn it_does_not_matter_how_profiles_are_put_together(
        a in rules(), b in rules(), own in rules(),
    ) {
        let flat = [("a", text("", &a)), ("b", text("", &b)), ("x", text("\"a\", \"b\"", &own))];
        let steps = [("a", text("", &a)), ("b", text("\"a\"", &b)), ("x", text("\"b\"", &own))];
        let twice = [("a", text("", &a)), ("b", text("\"a\"", &b)), ("x", text("\"a\", \"b\"", &own))];
        prop_assert_eq!(meaning(&flat), meaning(&steps));
        prop_assert_eq!(meaning(&flat), meaning(&twice));
    }

    #[test]
    fn the_order_of_what_is_inherited_matters_for_single_values_alone(
        mut a in rules(), mut b in rules(), own in rules(),
    ) {
        let list = |_: &&'static str, value: &mut String| value.starts_with('[');
        a.retain(list);
        b.retain(list);
        let order = |inherit: &str| {
            meaning(&[("a", text("", &a)), ("b", text("", &b)), ("x", text(inherit, &own))])
        };
        prop_assert_eq!(order("\"a\", \"b\""), order("\"b\", \"a\""));
    }
}

#[test]
fn what_was_compiled_does_without_as_its_profile_does() {
    let confined = Profile { keyring: true, ..Profile::default() };
    let compiled = model::sandbox::Compiled {
        requires: vec![Feature::Seccomp, Feature::Landlock(4), Feature::Namespaces],
        ..Default::default()
    };
    let mut plan =
        model::Plan { compiled: vec![(confined.clone(), compiled)], ..model::Plan::default() };
    plan.tolerate(&OF_CONTAINERS);
    let [(profile, compiled)] = plan.compiled.as_slice() else { panic!("it is one") };
    assert_eq!(*profile, confined.tolerating(&OF_CONTAINERS));
    assert_eq!(compiled.requires, [Feature::Seccomp]);
    assert_eq!(compiled.optional, profile.optional);
    let once = plan.clone();
    plan.tolerate(&OF_CONTAINERS);
    assert_eq!(plan, once, "twice is once");
}
