//! The built `init` as PID 1 of real namespaces, with a servicemgr that tells what it sees.
//!
//! Needs user namespaces and unshare(1); fails where they are missing.

use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;

/// Keeps the host's files and control groups out of reach, then becomes PID 1. The programs are
/// copied first: what is mounted here, and `/tmp` by PID 1, may hide where they were built.
const WRAP: &str = "exec 3<\"$INIT\" 4<\"$FAKE\"
    for at in /mnt /var /sys/fs/cgroup /etc; do mount -t tmpfs tmpfs $at || exit 9; done
    cat <&3 >/mnt/init; cat <&4 >/mnt/fake; chmod 755 /mnt/init /mnt/fake
    export ENSEMBLE_SERVICEMGR=/mnt/fake
    exec /mnt/init 3<&- 4<&-";

/// Runs a story of `examples/fake_servicemgr.rs`. Gives its output, then what PID 1 said that
/// matters, then the exit status.
fn told(story: &str) -> std::io::Result<String> {
    let init = env!("CARGO_BIN_EXE_init");
    let fake = Path::new(init).with_file_name("examples").join("fake_servicemgr");
    assert!(fake.exists(), "build {} first: cargo test -p init", fake.display());
    let output = Command::new("unshare")
        .args(["-Urpfmiun", "--kill-child", "--mount-proc", "sh", "-c", WRAP])
        .env("INIT", init)
        .env("container", story)
        .env("FAKE", fake)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    // How fast this machine is decides whether it pauses after a kill.
    let matters = |line: &&str| line.contains("servicemgr") && !line.contains("signal 9");
    let said: String = said.lines().filter(matters).map(|l| format!("{l}\n")).collect();
    let told = String::from_utf8_lossy(&output.stdout);
    Ok(format!("{told}{said}{:?}", output.status.code()))
}

#[test]
fn nothing_is_lost_when_servicemgr_is_killed() {
    assert_snapshot!(told("handover").unwrap(), @"
    generation 1, 0 held, 0 exits
    generation 2, 1 held, 0 exits
    log/web: written before the kill
    web ended: Status(7)
    generation 3, 1 held, 1 exits
    log/web: 
    web ended: Status(7)
    asked to power off, wants a reboot
    Some(133)
    ");
}

#[test]
fn servicemgr_killed_in_a_loop_always_comes_back_and_finds_all_it_left() {
    assert!(told("killed-in-a-loop").unwrap().starts_with("generation 31 holds 30\n"));
}

#[test]
fn a_servicemgr_that_closed_its_socket_is_replaced() {
    assert_snapshot!(told("deaf").unwrap(), @"
    generation 2
    ensemble-init: servicemgr closed its socket and goes on: killing it, another one goes on
    Some(0)
    ");
}

#[test]
fn a_container_whose_servicemgr_only_crashes_ends_with_a_failure() {
    assert_snapshot!(told("crash").unwrap(), @"
    ensemble-init: servicemgr: it ended (status 1): starting it again at once
    ensemble-init: servicemgr: it ended (status 1): starting it again in 100 ms
    ensemble-init: servicemgr: it ended (status 1): starting it again in 200 ms
    ensemble-init: servicemgr: it ended (status 1): starting it again in 400 ms
    ensemble-init: servicemgr: it ended (status 1): starting it again in 800 ms
    ensemble-init: servicemgr: it ended (status 1): starting it again in 1600 ms
    ensemble-init: servicemgr: it ended (status 1): starting it again in 3200 ms
    ensemble-init: servicemgr cannot run: it ended (status 1): the container ends
    Some(1)
    ");
}
