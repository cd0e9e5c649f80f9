//! What people see when their TOML is wrong, and what comes of it when it is right.
#![cfg(feature = "text")]

use std::collections::BTreeMap;
use std::io;

use model::device::{FileContent, KernelSource};
use model::text::{
    Loaded, Report, Source, check_file, load_case, load_device, load_service, template_case,
    template_device, template_service,
};

/// Files by path.
#[derive(Debug, Clone, Default)]
struct Files(BTreeMap<String, String>);

impl Files {
    fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.to_owned(), text.to_owned());
        self
    }
}

impl Source for Files {
    fn read(&self, path: &str) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::other("no such file"))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let below = self.0.keys().filter_map(|p| p.strip_prefix(directory)?.strip_prefix('/'));
        Ok(below.filter(|p| !p.contains('/')).map(str::to_owned).collect())
    }

    fn is_file(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }
}

const WEB: &str = "exec = [\"/usr/bin/web\"]\nrequires = [\"network\"]\n";
const NETWORK: &str = "exec = [\"/usr/sbin/dhcpcd\"]\n";

fn shipped() -> Files {
    Files::default()
        .with("services/network.toml", NETWORK)
        .with("services/web.toml", WEB)
        .with("services/debug-agent.toml", "exec = [\"/usr/lib/ensemble/debug-agent\"]\n")
        .with(
            "devices/base.toml",
            "version = 1\n[services]\nenable = [\"network\"]\n[debug]\nagent = true\n",
        )
}

fn device(text: &str) -> Result<Loaded, Report> {
    load_device(&shipped().with("devices/tv.toml", text), "devices/tv.toml")
}

/// One line for each problem.
fn brief(report: &Report) -> String {
    let line = |f: model::text::Finding| {
        let help = f.help.map(|h| format!(" ({h})")).unwrap_or_default();
        format!("{}:{} {}{help}", f.line, f.column, f.message)
    };
    report.findings().into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn refused(text: &str) -> Report {
    device(text).expect_err("it has a mistake")
}

#[test]
fn a_device_is_its_layers_and_its_services() {
    let text = r#"
version = 1
inherit = ["base"]
[packages]
install = ["iputils-ping"]
[services]
enable = ["web"]
[[file]]
path = "/etc/motd"
content = "hello\n"
"#;
    let loaded = device(text).expect("it is right");
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    assert_eq!(loaded.plan.device, format!("tv {}", env!("CARGO_PKG_VERSION")));
    let names: Vec<&str> = loaded.plan.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["debug-agent", "network", "web"]);
    assert_eq!(loaded.plan.enabled, [0, 1, 2]);
    assert_eq!(loaded.device.files[0].content, FileContent::Text("hello\n".into()));
    let cloud = KernelSource::Package("linux-image-cloud-amd64".into());
    assert_eq!(loaded.device.kernel.source, cloud);
    let read = ["devices/tv.toml", "devices/base.toml"];
    assert_eq!(loaded.files[..2], read.map(str::to_owned));
}

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
    6:8 nothing says what is in this file (add one of source, content, symlink, directory)
    8:8 `/run/x` is never seen: /run is mounted over on a device (a oneshot service can make it at boot)
    12:10 there is no file `devices/b.conf` (a path from where this TOML is)
    13:11 a file is one thing only (one of source, content, symlink, directory)
    14:8 `rw` is not a file mode (three or four octal digits: "0644")
    16:8 two files are at `/etc/b`
    20:7 33 is the number of Debian's user `www-data` (people's numbers begin at 1000)
    21:11 no group is called `vidoe` (did you mean `video`?)
    23:8 `Web` is not a user name (a-z, 0-9, `_` and `-`, at most 32, a letter first)
    24:7 33 is the number of Debian's user `www-data` (people's numbers begin at 1000)
    24:7 two users have the number 33
    "#);
}

