//! A real servicemgr with real processes: it starts them, loses them, dies and goes on.
//!
//! One test at a time, for each reaps every child of this process.

#[expect(dead_code, reason = "other tests need more of a device")]
mod device;
#[expect(dead_code, reason = "other tests need more plans")]
mod plans;

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use api::pid1::End;
use api::services::{Error, State, SystemState};
use device::Device;
use model::Plan;
use model::service::{Address, Kind, Output, RestartWhen, Service, Socket, SocketKind};
use plans::{name, service};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Says `READY=1`, with a status, and goes on for as long as any test takes.
const READY: &str = r#"use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0);
    send(S, "STATUS=at your service\nREADY=1", 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET}));
    sleep 1000"#;

fn sh(named: &str, script: &str) -> Service {
    let exec = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    Service { exec, output: Output::Null, ..service(named) }
}

fn sleeper(named: &str) -> Service {
    let exec = ["/bin/sleep", "1000"].map(str::to_owned).to_vec();
    Service { exec, output: Output::Null, ..service(named) }
}

fn notifier(named: &str) -> Service {
    let exec = ["/usr/bin/perl", "-e", READY].map(str::to_owned).to_vec();
    Service { exec, kind: Kind::Notify, output: Output::Null, ..service(named) }
}

fn boot(services: Vec<Service>) -> Device {
    Device::boot(&all_enabled(services))
}

fn all_enabled(services: Vec<Service>) -> Plan {
    let all: Vec<_> = services.iter().map(|s| s.name.clone()).collect();
    Plan::link("test 1", services, &all).expect("it links")
}

fn pids(device: &Device) -> Vec<(String, i32)> {
    let rows = device.call(|s| async move { s.list().await }).expect("a list");
    rows.into_iter().map(|r| (r.name, r.pid)).collect()
}

#[test]
fn services_start_in_order_and_tell_how_they_are() {
    let _one = ONE_AT_A_TIME.lock();
    let mut web = notifier("web");
    web.requires = vec![name("prepare")];
    let prepare = Service { kind: Kind::Oneshot, ..sh("prepare", "true") };
    let mut late = sleeper("late");
    late.requires = vec![name("web")];
    let device = boot(vec![web, prepare, late]);
    let system = device.settled();
    assert_eq!((system.state, system.ready, system.total), (SystemState::Ready, 3, 3));
    device.until("PID 1 hears of it", || device.seen().settled == 1);
    let status = device.status("web");
    assert_eq!((status.text.as_str(), status.kind.as_str()), ("at your service", "notify"));
    assert_eq!(status.required_by, ["late"]);
    assert_eq!(device.status("prepare").row.state, State::Done);
    let bars = device.call(|s| async move { s.boot().await }).expect("a chart");
    let order: Vec<_> = bars.iter().map(|b| (b.name.as_str(), b.waited_on.as_str())).collect();
    assert_eq!(order, [("prepare", ""), ("web", "prepare"), ("late", "web")]);
    assert!(bars.iter().all(|b| b.asked <= b.started && b.started <= b.ready));
}

