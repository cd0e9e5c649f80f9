//! Directories that no bundle can be made of: what is wrong and what to do is told, and nothing is left behind.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::desk::{Desk, NOTES};

/// What is told when `notes` is built.
fn told(desk: &Desk) -> String {
    let (_, told) = desk.fails(&["build", "notes", "--no-sign"]);
    let names = fs::read_dir(desk.path(".")).unwrap().map(|e| e.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().contains(".bundle")).count(), 0);
    told
}

#[test]
fn mistakes_of_the_toml_are_shown_with_their_lines() {
    let desk = Desk::with_notes("notes");
    desk.write("notes/bundle.toml", &NOTES.replace("camera", "camra").replace("main", "Main"));
    let (code, told) = desk.fails(&["build", "notes"]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(told, @r#"
    error: no permission is called `camra`
      --> notes/bundle.toml:12:8
       |
    12 | name = "camra"
       |        ^^^^^^^
       |
    help: did you mean `camera`?

    error: `Main` can't be the name of an ability
      --> notes/bundle.toml:16:8
       |
    16 | name = "Main"
       |        ^^^^^^
       |
    help: 1 to 32 of a-z, 0-9 and -, a letter first

    2 mistakes; nothing was built
    "#);
    let (code, told) = desk.fails(&["build", "nowhere"]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(told, @"ens: there is no nowhere: `ens bundle new NAME` writes one to start from");
}

#[test]
fn a_program_that_is_not_there_or_cannot_be_started_is_named() {
    let desk = Desk::with_notes("notes");
    desk.mode("notes/bin/notes", 0o644);
    insta::assert_snapshot!(told(&desk), @"ens: ability main: nobody may execute `bin/notes`: chmod +x it, or name the program that reads it");
    fs::remove_file(desk.path("notes/bin/notes")).unwrap();
    insta::assert_snapshot!(told(&desk), @"ens: ability main: `bin/notes` is not among the files of the bundle (a program of the device begins with `/`)");
    desk.write("notes/bin/notes/x", "");
    insta::assert_snapshot!(told(&desk), @"ens: ability main: `bin/notes` is no file, so it cannot be started");
    fs::remove_file(desk.path("notes/notes.svg")).unwrap();
    insta::assert_snapshot!(told(&desk), @"ens: the icon `notes.svg` is not among the files of the bundle");
}

#[test]
fn resources_are_told_by_name_and_one_that_no_device_looks_for_is_not_packed() {
    let desk = Desk::with_notes("notes");
    let text = NOTES.replace("[requires]", "[resources]\ndirectory = \"look\"\n\n[requires]");
    desk.write("notes/bundle.toml", &text);
    insta::assert_snapshot!(told(&desk), @r"ens: [resources] directory: no file is in `look` of the bundle: `look/base/NAME` would be one");
    desk.write("notes/look/base/page.html", "");
    desk.write("notes/look/german/page.html", "");
    insta::assert_snapshot!(told(&desk), @r"ens: resources in `look` of the bundle: `german` is no qualifier of resources: like base, de, pt_BR, vertical, phone, dark, xldpi, mcc262_mnc01");
    fs::remove_dir_all(desk.path("notes/look/german")).unwrap();
    desk.write("notes/look/de-dark/page.html", "");
    desk.ens(&["build", "notes", "--no-sign"]);
    let shown = desk.json(&["inspect", "notes.bundle", "--resources", "--json"]);
    assert_eq!(shown["resources"]["page.html"], serde_json::json!(["base", "de-dark"]));
}

#[test]
fn what_no_device_takes_is_not_packed() {
    let desk = Desk::with_notes("notes");
    symlink("/etc/passwd", desk.path("notes/link")).unwrap();
    insta::assert_snapshot!(told(&desk), @"ens: notes/link leads out of the bundle, to /etc/passwd: put the file itself there, or leave the link out with [source] exclude");
    fs::remove_file(desk.path("notes/link")).unwrap();
    symlink("../../x", desk.path("notes/bin/link")).unwrap();
    insta::assert_snapshot!(told(&desk), @"ens: notes/bin/link leads out of the bundle, to ../../x: put the file itself there, or leave the link out with [source] exclude");
    fs::remove_file(desk.path("notes/bin/link")).unwrap();
    let _socket = UnixListener::bind(desk.path("notes/socket")).unwrap();
    insta::assert_snapshot!(told(&desk), @"ens: notes/socket is a socket: leave it out with [source] exclude");
    fs::remove_file(desk.path("notes/socket")).unwrap();
    let deep = (0..40).map(|_| "d").collect::<Vec<_>>().join("/");
    desk.write(&format!("notes/{deep}/x"), "");
    assert!(told(&desk).ends_with("a bundle is at most 32 directories deep"));
}

#[test]
fn a_program_that_needs_libraries_or_another_processor_is_no_bundle_alone() {
    let desk = Desk::with_notes("notes");
    let with = |path: &str, architectures: &str| {
        let text = NOTES.replace("icon = \"notes.svg\"", "").replace("bin/notes", "program");
        let text =
            text.replace("[requires]", &format!("[requires]\narchitectures = {architectures}"));
        let source = format!("[source]\nkind = \"binary\"\npath = \"{path}\"\n");
        desk.write("notes/bundle.toml", &format!("{text}\n{source}"));
    };
    let interpreted = Path::new(env!("CARGO_BIN_EXE_ens"));
    fs::copy(interpreted, desk.path("notes/program")).unwrap();
    with("program", "[\"x86_64\"]");
    insta::assert_snapshot!(told(&desk), @r#"ens: notes/program needs libraries of the host: link it statically (Rust: a musl target, or RUSTFLAGS="-C target-feature=+crt-static"), or build a directory with all it needs"#);
    // The head of an ELF for x86_64 without program headers.
    let mut elf = vec![0; 64];
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    elf[18] = 62;
    fs::write(desk.path("notes/program"), elf).unwrap();
    with("program", "[\"aarch64\"]");
    insta::assert_snapshot!(told(&desk), @r#"ens: notes/program is for x86_64, and bundle.toml does not say so: [requires] architectures = ["x86_64"]"#);
    with("bin", "[]");
    insta::assert_snapshot!(told(&desk), @r#"ens: notes/bin is no program: [source] kind = "directory" takes a directory"#);
    with("program", "[\"x86_64\"]");
    desk.ens(&["build", "notes", "--no-sign"]);
}
