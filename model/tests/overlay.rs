//! One service as the device reads it: a shipped file and what lies over it.
#![cfg(feature = "text")]

mod files;

use files::brief;
use model::Name;
use model::service::{Address, Kind, Probe, Reload, Service, Start, TimerWhen};
use model::text::Report;
use model::text::service::{MAX_DROP_INS, MAX_TEXT, overlay, parse};

fn name(text: &str) -> Name {
    Name::try_from(text).expect("it is a name")
}

fn over(shipped: &str, files: &[(&str, &str)]) -> Result<Service, Report> {
    overlay(&name("web"), Some(shipped), files)
}

const SHIPPED: &str = r#"
exec = ["/usr/bin/web", "--port=80"]
requires = ["database"]
wants = ["network"]
environment = { LANG = "C", ROOT = "/srv" }
reload-signal = "SIGHUP"
[limits]
memory = "64M"
pids = 8
[health]
http = "127.0.0.1:80/health"
interval = "20s"
[commands]
before-start = [["/bin/one"]]
[[socket]]
name = "main"
path = "/run/web.sock"
mode = "0600"
[[socket]]
name = "port"
listen = "tcp:0.0.0.0:80"
"#;

#[test]
fn a_drop_in_says_only_what_is_different() {
    let first = "exec = [\"/usr/bin/web\"]\nwants = [\"time\"]\n[limits]\nmemory = \"1G\"\n";
    let second = r#"
environment = { LANG = "C.UTF-8" }
[health]
tcp = "127.0.0.1:80"
[commands]
before-start = [["/bin/two", "2"]]
reload = ["/usr/bin/web", "--reload"]
[[socket]]
name = "main"
path = "/run/other.sock"
"#;
    let web = over(SHIPPED, &[("10-a.toml", first), ("20-b.toml", second)]).expect("it is right");
    assert_eq!(web.exec, ["/usr/bin/web"]);
    assert_eq!(web.wants, [name("network"), name("time")]);
    assert_eq!((web.limits.memory, web.limits.pids), (Some(1 << 30), Some(8)));
    let values: Vec<&str> = web.environment.values().map(String::as_str).collect();
    assert_eq!(values, ["C.UTF-8", "/srv"]);
    let health = web.health.expect("it is asked");
    assert!(matches!(health.probe, Probe::Tcp(_)));
    assert_eq!(health.interval.as_secs(), 20);
    assert_eq!(web.commands.before_start, [vec!["/bin/one"], vec!["/bin/two", "2"]]);
    assert!(matches!(web.commands.reload, Some(Reload::Command(_))));
    let [main, port] = web.sockets.as_slice() else { panic!("two sockets") };
    assert_eq!(main.address, Address::Path("/run/other.sock".to_owned()));
    assert_eq!((main.mode, port.name.as_str()), (0o666, "port"));
}

#[test]
fn an_empty_list_takes_away_what_was_there() {
    let drop_in = "requires = []\nwants = []\nsocket = []\n[commands]\nbefore-start = []\n";
    let more = "wants = [\"time\"]\n";
    let web = over(SHIPPED, &[("a.toml", drop_in), ("b.toml", more)]).expect("it is right");
    assert_eq!((web.requires, web.wants), (Vec::new(), vec![name("time")]));
    assert!(web.sockets.is_empty() && web.commands.before_start.is_empty());
}

#[test]
fn another_type_takes_away_what_only_the_old_one_knows() {
    let shipped = "exec = [\"/bin/x\"]\ntype = \"forking\"\npid-file = \"/run/x.pid\"\n";
    let web = over(shipped, &[("a.toml", "type = \"notify\"\nwatchdog = \"5s\"\n")]);
    let web = web.expect("it is right");
    assert_eq!((web.kind, web.pid_file), (Kind::Notify, None));
    assert_eq!(web.watchdog.map(|time| time.as_secs()), Some(5));
    let shipped = "exec = [\"/bin/x\"]\ntype = \"notify\"\nwatchdog = \"5s\"\nready-fd = 4\n";
    let web = over(shipped, &[("a.toml", "type = \"oneshot\"\n")]).expect("it is right");
    assert_eq!((web.watchdog, web.ready_fd), (None, None));
}