#[test]
fn what_cannot_start_fails_with_a_reason_and_the_others_run() {
    let _one = ONE_AT_A_TIME.lock();
    let never = |mut s: Service| {
        s.restart.when = RestartWhen::Never;
        s
    };
    let missing = never(Service { exec: vec!["/nowhere/x".into()], ..sleeper("missing") });
    let stranger = never(Service { user: Some("nobody-here".into()), ..sleeper("stranger") });
    let user = Service { requires: vec![name("missing")], ..sleeper("user") };
    let crash = never(Service { kind: Kind::Oneshot, ..sh("crash", "kill -SEGV $$") });
    let astray = never(Service { directory: Some("/nowhere".into()), ..sleeper("astray") });
    let device = boot(vec![missing, stranger, user, crash, astray, sleeper("fine")]);
    let system = device.settled();
    assert_eq!(system.state, SystemState::Degraded);
    let told: Vec<String> =
        system.failed.iter().map(|f| format!("{}: {}", f.name, f.reason)).collect();
    assert_eq!(
        told,
        [
            "astray: directory /nowhere: No such file or directory (os error 2)",
            "crash: killed by SIGSEGV",
            "missing: /nowhere/x: No such file or directory (os error 2)",
            "stranger: user nobody-here: not in /etc/passwd: add it to [[user]]",
            "user: requires missing, which failed: /nowhere/x: No such file or directory (os error 2)",
        ]
    );
    assert_eq!(device.status("fine").row.state, State::Ready);
    let missing = device.call(|s| async move { s.start("user").await });
    assert!(matches!(&missing, Err(Error::Failed(why)) if why.starts_with("requires missing")));
    let unknown = device.call(|s| async move { s.start("nothing").await });
    assert!(matches!(unknown, Err(Error::NoSuchService(_))));
}

#[test]
fn who_says_ready_and_ends_at_once_was_ready() {
    let _one = ONE_AT_A_TIME.lock();
    let brief = READY.replace("sleep 1000", "exit 0");
    let exec = ["/usr/bin/perl", "-e", &brief].map(str::to_owned).to_vec();
    let all = (0..20).map(|n| {
        let exec = exec.clone();
        Service { exec, kind: Kind::Notify, output: Output::Null, ..service(&format!("s{n}")) }
    });
    let device = boot(all.collect());
    let system = device.settled();
    assert_eq!(system.failed, []);
    device.until("the end of all", || pids(&device).iter().all(|(_, pid)| *pid == 0));
    assert!((0..20).all(|n| device.status(&format!("s{n}")).row.state == State::Off));
}

#[test]
fn a_crash_is_repaired_and_a_stop_is_final() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(vec![sleeper("a")]);
    device.settled();
    let before = device.status("a").row.pid;
    sys::process::signal(u32::try_from(before).expect("a process id"), 9).expect("it runs");
    device.until("restart", || {
        let row = device.status("a").row;
        row.state == State::Ready && row.pid != before && row.restarts == 1
    });
    assert_eq!(device.status("a").last_exit, "killed by SIGKILL");
    device.call(|s| async move { s.stop("a").await }).expect("stopped");
    assert_eq!(device.status("a").row.state, State::Off);
    device.call(|s| async move { s.start("a").await }).expect("started");
    assert!(device.status("a").row.pid > 0);
}

#[test]
fn the_device_goes_down_in_order_and_processes_left_behind_end_too() {
    let _one = ONE_AT_A_TIME.lock();
    let mut stubborn = sh("stubborn", "trap '' TERM; sleep 1000 & while :; do sleep 1; done");
    stubborn.stop_timeout = std::time::Duration::from_millis(300);
    let device = boot(vec![sleeper("a"), stubborn]);
    device.settled();
    device.ask(End::Reboot);
    device.until("end", || device.seen().ended == Some(End::Reboot));
    let system = device.call(|s| async move { s.system().await }).expect("a system");
    assert_eq!(system.state, SystemState::Stopping);
    let late = device.call(|s| async move { s.start("a").await });
    assert!(matches!(late, Err(Error::GoingDown(_))));
}

#[test]
fn sockets_are_open_before_their_service_runs_and_stay_open_while_it_does_not() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("echo.sock");
    let script = r#"open(S, "<&=3"); recv(S, $m, 100, 0); open(O, ">", $ARGV[0]);
        print O "$m $ENV{LISTEN_FDNAMES} ", $ENV{LISTEN_PID} == $$; close O"#;
    let out = directory.path().join("out");
    let mut echo = service("echo");
    echo.exec = ["/usr/bin/perl", "-MSocket", "-e", script, &out.display().to_string()]
        .map(str::to_owned)
        .to_vec();
    echo.output = Output::Null;
    echo.sockets = vec![Socket {
        name: name("words"),
        address: Address::Path(path.display().to_string()),
        kind: SocketKind::Datagram,
        mode: 0o666,
        user: None,
        backlog: 1,
        accept: false,
    }];
    let device = boot(vec![echo]);
    device.settled();
    let client = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
    client.send_to(b"hello", &path).expect("it listens");
    device.until("answer", || fs::read_to_string(&out).is_ok_and(|t| t == "hello words 1"));
    device.until("end", || device.status("echo").row.state == State::Off);
    client.send_to(b"again", &path).expect("it still listens");
    device.call(|s| async move { s.start("echo").await }).expect("started");
    device.until("answer", || fs::read_to_string(&out).is_ok_and(|t| t == "again words 1"));
}

