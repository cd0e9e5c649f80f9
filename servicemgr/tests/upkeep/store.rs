//! Descriptors that a service leaves with us.

use super::*;

/// Stores a pipe with something in it; the next life reads it and says what it was passed.
const KEEPER: &str = r#"if (!$ENV{LISTEN_FDS}) { pipe(R, W); syswrite(W, "kept"); open(K, "<", $0);
        tell_("FDSTORE=1\nFDNAME=pipe\nFDPOLL=0", fileno R);
        tell_("FDSTORE=1\nFDNAME=pipe\nFDPOLL=0", fileno R);
        tell_("FDSTORE=1\nFDNAME=gone", fileno W); tell_("FDSTORE=1\nFDNAME=third", fileno W);
        tell_("FDSTOREREMOVE=1\nFDNAME=gone") }
    else { open(P, "<&=3"); sysread(P, $_, 100) }
    note($ENV{OUT}, "$ENV{FDSTORE} $ENV{LISTEN_FDS} $ENV{LISTEN_FDNAMES} $_\n");
    tell_("READY=1"); sleep 1000 while 1"#;

#[test]
fn what_a_service_stores_it_gets_back_until_it_is_stopped_for_good() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let (out, name) = path(&directory, "out");
    let script = KEEPER.replace(r#"open(K, "<", $0);"#, "");
    let mut keeper = perl("keeper", &script);
    keeper.environment.insert("OUT".into(), name);
    keeper.fd_store = 2;
    let device = boot(vec![keeper]);
    device.settled();
    assert_eq!(text(&out), "2   \n");
    device.kill_servicemgr();
    let pid = device.status("keeper").row.pid;
    sys::process::signal(u32::try_from(pid).expect("a process id"), 9).expect("it runs");
    device.until("the next life", || text(&out).lines().count() == 2);
    assert_eq!(text(&out).lines().last(), Some("2 1 pipe kept"));
    device.call(|s| async move { s.stop("keeper").await }).expect("stopped");
    device.call(|s| async move { s.start("keeper").await }).expect("started");
    assert_eq!(text(&out).lines().last(), Some("2   "));
}

#[test]
fn a_stored_socket_whose_other_side_hangs_up_is_dropped() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let (out, name) = path(&directory, "out");
    let script = r#"socketpair(A, B, AF_UNIX, SOCK_STREAM, 0); socketpair(C, D, AF_UNIX, SOCK_STREAM, 0);
        if (!$ENV{LISTEN_FDS}) { tell_("FDSTORE=1\nFDNAME=a", fileno A);
            tell_("FDSTORE=1\nFDNAME=c", fileno C); tell_("FDSTORE=1\nFDNAME=d", fileno D); close B }
        note($ENV{OUT}, "$ENV{LISTEN_FDNAMES}\n"); tell_("READY=1"); sleep 1000 while 1"#;
    let mut keeper = perl("keeper", script);
    keeper.environment.insert("OUT".into(), name);
    keeper.fd_store = 5;
    let device = boot(vec![keeper]);
    device.settled();
    device.call(|s| async move { s.restart("keeper").await }).expect("restarted");
    assert_eq!(text(&out), "\nc:d\n");
}
