//! Commands around the main process, and freezing it.

use std::time::Duration;

use api::services::{Error, State};
use model::service::Reload;

use super::*;

fn script(text: &str) -> Vec<String> {
    words(&["/bin/sh", "-c", text])
}

fn commands_run_in_order(boot: impl Fn(Vec<Service>) -> Device) {
    let directory = tempfile::tempdir().expect("a directory");
    let (out, name) = path(&directory, "out");
    let note = |what: &str| script(&format!("echo {what} >> {name}"));
    let mut web = sh("web", &format!("echo main $$ >> {name}; exec sleep 1000"));
    web.commands.before_start = vec![note("before 1 $ENSEMBLE_COMMAND"), note("before 2")];
    web.commands.after_start = vec![script(&format!("sleep 0.2; echo after $MAINPID >> {name}"))];
    web.commands.reload = Some(Reload::Command(note("reload $MAINPID")));
    web.commands.stop = vec![note("stop $MAINPID"), script("kill $MAINPID")];
    web.commands.after_stop = vec![note("over $ENSEMBLE_COMMAND")];
    let device = boot(vec![web]);
    assert_eq!(device.settled().ready, 1);
    let pid = device.status("web").row.pid;
    device.call(|s| async move { s.reload("web").await }).expect("reloaded");
    device.call(|s| async move { s.stop("web").await }).expect("stopped");
    let all = text(&out).replace(&pid.to_string(), "PID");
    assert_eq!(
        all,
        "before 1 before-start\nbefore 2\nmain PID\nafter PID\nreload PID\nstop PID\n\
         over after-stop\n"
    );
}

#[test]
fn commands_run_around_the_main_process_in_order() {
    let _one = ONE_AT_A_TIME.lock();
    commands_run_in_order(boot);
}

#[test]
fn without_control_groups_commands_run_in_order_too() {
    let _one = ONE_AT_A_TIME.lock();
    commands_run_in_order(boot_without_groups);
}

#[test]
fn a_command_that_fails_is_named_in_the_reason() {
    let _one = ONE_AT_A_TIME.lock();
    let before = |command: &[&str], named: &str| {
        let mut s = once(sleeper(named));
        s.commands.before_start = vec![words(command)];
        s
    };
    let mut late = once(sleeper("late"));
    late.commands.before_start = vec![words(&["/bin/sleep", "1000"])];
    late.start_timeout = Duration::from_millis(300);
    let mut deaf = sleeper("deaf");
    deaf.commands.reload = Some(Reload::Command(words(&["/bin/false"])));
    let services =
        vec![before(&["/bin/false"], "bad"), before(&["/nowhere/x"], "missing"), late, deaf];
    let device = boot(services);
    device.settled();
    let reason = |name: &str| device.status(name).row.reason;
    assert_eq!(reason("bad"), "its command before the start failed: /bin/false: exit status 1");
    assert_eq!(
        reason("missing"),
        "its command before the start failed: /nowhere/x: No such file or directory (os error 2)"
    );
    assert!(reason("late").contains("300ms"), "{}", reason("late"));
    device.until("the end of all processes", || device.status("late").pids.is_empty());
    let refused = device.call(|s| async move { s.reload("deaf").await });
    assert!(
        matches!(&refused, Err(Error::Failed(why)) if why.contains("/bin/false: exit status 1")),
        "{refused:?}"
    );
    assert_eq!(state(&device, "deaf"), State::Ready);
}

fn none_runs_twice(boot: impl Fn(Vec<Service>) -> Device) {
    let directory = tempfile::tempdir().expect("a directory");
    let (out, name) = path(&directory, "out");
    let mut services = Vec::new();
    for n in 0..5 {
        let mut s = once(sleeper(&format!("s{n}")));
        let note = |word: &str| script(&format!("echo {n} {word} >> {name}; sleep 0.3"));
        s.commands.before_start = vec![note("a"), note("b")];
        s.commands.after_start = vec![note("c")];
        services.push(s);
    }
    let device = boot(services);
    for _ in 0..15 {
        device.kill_servicemgr();
    }
    assert_eq!(device.settled().ready, 5);
    let mut lines: Vec<String> = text(&out).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    let all: Vec<String> =
        (0..5).flat_map(|n| ["a", "b", "c"].map(|word| format!("{n} {word}"))).collect();
    assert_eq!(lines, all);
}

#[test]
fn a_command_goes_on_when_servicemgr_dies_and_none_runs_twice() {
    let _one = ONE_AT_A_TIME.lock();
    none_runs_twice(boot);
}

#[test]
fn without_control_groups_no_command_runs_twice_either() {
    let _one = ONE_AT_A_TIME.lock();
    none_runs_twice(boot_without_groups);
}

#[test]
fn a_service_is_asked_to_end_by_its_own_signal() {
    let _one = ONE_AT_A_TIME.lock();
    let script = "trap 'exit 0' INT; trap '' TERM; while :; do sleep 0.05; done";
    let mut polite = once(sh("polite", script));
    polite.commands.stop_signal = 2;
    let device = boot(vec![polite]);
    device.settled();
    device.call(|s| async move { s.stop("polite").await }).expect("stopped");
    assert_eq!(device.status("polite").last_exit, "exit status 0");
}

fn stands_still_until_thawed(boot: impl Fn(Vec<Service>) -> Device) {
    let directory = tempfile::tempdir().expect("a directory");
    let (out, name) = path(&directory, "out");
    let device = boot(vec![sh("busy", &format!("while :; do echo x >> {name}; sleep 0.01; done"))]);
    device.settled();
    device.until("work", || !text(&out).is_empty());
    device.call(|s| async move { s.freeze("busy").await }).expect("frozen");
    let standing = || {
        let before = text(&out).len();
        // No child that sleeps: this process reaps all children, as a PID 1 does.
        let began = sys::clock::monotonic();
        while sys::clock::monotonic().saturating_sub(began) < Duration::from_millis(100) {
            device::nap();
        }
        text(&out).len() == before
    };
    device.until("standstill", standing);
    device.kill_servicemgr();
    assert!(standing());
    device.call(|s| async move { s.thaw("busy").await }).expect("thawed");
    device.until("work", || !standing());
    device.call(|s| async move { s.freeze("busy").await }).expect("frozen");
    device.call(|s| async move { s.stop("busy").await }).expect("stopped all the same");
}

#[test]
fn a_frozen_service_stands_still_until_it_is_thawed() {
    let _one = ONE_AT_A_TIME.lock();
    stands_still_until_thawed(boot);
}

#[test]
fn without_control_groups_a_frozen_service_stands_still_too() {
    let _one = ONE_AT_A_TIME.lock();
    stands_still_until_thawed(boot_without_groups);
}