#[test]
fn an_unknown_service_is_named_with_its_neighbour() {
    let report =
        refused("version = 1\n[services]\nenable = [\"netwrok\", \"radio\", \"console\"]\n");
    insta::assert_snapshot!(report, @r#"
    error: no service is called `netwrok`
     --> devices/tv.toml:3:11
      |
    3 | enable = ["netwrok", "radio", "console"]
      |           ^^^^^^^^^
      |
    help: did you mean `network`?

    error: no service is called `radio`
     --> devices/tv.toml:3:22
      |
    3 | enable = ["netwrok", "radio", "console"]
      |                      ^^^^^^^
      |
    help: there is no radio.toml in devices/services or services

    error: the service `console` is a part for development
     --> devices/tv.toml:3:31
      |
    3 | enable = ["netwrok", "radio", "console"]
      |                               ^^^^^^^^^
      |
    help: write [debug] console = true; that enables it too
    "#);
}

#[test]
fn devices_that_inherit_each_other_are_named_in_full() {
    let files = Files::default()
        .with("a.toml", "version = 1\ninherit = [\"b\"]\n")
        .with("b.toml", "version = 1\ninherit = [\"./c.toml\"]\n")
        .with("c.toml", "version = 1\ninherit = [\"a\", \"bse\"]\n")
        .with("base.toml", "version = 1\n");
    let report = load_device(&files, "a.toml").expect_err("it is a cycle");
    insta::assert_snapshot!(report, @r#"
    error: devices inherit each other: a → b → c → a
     --> c.toml:2:12
      |
    2 | inherit = ["a", "bse"]
      |            ^^^
      |
    help: take one of these out of its `inherit`

    error: no device is called `bse`
     --> c.toml:2:17
      |
    2 | inherit = ["a", "bse"]
      |                 ^^^^^
      |
    help: there is no bse.toml in .
    "#);
}

#[test]
fn services_that_wait_for_each_other_are_named_with_every_edge() {
    let files = shipped()
        .with("services/network.toml", "exec = [\"/n\"]\nafter = [\"web\"]\n")
        .with("devices/tv.toml", "version = 1\n[services]\nenable = [\"web\"]\n");
    let report = load_device(&files, "devices/tv.toml").expect_err("it is a cycle");
    insta::assert_snapshot!(report, @r#"
    error: services wait for each other: network → web → network
     --> services/network.toml:2:10
      |
    2 | after = ["web"]
      |          ^^^^^ `network` waits for `web`
      |
     ::: services/web.toml:2:13
      |
    2 | requires = ["network"]
      |             --------- `web` waits for `network`
      |
    help: take one of these out; a service can be ready before another is
    "#);
}

fn siblings(own: &str) -> Result<Loaded, Report> {
    let files = shipped()
        .with("devices/one.toml", "version = 1\ninherit = [\"base\"]\ntimezone = \"UTC\"\n[kernel]\npackage = \"linux-image-amd64\"\n")
        .with("devices/two.toml", "version = 1\ninherit = [\"base\"]\ntimezone = \"Europe/Rome\"\n[kernel]\npath = \"/vmlinuz\"\n[services]\ndisable = [\"network\"]\n")
        .with("/vmlinuz", "")
        .with("devices/tv.toml", &format!("version = 1\ninherit = [\"one\", \"two\"]\n{own}"));
    load_device(&files, "devices/tv.toml")
}

#[test]
fn siblings_that_disagree_are_a_conflict() {
    insta::assert_snapshot!(siblings("").expect_err("they disagree"), @r#"
    error: two inherited layers set `timezone` differently
     --> devices/two.toml:3:12
      |
    3 | timezone = "Europe/Rome"
      |            ^^^^^^^^^^^^^ one value here
      |
     ::: devices/one.toml:3:12
      |
    3 | timezone = "UTC"
      |            ----- another here
      |
    help: set `timezone` in the device itself, or in one layer only

    error: two inherited layers set `kernel.package` differently
     --> devices/two.toml:5:8
      |
    5 | path = "/vmlinuz"
      |        ^^^^^^^^^^ one value here
      |
     ::: devices/one.toml:5:11
      |
    5 | package = "linux-image-amd64"
      |           ------------------- another here
      |
    help: set `kernel.package` in the device itself, or in one layer only
    "#);
}

#[test]
fn the_nearer_layer_settles_what_siblings_disagree_about() {
    let loaded =
        siblings("timezone = \"Europe/Oslo\"\n[kernel]\npackage = \"linux-image-rt-amd64\"\n")
            .expect("it is settled");
    assert_eq!(loaded.device.timezone, "Europe/Oslo");
    let kernel = KernelSource::Package("linux-image-rt-amd64".into());
    assert_eq!(loaded.device.kernel.source, kernel);
    let services: Vec<&str> = loaded.device.services.iter().map(|n| n.as_str()).collect();
    assert_eq!(services, ["debug-agent"], "`two` takes the network of `base` away");
}

#[test]
fn an_error_in_an_inherited_value_points_at_its_own_file() {
    let files = shipped()
        .with("devices/base.toml", "version = 1\n\nhostname = \"_\"\n")
        .with("devices/tv.toml", "version = 1\ninherit = [\"base\"]\n");
    let report = load_device(&files, "devices/tv.toml").expect_err("a bad host name");
    let found = report.findings();
    assert_eq!(
        (found[0].file.as_str(), found[0].line, found[0].column),
        ("devices/base.toml", 3, 12)
    );
}

#[test]
fn a_release_with_debug_parts_is_warned_about() {
    let loaded = device("version = 1\ninherit = [\"base\"]\nrelease = true\n").expect("it builds");
    assert_eq!(loaded.warnings.counts(), (0, 1));
    insta::assert_snapshot!(loaded.warnings, @"
    warning: `[debug] agent` in a release: anyone at the host's end of it is root
     --> devices/base.toml:5:9
      |
    5 | agent = true
      |         ^^^^
      |
     ::: devices/tv.toml:3:11
      |
    3 | release = true
      |           ---- a release
      |
    help: set it to false in the release's TOML
    ");
}

#[test]
fn a_missing_package_is_found_once_the_index_is_there() {
    let loaded = device("version = 1\n[packages]\ninstall = [\"bussybox\", \"tzdata\"]\n")
        .expect("shape is right");
    let all = ["busybox", "tzdata"];
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
fn a_service_is_checked_to_the_last_value() {
    let text = r#"exec = ["/usr/bin/web --port 80"]
type = "notfy"
requires = ["Network"]
start-timeout = "0s"
stop-timeout = "5"
user = "0"
environment = { "A B" = "1", NOTIFY_SOCKET = "x" }
[restart]
delay = "1min"
limit = 0
[limits]
memory = "64MB"
cpu = "half"
[sandbox]
capabilities = ["CAP_NET_ADMIN", "NET_RWA"]
[[socket]]
name = "a"
path = "run/a"
"#;
    let report = load_service("services/web.toml", text).expect_err("it has mistakes");
    insta::assert_snapshot!(brief(&report), @r#"
    1:9 `/usr/bin/web --port 80` is not one path (each argument is an item of its own: ["/usr/bin/web", "--port=80"])
    2:8 `notfy` is no type of a service (did you mean `notify`?)
    3:13 `Network` is not the name of a service (a name is 1 to 64 of a-z, 0-9 and -, and starts with a letter)
    4:17 a limit of no time at all (leave the key out for the default)
    5:16 `5` is not a time (a time is a number with ms, s, min or h, like "500ms" or "10s")
    6:8 `0` is not a user name (a-z, 0-9, `_` and `-`, at most 32, a letter first)
    7:17 `A B` is not the name of a variable (letters, digits and `_`, no digit first)
    7:30 `NOTIFY_SOCKET` is set by the service manager (leave it out)
    9:9 `delay` is longer than `max-delay` (set `max-delay` too; it is 10s)
    10:9 the limit can't be 0 (1 to 1000000)
    12:10 `64MB` is not a size (a size is a number with K, M or G, like "64M")
    13:7 `half` is not a share of CPU time (percent of one CPU, like "50%"; two whole CPUs are "200%")
    15:17 no capability is called `CAP_NET_ADMIN` (did you mean `NET_ADMIN`?)
    15:34 no capability is called `NET_RWA` (did you mean `NET_RAW`?)
    18:8 `run/a` is not a path in the image: it does not begin with `/` (an absolute path like "/etc/motd")
    "#);
}

#[test]
fn a_user_that_nobody_made_is_told_before_the_device_starts() {
    let files =
        shipped().with("services/web.toml", "exec = [\"/usr/bin/web\"]\nuser = \"web\"\n").with(
            "devices/tv.toml",
            "version = 1\n[services]\nenable = [\"web\"]\n[[user]]\nname = \"wen\"\nuid = 1000\n",
        );
    let report = load_device(&files, "devices/tv.toml").expect_err("no user");
    insta::assert_snapshot!(report, @r#"
    error: the device has no user `web`
     --> services/web.toml:2:8
      |
    2 | user = "web"
      |        ^^^^^
      |
    help: did you mean `wen`?
    "#);
}

#[test]
fn a_case_brings_its_services_and_files() {
    let files = shipped()
        .with("devices/headless.toml", "version = 1\ninherit = [\"base\"]\n")
        .with("devices/up/services/two.toml", "exec = [\"/bin/true\"]\n")
        .with(
            "devices/up/case.toml",
            r#"version = 1
about = "two starts"
device = "../headless.toml"
[[file]]
path = "/etc/two"
content = "2"
[[step]]
run = ["ensctl", "status"]
until = "5s"
stdout-has = ["two"]
"#,
        );
    let found = load_case(&files, "devices/up").expect("it is right");
    assert_eq!((found.case.name.as_str(), found.case.steps[0].line), ("up", 7));
    assert!(found.loaded.plan.services.iter().any(|s| s.name.as_str() == "two"));
    assert!(found.loaded.device.files.iter().any(|f| f.path == "/etc/two"));
}

#[test]
fn a_case_is_checked_step_by_step() {
    let files = shipped().with(
        "c/case.toml",
        r#"version = 1
about = "x"
device = "../devices/base.toml"
[[step]]
[[step]]
run = ["a"]
host = "reboot"
[[step]]
host = "reboot"
stdout = "x"
[[step]]
run = []
[[step]]
run = ["a"]
json = [{ at = "name.x", is = 1 }, { at = "/x" }]
times = 2
until = "3s"
save = "a b"
"#,
    );
    let report = load_case(&files, "c/case.toml").expect_err("it has mistakes");
    insta::assert_snapshot!(brief(&report), @r#"
    4:1 this step does nothing (add `run = ["program", …]` or `host = "…"`)
    7:8 a step is `run` or `host`, not both (make two steps of it)
    9:8 this takes a machine; a container has no power (write on = ["machine"] above the steps)
    10:10 an action of the host has no output to expect (expect it of a `run` step after it)
    12:7 `run` is empty (program and arguments: ["ensctl", "status"])
    15:16 `name.x` is not a JSON pointer (it begins with `/`: "/name/x")
    15:36 the key `is` is missing
    16:9 a step repeats `times` or `until`, not both
    18:8 `a b` can't be written as {NAME} (letters, digits, `_` and `-`)
    "#);
}

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
            .with("x/case.toml", &text)
            .with("x/x.toml", &text);
        for path in ["devices/x.toml", "services/x.toml", "x/case.toml", "x/x.toml"] {
            let (_, report) = check_file(&files, path);
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
        .with("mine/case.toml", &template_case("mine", "../schema"))
        .with("devices/headless.toml", "version = 1\ninherit = [\"base\"]\n");
    for path in ["devices/mine.toml", "services/mine.toml"] {
        let (_, report) = check_file(&files, path);
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
    assert_eq!(recognise("a/case.toml", ""), Some(Kind::Case));
    assert_eq!(recognise("a.toml", "exec = []"), Some(Kind::Service));
    assert_eq!(recognise("a.toml", "version = 1"), Some(Kind::Device));
    assert_eq!(recognise("a.toml", "x = 1"), None);
}

#[test]
fn problems_as_json_have_file_line_and_column() {
    let report = refused("version = 1\nhostnme = \"tv\"\n");
    insta::assert_snapshot!(serde_json::to_string(&report.findings()).expect("it is plain data"), @r#"[{"severity":"error","file":"devices/tv.toml","line":2,"column":1,"message":"unknown key `hostnme`","help":"did you mean `hostname`?"}]"#);
}
