//! Conditions, credentials, and the last word of a critical service.

use std::os::unix::fs::PermissionsExt;

use api::pid1::End;
use api::services::State;
use model::service::{Check, Condition, Credential, CredentialSource, Critical};

use super::*;

#[test]
fn a_service_whose_condition_does_not_hold_is_skipped_and_the_others_go_on() {
    let _one = ONE_AT_A_TIME.lock();
    let not_here = |what: Check| vec![Condition { what, not: false }];
    let mut skipped = sleeper("skipped");
    skipped.conditions = not_here(Check::Path("/nowhere".into()));
    let mut prepared = sleeper("prepared");
    prepared.conditions = not_here(Check::Executable("/nowhere".into()));
    prepared.commands.before_start = vec![words(&["/bin/false"])];
    let mut user = sleeper("user");
    user.requires = vec![name("prepared"), name("skipped")];
    user.conditions = not_here(Check::Path("/proc".into()));
    let device = boot(vec![skipped, prepared, user]);
    let system = device.settled();
    assert_eq!((system.failed.clone(), system.ready), (Vec::new(), 3));
    assert_eq!((state(&device, "skipped"), state(&device, "user")), (State::Skipped, State::Ready));
    assert_eq!(device.status("skipped").row.pid, 0);
    assert!(device.status("skipped").row.reason.contains("there is no /nowhere"));
}

#[test]
fn credentials_are_there_while_the_service_is() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let (out, name) = path(&directory, "out");
    let (secret, source) = path(&directory, "secret");
    fs::write(&secret, "s3cret").expect("a file");
    let script = format!("cd $CREDENTIALS_DIRECTORY; cat key port > {name}; exec sleep 1000");
    let mut web = sh("web", &script);
    let credential = |name: &str, source| Credential { name: name.into(), source };
    web.credentials = vec![
        credential("key", CredentialSource::Path(source)),
        credential("port", CredentialSource::Text(":80".into())),
    ];
    let mut bad = once(sleeper("bad"));
    bad.credentials = vec![credential("key", CredentialSource::Path("/nowhere".into()))];
    let device = boot(vec![web, bad]);
    device.settled();
    device.until("the content", || text(&out) == "s3cret:80");
    let place = device.path("credentials/web");
    let mode = fs::metadata(&place).expect("a directory").permissions().mode();
    assert_eq!(mode & 0o7777, 0o500);
    device.kill_servicemgr();
    assert!(place.exists());
    assert_eq!(
        device.status("bad").row.reason,
        "credential key: /nowhere: No such file or directory (os error 2)"
    );
    device.call(|s| async move { s.stop("web").await }).expect("stopped");
    assert!(!place.exists());
}

#[test]
fn a_critical_service_that_fails_too_often_leaves_word_and_takes_the_device_down() {
    let _one = ONE_AT_A_TIME.lock();
    let mut heart = sh("heart", "exit 3");
    heart.critical = Some(Critical { limit: 2, ..Critical::default() });
    heart.restart.delay = std::time::Duration::from_millis(10);
    let device = boot(vec![heart, sleeper("other")]);
    device.until("the end", || device.seen().ended == Some(End::Reboot));
    let word = text(&device.path("last-reboot"));
    assert!(word.contains("Z heart: ") && word.ends_with("exit status 3\n"), "{word}");
    assert_eq!(word.lines().count(), 1);
}
