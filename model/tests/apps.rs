//! The apps that a device comes with.
#![cfg(feature = "text")]

mod files;

use files::{Files, brief};
use model::text::bundle::Origin;
use model::text::load_device;

const APP: &str =
    "version = \"1.0.0\"\nname = \"A\"\nability = [{ name = \"a\", exec = [\"a\"] }]\n";

/// A device with these lines of `[apps]`, and three apps.
fn files(apps: &str) -> Files {
    let app = |id: &str, rest: &str| format!("id = \"{id}\"\n{APP}{rest}");
    Files::default()
        .with("devices/x.toml", &format!("version = 1\n[apps]\n{apps}"))
        .with("sandbox/base.toml", "version = 1\nlock-personality = true\n")
        .with(
            "services/ability-manager.toml",
            "exec = [\"/usr/bin/m\"]\nsandbox = { inherit = [\"base\"] }\n",
        )
        .with(
            "abilities/notes/bundle.toml",
            &app("org.example.notes", "[source]\npath = \"src\"\n"),
        )
        .with("abilities/clock/bundle.toml", &app("org.example.clock", ""))
        .with("devices/abilities/copy/bundle.toml", &app("org.example.clock", ""))
        .with(
            "abilities/other/bundle.toml",
            &app(
                "org.example.other",
                "[requires]\narchitectures = [\"aarch64\"]\nform-factors = [\"tv\", \"phone\"]\n",
            ),
        )
        .with("abilities/wrong/bundle.toml", &app("org.example.wrong", "lable = \"x\"\n"))
}

#[test]
fn a_device_has_its_apps_by_their_ids_and_the_service_that_they_need() {
    let key = format!("ed25519:{}=", "A".repeat(43));
    let loaded = load_device(
        &files(&format!("install = [\"notes\", \"clock\"]\ntrust = [\"{key}\"]\n")),
        "devices/x.toml",
    );
    let loaded = loaded.expect("it has no mistake");
    let apps: Vec<_> = loaded.apps.bundles.iter().map(|app| app.manifest.id.as_str()).collect();
    assert_eq!(apps, ["org.example.clock", "org.example.notes"]);
    let src = Origin::Directory("abilities/notes/src".to_owned());
    assert_eq!(loaded.apps.bundles[1].source.origin, src);
    assert_eq!(loaded.apps.trust, [key]);
    let services: Vec<_> = loaded.device.services.iter().map(|name| name.as_str()).collect();
    assert_eq!(services, ["ability-manager"]);
    let report = loaded.refused_app(&loaded.apps.bundles[0].name, "there is no room");
    insta::assert_snapshot!(brief(&report), @r"3:21 the app `clock` cannot be in the image: there is no room");
}

#[test]
fn a_device_without_apps_has_no_service_for_them() {
    let loaded = load_device(&files("install = []\n"), "devices/x.toml").expect("it is right");
    assert!(loaded.device.services.is_empty());
}

