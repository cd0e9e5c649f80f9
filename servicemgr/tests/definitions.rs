//! Definitions that change while the device runs, and services that are in no plan.
//!
//! One test at a time, for each reaps every child of this process.

#[expect(dead_code, reason = "other tests need more of a device")]
mod device;
#[expect(dead_code, reason = "other tests need more plans")]
mod plans;

use std::fs;
use std::sync::Mutex;

use api::services::{Change, Error, MAX_DEFINITION, State};
use device::Device;
use model::service::Service;
use model::{Name, Plan};
use plans::name;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const SLEEPER: &str = "exec = [\"/bin/sleep\", \"1000\"]\noutput = \"null\"\n";

fn parse(named: &str, text: &str) -> Service {
    model::text::service::parse(&name(named), text).expect("a service")
}

/// A device whose image has these services, which all start at boot.
fn boot(texts: &[(&str, &str)]) -> Device {
    boot_with(texts, &[])
}

fn boot_with(texts: &[(&str, &str)], templates: &[(&str, &str)]) -> Device {
    let services: Vec<Service> = texts.iter().map(|(n, text)| parse(n, text)).collect();
    let all: Vec<Name> = services.iter().map(|s| s.name.clone()).collect();
    let mut plan = Plan::link("test 1", services, &all).expect("it links");
    plan.templates = templates.iter().map(|(n, text)| parse(n, text)).collect();
    Device::boot_prepared(&plan, |directory| {
        let shipped = directory.join("definitions/shipped");
        fs::create_dir_all(&shipped).expect("a directory");
        for (name, text) in texts {
            fs::write(shipped.join(format!("{name}.toml")), text).expect("a file");
        }
    })
}

/// Writes one of the files of the people.
fn write(device: &Device, file: &str, text: &str) {
    let path = device.path("definitions/services").join(file);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, text).expect("a file");
}

fn reload(device: &Device, rehearse: bool) -> Result<Vec<Change>, Error> {
    device.call(|s| async move { s.reload_definitions(rehearse).await })
}

fn words(changes: &[Change]) -> Vec<String> {
    let line = |c: &Change| format!("{} {} {}", c.name, c.what, c.effect);
    changes.iter().map(|c| line(c).trim_end().to_owned()).collect()
}

fn pid(device: &Device, name: &str) -> i32 {
    device.status(name).row.pid
}

#[test]
fn a_reload_restarts_what_changed_and_nothing_else() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(&[("a", SLEEPER), ("b", SLEEPER)]);
    device.settled();
    let before = (pid(&device, "a"), pid(&device, "b"));
    write(&device, "a.d/10-about.toml", "about = \"of my own\"\n");
    write(&device, "c.toml", SLEEPER);
    let rehearsed = reload(&device, true).expect("fine");
    assert_eq!(words(&rehearsed), ["a changed restarts", "c added"]);
    assert_eq!(device.status("a").row.about, "");
    assert_eq!(reload(&device, false).expect("fine"), rehearsed);
    device.until("the new definition", || device.status("a").row.about == "of my own");
    device.until("a restart", || {
        let row = device.status("a").row;
        row.state == State::Ready && row.pid != before.0
    });
    assert_eq!(pid(&device, "b"), before.1);
    assert_eq!(device.status("c").row.state, State::Off);
    device.call(|s| async move { s.start("c").await }).expect("it starts");
    assert_eq!(reload(&device, false).expect("fine"), []);
}

#[test]
fn a_mistake_in_any_file_changes_nothing() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(&[("a", SLEEPER), ("b", SLEEPER)]);
    let lives = device.settled().generation;
    let before = pid(&device, "a");
    write(&device, "a.d/10-typo.toml", "abuot = \"x\"\n");
    write(&device, "b.d/10-fine.toml", "about = \"x\"\n");
    let Err(Error::BadDefinition(why)) = reload(&device, false) else { unreachable!() };
    assert!(why.contains("abuot") && why.contains("10-typo.toml"), "{why}");
    write(&device, "a.d/10-typo.toml", "requires = [\"b\"]\n");
    write(&device, "b.d/10-fine.toml", "requires = [\"a\"]\n");
    let Err(Error::BadDefinition(why)) = reload(&device, false) else { unreachable!() };
    assert_eq!(why, "services wait for each other: a → b → a");
    assert_eq!((device.settled().generation, pid(&device, "a")), (lives, before));
}

