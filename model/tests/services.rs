//! Services and cases: what is right, and what people see when it is not.
#![cfg(feature = "text")]

mod files;

use files::{brief, refused, shipped};
use model::case::{Act, Change, Harm, Host, Link};
use model::text::{load_case, load_case_on, load_device, load_service};

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
    3:13 `Network` is not the name of a service (a name is 1 to 64 of a-z, 0-9 and -, and starts with a letter; TEMPLATE@INSTANCE is one of many)
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
    let report = load_device(&files, "devices/tv.toml").expect("a package may bring it").warnings;
    insta::assert_snapshot!(report, @r#"
    warning: no user is called `web`, unless a package brings it
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
    assert!(found.loaded[0].plan.services.iter().any(|s| s.name.as_str() == "two"));
    assert!(found.loaded[0].device.files.iter().any(|f| f.path == "/etc/two"));
}

#[test]
fn a_case_copies_a_service_and_harms_a_disk() {
    let files = shipped().with("c/services/many.toml", "exec = [\"/bin/sleep\", \"inf\"]\n").with(
        "c/case.toml",
        r#"version = 1
about = "many run"
device = "../devices/base.toml"
on = ["machine"]
[[copy]]
service = "many"
count = 3
[[step]]
disk = { partition = "bootctl", erase = "4K", at = "4K" }
[[step]]
disk = { partition = "root-a" }
[[step]]
host = "power-on"
exit = 1
stdout-has = ["root-a"]
"#,
    );
    let found = load_case(&files, "c").expect("it is right");
    let names: Vec<&str> = found.loaded[0].plan.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["debug-agent", "many-1", "many-2", "many-3", "network"]);
    assert!(found.case.keeps_state(0));
    let harm = |erase| {
        Act::Disk(Harm {
            partition: if erase { "bootctl" } else { "root-a" }.into(),
            erase: erase.then_some(4096..8192),
        })
    };
    let acts: Vec<&Act> = found.case.steps.iter().map(|s| &s.act).collect();
    assert_eq!(acts, [&harm(true), &harm(false), &Act::Host(Host::PowerOn)]);
}

#[test]
fn a_case_of_several_devices_says_on_which_a_step_is_done_and_what_lies_between_them() {
    let files = shipped().with(
        "c/case.toml",
        r#"version = 1
about = "two see each other"
[[device]]
name = "phone"
device = "../devices/base.toml"
[[device]]
name = "tv"
[[step]]
run = ["ping", "tv.local"]
[[step]]
on = "tv"
host = "reboot"
[[step]]
link = { between = ["phone", "tv"], cut = true }
[[step]]
link = { between = ["tv"], cut = false, loss = "10%", delay = "50ms" }
[[step]]
on = "tv"
address = "10.77.0.42"
"#,
    );
    let files = files.with("devices/tv.toml", "version = 1\ninherit = [\"base\"]\n");
    let base = load_case_on(&files, "c", Some("../devices/tv.toml")).expect("it is right");
    let members = base.case.devices.iter().map(|m| (m.name.as_str(), m.device.as_str()));
    assert_eq!(
        members.collect::<Vec<_>>(),
        [("phone", "../devices/base.toml"), ("tv", "../devices/tv.toml")],
        "the one that says nothing is the one the case is run for"
    );
    assert_eq!((base.loaded.len(), base.case.together), (2, true));
    assert_eq!((base.case.keeps_state(0), base.case.keeps_state(1)), (false, true));
    let on: Vec<usize> = base.case.steps.iter().map(|s| s.on).collect();
    assert_eq!(on, [0, 1, 0, 0, 1]);
    let acts: Vec<&Act> = base.case.steps.iter().skip(2).map(|s| &s.act).collect();
    let cut = Link { between: (Some(0), Some(1)), changes: vec![Change::Cut(true)] };
    let mend = Link {
        between: (Some(1), None),
        changes: vec![
            Change::Cut(false),
            Change::Loss(10),
            Change::Delay(std::time::Duration::from_millis(50)),
        ],
    };
    let address = Act::Address("10.77.0.42".parse().expect("it is one"));
    assert_eq!(acts, [&Act::Link(cut), &Act::Link(mend), &address]);
}