#[test]
fn apps_that_are_not_there_or_for_others_are_told_where_they_are_named() {
    let told = |apps: &str| {
        brief(&load_device(&files(apps), "devices/x.toml").expect_err("it has mistakes"))
    };
    insta::assert_snapshot!(told("install = [\"nots\", \"../x\", \"other\", \"wrong\"]\n"), @r"
    3:12 no app is called `nots` (did you mean `notes`?)
    3:20 `../x` can't be the directory of an app (a name is 1 to 64 of a-z, 0-9 and -, and starts with a letter; TEMPLATE@INSTANCE is one of many)
    3:28 `other` is for aarch64, and this is a device with x86_64
    3:28 `other` is for tv, phone, and this is a headless device
    5:1 unknown key `lable` (keys here: id, version, name, names, about, abouts, icon, kind, layout, runtime, level, acl, resources, requires, data, permission, ability, source)
    ");
    insta::assert_snapshot!(told("install = [\"clock\", \"copy\"]\n"), @r"
    3:21 two apps have the id `org.example.clock`
    ");
    let secret = format!("ed25519-secret:{}=", "A".repeat(43));
    insta::assert_snapshot!(told(&format!("trust = [\"{secret}\", \"ed25519:AAAA\"]\n")), @r#"
    3:10 this is a secret key, which is nobody's but its owner's (the public one is what `ens bundle key` prints; make another key if others have seen this)
    3:73 `ed25519:AAAA` is not a public key (what `ens bundle key` prints: "ed25519:…")
    "#);
}

#[test]
fn an_app_comes_with_the_runtime_that_it_lies_upon() {
    let upon = |id: &str, below: &str, version: &str| {
        let runtime = format!("[runtime]\nbundle = \"{below}\"\nversion = \"{version}\"\n");
        format!("id = \"org.example.{id}\"\n{APP}{runtime}")
    };
    let runtime =
        "id = \"org.example.python\"\nversion = \"3.11.0\"\nname = \"P\"\nkind = \"runtime\"\n";
    let told = |apps: &str| {
        let files = files(&format!("install = {apps}\n"))
            .with("abilities/python/bundle.toml", runtime)
            .with("abilities/script/bundle.toml", &upon("script", "org.example.python", "3.11.0"))
            .with("abilities/late/bundle.toml", &upon("late", "org.example.python", "3.12.0"))
            .with("abilities/odd/bundle.toml", &upon("odd", "org.example.clock", "1.0.0"));
        load_device(&files, "devices/x.toml")
            .map_or_else(|report| brief(&report), |_| String::new())
    };
    assert_eq!(told(r#"["script", "python"]"#), "");
    insta::assert_snapshot!(told(r#"["script", "clock", "odd"]"#), @r#"
    3:12 `script` lies upon the runtime org.example.python, which the device does not come with (name the directory of that in `install` too)
    3:31 `odd` lies upon org.example.clock, which is an app (only a bundle with kind = "runtime" lies below others)
    "#);
    insta::assert_snapshot!(told(r#"["late", "python"]"#), @r"3:12 `late` needs the runtime org.example.python in version 3.12.0 at least (`python` is 3.11.0)");
}

#[test]
fn a_device_has_its_stores_and_the_services_that_ask_them() {
    let stores = "stores = [\n  { name = \"web\", url = \"https://apps.example.org/shop/\", root = \"../web.json\" },\n  \
                  { name = \"stick\", url = \"file:///media/stick\", root = \"stick.json\" },\n]\n";
    let files = files(stores)
        .with("web.json", "of the web")
        .with("devices/stick.json", "of the stick")
        .with(
            "services/store.toml",
            "exec = [\"/usr/bin/s\"]\nsandbox = { inherit = [\"base\"] }\n",
        );
    let loaded = load_device(&files, "devices/x.toml").expect("it has no mistake");
    let stores = loaded.apps.stores.iter();
    let stores: Vec<_> = stores.map(|s| (s.name.as_str(), &*s.place, &*s.root)).collect();
    let web = ("web", "https://apps.example.org/shop", "of the web");
    assert_eq!(stores, [("stick", "/media/stick", "of the stick"), web]);
    let services: Vec<_> = loaded.device.services.iter().map(|name| name.as_str()).collect();
    assert_eq!(services, ["ability-manager", "store"]);
}

#[test]
fn a_store_that_no_device_could_ask_is_told_where_it_is_named() {
    let told = |store: &str| {
        let files =
            files(&format!("stores = [{store}]\n")).with("devices/root.json", "a root").with(
                "services/store.toml",
                "exec = [\"/usr/bin/s\"]\nsandbox = { inherit = [\"base\"] }\n",
            );
        brief(&load_device(&files, "devices/x.toml").expect_err("it has mistakes"))
    };
    let at =
        |url: &str| told(&format!("{{ name = \"a\", root = \"root.json\", url = \"{url}\" }}"));
    insta::assert_snapshot!(told("{ name = \"a\", link = \"https://a\" }"), @r"
    3:11 the key `root` is missing
    3:11 the key `url` is missing
    3:25 unknown key `link` (keys here: name, url, root)
    ");
    insta::assert_snapshot!(told("{ name = \"A b\", url = \"http://a\", root = \"no.json\" }"), @r"
    3:20 `A b` can't be the name of a store (a name is 1 to 64 of a-z, 0-9 and -, and starts with a letter; TEMPLATE@INSTANCE is one of many)
    3:52 there is no file `devices/no.json` (a path from where this TOML is)
    ");
    let twice = "{ name = \"a\", url = \"http://a\", root = \"root.json\" }, ".repeat(2);
    insta::assert_snapshot!(told(&twice), @r"3:74 two stores are called `a`");
    insta::assert_snapshot!(at("ftp://a"), @r"3:51 `ftp://a` is no place of a store (https://HOST/DIRECTORY, http://HOST/DIRECTORY, or file:///DIRECTORY for one of the device)");
    for bad in [
        "",
        "/media/shop",
        "https://",
        "http://:80",
        "http:///a",
        "https://a/?b",
        "https://a b",
        "file://host/a",
        "file:///",
        "file:///a/../b",
        "file:///a%20b",
        "https://a#b",
        &"https://a/".repeat(200),
    ] {
        assert!(at(bad).contains("is no place of a store"), "{bad}");
    }
}
