//! Profiles: what they mean, how they are joined, and where they come from.
#![cfg(feature = "text")]

mod allows;
mod files;

use std::collections::BTreeMap;

use allows::{allows, wishes};
use files::{profiles, shipped};
use model::Name;
use model::sandbox::{Access, Feature, OF_CONTAINERS, Profile, View};
use model::text::{load_device, sandbox, service};
use proptest::prelude::*;

fn load(all: &[(&str, &str)], name: &str) -> Profile {
    let loaded = sandbox::load(&profiles(all), &["sandbox".to_owned()], name);
    loaded.map_err(|report| report.to_string()).expect("it is right").profile
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
    let forbid = defined.service.sandbox.into_inner().forbid;
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
        assert_eq!(*of("network"), Profile::default(), "what restricts nothing needs nothing");
        (of("web").requires.clone(), of("web").optional.clone(), plan.optional)
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
