//! The control group of a service from one life to the next.

use super::*;

/// The number of a service's group, where there are groups.
fn number(device: &Device, named: &str) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(fs::metadata(device.group(named)?).expect("it runs in its group").ino())
}

/// Kills a service and waits for its next life.
fn crash(device: &Device, named: &str) {
    let before = device.status(named).row;
    let pid = u32::try_from(before.pid).expect("a process id");
    sys::process::signal(pid, 9).expect("it runs");
    device.until("the next life", || {
        let row = device.status(named).row;
        row.restarts > before.restarts && row.state == State::Ready
    });
}

fn again(mut service: Service) -> Service {
    service.restart.when = RestartWhen::Always;
    service.restart.delay = std::time::Duration::ZERO;
    service
}

#[test]
fn a_service_that_crashes_begins_its_next_life_in_its_group() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(vec![again(sleeper("web"))]);
    device.settled();
    let first = number(&device, "web");
    crash(&device, "web");
    crash(&device, "web");
    assert_eq!(number(&device, "web"), first);
    assert_eq!(device.status("web").pids, [device.status("web").row.pid]);
}

#[test]
fn the_group_of_a_service_that_was_stopped_waits_a_while_for_its_next_life() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(vec![sleeper("web")]);
    device.settled();
    let first = number(&device, "web");
    device.call(|s| async move { s.stop("web").await }).expect("it stops");
    device.call(|s| async move { s.start("web").await }).expect("it starts");
    assert_eq!(number(&device, "web"), first);
    device.call(|s| async move { s.stop("web").await }).expect("it stops");
    device.until("nobody needs it any more", || {
        device.group("web").is_none_or(|group| !group.exists())
    });
}

#[test]
fn a_group_that_was_used_for_more_is_not_used_again() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(vec![again(sleeper("still")), again(sleeper("deep")), again(sleeper("old"))]);
    device.settled();
    let of_all = || ["still", "deep", "old"].map(|named| number(&device, named));
    let before = of_all();
    device.call(|s| async move { s.freeze("still").await }).expect("it freezes");
    device.call(|s| async move { s.thaw("still").await }).expect("it goes on");
    if let Some(group) = device.group("deep") {
        fs::create_dir(group.join("below")).expect("a group below");
    }
    crash(&device, "still");
    crash(&device, "deep");
    device.kill_servicemgr();
    crash(&device, "old");
    let after = of_all();
    assert!(before.iter().zip(&after).all(|(a, b)| a.is_none() || a != b), "{before:?} {after:?}");
}