#[test]
fn fifty_services_do_not_notice_a_hundred_deaths_of_servicemgr() {
    let _one = ONE_AT_A_TIME.lock();
    let mut services = Vec::new();
    for i in 0..50 {
        let mut s = sleeper(&format!("s{i:02}"));
        if i % 10 != 0 {
            s.requires = vec![name(&format!("s{:02}", i - 1))];
        }
        services.push(s);
    }
    let device = boot(services);
    assert_eq!(device.settled().ready, 50);
    let before = pids(&device);
    assert!(before.iter().all(|(_, pid)| *pid > 0));
    for _ in 0..100 {
        device.kill_servicemgr();
    }
    let system = device.settled();
    assert_eq!((system.state, system.ready), (SystemState::Ready, 50));
    assert!(system.generation > 100);
    assert_eq!(pids(&device), before);
    let victim = before.first().expect("fifty").1;
    sys::process::signal(u32::try_from(victim).expect("a process id"), 9).expect("it runs");
    device.kill_servicemgr();
    device.until("repair", || pids(&device).iter().all(|(_, pid)| *pid > 0 && *pid != victim));
    device.until("acknowledgement", || device.seen().unacknowledged == 0);
}

/// Thirty services in chains of ten, each of which writes its process id to a file of its name.
fn diarists(directory: &Path) -> Plan {
    let mut services = Vec::new();
    for i in 0..30 {
        let out = directory.join(format!("{i:02}"));
        let script = format!("echo $$ >> {}; exec sleep 1000", out.display());
        let mut s = sh(&format!("s{i:02}"), &script);
        if i % 10 != 0 {
            s.requires = vec![name(&format!("s{:02}", i - 1))];
        }
        services.push(s);
    }
    all_enabled(services)
}

fn each_was_started_once(device: &Device, directory: &Path) {
    assert_eq!(device.settled().ready, 30);
    for (i, (_, pid)) in pids(device).into_iter().enumerate() {
        let diary = || fs::read_to_string(directory.join(format!("{i:02}"))).unwrap_or_default();
        device.until("diary", || !diary().is_empty());
        assert_eq!(diary().trim(), pid.to_string(), "service {i} was started once");
    }
}

#[test]
fn a_servicemgr_that_dies_again_and_again_during_the_boot_starts_nothing_twice() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let device = Device::boot(&diarists(directory.path()));
    for _ in 0..20 {
        device.kill_servicemgr();
    }
    each_was_started_once(&device, directory.path());
}

#[test]
fn without_control_groups_it_is_the_same() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let device = Device::boot_without_groups(&diarists(directory.path()));
    for _ in 0..20 {
        device.kill_servicemgr();
    }
    each_was_started_once(&device, directory.path());
    device.call(|s| async move { s.restart("s25").await }).expect("restarted");
    assert_eq!(device.settled().ready, 30);
    device.ask(End::PowerOff);
    device.until("end", || device.seen().ended == Some(End::PowerOff));
}

