//! The whole of `sd_notify`.

use std::time::Duration;

use api::services::State;
use model::service::Reload;

use super::*;

#[test]
fn a_service_that_reloads_is_waited_for_and_says_how_it_is() {
    let _one = ONE_AT_A_TIME.lock();
    let script = r#"$SIG{HUP} = sub { tell_("RELOADING=1\nMONOTONIC_USEC=1\nSTATUS=reading");
            tell_("READY=1\nSTATUS=read " . ++$n) };
        tell_("READY=1\nSTATUS=first\nERRNO=2"); sleep 100 while 1"#;
    let mut web = perl("web", script);
    (web.kind, web.commands.reload) = (Kind::NotifyReload, Some(Reload::Signal(1)));
    let device = boot(vec![web]);
    device.settled();
    assert_eq!(device.status("web").text, "first");
    for n in 1..4 {
        device.call(|s| async move { s.reload("web").await }).expect("reloaded");
        assert_eq!(device.status("web").text, format!("read {n}"));
        device.kill_servicemgr();
    }
    assert_eq!((state(&device, "web"), device.status("web").row.restarts), (State::Ready, 0));
}

#[test]
fn the_main_process_is_who_the_service_says_but_only_one_of_its_own() {
    let _one = ONE_AT_A_TIME.lock();
    let stranger = std::process::id();
    let script = format!(
        r#"tell_("MAINPID={stranger}"); my $child = fork;
        if (!$child) {{ sleep 1000; exit }}
        tell_("MAINPID=$child\nREADY=1"); POSIX::_exit(7)"#
    );
    let device = boot(vec![once(perl("web", &script))]);
    device.settled();
    let pid = device.status("web").row.pid;
    assert_ne!(pid, i32::try_from(stranger).expect("a process id"));
    device.kill_servicemgr();
    assert_eq!((state(&device, "web"), device.status("web").row.pid), (State::Ready, pid));
    sys::process::signal(u32::try_from(pid).expect("a process id"), 9).expect("it runs");
    device.until("the end of it", || state(&device, "web") == State::Failed);
    assert_eq!(device.status("web").last_exit, "killed by SIGKILL");
}

#[test]
fn who_sends_a_barrier_knows_that_all_before_it_was_heard() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let (out, name) = path(&directory, "out");
    let script = format!(
        r#"pipe(R, W); tell_("READY=1\nSTATUS=before"); tell_("BARRIER=1", fileno W); close W;
        sysread(R, $_, 1); note("{name}", "over"); sleep 1000"#
    );
    let device = boot(vec![perl("web", &script)]);
    device.until("the end of the wait", || text(&out) == "over");
    assert_eq!(
        (state(&device, "web"), device.status("web").text.as_str()),
        (State::Ready, "before")
    );
}

#[test]
fn a_sender_that_is_gone_before_it_is_heard_is_still_known() {
    let _one = ONE_AT_A_TIME.lock();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a kernel");
    let mut numbers = release.split(['.', '-']).filter_map(|n| n.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < (6, 16) || !groups() {
        return; // Older kernels forget who sent something, as docs/services.md tells.
    }
    let script = r#"for (1..3) { if (!fork) { tell_("STATUS=child $$"); POSIX::_exit(0) } wait }
        if (!fork) { tell_("READY=1"); POSIX::_exit(0) } sleep 1000 while 1"#;
    let all = (0..10).map(|n| once(perl(&format!("s{n}"), script)));
    let device = boot(all.collect());
    for _ in 0..5 {
        device.kill_servicemgr();
    }
    assert_eq!(device.settled().failed, []);
}

#[test]
fn a_service_that_stops_barking_is_aborted_and_starts_again() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let (out, name) = path(&directory, "out");
    let script = format!(
        r#"note("{name}", "$ENV{{WATCHDOG_USEC}}\n"); tell_("READY=1");
        for (1..10) {{ tell_("WATCHDOG=1"); select(undef, undef, undef, 0.1) }} sleep 1000"#
    );
    let mut dog = perl("dog", &script);
    dog.watchdog = Some(Duration::from_millis(500));
    let tired = once(perl("tired", r#"tell_("READY=1"); tell_("WATCHDOG=trigger"); sleep 1000"#));
    let mut still = perl("still", r#"tell_("READY=1\nWATCHDOG_USEC=0"); sleep 1000"#);
    still.watchdog = Some(Duration::from_millis(500));
    let device = boot(vec![dog, tired, still]);
    device.settled();
    device.until("a restart", || device.status("dog").row.restarts == 1);
    device.until("the second life", || text(&out) == "500000\n500000\n");
    device.until("the end of the tired", || state(&device, "tired") == State::Failed);
    assert!(device.status("tired").row.reason.contains("WATCHDOG=trigger"));
    assert_eq!(device.status("still").row.restarts, 0);
}

#[test]
fn a_slow_start_asks_for_time() {
    let _one = ONE_AT_A_TIME.lock();
    let script = r#"for (1..8) { tell_("EXTEND_TIMEOUT_USEC=1000000"); select(undef, undef, undef, 0.2) }
        tell_("READY=1"); sleep 1000"#;
    let mut slow = once(perl("slow", script));
    slow.start_timeout = Duration::from_secs(1);
    let device = boot(vec![slow]);
    assert_eq!(device.settled().ready, 1);
}

#[test]
fn a_line_on_the_descriptor_it_was_given_is_readiness_too() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let (gate, name) = path(&directory, "gate");
    let wait = format!("while [ ! -e {name} ]; do sleep 0.02; done");
    let mut services = Vec::new();
    for (n, number) in [3, 5, 1].into_iter().enumerate() {
        let script =
            format!("printf half >&{number}; {wait}; echo ready >&{number}; exec sleep 1000");
        let mut s = once(sh(&format!("s{n}"), &script));
        (s.kind, s.ready_fd) = (Kind::Notify, Some(number));
        services.push(s);
    }
    let device = boot(services);
    device.until("three starts", || (0..3).all(|n| device.status(&format!("s{n}")).row.pid > 0));
    device.kill_servicemgr();
    assert!((0..3).all(|n| state(&device, &format!("s{n}")) == State::Starting));
    fs::write(&gate, "").expect("the gate");
    device.kill_servicemgr();
    assert_eq!(device.settled().ready, 3);
}
