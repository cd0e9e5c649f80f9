//! What people see when a device's TOML is wrong.
#![cfg(feature = "text")]

mod files;

use files::{brief, device, refused};

#[test]
fn every_unknown_key_and_wrong_type_of_a_file_is_told_at_once() {
    let report = refused(
        "version = 1\nhostnme = \"tv\"\nrelease = \"yes\"\n[kernel]\nmodules = \"drm\"\nhostname = \"tv\"\nfoo = 1\n",
    );
    insta::assert_snapshot!(report, @r#"
    error: unknown key `hostnme`
     --> devices/tv.toml:2:1
      |
    2 | hostnme = "tv"
      | ^^^^^^^
      |
    help: did you mean `hostname`?

    error: true or false is needed here, not text
     --> devices/tv.toml:3:11
      |
    3 | release = "yes"
      |           ^^^^^

    error: a list is needed here, not text
     --> devices/tv.toml:5:11
      |
    5 | modules = "drm"
      |           ^^^^^
      |
    help: put it into brackets: [ … ]

    error: unknown key `hostname`
     --> devices/tv.toml:6:1
      |
    6 | hostname = "tv"
      | ^^^^^^^^
      |
    help: `hostname` belongs above the first [table] of the file

    error: unknown key `foo`
     --> devices/tv.toml:7:1
      |
    7 | foo = 1
      | ^^^
      |
    help: keys here: package, path, modules, cmdline
    "#);
}

#[test]
fn syntax_is_explained_where_it_breaks() {
    insta::assert_snapshot!(refused("version = 1\nhostname = tv\ninherit = [base]\n[kernel\n"), @r#"
    error: `tv` is not a value
     --> devices/tv.toml:2:12
      |
    2 | hostname = tv
      |            ^^
      |
    help: text is written in quotes: "tv"

    error: `base` is not a value
     --> devices/tv.toml:3:12
      |
    3 | inherit = [base]
      |            ^^^^
      |
    help: text is written in quotes: "base"

    error: unclosed table, expected `]`
     --> devices/tv.toml:4:8
      |
    4 | [kernel
      |        ^
    "#);
}

#[test]
fn values_out_of_range_are_all_told() {
    let report = refused(
        r#"version = 2
hostname = "living_room"
timezone = "Berlin"
locale = "de"
target = "rpi4"
form-factor = "phon"
[screen]
width = 0
height = 20000
[storage]
state = "1T"
boot = "5000"
[packages]
install = ["Busybox"]
"#,
    );
    insta::assert_snapshot!(brief(&report), @r#"
    1:11 version 2 is unknown (this `ens` reads version = 1; a newer `ens` may read yours)
    2:12 `living_room` is not a host name (letters, digits and `-` (not first or last), at most 63 a label and 64 in all)
    3:12 `Berlin` is not a time zone (write it like "Europe/Berlin", or "UTC")
    4:10 `de` is not a locale (write it like "en_GB.UTF-8", or "C.UTF-8")
    5:10 the target `rpi4` is known, but not built yet (qemu-x86_64 and container are built)
    6:15 `phon` is no form factor (did you mean `phone`?)
    8:9 the width can't be 0 (1 to 16384)
    9:10 the height can't be 20000 (1 to 16384)
    11:9 `1T` is not a size (a size is a number with K, M or G, like "64M")
    12:8 this partition can't have 5000 (16M to 4G, in steps of 4K)
    14:12 `Busybox` is not the name of a Debian package (a-z, 0-9, `+`, `.` and `-`; versions are in the lock file)
    "#);
}

#[test]
fn files_and_users_are_checked() {
    let report = refused(
        r#"version = 1
[[file]]
path = "/etc/../motd"
content = ""
[[file]]
path = "/etc/a"
[[file]]
path = "/run/x"
symlink = "/y"
[[file]]
path = "/etc/b"
source = "b.conf"
content = "b"
mode = "rw"
[[file]]
path = "/etc/b"
content = "b"
[[user]]
name = "web"
uid = 33
groups = ["vidoe"]
[[user]]
name = "Web"
uid = 33
"#,
    );
    insta::assert_snapshot!(brief(&report), @r#"
    3:8 `/etc/../motd` is not a path in the image: it has `.` or `..` (an absolute path like "/etc/motd")
    6:8 nothing says what is in this file (add one of source, content, program, symlink, directory)
    8:8 `/run/x` is never seen: /run is mounted over on a device (a oneshot service can make it at boot)
    12:10 there is no file `devices/b.conf` (a path from where this TOML is)
    13:11 a file is one thing only (one of source, content, program, symlink, directory)
    14:8 `rw` is not a file mode (three or four octal digits: "0644")
    16:8 two files are at `/etc/b`
    20:7 33 is the number of Debian's user `www-data` (101 to 999 are free for services, people's numbers begin at 1000)
    21:11 no group is called `vidoe`, unless a package brings it (did you mean `video`?)
    23:8 `Web` is not a user name (a-z, 0-9, `_` and `-`, at most 32, a letter first)
    24:7 33 is the number of Debian's user `www-data` (101 to 999 are free for services, people's numbers begin at 1000)
    24:7 two users have the number 33
    "#);
}

#[test]
fn a_missing_package_is_found_once_the_index_is_there() {
    let loaded = device("version = 1\n[packages]\ninstall = [\"bussybox\", \"tzdata\"]\n")
        .expect("shape is right");
    let all = ["busybox", "tzdata", "linux-image-cloud-amd64"];
    let report = loaded.check_packages(|p| all.contains(&p), all).expect_err("one is not there");
    insta::assert_snapshot!(report, @r#"
    error: no package is called `bussybox` in trixie
     --> devices/tv.toml:3:12
      |
    3 | install = ["bussybox", "tzdata"]
      |            ^^^^^^^^^^
      |
    help: did you mean `busybox`?
    "#);
}

#[test]
fn what_shows_only_in_the_build_is_told_at_its_place_too() {
    let text = "version = 1\n[kernel]\nmodules = [\"virtio_snd\", \"virtio_bulk\"]\n\
                [[file]]\npath = \"/usr/bin\"\ncontent = \"\"\n";
    let loaded = device(text).expect("shape is right");
    let all = ["virtio_blk", "virtio_snd"];
    let report = loaded.check_modules("6.12", |m| all.contains(&m), all).expect_err("one is not");
    insta::assert_snapshot!(brief(&report), @"3:26 the kernel 6.12 has no module `virtio_bulk` (did you mean `virtio_blk`?)");
    let report = loaded.refused_file("/usr/bin", "a directory is there");
    insta::assert_snapshot!(brief(&report), @"5:8 `/usr/bin` cannot be in the image: a directory is there");
}

#[test]
fn problems_as_json_have_file_line_and_column() {
    let report = refused("version = 1\nhostnme = \"tv\"\n");
    insta::assert_snapshot!(serde_json::to_string(&report.findings()).expect("it is plain data"), @r#"[{"severity":"error","file":"devices/tv.toml","line":2,"column":1,"message":"unknown key `hostnme`","help":"did you mean `hostname`?"}]"#);
}

#[test]
fn what_is_made_for_tests_is_on_no_release() {
    let file = "[[file]]\npath = \"/usr/lib/tests/attacks\"\nprogram = \"attacks\"\n";
    let open = "[debug]\nagent = false\nconsole = false\n";
    let loaded = device(&format!("version = 1\n{open}{file}")).expect("a device for tests");
    assert_eq!(loaded.device.files[0].mode, 0o755);
    let report = refused(&format!("version = 1\nrelease = true\n{open}{file}"));
    insta::assert_snapshot!(report, @r#"
    error: `attacks` in a release: it is made for tests
     --> devices/tv.toml:8:11
      |
    8 | program = "attacks"
      |           ^^^^^^^^^
      |
    help: only a device for tests may have it
    "#);
    let other = file.replace("\"attacks\"", "\"servicemgr\"");
    let report = device(&format!("version = 1\n{open}{other}")).expect_err("no such program");
    insta::assert_snapshot!(brief(&report), @r"7:11 `servicemgr` is no program of the tests (there are: attacks)");
}