#[test]
fn a_type_that_knows_a_key_as_well_keeps_it() {
    let shipped = "exec = [\"/bin/x\"]\ntype = \"notify\"\nwatchdog = \"5s\"\nready-fd = 4\n";
    let web = over(shipped, &[("a.toml", "type = \"notify-reload\"\n")]).expect("it is right");
    assert_eq!(web.watchdog.map(|time| time.as_secs()), Some(5));
    assert_eq!((web.kind, web.ready_fd), (Kind::NotifyReload, Some(4)));
}

#[test]
fn one_that_says_when_it_has_reloaded_is_told_to_by_sighup_unless_it_names_another() {
    let shipped = "exec = [\"/bin/x\"]\ntype = \"notify\"\n";
    let kind = ("a.toml", "type = \"notify-reload\"\nwatchdog = \"5s\"\n");
    let web = over(shipped, &[kind]).expect("it is right");
    assert_eq!((web.kind, web.watchdog.is_some()), (Kind::NotifyReload, true));
    assert_eq!(web.commands.reload, Some(Reload::Signal(1)));
    let web = over(shipped, &[kind, ("b.toml", "reload-signal = \"SIGUSR1\"\n")]);
    assert_eq!(web.expect("it is right").commands.reload, Some(Reload::Signal(10)));
}

