//! Daemons that fork and leave a pid file, or none.

use std::time::Duration;

use api::services::State;

use super::*;

/// Forks twice, as daemons do; the daemon writes `$FILE` after `$WAIT` seconds, without closing it.
const DAEMON: &str = r#"exit 0 if fork; POSIX::setsid(); exit 0 if fork; $SIG{HUP} = 'IGNORE';
    select(undef, undef, undef, $ENV{WAIT});
    if ($ENV{FILE}) { open(F, ">", $ENV{FILE}); F->autoflush(1); print F "$$\n" }
    sleep 1000 while 1"#;

fn daemon(named: &str, file: Option<&str>, wait: &str) -> Service {
    let exec = words(&["/usr/bin/perl", "-MPOSIX", "-MIO::Handle", "-e", DAEMON]);
    let mut s = once(Service { exec, kind: Kind::Forking, output: Output::Null, ..service(named) });
    s.environment.insert("WAIT".into(), wait.into());
    s.environment.extend(file.map(|file| ("FILE".to_owned(), file.to_owned())));
    s.pid_file = file.map(str::to_owned);
    s
}

fn the_daemon_is_the_main_process(boot: impl Fn(Vec<Service>) -> Device) {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, name) = path(&directory, "run/deep/pid");
    let (_, other) = path(&directory, "own.pid");
    let script = format!(
        "mkdir -p {} && perl -MPOSIX -MIO::Handle -e '{}'",
        directory.path().join("run/deep").display(),
        DAEMON.replace('\'', "\"")
    );
    let slow =
        Service { exec: words(&["/bin/sh", "-c", &script]), ..daemon("slow", Some(&name), "0.3") };
    let services = vec![slow, daemon("own", Some(&other), "0"), daemon("plain", None, "0")];
    let device = boot(services);
    for _ in 0..3 {
        device.kill_servicemgr();
    }
    let system = device.settled();
    assert_eq!((system.failed.clone(), system.ready), (Vec::new(), 3));
    let pid = device.status("slow").row.pid;
    assert_eq!(text(&file).trim(), pid.to_string());
    device.kill_servicemgr();
    assert_eq!(device.status("slow").row.pid, pid);
    for name in ["slow", "plain"] {
        let pid = device.status(name).row.pid;
        sys::process::signal(u32::try_from(pid).expect("a process id"), 9).expect("it runs");
        device.until("the end", || state(&device, name) == State::Failed);
        assert_eq!(device.status(name).last_exit, "killed by SIGKILL");
    }
    device.call(|s| async move { s.stop("own").await }).expect("stopped");
    assert_eq!(device.status("own").last_exit, "killed by SIGTERM");
}

#[test]
fn the_daemon_that_is_left_behind_is_the_main_process() {
    let _one = ONE_AT_A_TIME.lock();
    the_daemon_is_the_main_process(boot);
}

#[test]
fn without_control_groups_the_daemon_is_found_too() {
    let _one = ONE_AT_A_TIME.lock();
    the_daemon_is_the_main_process(boot_without_groups);
}

#[test]
fn a_stale_pid_file_and_a_strangers_number_are_not_believed() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let me = std::process::id().to_string();
    let (file, name) = path(&directory, "stale");
    fs::write(&file, &me).expect("a file");
    let (_, alien) = path(&directory, "alien");
    let mut liar = daemon("liar", Some(&alien), "0");
    let script = format!("echo {me} > {alien}; sleep 1000 & exit 0");
    liar.exec = words(&["/bin/sh", "-c", &script]);
    liar.start_timeout = Duration::from_millis(800);
    let device = boot(vec![daemon("late", Some(&name), "0.4"), liar]);
    device.settled();
    assert_eq!(device.status("late").row.pid.to_string(), text(&file).trim());
    assert_ne!(text(&file).trim(), me);
    assert_eq!(device.status("liar").row.reason, "not ready within 800ms");
    device.until("the end of the liar", || device.status("liar").pids.is_empty());
}

fn a_start_without_a_daemon_fails(boot: impl Fn(Vec<Service>) -> Device) {
    let forking =
        |named: &str, script: &str| Service { kind: Kind::Forking, ..once(sh(named, script)) };
    let mut lost = forking("lost", "sleep 0.2 & exit 0");
    lost.pid_file = Some("/nowhere/at/all".into());
    let device = boot(vec![forking("bad", "exit 3"), forking("empty", "exit 0"), lost]);
    device.settled();
    let reason = |name: &str| device.status(name).row.reason;
    assert_eq!(reason("bad"), "exit status 3");
    assert_eq!(reason("empty"), "ended before it was ready");
    assert_eq!(reason("lost"), "ended before it was ready");
}

#[test]
fn a_starter_that_fails_or_leaves_nobody_fails_the_start() {
    let _one = ONE_AT_A_TIME.lock();
    a_start_without_a_daemon_fails(boot);
}

#[test]
fn without_control_groups_a_start_without_a_daemon_fails_too() {
    let _one = ONE_AT_A_TIME.lock();
    a_start_without_a_daemon_fails(boot_without_groups);
}
