//! What ships in configs/ is right, and its schemas are those of this code.
#![cfg(feature = "schema")]

use std::fs;
use std::io;
use std::path::Path;

use model::permission::{Bus, Level, Permission};
use model::sandbox::{Access, Profile};
use model::text::{Source, check_file, load_case, load_device, permission, sandbox};

/// The repository.
struct Disk;

const CONFIGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs");

impl Source for Disk {
    fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(path)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn is_file(&self, path: &str) -> bool {
        Path::new(path).is_file()
    }

    fn library(&self) -> Option<String> {
        Some(CONFIGS.to_owned())
    }
}

fn shipped(kind: &str) -> Vec<String> {
    let directory = format!("{CONFIGS}/{kind}");
    let mut names = Disk.list(&directory).expect("the directory ships");
    names.retain(|name| name.ends_with(".toml"));
    names.sort();
    assert!(!names.is_empty());
    names.into_iter().map(|name| format!("{directory}/{name}")).collect()
}

/// The apps that ship.
fn apps() -> Vec<String> {
    let directory = format!("{CONFIGS}/abilities");
    let names = Disk.list(&directory).expect("the directory ships");
    assert!(!names.is_empty());
    names.into_iter().map(|name| format!("{directory}/{name}/bundle.toml")).collect()
}

#[test]
fn everything_that_ships_checks_without_a_word() {
    let kinds = ["devices", "services", "sandbox", "permissions"];
    for file in kinds.map(shipped).concat().into_iter().chain(apps()) {
        let (_, report) = check_file(&Disk, &file);
        assert!(report.is_empty(), "{report}");
    }
}

#[test]
fn every_service_has_a_profile_but_the_two_for_development() {
    let excepted = |file: &String| {
        let service = fs::read_to_string(file).expect("it is listed");
        service.lines().any(|line| line.starts_with("exception = "))
    };
    let names = shipped("services").into_iter().filter(excepted);
    let names: Vec<_> =
        names.filter_map(|file| Some(Path::new(&file).file_stem()?.to_owned())).collect();
    // Those without one and without a reason are warned about: see above.
    assert_eq!(names, ["console", "debug-agent"]);
}

#[test]
fn people_come_at_no_call_that_is_forbidden_to_services() {
    let calls = |name: &str| {
        let directory = format!("{CONFIGS}/sandbox");
        let forbid = sandbox::load(&Disk, &[directory], name).expect("it ships").profile.forbid;
        forbid.calls.into_iter().collect::<std::collections::BTreeSet<_>>()
    };
    assert!(calls("sessions").is_superset(&calls("base")));
}

#[test]
fn every_file_names_its_schema() {
    let kinds = [
        ("devices", "device"),
        ("services", "service"),
        ("sandbox", "sandbox"),
        ("permissions", "permission"),
    ];
    for (kind, schema) in kinds {
        for file in shipped(kind) {
            let text = fs::read_to_string(&file).expect("it is listed");
            let first = format!("#:schema ../schema/{schema}.json");
            assert_eq!(text.lines().next(), Some(first.as_str()), "{file}");
        }
    }
    for file in apps() {
        let text = fs::read_to_string(&file).expect("it is listed");
        assert_eq!(text.lines().next(), Some("#:schema ../../schema/bundle.json"), "{file}");
    }
}

/// Every permission that ships.
fn defined_permissions() -> Vec<permission::Defined> {
    let directory = [format!("{CONFIGS}/permissions")];
    let load = |file: &String| {
        let name = Path::new(file).file_stem().and_then(|name| name.to_str()).expect("a name");
        let found = permission::load(&Disk, &directory, name);
        found.map_err(|report| report.to_string()).expect("it is right")
    };
    shipped("permissions").iter().map(load).collect()
}

/// A profile and every permission that ships.
fn shipped_permissions(profile: &str) -> (Profile, Vec<Permission>) {
    let all = defined_permissions().into_iter().map(|one| one.permission).collect();
    let own = sandbox::load(&Disk, &[format!("{CONFIGS}/sandbox")], profile);
    (own.map_err(|report| report.to_string()).expect("it is right").profile, all)
}

#[test]
fn an_app_may_be_given_all_that_is_not_of_the_system_and_keeps_what_it_had() {
    let (app, all) = shipped_permissions("app");
    let normal: Vec<_> = all.iter().filter(|p| p.level == Level::Normal).collect();
    let wider = app.widened(&normal).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((wider.network.access, &wider.forbid), (Access::Host, &app.forbid));
    assert!(normal.len() > 20, "what is for people to decide");
}