#[test]
fn a_new_servicemgr_knows_what_runs_whatever_was_written_meanwhile() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(&[("b", SLEEPER), ("c", SLEEPER)]);
    device.settled();
    let before = (pid(&device, "b"), pid(&device, "c"));
    // Nobody reloads: it is another plan, in which each has another number.
    write(&device, "a.toml", SLEEPER);
    write(&device, "b.d/10-about.toml", "about = \"of my own\"\n");
    device.call(|s| async move { s.disable("c", false).await }).expect("disabled");
    device.kill_servicemgr();
    device.until("a", || device.call(|s| async move { s.start("a").await }).is_ok());
    assert_eq!((pid(&device, "b"), pid(&device, "c")), before);
    assert_eq!(device.status("c").row.restarts, 0);
    let was = u32::try_from(pid(&device, "a")).expect("a process");
    fs::remove_file(device.path("definitions/services/a.toml")).expect("it was there");
    device.kill_servicemgr();
    device.until("the end of a", || {
        let gone = device.call(|s| async move { s.status("a").await });
        matches!(gone, Err(Error::NoSuchService(_)))
            && !std::path::Path::new(&format!("/proc/{was}")).exists()
    });
    assert_eq!((pid(&device, "b"), pid(&device, "c")), before);
}

#[test]
fn what_lies_beside_definitions_is_left_alone_and_what_is_no_file_is_told() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(&[("a", SLEEPER)]);
    device.settled();
    for other in [".a.toml.swp", ".b.toml", "a.toml.bak", "a.toml~", "README"] {
        write(&device, other, "nonsense");
    }
    assert_eq!(reload(&device, false).expect("fine"), []);
    let fifo = device.path("definitions/services/b.toml");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    let Err(Error::BadDefinition(why)) = reload(&device, false) else { unreachable!() };
    assert!(why.contains("b.toml: not a regular file"), "{why}");
}

#[test]
fn what_is_taken_away_ends_first() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(&[("a", SLEEPER)]);
    device.settled();
    write(&device, "mine.toml", SLEEPER);
    reload(&device, false).expect("fine");
    device.until("mine", || device.call(|s| async move { s.start("mine").await }).is_ok());
    let was = u32::try_from(pid(&device, "mine")).expect("a process");
    fs::remove_file(device.path("definitions/services/mine.toml")).expect("it was there");
    assert_eq!(words(&reload(&device, false).expect("fine")), ["mine removed stops"]);
    device.until("the end of mine", || {
        let gone = device.call(|s| async move { s.status("mine").await });
        matches!(gone, Err(Error::NoSuchService(_)))
    });
    assert!(!std::path::Path::new(&format!("/proc/{was}")).exists());
}

#[test]
fn a_broken_file_at_boot_keeps_what_was_shipped_and_the_rest_runs() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(&[("a", SLEEPER), ("b", SLEEPER), ("c", SLEEPER)]);
    device.settled();
    write(&device, "a.d/x.toml", "nonsense");
    write(&device, "b.d/x.toml", "requires = [\"c\"]\n");
    write(&device, "c.d/x.toml", "requires = [\"b\"]\n");
    device.forget_state();
    device.kill_servicemgr();
    device.until("boot", || device.status("a").row.state == State::Ready);
    device.settled();
    let status = device.status("b").row;
    assert_eq!(status.state, State::Failed);
    assert!(status.reason.contains("wait for each other"), "{}", status.reason);
    assert_eq!(device.status("c").row.state, State::Failed);
}