#[test]
fn a_mistake_is_told_in_the_file_that_has_it() {
    let drop_in = "type = \"oneshot\"\nwatchdog = \"5s\"\n[limits]\nmemroy = \"1G\"\n";
    let report = over(SHIPPED, &[("/etc/ensemble/services/web.d/10-mine.toml", drop_in)])
        .expect_err("it has mistakes");
    insta::assert_snapshot!(report, @r#"
    error: a oneshot service has no process to be asked
      --> web.toml:11:8
       |
    11 | http = "127.0.0.1:80/health"
       |        ^^^^^^^^^^^^^^^^^^^^^
       |
    help: leave [health] out, or change `type`

    error: `watchdog` is for services of type notify
     --> /etc/ensemble/services/web.d/10-mine.toml:2:12
      |
    1 | type = "oneshot"
      |        --------- this one's type
    2 | watchdog = "5s"
      |            ^^^^

    error: unknown key `memroy`
     --> /etc/ensemble/services/web.d/10-mine.toml:4:1
      |
    4 | memroy = "1G"
      | ^^^^^^
      |
    help: did you mean `memory`?
    "#);
}

#[test]
fn a_service_of_the_device_alone_needs_no_shipped_file() {
    let files = [("/etc/ensemble/services/web.toml", "exec = [\"/usr/bin/web\"]\n")];
    let web = overlay(&name("web"), None, &files).expect("it is whole");
    assert_eq!(web, parse(&name("web"), "exec = [\"/usr/bin/web\"]").expect("so is this"));
    let report = overlay::<&str>(&name("web"), None, &[]).expect_err("there is nothing");
    insta::assert_snapshot!(brief(&report), @"1:1 no file says what `web` is");
}

#[test]
fn large_and_many_files_are_refused() {
    let large = "#".repeat(MAX_TEXT + 1);
    let report = over(SHIPPED, &[("large.toml", &large)]).expect_err("it is too large");
    insta::assert_snapshot!(brief(&report), @"1:1 larger than 64 KiB: not the file of a service");
    let many = vec![("x.toml", "about = \"x\"\n"); MAX_DROP_INS + 1];
    let report = over(SHIPPED, &many).expect_err("they are too many");
    insta::assert_snapshot!(brief(&report), @"1:1 more than 64 files over the shipped one");
    assert!(over(SHIPPED, &many[1..]).is_ok());
}

#[test]
fn every_key_can_be_written() {
    let text = r#"
type = "oneshot"
before = ["a"]
binds = ["b"]
conflicts = ["c"]
part-of = ["d"]
on-failure = ["e"]
on-success = ["f"]
exec = ["/bin/x"]
stop-signal = "SIGRTMIN+3"
fd-store = 3
[[timer]]
calendar = "daily"
persistent = true
random-delay = "10min"
[[timer]]
after-end = "1h"
"#;
    let job = parse(&name("job"), text).expect("it is right");
    assert_eq!((job.kind, job.start, job.remain), (Kind::Oneshot, Start::Demand, false));
    assert_eq!(job.commands.stop_signal, 37);
    let [daily, hourly] = job.activation.timers.as_slice() else { panic!("two timers") };
    assert!(matches!(daily.when, TimerWhen::Calendar(_)) && daily.persistent);
    assert!(matches!(hourly.when, TimerWhen::AfterEnd(_)));
    let relations =
        [&job.before, &job.binds, &job.conflicts, &job.part_of, &job.on_failure, &job.on_success];
    for (list, letter) in relations.into_iter().zip(["a", "b", "c", "d", "e", "f"]) {
        assert_eq!(list, &[name(letter)]);
    }
}

/// Lines that look like ours, and lines that do not.
fn anything() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let schemas = include_str!("../src/text/raw/service.rs");
    let keys: Vec<String> = schemas
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split('"').next().map(str::to_owned))
        .collect();
    let key = prop::sample::select(keys);
    let value = prop_oneof![
        "[ -~äß→\u{0}\n]{0,12}",
        prop::sample::select(vec![
            "1",
            "-99999999999999999999",
            "true",
            "[]",
            "[[]]",
            "[[[\"/b\"]]]",
            "[\"a\", \"/b\"]",
            "\"10s\"",
            "\"64M\"",
            "\"/a/*\"",
            "\"tcp:[::]:80\"",
            "\"vsock:1:2:3\"",
            "\"*:*:*\"",
            "\"%i%%%\"",
            "\"SIGRTMIN+99\"",
            "\"demand\"",
            "\"target\"",
            "\"notify\"",
            "\"boot\"",
            "\"é→\"",
            "{ a = 1, b = [[[0x7f]]], c = 1e999 }",
            "\"a=b\"",
            "\"127.0.0.1:80/\"",
        ])
        .prop_map(str::to_owned),
    ];
    let line = prop_oneof![
        6 => (key.clone(), value).prop_map(|(k, v)| format!("{k} = {v}")),
        2 => key.clone().prop_map(|k| format!("[[{k}]]")),
        2 => key.prop_map(|k| format!("[{k}]")),
        1 => ".{0,20}",
    ];
    prop::collection::vec(line, 0..14).prop_map(|lines| lines.join("\n"))
}

proptest::proptest! {
    #[test]
    fn any_texts_give_a_service_or_a_reason(
        shipped in proptest::option::of(anything()),
        files in proptest::collection::vec(("[ -~]{0,20}", anything()), 0..4),
        own in proptest::sample::select(vec!["web", "getty@", "getty@tty1"]),
    ) {
        match overlay(&name(own), shipped.as_deref(), &files) {
            Ok(service) => {
                proptest::prop_assert_eq!(service.name.as_str(), own);
                proptest::prop_assert_eq!(service.exec.is_empty(), service.kind == Kind::Target);
            }
            Err(report) => {
                proptest::prop_assert!(report.has_errors());
                let _ = (report.render(true), report.findings());
            }
        }
    }

    #[test]
    fn any_bytes_give_a_service_or_a_reason(bytes in proptest::collection::vec(0_u8.., 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Err(report) = parse(&name("web"), &text) {
            proptest::prop_assert!(report.has_errors());
        }
    }
}
