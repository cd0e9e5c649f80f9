//! What holds for any text, and for what we write ourselves.
#![cfg(feature = "text")]

mod files;

use files::{Files, shipped};
use model::text::{
    check_file, load_device, load_service, template_case, template_device, template_permission,
    template_sandbox, template_service,
};

/// One kind of file each, as text with holes where anything may stand.
fn anything() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let key = prop::sample::select(vec![
        "version",
        "inherit",
        "exec",
        "hostname",
        "[kernel]",
        "[[file]]",
        "path",
        "mode",
        "uid",
        "[[step]]",
        "run",
        "json",
        "[services]",
        "enable",
        "environment",
        "[screen]",
        "width",
        "[sandbox]",
        "[files]",
        "[sandbox.forbid]",
        "write",
        "connect",
        "allow",
    ]);
    let value = prop_oneof![
        "[ -~äß→\u{0}\n]{0,12}",
        Just("1".to_owned()),
        Just("[\"a\", \"/b\"]".to_owned()),
        Just("-99999999999999999999".to_owned()),
        Just("{ a = 1, b = [[[0x7f]]], c = 1e999, d = 1979-05-27 }".to_owned()),
        Just("\"é→\"".to_owned()),
    ];
    let line = prop_oneof![
        4 => (key.clone(), value).prop_map(|(k, v)| format!("{k} = {v}")),
        2 => key.prop_map(str::to_owned),
        1 => ".{0,20}",
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest::proptest! {
    #[test]
    fn any_text_gives_a_value_or_a_reason(text in anything()) {
        let files = shipped()
            .with("devices/x.toml", &text)
            .with("services/x.toml", &text)
            .with("sandbox/x.toml", &text)
            .with("permissions/x.toml", &text)
            .with("x/case.toml", &text)
            .with("x/x.toml", &text);
        for file in ["devices/x", "services/x", "sandbox/x", "permissions/x", "x/case", "x/x"] {
            let (_, report) = check_file(&files, &format!("{file}.toml"));
            let _ = (report.render(true), report.findings());
        }
        if let Err(report) = load_service("services/x.toml", &text) {
            proptest::prop_assert!(report.has_errors());
        }
        if let Err(report) = load_device(&files, "devices/x.toml") {
            proptest::prop_assert!(report.has_errors());
        }
    }

    #[test]
    fn merging_is_the_same_every_time_and_order_of_siblings_changes_no_value(
        one in proptest::collection::vec("[a-d]", 0..4),
        two in proptest::collection::vec("[a-d]", 0..4),
        swap in proptest::bool::ANY,
    ) {
        let layer = |modules: &[String]| format!("version = 1\n[kernel]\nmodules = {modules:?}\n");
        let order = |swap: bool| if swap { "[\"two\", \"one\"]" } else { "[\"one\", \"two\"]" };
        let load = |swap: bool| {
            let files = Files::default()
                .with("one.toml", &layer(&one))
                .with("two.toml", &layer(&two))
                .with("tv.toml", &format!("version = 1\ninherit = {}\n", order(swap)));
            load_device(&files, "tv.toml").map(|l| l.device)
        };
        proptest::prop_assert_eq!(load(swap), load(swap));
        let modules = |swap: bool| {
            let mut modules = load(swap).map(|d| d.kernel.modules).unwrap_or_default();
            modules.sort();
            modules
        };
        proptest::prop_assert_eq!(modules(false), modules(true));
    }
}

#[test]
fn deep_and_large_files_are_refused_calmly() {
    let deep = format!("exec = {}\n", "[".repeat(200_000));
    assert!(load_service("services/x.toml", &deep).is_err());
    let deep = format!("{}x = 1\n", "a.".repeat(100_000));
    assert!(load_service("services/x.toml", &deep).is_err());
    let large = Files::default().with("services/x.toml", &"#".repeat(2 << 20));
    assert!(check_file(&large, "services/x.toml").1.has_errors());
}

#[test]
fn what_ens_new_writes_is_right_as_it_stands() {
    let files = shipped()
        .with("devices/mine.toml", &template_device("mine", "base", "../schema"))
        .with("services/mine.toml", &template_service("mine", "../schema"))
        .with("sandbox/mine.toml", &template_sandbox("mine", "../schema"))
        .with("permissions/mine.toml", &template_permission("mine", "../schema"))
        .with("sandbox/service.toml", "version = 1\ncapabilities = []\n[files]\nwrite = []\n")
        .with("mine/case.toml", &template_case("mine", "../schema"))
        .with("devices/headless.toml", "version = 1\ninherit = [\"base\"]\n");
    for kind in ["devices", "services", "sandbox", "permissions"] {
        let (_, report) = check_file(&files, &format!("{kind}/mine.toml"));
        assert!(report.is_empty(), "{report}");
    }
    let text =
        template_case("mine", "../schema").replace("\"headless\"", "\"../devices/headless.toml\"");
    let files = files.with("mine/case.toml", &text);
    let (_, report) = check_file(&files, "mine/case.toml");
    assert!(report.is_empty(), "{report}");
}

#[test]
fn a_file_is_recognised_by_its_place_and_then_by_its_keys() {
    use model::text::{Kind, recognise};
    assert_eq!(recognise("x/devices/a.toml", ""), Some(Kind::Device));
    assert_eq!(recognise("services/a.toml", ""), Some(Kind::Service));
    assert_eq!(recognise("sandbox/a.toml", ""), Some(Kind::Sandbox));
    assert_eq!(recognise("permissions/a.toml", ""), Some(Kind::Permission));
    assert_eq!(recognise("a.toml", "version = 1\n[files]\n"), Some(Kind::Sandbox));
    assert_eq!(recognise("a.toml", "grant = \"user\"\n[files]\n"), Some(Kind::Permission));
    assert_eq!(recognise("a/case.toml", ""), Some(Kind::Case));
    assert_eq!(recognise("a/bundle.toml", ""), Some(Kind::Bundle));
    assert_eq!(recognise("b.toml", "[[ability]]"), Some(Kind::Bundle));
    assert_eq!(recognise("a.toml", "exec = []"), Some(Kind::Service));
    assert_eq!(recognise("a.toml", "version = 1"), Some(Kind::Device));
    assert_eq!(recognise("a.toml", "x = 1"), None);
}