#[test]
fn a_service_of_the_moment_runs_and_is_forgotten() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(&[("a", SLEEPER)]);
    device.settled();
    let run = |named: &'static str, text: &'static str| {
        device.call(move |s| async move { s.run(named, text).await })
    };
    run("job", SLEEPER).expect("it runs");
    let before = pid(&device, "job");
    device.kill_servicemgr();
    device.until("job", || device.status("job").row.state == State::Ready);
    assert_eq!(pid(&device, "job"), before);
    let Err(Error::Failed(why)) = run("job", SLEEPER) else { unreachable!() };
    assert!(why.contains("already"), "{why}");
    device.call(|s| async move { s.stop("job").await }).expect("it ends");
    let gone = device.call(|s| async move { s.status("job").await });
    assert!(matches!(gone, Err(Error::NoSuchService(_))));
    run("job", SLEEPER).expect("the name is free again");
    let Err(Error::BadDefinition(why)) = run("bad", "exce = []") else { unreachable!() };
    assert!(why.contains("exce"), "{why}");
    run("crash", "exec = [\"/bin/false\"]\ntype = \"oneshot\"\n[restart]\nwhen = \"never\"\n")
        .expect_err("it fails");
    assert_eq!(device.status("crash").row.state, State::Failed);
    device.call(|s| async move { s.reset("crash").await }).expect("forgotten");
    let gone = device.call(|s| async move { s.status("crash").await });
    assert!(matches!(gone, Err(Error::NoSuchService(_))));
}

#[test]
fn a_definition_of_the_longest_runs_and_a_longer_one_is_refused_with_what_to_do() {
    let _one = ONE_AT_A_TIME.lock();
    let device = boot(&[("a", SLEEPER)]);
    device.settled();
    let long = |length: usize| format!("{SLEEPER}#{}", "x".repeat(length - SLEEPER.len() - 1));
    let run = |named: &'static str, length: usize| {
        let text = long(length);
        device.call(move |s| {
            let text = text.clone();
            async move { s.run(named, &text).await }
        })
    };
    run("longest", MAX_DEFINITION).expect("it runs");
    let Err(Error::BadDefinition(why)) = run("longer", MAX_DEFINITION + 1) else { unreachable!() };
    assert!(why.contains("12289 bytes") && why.contains("/etc/ensemble/services"), "{why}");
    assert_eq!(device.status("longest").row.state, State::Ready);
}

#[test]
fn an_instance_of_a_template_is_made_when_it_is_asked_for() {
    let _one = ONE_AT_A_TIME.lock();
    let text = "exec = [\"/bin/sleep\", \"%i\"]\noutput = \"null\"\n";
    let device = boot_with(&[("a", SLEEPER)], &[("nap@", text)]);
    device.settled();
    device.call(|s| async move { s.start("nap@1000").await }).expect("it starts");
    assert_eq!(device.status("nap@1000").exec, ["/bin/sleep", "1000"]);
    device.kill_servicemgr();
    device.until("nap", || device.status("nap@1000").row.state == State::Ready);
    device.call(|s| async move { s.enable("nap@1000", false).await }).expect("enabled");
    device.call(|s| async move { s.disable("a", true).await }).expect("disabled");
    assert_eq!(device.status("a").row.state, State::Off);
    let text = fs::read_to_string(device.path("definitions/services.toml")).expect("choices");
    assert!(text.contains("enable = [\"nap@1000\"]\ndisable = [\"a\"]"), "{text}");
}

#[test]
fn a_client_waits_for_a_state_and_learns_what_a_request_would_do() {
    let _one = ONE_AT_A_TIME.lock();
    let user = format!("{SLEEPER}requires = [\"a\"]\n");
    let device = boot(&[("a", SLEEPER), ("user", &user)]);
    device.settled();
    let row = device.call(|s| async move { s.wait("user", &["failed", "ready"]).await });
    assert_eq!(row.expect("it is ready").state, State::Ready);
    let wrong = device.call(|s| async move { s.wait("user", &["happy"]).await });
    assert!(matches!(wrong, Err(Error::Failed(_))));
    let would = device.call(|s| async move { s.rehearse("stop", &["a"]).await }).expect("a plan");
    assert_eq!((would.stop, would.start), (vec!["user".to_owned(), "a".to_owned()], vec![]));
    let why = device.call(|s| async move { s.why("a").await }).expect("reasons");
    assert_eq!((why.wanted_by, why.started_by), (vec!["user".to_owned()], vec!["boot".to_owned()]));
}