#[test]
fn what_is_wrong_between_devices_is_told_where_it_is() {
    let files = shipped().with(
        "c/case.toml",
        r#"version = 1
about = "x"
[[device]]
name = "phone"
device = "../devices/base.toml"
[[device]]
name = "phone"
device = "../devices/base.toml"
[[device]]
name = "TV!"
device = "../devices/base.toml"
[[step]]
on = "fone"
run = ["a"]
[[step]]
link = { between = ["phone", "phone"], cut = true }
[[step]]
link = { loss = "200%" }
[[step]]
link = { between = ["phone"] }
stdout = "x"
[[step]]
address = "10.78.0.1"
"#,
    );
    let report = load_case(&files, "c").expect_err("it has mistakes");
    insta::assert_snapshot!(brief(&report), @r#"
    7:8 two devices are called `phone`
    10:8 `TV!` can't be the name of a device (1 to 64 of a-z, 0-9 and `-`, a letter first)
    13:6 no [[device]] is called `fone` (one of: phone)
    16:20 a link is between two devices (two names, or one for all of its links)
    18:17 `200%` is not a part of 100% (of 100 frames, like "10%")
    20:8 this changes nothing of the link (add `cut = true`, `cut = false`, `loss = "10%"` or `delay = "50ms"`)
    21:10 this action has no output to expect (expect it of a `run` step after it)
    23:11 `10.78.0.1` is not an address in the devices' network (10.77.0.1 to 10.77.0.254)
    "#);
    let alone = shipped().with(
        "c/case.toml",
        "version = 1\nabout = \"x\"\ndevice = \"../devices/base.toml\"\n[[step]]\non = \"a\"\nlink = { cut = true }\n",
    );
    let report = load_case(&alone, "c").expect_err("there is nobody to link");
    insta::assert_snapshot!(brief(&report), @r"
    5:6 this case has one device and no network (write a table [[device]] with a name for each of several devices)
    6:8 this case has one device and no network (write a table [[device]] with a name for each of several devices)
    ");
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
host = "power-cut"
stdout = "x"
[[step]]
disk = { partition = "state", at = "1K" }
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
    7:8 a step is one of `run`, `host`, `disk`, `link` and `address`, not two (make two steps of it)
    9:8 this takes a machine; a container has no power and no disk (write on = ["machine"] above the steps)
    10:10 this action has no output to expect (expect it of a `run` step after it)
    12:8 this takes a machine; a container has no power and no disk (write on = ["machine"] above the steps)
    12:36 this is where nothing is erased (add `erase` with a size, like "4K")
    14:7 `run` is empty (program and arguments: ["ensctl", "status"])
    17:16 `name.x` is not a JSON pointer (it begins with `/`: "/name/x")
    17:36 the key `is` is missing
    18:9 a step repeats `times` or `until`, not both
    20:8 `a b` can't be written as {NAME} (letters, digits, `_` and `-`)
    "#);
}

#[test]
fn a_word_where_a_table_belongs_is_told_the_keys() {
    let text = "exec = [\"/usr/bin/web\"]\nrestart = \"always\"\nlimits = { memory = 64 }\n";
    let report = load_service("services/web.toml", text).expect_err("it has mistakes");
    insta::assert_snapshot!(brief(&report), @"
    2:11 a table is needed here, not text (a table with the keys: when, delay, max-delay, jitter, limit, window)
    3:21 text in quotes is needed here, not a number
    ");
}

#[test]
fn two_sockets_at_one_path_are_found_across_services() {
    let socket = |name: &str| {
        format!("exec = [\"/bin/{name}\"]\n[[socket]]\nname = \"main\"\npath = \"/run/s\"\n")
    };
    let files = shipped()
        .with("services/a.toml", &socket("a"))
        .with("services/b.toml", &socket("b"))
        .with("devices/tv.toml", "version = 1\n[services]\nenable = [\"a\", \"b\"]\n");
    let report = load_device(&files, "devices/tv.toml").expect_err("one path, two services");
    insta::assert_snapshot!(report, @r#"
    error: two sockets are at `/run/s`
     --> services/b.toml:4:8
      |
    4 | path = "/run/s"
      |        ^^^^^^^^ again here
      |
     ::: services/a.toml:4:8
      |
    4 | path = "/run/s"
      |        -------- first here
    "#);
}