#[test]
fn every_permission_adds_something_to_an_app_or_is_refused_by_what_no_app_may_have() {
    let (app, all) = shipped_permissions("app");
    let mut refused = Vec::new();
    for permission in &all {
        match app.widened(&[permission]) {
            Ok(wider) => assert!(
                wider != app || permission.bus != Bus::default() || permission.checked_by.is_some(),
                "`{}` adds nothing",
                permission.name
            ),
            Err(why) => {
                assert!(permission.level > Level::Normal, "{why}");
                refused.push(permission.name.to_string());
            }
        }
    }
    insta::assert_snapshot!(refused.join(" "), @r"all-files bluetooth-adapter kernel-log network-settings network-state packet-capture ping real-time set-time vpn");
}

#[test]
fn people_are_asked_about_every_permission_in_the_same_languages() {
    for permission in shipped_permissions("app").1 {
        let languages: Vec<&str> = permission.about.locales.keys().map(String::as_str).collect();
        assert_eq!(languages, ["de", "es", "fr"], "`{}`", permission.name);
    }
}

#[test]
fn who_holds_a_permission_that_the_kernel_does_not_is_a_service_that_ships() {
    let services = shipped("services").join(" ");
    for permission in shipped_permissions("app").1 {
        if let Some(service) = permission.checked_by {
            assert!(services.contains(&format!("/{service}.toml")), "`{}`", permission.name);
        }
    }
}

#[test]
fn the_table_of_permissions_is_fresh() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/permissions.md");
    let shipped = fs::read_to_string(file).unwrap_or_default();
    assert!(
        shipped == model::schema::permissions(&defined_permissions()),
        "docs/permissions.md is not what configs/permissions says: run `cargo ens check --write-schemas`"
    );
}

#[test]
fn every_case_of_ours_checks_without_a_word_and_names_its_schema() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases");
    for name in Disk.list(cases).expect("the directory ships") {
        let file = format!("{cases}/{name}/case.toml");
        let text = fs::read_to_string(&file).expect("a folder has a case");
        let schema = "#:schema ../../../configs/schema/case.json";
        assert_eq!(text.lines().next(), Some(schema), "{file}");
        let loaded = load_case(&Disk, &file);
        let warnings = loaded.unwrap_or_else(|report| panic!("{report}")).warnings;
        assert!(warnings.is_empty() || name == "missing-program", "{warnings}");
    }
}

#[test]
fn every_device_can_run_commands_and_keeps_a_log() {
    for file in shipped("devices") {
        let loaded = load_device(&Disk, &file).expect("it checks");
        let names: Vec<&str> = loaded.device.services.iter().map(|n| n.as_str()).collect();
        for service in ["journal", "debug-agent", "console", "network"] {
            assert!(names.contains(&service), "{file} lacks {service}");
        }
    }
}

#[test]
fn the_schemas_are_fresh() {
    for (name, text) in model::schema::all() {
        let file = format!("{CONFIGS}/schema/{name}");
        let shipped = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            shipped == text,
            "configs/schema/{name} is not what the code says: run `cargo ens check --write-schemas`"
        );
    }
}

#[test]
fn the_reference_is_fresh() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/manifest.md");
    let shipped = fs::read_to_string(file).unwrap_or_default();
    assert!(
        shipped == model::schema::reference(),
        "docs/manifest.md is not what the code says: run `cargo ens check --write-schemas`"
    );
}

#[test]
fn every_group_of_calls_is_in_the_docs() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sandbox.md");
    let page = fs::read_to_string(file).unwrap_or_default();
    for group in model::sandbox::calls::groups() {
        let row = format!("| `{}` | {} |", group.name, group.about);
        assert!(page.contains(&row), "docs/sandbox.md lacks: {row}");
    }
}

#[test]
fn a_schema_knows_the_keys_and_the_words() {
    let all = model::schema::all();
    let (_, text) = all.iter().find(|(name, _)| *name == "device.json").expect("it is made");
    let schema: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["version"]));
    let words = &schema["properties"]["form-factor"]["enum"];
    assert!(words.as_array().is_some_and(|w| w.contains(&"phone".into())), "{words}");
    assert!(!text.contains("\"null\""), "TOML has no null");
}
