//! Processes that run and end while servicemgr dies.

use super::*;

/// Services that all start in one step, so that their processes are noted together.
const MANY: usize = 150;

/// Each notes that it ran, and ends; every third by a command before its start.
fn brief(out: &str) -> Plan {
    let one = |n: usize| {
        let mut s = once(sh(&format!("s{n:03}"), &format!("echo main {n:03} >> {out}")));
        s.kind = Kind::Oneshot;
        if n.is_multiple_of(3) {
            let note = format!("echo before {n:03} >> {out}");
            s.commands.before_start = vec![words(&["/bin/sh", "-c", &note])];
        }
        s
    };
    let services: Vec<Service> = (0..MANY).map(one).collect();
    let all: Vec<_> = services.iter().map(|s| s.name.clone()).collect();
    Plan::link("test 1", services, &all).expect("it links")
}

fn each_ran_once(boot: impl Fn(&Plan) -> Device) {
    let directory = tempfile::tempdir().expect("a directory");
    let (out, name) = path(&directory, "out");
    let device = boot(&brief(&name));
    device.until("the first", || !text(&out).is_empty());
    for _ in 0..10 {
        device.kill_servicemgr();
    }
    let system = device.settled();
    let failed: Vec<String> =
        system.failed.iter().map(|f| format!("{}: {}", f.name, f.reason)).collect();
    assert_eq!((failed, system.ready), (Vec::new(), u32::try_from(MANY).expect("small")));
    let mut lines: Vec<String> = text(&out).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    let before = (0..MANY).filter(|n| n.is_multiple_of(3)).map(|n| format!("before {n:03}"));
    let all: Vec<String> = before.chain((0..MANY).map(|n| format!("main {n:03}"))).collect();
    assert_eq!(lines, all);
}

#[test]
fn what_ran_and_ended_before_it_was_written_down_does_not_run_again() {
    let _one = ONE_AT_A_TIME.lock();
    each_ran_once(Device::boot);
}

#[test]
fn without_control_groups_it_does_not_either() {
    let _one = ONE_AT_A_TIME.lock();
    each_ran_once(Device::boot_without_groups);
}
