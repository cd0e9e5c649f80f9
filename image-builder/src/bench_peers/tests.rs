use insta::assert_snapshot;

use super::guest::measured;
use super::*;
use crate::tree::Kind;

fn of(key: &str) -> Peer {
    *PEERS.iter().find(|peer| peer.key == key).unwrap()
}

/// What a guest of a peer with 12 daemons has at `path`, over packages that bring `shipped`.
fn text(key: &str, shipped: &[&str], path: &str) -> Option<String> {
    let mut tree = Tree::new();
    for path in shipped {
        tree.insert(path, Node::file(0o644, "of the package")).unwrap();
    }
    let tree = root(&of(key), tree, 12, &[(PROGRAM, Content::from("program"))]).unwrap();
    match &tree.get(path)?.kind {
        Kind::File(content) => Some(String::from_utf8(content.read().unwrap().to_vec()).unwrap()),
        Kind::Symlink(to) => Some(format!("-> {to}")),
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn every_guest_starts_our_program_and_knows_what_to_do() {
    for peer in PEERS {
        assert_eq!(text(peer.key, &[], "init").unwrap(), "-> bench/peer");
        let order = text(peer.key, &[], "bench/order").unwrap();
        assert!(order.starts_with("count=12\nfull=yes\n"), "{order}");
        assert!(order.contains(&format!("\ninit={}\n", peer.init)), "{order}");
        assert_eq!(peer.stop.is_empty(), peer.start.is_empty());
        assert!(!peer.off.is_empty() && !peer.about.is_empty());
    }
    assert!(PEERS[0].order(MANY).contains("full=no"));
}

#[test]
fn what_nobody_needs_is_left_out() {
    assert_eq!(
        text("systemd", &["usr/share/doc/systemd/NEWS"], "usr/share/doc/systemd/NEWS"),
        None
    );
}

#[test]
fn systemd_waits_within_a_chain_and_starts_nothing_else() {
    assert_snapshot!(text("systemd", &[], "etc/systemd/system/daemon-1.service").unwrap(), @r"
    [Unit]
    DefaultDependencies=no
    Conflicts=shutdown.target
    Before=shutdown.target
    Requires=daemon-0.service
    After=daemon-0.service

    [Service]
    Type=notify
    ExecStart=/bench/daemon 1
    Restart=always
    RestartSec=0
    ");
    let first = text("systemd", &[], "etc/systemd/system/daemon-10.service").unwrap();
    assert!(!first.contains("Requires"), "{first}");
    let wanted = "etc/systemd/system/bench.target.wants/daemon-11.service";
    assert_eq!(text("systemd", &[], wanted).unwrap(), "-> ../daemon-11.service");
    let generator = "usr/lib/systemd/system-generators/systemd-fstab-generator";
    let masked = "etc/systemd/system-generators/systemd-fstab-generator";
    assert_eq!(text("systemd", &[generator], masked).unwrap(), "-> /dev/null");
}

#[test]
fn finit_waits_for_the_condition_that_the_one_before_is_ready() {
    assert_snapshot!(text("finit", &[], "etc/finit.d/daemon-1.conf").unwrap(), @"service [2] name:daemon-1 notify:s6 respawn <!,service/daemon-0/ready> /bench/daemon 1 %n --");
    assert_eq!(text("finit", &["etc/finit.d/getty.conf"], "etc/finit.d/getty.conf"), None);
}

#[test]
fn runit_asks_whether_the_one_before_runs() {
    assert_snapshot!(text("runit", &[], "etc/sv/daemon-1/run").unwrap(), @r"
    #!/bin/sh
    sv start /etc/sv/daemon-0 >/dev/null || exit 1
    exec /bench/daemon 1
    ");
    assert_snapshot!(text("runit", &[], "etc/sv/daemon-10/run").unwrap(), @r"
    #!/bin/sh
    exec /bench/daemon 10
    ");
}

#[test]
fn s6_waits_for_the_event_and_is_told_by_a_descriptor() {
    assert_snapshot!(text("s6", &[], "bench/scan/daemon-1/run").unwrap(), @r"
    #!/usr/bin/execlineb -P
    if { s6-svwait -U ../daemon-0 }
    /bench/daemon 1 3
    ");
    assert_eq!(text("s6", &[], "bench/scan/daemon-1/notification-fd").unwrap(), "3\n");
}

#[test]
fn openrc_needs_the_one_before() {
    assert_snapshot!(text("openrc", &[], "etc/init.d/daemon-1").unwrap(), @r#"
    #!/usr/sbin/openrc-run
    supervisor=supervise-daemon
    command=/bench/daemon
    command_args=1
    depend() {
    	need daemon-0
    }
    "#);
    let wanted = text("openrc", &[], "etc/runlevels/default/daemon-1").unwrap();
    assert_eq!(wanted, "-> /etc/init.d/daemon-1");
}

#[test]
fn a_guest_tells_its_numbers_on_the_console_and_the_kernel_when_it_went_off() {
    let console = "bench: before=2000\nbench: ready=71\nbench: after=1900\nbench: crash=5\nbench: crash=4\n\
                   [   86.496086] bench: off\n[   86.500087] reboot: Power down";
    let lines: Vec<String> = console.lines().map(str::to_owned).collect();
    let expected = Measured {
        ready: 71,
        memory: Some((2000, 1900)),
        crash: vec![5, 4],
        cycle: vec![],
        off: 4_001_000,
    };
    assert_eq!(measured(&lines).unwrap(), expected);
    let (_, unfinished) = lines.split_last().unwrap();
    assert!(measured(unfinished).unwrap_err().to_string().contains("did not power off"));
    let failed = ["bench: failed=watch: daemon 9 did not come back".to_owned()];
    assert!(measured(&failed).unwrap_err().to_string().contains("did not come back"));
}

#[test]
fn the_table_shows_medians_and_memory_above_the_floor() {
    let guest = |ready, used: u64| Measured {
        ready,
        memory: Some((10_000, 10_000 - used)),
        crash: vec![9_000_000, 340_000, 350_000],
        cycle: vec![],
        off: 12_345_678,
    };
    let row = |name: &str, about: &str, guests: &[(u32, Measured)]| Row {
        name: name.to_owned(),
        about: about.to_owned(),
        guests: guests.iter().cloned().collect(),
        failed: vec![],
    };
    let mut rows = vec![
        row("floor", "nothing", &[(FULL, guest(41_000_000, 1024))]),
        row("ours 1", "all", &[(FULL, guest(71_000_000, 5120)), (MANY, guest(380_123_000, 9000))]),
    ];
    rows[1].failed.push("it was late".to_owned());
    assert_snapshot!(table(&rows), @r"
    | virtual ms | n=100 | n=500 | crash → ready again | stop + start by the tool | power-off of 100 | memory, n=100 |
    |---|---|---|---|---|---|---|
    | floor | 41.0 | – | 0.35 | – | 12.3 | 0.0 MiB |
    | ours 1 | 71.0 | 380 | 0.35 | – | 12.3 | 4.0 MiB |
    | dinit | – | – | – | – | – | – |
    | s6-rc | – | – | – | – | – | – |

    - floor: nothing
    - ours 1: all
    - ours 1: not measured: it was late
    - dinit: not measured: Debian has no package of it
    - s6-rc: not measured: Debian has no package of it
    ");
}
