//! From a directory to a bundle.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use crate::desk::{Desk, NOTES};

#[test]
fn a_new_directory_of_each_kind_builds_and_is_whole() {
    let desk = Desk::new();
    let key = desk.ens(&["key"]);
    assert_eq!(desk.ens(&["new", "hello"]), "hello/bundle.toml");
    desk.ens(&["new", "snake", "--python", "--id", "org.example.py"]);
    desk.write("tool", "#!/bin/sh\n");
    desk.mode("tool", 0o755);
    desk.ens(&["new", "apps/one", "--binary", "tool"]);
    desk.ens(&["new", "gyre", "--node"]);
    desk.ens(&["new", "crab", "--cargo"]);
    let image = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/devices/abilities/image/image.tar");
    desk.ens(&["new", "boxed", "--oci", image]);
    // The image leaves Python to what lies below it; here it is laid over.
    let (_, told) = desk.fails(&["build", "boxed"]);
    assert!(
        told.contains("it is a script for /usr/bin/python3, which is neither in the bundle"),
        "{told}"
    );
    desk.write("boxed/over/usr/bin/python3", "");
    desk.mode("boxed/over/usr/bin/python3", 0o755);
    let toml = fs::read_to_string(desk.path("boxed/bundle.toml")).unwrap();
    desk.write("boxed/bundle.toml", &format!("{toml}files = \"over\"\n"));
    for (directory, bundle, id) in [
        ("gyre", "gyre.bundle", "org.example.gyre"),
        ("crab", "crab.bundle", "org.example.crab"),
        ("boxed", "boxed.bundle", "org.example.boxed"),
        ("hello", "hello.bundle", "org.example.hello"),
        ("snake", "py.bundle", "org.example.py"),
        ("apps/one", "one.bundle", "org.example.one"),
    ] {
        assert_eq!(desk.ens(&["build", directory]), bundle);
        let told = format!("{bundle}: {id} 1.0.0 is whole, and signed by {key}");
        assert_eq!(desk.ens(&["verify", bundle]), told);
    }
    let (code, told) = desk.fails(&["new", "hello"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(told, @"ens: hello/bundle.toml is there already: choose another name, or edit it");
    // What was told of the image is what it says of itself.
    let made = &desk.json(&["inspect", "--json", "boxed.bundle"])["manifest"];
    let main = &made["ability"][0];
    assert_eq!(main["exec"][0], "/app/main.py");
    assert_eq!(main["environment"]["GREETING"], "hello of the image");
    assert_eq!(made["layout"], "root");
    let (code, _) = desk.fails(&["new", "two", "--node", "--cargo"]);
    assert_eq!(code, 2);
    let (code, _) = desk.fails(&["new", "two", "--runtime"]);
    assert_eq!(code, 2);
    desk.ens(&["new", "below", "--debian", "python3", "--debian", "jq", "--runtime"]);
    let toml = fs::read_to_string(desk.path("below/bundle.toml")).unwrap();
    assert!(
        toml.contains("kind = \"runtime\"") && toml.contains("packages = [\"python3\", \"jq\"]"),
        "{toml}"
    );
}

#[test]
fn what_is_in_a_bundle_is_told() {
    let desk = Desk::with_notes("notes");
    desk.write("notes/old.bundle", "not part of it");
    desk.write("notes/__pycache__/x.pyc", "neither");
    desk.write("notes/.git/HEAD", "nor this");
    symlink("../sync.sh", desk.path("notes/bin/sync")).unwrap();
    desk.ens(&["build", "notes", "--no-sign"]);
    let told = desk.ens(&["inspect", "--files", "notes.bundle"]);
    let digest = desk.json(&["inspect", "--json", "notes.bundle"])["digest"].clone();
    insta::assert_snapshot!(told.replace(digest.as_str().unwrap(), "DIGEST"), @r"
    Notes 1.2.0 (org.example.notes)
    Keeps what you write down

    size        16 KiB, 3 files of 37 B
    digest      DIGEST
    signed by   nobody: no device installs it (ens bundle sign)
    requires    /bin/sh
    level       normal
    data        at most 64 MiB
    permission  camera: To take pictures
    ability     main, a page: bin/notes --color=always; others may start it; answers view, edit
    ability     sync, a service: /bin/sh sync.sh; told of its lifecycle

    0755          0 bin/
    0644          6 notes.svg
    0644         10 sync.sh
    0755         21 bin/notes
    0777          0 bin/sync -> ../sync.sh
    ");
}

#[test]
fn programs_read_the_words_of_the_language() {
    let desk = Desk::with_notes("notes");
    let key = desk.json(&["key", "--json"]);
    assert_eq!(key["new"], true);
    let built = desk.json(&["build", "notes", "--json"]);
    assert_eq!([&built["id"], &built["version"]], ["org.example.notes", "1.2.0"]);
    assert_eq!(built["key"], key["key"]);
    let found = desk.json(&["inspect", "--json", "--files", "notes.bundle"]);
    assert_eq!([&found["digest"], &found["bytes"]], [&built["digest"], &built["bytes"]]);
    assert_eq!(found["signatures"][0]["key"], key["key"]);
    assert_eq!(found["manifest"]["ability"][1]["kind"], "service");
    assert_eq!(found["manifest"]["source"], serde_json::Value::Null);
    let paths: Vec<_> =
        found["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["bin", "notes.svg", "sync.sh", "bin/notes"]);
}

#[test]
fn the_same_files_give_the_same_bytes_wherever_and_whenever() {
    let (one, other) = (Desk::with_notes("notes"), Desk::with_notes("elsewhere/x"));
    let text = format!("# Comments are not part of it.\n{NOTES}\n[source]\npath = \".\"\n");
    other.write("elsewhere/x/bundle.toml", &text);
    other.mode("elsewhere/x/sync.sh", 0o600);
    other.mode("elsewhere/x/bin/notes", 0o4711);
    let file = fs::File::open(other.path("elsewhere/x/sync.sh")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    one.ens(&["build", "notes", "--no-sign"]);
    other.ens(&["build", "elsewhere/x/bundle.toml", "--no-sign", "-o", "y.bundle"]);
    let bytes = fs::read(one.path("notes.bundle")).unwrap();
    assert!(bytes == fs::read(other.path("y.bundle")).unwrap());
    other.write("elsewhere/x/sync.sh", "echo Sync\n");
    other.ens(&["build", "elsewhere/x", "--no-sign", "-o", "y.bundle"]);
    assert!(bytes != fs::read(other.path("y.bundle")).unwrap());
}

#[test]
fn what_is_excluded_is_not_in_it() {
    let desk = Desk::with_notes("notes");
    for file in ["tests/a", "docs/old/b", "docs/new", "x.orig"] {
        desk.write(&format!("notes/{file}"), "");
    }
    let source = "[source]\nexclude = [\"tests\", \"docs/old/\", \"*.orig\"]\n";
    desk.write("notes/bundle.toml", &format!("{NOTES}\n{source}"));
    desk.ens(&["build", "notes", "--no-sign"]);
    let told = desk.ens(&["inspect", "--files", "notes.bundle"]);
    let files = told.split_once("\n\n").unwrap().1.split_once("\n\n").unwrap().1;
    insta::assert_snapshot!(files, @r"
    0755          0 bin/
    0755          0 docs/
    0644          6 notes.svg
    0644         10 sync.sh
    0755         21 bin/notes
    0644          0 docs/new
    ");
}
