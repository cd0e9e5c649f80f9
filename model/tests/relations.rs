//! What services have to do with each other: right ones, and what people see when it is not.
#![cfg(feature = "text")]

mod files;

use files::{Files, brief, device, shipped};
use model::text::{load_device, load_service};

/// A device that starts these services, each with the lines given.
fn with(services: &[(&str, &str)], lists: &str) -> Files {
    let device = format!("version = 1\n[services]\n{lists}\n");
    let exec = |(name, more): &(&str, &str)| {
        let exec = if more.contains("exec =") || more.contains("target") {
            String::new()
        } else {
            format!("exec = [\"/bin/{}\"]\n", name.trim_end_matches('@'))
        };
        (format!("services/{name}.toml"), format!("{exec}{more}\n"))
    };
    let files = services.iter().map(exec);
    files.fold(shipped().with("devices/tv.toml", &device), |all, (path, text)| {
        all.with(&path, &text)
    })
}

#[test]
fn every_relation_is_looked_up() {
    let text = "exec = [\"/bin/x\"]\nrequires = [\"netwrok\"]\nbinds = [\"a\"]\nbefore = [\"b\"]\n\
                conflicts = [\"c\"]\npart-of = [\"d\"]\non-failure = [\"e\"]\non-success = [\"f\"]\n\
                wants = [\"x\", \"getty@\"]\nafter = [\"getty@1\"]\n";
    let files = with(&[("x", text)], "enable = [\"x\"]");
    let report = load_device(&files, "devices/tv.toml").expect_err("none of them is there");
    insta::assert_snapshot!(brief(&report), @"
    2:13 no service is called `netwrok` (did you mean `network`?)
    3:10 no service is called `a` (did you mean `x`?)
    4:11 no service is called `b` (did you mean `x`?)
    5:14 no service is called `c` (did you mean `x`?)
    6:12 no service is called `d` (did you mean `x`?)
    7:15 no service is called `e` (did you mean `x`?)
    8:15 no service is called `f` (did you mean `x`?)
    9:10 `x` names itself in `wants` (take it out)
    9:15 `getty@` is a template, which does not run itself (name one of its instances, like `getty@main`)
    10:10 no template is called `getty@` (there is no getty@.toml in devices/services or services)
    ");
}

#[test]
fn what_is_off_again_can_only_be_wanted() {
    let once = "type = \"oneshot\"\nremain = false";
    let files = with(&[("x", "binds = [\"once\"]"), ("once", once)], "enable = [\"x\"]");
    let report = load_device(&files, "devices/tv.toml").expect_err("it is gone");
    insta::assert_snapshot!(report, @r#"
    error: `x` requires `once`, which is off again when it has ended
     --> services/x.toml:2:10
      |
    2 | binds = ["once"]
      |          ^^^^^^
      |
    help: write remain = true in `once`, or name it in `wants`
    "#);
}

#[test]
fn a_need_that_can_never_be_met_is_shown_step_by_step() {
    let services = [
        ("home", "requires = [\"screen\", \"setup\"]"),
        ("setup", "binds = [\"wizard\"]"),
        ("wizard", ""),
        ("screen", "conflicts = [\"wizard\"]"),
    ];
    let files = with(&services, "enable = [\"home\"]");
    let report = load_device(&files, "devices/tv.toml").expect_err("they exclude each other");
    insta::assert_snapshot!(report, @r#"
    error: `home` needs two that stop each other: home → screen, and home → setup → wizard
     --> services/screen.toml:2:14
      |
    2 | conflicts = ["wizard"]
      |              ^^^^^^^^ they stop each other
      |
     ::: services/home.toml:2:13
      |
    2 | requires = ["screen", "setup"]
      |             -------- `home` needs `screen`
      |
     ::: services/home.toml:2:23
      |
    2 | requires = ["screen", "setup"]
      |                       ------- `home` needs `setup`
      |
     ::: services/setup.toml:2:10
      |
    2 | binds = ["wizard"]
      |          -------- `setup` needs `wizard`
      |
    help: take one of these out, or one of both services out of the device
    "#);
    let services = [("a", "conflicts = [\"b\"]"), ("b", "")];
    let files = with(&services, "enable = [\"a\", \"b\"]");
    let report = load_device(&files, "devices/tv.toml").expect_err("both start at boot");
    insta::assert_snapshot!(report, @r#"
    error: services that start at boot stop each other: a, and b
     --> services/a.toml:2:14
      |
    2 | conflicts = ["b"]
      |              ^^^ they stop each other
      |
    help: take one of these out, or one of both services out of the device
    "#);
}

#[test]
fn a_circle_goes_through_before_and_binds_too() {
    let services = [("a", "before = [\"b\"]"), ("b", "before = [\"c\"]"), ("c", ""), ("d", "")];
    let more = [("a2", "binds = [\"b2\"]"), ("b2", "after = [\"a2\"]")];
    let files = with(&services, "enable = [\"a\", \"b\", \"c\"]");
    assert!(load_device(&files, "devices/tv.toml").is_ok());
    let files = with(&more, "enable = [\"a\", \"b\", \"c\", \"a2\"]");
    let files = services.iter().fold(files, |files, (name, more)| {
        let more = if *name == "a" { "after = [\"c\"]\nbefore = [\"b\"]" } else { more };
        let path = format!("services/{name}.toml");
        files.with(&path, &format!("exec = [\"/bin/{name}\"]\n{more}\n"))
    });
    let report = load_device(&files, "devices/tv.toml").expect_err("two circles");
    insta::assert_snapshot!(report, @r#"
    error: services wait for each other: a2 → b2 → a2
     --> services/a2.toml:2:10
      |
    2 | binds = ["b2"]
      |          ^^^^ `a2` waits for `b2`
      |
     ::: services/b2.toml:2:10
      |
    2 | after = ["a2"]
      |          ---- `b2` waits for `a2`
      |
    help: take one of these out; a service can be ready before another is

    error: services wait for each other: a → c → b → a
     --> services/a.toml:2:10
      |
    2 | after = ["c"]
      |          ^^^ `a` waits for `c`
    3 | before = ["b"]
      |           --- `b` waits for `a`
      |
     ::: services/b.toml:2:11
      |
    2 | before = ["c"]
      |           --- `c` waits for `b`
      |
    help: take one of these out; a service can be ready before another is
    "#);
}

#[test]
fn an_address_or_a_name_on_the_bus_belongs_to_one_service() {
    let one =
        "[bus]\nname = \"org.example.One\"\n[[socket]]\nname = \"a\"\nlisten = \"tcp:0.0.0.0:80\"";
    let two = "[bus]\nname = \"org.example.Two\"\nalso = [\"org.example.One\"]\n[[socket]]\n\
               name = \"b\"\nlisten = \"tcp:0.0.0.0:80\"\n[[socket]]\nname = \"c\"\n\
               listen = \"udp:0.0.0.0:80\"";
    let files = with(&[("one", one), ("two", two)], "enable = [\"one\", \"two\"]");
    let report = load_device(&files, "devices/tv.toml").expect_err("they share");
    insta::assert_snapshot!(report, @r#"
    error: two services have the name `org.example.One` on the bus
     --> services/two.toml:4:9
      |
    4 | also = ["org.example.One"]
      |         ^^^^^^^^^^^^^^^^^ again here
      |
     ::: services/one.toml:3:8
      |
    3 | name = "org.example.One"
      |        ----------------- first here

    error: two sockets are at `tcp:0.0.0.0:80`
     --> services/two.toml:7:10
      |
    7 | listen = "tcp:0.0.0.0:80"
      |          ^^^^^^^^^^^^^^^^ again here
      |
     ::: services/one.toml:6:10
      |
    6 | listen = "tcp:0.0.0.0:80"
      |          ---------------- first here
    "#);
}

#[test]
fn instances_of_a_template_are_services_of_their_own() {
    let getty = "exec = [\"/sbin/getty\", \"%i\"]\nuser = \"%i\"\nrequires = [\"network\"]\n\
                 [[socket]]\nname = \"s\"\npath = \"/run/getty-%i\"";
    let services = [
        ("getty@", getty),
        (
            "shell",
            "type = \"target\"\n[[socket]]\nname = \"s\"\nlisten = \"vsock:9\"\naccept = true",
        ),
        ("shell@", "exec = [\"/bin/sh\"]"),
        ("player@", ""),
    ];
    let lists = "enable = [\"getty@tty1\", \"getty@tty2\", \"shell\"]\ntemplates = [\"player@\"]";
    let loaded = load_device(&with(&services, lists), "devices/tv.toml").expect("it is right");
    let names = |list: &[model::service::Service]| -> Vec<String> {
        list.iter().map(|s| s.name.to_string()).collect()
    };
    assert_eq!(names(&loaded.plan.services), ["getty@tty1", "getty@tty2", "network", "shell"]);
    assert_eq!(names(&loaded.plan.templates), ["getty@", "player@", "shell@"]);
    let first = loaded.plan.services.first().expect("there are some");
    assert_eq!(first.exec, ["/sbin/getty", "tty1"]);
    assert_eq!(first.user.as_deref(), Some("tty1"));
    let texts: Vec<&str> = loaded.services.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(texts, ["getty@.toml", "network.toml", "player@.toml", "shell.toml", "shell@.toml"]);
}

#[test]
fn a_template_does_not_run_itself() {
    let files = with(
        &[("getty@", ""), ("web", "[[socket]]\nname = \"a\"\npath = \"/run/a\"\naccept = true")],
        "enable = [\"getty@\", \"web\", \"getyt@1\"]\ntemplates = [\"web\"]",
    );
    let report = load_device(&files, "devices/tv.toml").expect_err("it has mistakes");
    insta::assert_snapshot!(brief(&report), @"
    3:11 `getty@` is a template, which does not run itself (name one of its instances, like `getty@main`)
    3:28 no template is called `getyt@` (did you mean `getty@`?)
    4:14 `web` is not the name of a template (a template's name ends in `@`, and its file's in `@.toml`)
    5:10 no template is called `web@` (there is no web@.toml in devices/services or services)
    ");
    let report = load_service("services/getty@tty1.toml", "exec = [\"/sbin/getty\"]\n");
    insta::assert_snapshot!(brief(&report.expect_err("it is an instance")), @"1:1 `getty@tty1` is an instance, which has no file of its own (write getty@.toml, where %i stands for the instance)");
}

#[test]
fn drop_ins_of_every_nearer_directory_lie_over_a_service() {
    let files = shipped()
        .with("mine/devices/tv.toml", "version = 1\ninherit = [\"../../devices/base.toml\"]\n")
        .with("services/network.d/50-far.toml", "about = \"far\"\nwants = [\"web\"]\n")
        .with("services/web.toml", "exec = [\"/bin/web\"]\n")
        .with("mine/services/network.d/10-near.toml", "about = \"near\"\n");
    let loaded = load_device(&files, "mine/devices/tv.toml").expect("it is right");
    let network = loaded.plan.services.iter().find(|s| s.name.as_str() == "network");
    assert_eq!(network.map(|s| s.about.as_str()), Some("near"));
    let texts: Vec<&str> = loaded.services.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        texts,
        [
            "debug-agent.toml",
            "network.d/01-50-far.toml",
            "network.d/02-10-near.toml",
            "network.toml",
            "web.toml",
        ]
    );
    let files = files.with("mine/services/network.d/20-bad.toml", "abuot = \"x\"\n");
    let report = load_device(&files, "mine/devices/tv.toml").expect_err("it has a mistake");
    insta::assert_snapshot!(report, @r#"
    error: unknown key `abuot`
     --> mine/services/network.d/20-bad.toml:1:1
      |
    1 | abuot = "x"
      | ^^^^^
      |
    help: did you mean `about`?
    "#);
}

#[test]
fn what_a_device_could_not_read_again_is_refused() {
    let long = format!("exec = [\"/bin/x\"]\n{}\n", "#".repeat(64 << 10));
    let files = shipped().with("services/network.toml", &long);
    let files = files.with("devices/tv.toml", "version = 1\ninherit = [\"base\"]\n");
    let report = load_device(&files, "devices/tv.toml").expect_err("it is long");
    insta::assert_snapshot!(brief(&report), @"1:1 the file of a service has at most 64 KiB");
}

#[test]
fn templates_of_a_device_are_checked_like_its_services() {
    let report = device("version = 1\n[services]\ntemplates = [\"gety@\"]\n");
    insta::assert_snapshot!(report.expect_err("there is none"), @r#"
    error: no template is called `gety@`
     --> devices/tv.toml:3:14
      |
    3 | templates = ["gety@"]
      |              ^^^^^^^
      |
    help: there is no gety@.toml in devices/services or services
    "#);
}