#[test]
fn no_readiness_is_lost_when_servicemgr_dies_while_it_is_told() {
    let _one = ONE_AT_A_TIME.lock();
    let mut services = Vec::new();
    for i in 0..20 {
        let mut s = notifier(&format!("s{i:02}"));
        if i % 5 != 0 {
            s.requires = vec![name(&format!("s{:02}", i - 1))];
        }
        services.push(s);
    }
    let device = boot(services);
    for _ in 0..30 {
        device.kill_servicemgr();
    }
    let system = device.settled();
    assert_eq!((system.state, system.ready), (SystemState::Ready, 20));
    let rows = device.call(|s| async move { s.list().await }).expect("a list");
    assert!(rows.iter().all(|r| r.restarts == 0), "{rows:?}");
}

#[test]
fn without_its_state_it_ends_what_runs_and_starts_afresh() {
    let _one = ONE_AT_A_TIME.lock();
    if sys::process::user() != 0 {
        return; // Groups need root here; the container ring runs this as root.
    }
    let device = boot(vec![sleeper("a"), sleeper("b")]);
    device.settled();
    let before = pids(&device);
    device.forget_state();
    device.kill_servicemgr();
    let system = device.settled();
    assert_eq!((system.state, system.ready), (SystemState::Ready, 2));
    let after = pids(&device);
    for ((name, old), (_, new)) in before.iter().zip(&after) {
        assert_ne!(old, new, "{name} is a new one");
        device.until("end of the old one", || {
            !sys::process::exists(u32::try_from(*old).expect("a process id"))
        });
    }
}

#[test]
fn without_a_journal_that_works_nobody_blocks_on_a_full_pipe() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("out");
    let mut journal = sh("journal", "exit 3");
    journal.kind = Kind::Oneshot;
    journal.restart.when = RestartWhen::Never;
    let script = format!("yes | head -c 500000; echo done >> {}; exec sleep 1000", out.display());
    let chatty = Service { output: Output::Journal, ..sh("chatty", &script) };
    let device = boot(vec![journal, chatty]);
    let times = || fs::read_to_string(&out).unwrap_or_default().lines().count();
    device.until("end of its speech", || times() == 1);
    assert_eq!(device.settled().state, SystemState::Degraded);
    device.kill_servicemgr();
    device.call(|s| async move { s.restart("chatty").await }).expect("restarted");
    device.until("end of its second speech", || times() == 2);
}

#[test]
fn nobody_waits_at_the_sockets_of_a_journal_that_is_off() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("native.sock");
    let mut journal = sh("journal", "exit 3");
    journal.kind = Kind::Oneshot;
    journal.restart.when = RestartWhen::Never;
    journal.sockets = vec![Socket {
        name: name("native"),
        address: Address::Path(path.display().to_string()),
        kind: SocketKind::Datagram,
        mode: 0o600,
        user: None,
        backlog: 1,
        accept: false,
    }];
    let device = boot(vec![journal]);
    device.settled();
    let client = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
    client.set_write_timeout(Some(device::PATIENCE)).expect("a socket");
    // More than may wait at any socket.
    for _ in 0..5000 {
        client.send_to(b"MESSAGE=x", &path).expect("somebody takes it away");
    }
}

#[test]
fn a_hostile_client_is_hung_up_on_and_nobody_else_notices() {
    use std::io::{Read, Write};
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(vec![sleeper("a")]);
    device.settled();
    let hello = b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n";
    let long = [&hello[..], b"l\x01\0\x01\0\0\0\x07\x01\0\0\0\0\0\0\0"].concat();
    let clients = [&b"\n"[..], b"\0\n", b"\0AUTH EXTERNAL 30\r\n\r\n\n\n", b"\0BEGIN\r\n", &long];
    // More than there may be at a time.
    for bytes in clients.iter().cycle().take(150) {
        let path = device.path("services.sock");
        let mut client = std::os::unix::net::UnixStream::connect(path).expect("a server");
        client.write_all(bytes).expect("room");
        client.shutdown(std::net::Shutdown::Write).expect("a socket");
        // Whatever it answers, it hangs up in the end.
        let _reset = client.read_to_end(&mut Vec::new());
    }
    assert_eq!(device.settled().generation, 1);
    assert_eq!(device.seen().lives, 1);
}
